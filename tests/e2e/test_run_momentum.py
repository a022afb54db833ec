"""The strategy of the README, run as a user would."""

from .program import Program


def test_it_trades_until_ctrl_c_and_ends_with_a_summary() -> None:
    with Program("examples/momentum.py") as program:
        program.until("momentum bought 0.01 BTC-USDT at ")
        program.interrupt()
        code, printed = program.end()
    assert code == 0, printed
    assert "stopped in " in printed
    assert "momentum holds 0.01 BTC-USDT" in printed
    assert "unaccounted for: 0" in printed
    assert printed.count(": fill ") == 1  # exposure kept it from buying twice
