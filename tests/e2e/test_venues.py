"""Venues in one process and strategies in another, run as a user would; one of them lost on the way."""

import re
import subprocess
import sys
from pathlib import Path

from .program import Program

VENUES, TRADE = "examples/venues/venues.py", "examples/venues/trade.py"
ANYWHERE = ["tcp://127.0.0.1:0"] * 4


def addresses(venues: Program) -> list[str]:
    """Where the market and the three venues listen, as `trade.py` wants it."""
    orders = [venues.until("order entry: listens at ").split()[-1] for _ in range(3)]
    return [venues.until("relay/server: listens at ").split()[-1], *orders]


def ready(trade: Program) -> None:
    """All three venues are, whichever first."""
    names = {trade.until(": ready").split()[-2] for _ in range(3)}
    assert names == {"alpha:", "beta:", "gamma:"}


def test_two_strategies_trade_at_three_venues_and_a_second_process_holds_what_the_first_one_held(
    tmp_path: Path,
) -> None:
    journal = tmp_path / "orders.journal"
    with Program(VENUES, *ANYWHERE) as venues:
        where = addresses(venues)
        with Program(TRADE, *where, str(journal)) as trade:
            ready(trade)
            line = trade.until("thirds: fill ")
            trade.until("best: fill ")
            order_id = re.findall(r"fill (\S+):", line)[0]
            told = why(order_id, journal)  # while it runs
            trade.interrupt()
            code, printed = trade.end()
        assert code == 0, printed
        assert "unaccounted for: 0" in printed
        assert re.search(r"  alpha +\d+ ", printed.split("orders: p50/p99/max")[1])
        assert "orders still open" not in printed
        for what in ("tick ", "decision ", "risk ", "route ", "leg 1 ", "leg 3 ", "beta ", "fill ", "fee "):
            assert what in told, told
        with Program(TRADE, *where, str(journal)) as trade:
            trade.until("the journal holds ")
            ready(trade)  # the accounts are as the journal says
            trade.interrupt()
            code, printed = trade.end()
        assert code == 0, printed
        assert "quarantined" not in printed
        venues.interrupt()
        code, printed = venues.end()
    assert code == 0, printed


def why(order_id: str, journal: Path) -> str:
    command = [sys.executable, "-m", "ticktree", "why", order_id, "--journal", str(journal)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_venues_may_go_and_come_back_and_what_cannot_be_explained_is_named(tmp_path: Path) -> None:
    with Program(VENUES, *ANYWHERE) as venues:
        where = addresses(venues)
        with Program(TRADE, *where, str(tmp_path / "orders.journal")) as trade:
            trade.until("thirds: fill ")
            venues.kill()
            trade.until("connection lost: ")
            with Program(VENUES, *where) as again:
                again.until("relay/server: listens at ")
                trade.until("is quarantined: it holds 0 increments, our facts say ")
                trade.interrupt()
                code, printed = trade.end()
            assert code == 0, printed
            assert "quarantined, until it is resolved: " in printed
