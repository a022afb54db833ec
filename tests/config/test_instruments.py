"""`[instruments.NAME]`: definitions for data that have none."""

from decimal import Decimal

from click.testing import CliRunner

from ticktree.cli import main
from ticktree.config.summary import warnings
from ticktree.market import Instrument

from .support import PAPER, loaded, problems, written

DEFINED = """\
[instruments.BTC-USDT]
price_increment = "0.010"
size_increment = 0.0001
min_notional = 10
multiplier = "5"

[instruments."ETH-USDT"]
price_increment = 0.1
size_increment = "1"
"""


def test_they_are_defined_exactly_however_their_numbers_are_written() -> None:
    btc, eth = loaded(PAPER + DEFINED).instruments
    assert btc == Instrument("BTC-USDT", 1, Decimal("0.01"), Decimal("0.0001"), Decimal(10), Decimal(5))
    assert eth == Instrument("ETH-USDT", 2, Decimal("0.1"), Decimal(1))
    assert btc.id != eth.id


def test_all_that_is_wrong_is_told_at_once_with_its_line() -> None:
    text = f"""{PAPER}
[instruments.btc-usdt]
price_increment = "0"
siz_increment = 0.0001
min_notional = -1
multiplier = 1e400

[instruments.BTCUSDT]
price_increment = "1e-31"
size_increment = "x"

[instruments]
ETH-USDT = 5
"""
    assert problems(text) == [
        'app.toml:17: instruments.btc-usdt: an instrument is written in capitals: "BTC-USDT"',
        "app.toml:18: instruments.btc-usdt.price_increment: a number above 0, of no more digits than prices have; "
        'not "0"',
        'app.toml:19: instruments.btc-usdt.siz_increment: there is no key "siz_increment"; '
        'did you mean "size_increment"?',
        "app.toml:20: instruments.btc-usdt.min_notional: a number 0 or above, of no more digits than prices have; "
        'not "-1"',
        'app.toml:21: instruments.btc-usdt.multiplier: a number, or a text of one, as in "50"; not Infinity',
        "app.toml:23: instruments.BTCUSDT: an instrument is written BASE-QUOTE, as in BTC-USDT",
        'app.toml:24: instruments.BTCUSDT.price_increment: a number, or a text of one, as in "0.01"; not "1e-31"',
        'app.toml:25: instruments.BTCUSDT.size_increment: a number, or a text of one, as in "0.0001"; not "x"',
        "app.toml:28: instruments.ETH-USDT: a table: [instruments.BASE-QUOTE]; not 5",
    ]
    assert problems(f"instruments = 5\n{PAPER}") == ["app.toml:1: instruments: a table: [instruments]; not 5"]


def test_check_tells_them_and_one_that_no_feed_brings() -> None:
    said = CliRunner().invoke(main, ["check", str(written(PAPER + DEFINED))]).output
    assert "  BTC-USDT    prices in steps of 0.01, sizes of 0.0001, each of 5, 10 USDT or more an order\n" in said
    assert "  ETH-USDT    prices in steps of 0.1, sizes of 1\n" in said
    assert "  no feed brings ETH-USDT, which [instruments] defines" in said
    (warning,) = [one for one in warnings(loaded(PAPER + DEFINED.replace("ETH-USDT", "BTC-USTD"))) if "defines" in one]
    assert warning == "no feed brings BTC-USTD, which [instruments] defines; did you mean BTC-USDT?"
