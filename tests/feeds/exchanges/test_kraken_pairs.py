"""What Kraken lists, as instruments."""

from decimal import Decimal
from typing import Any

import attrs
import msgspec
import pytest

from ticktree.feeds.exchanges.kraken_pairs import AssetPairs, Pair, symbol_of
from ticktree.feeds.exchanges.listing import defined
from ticktree.market import BadInstrument, Instrument, TradingStatus

from ...recordings import recording

BTC = Instrument("BTC-USD", 1, Decimal("0.1"), Decimal("1E-8"))


def listing() -> dict[str, Pair]:
    body = next(line.data for line in recording("kraken") if "AssetPairs" in line.url)
    return msgspec.json.decode(body, type=AssetPairs).result


def instruments() -> dict[str, Instrument]:
    listed = [pair for pair in listing().values() if pair.wsname]
    return {each.name: each for each in defined(listed, {pair.name for pair in listed})}


def test_all_recorded_instruments_are_defined_but_for_the_dark_pools() -> None:
    found = instruments()
    assert (len(listing()), len(found)) == (304, 293)
    btc = found["BTC-USD"]
    assert (btc.price_increment, btc.size_increment) == (Decimal("0.1"), Decimal("0.00000001"))
    assert (btc.min_notional, btc.status) == (Decimal(0), TradingStatus.TRADING)
    assert {symbol_of(name) for name in found} == {pair.wsname for pair in listing().values()} - {""}


OLD = {"altname": "XBTUSD", "wsname": "XBT/USD", "pair_decimals": 1, "lot_decimals": 8, "ordermin": "0.0002"}


def entry(**changes: Any) -> Pair:
    return msgspec.convert(OLD | changes, Pair)


def test_what_is_told_of_an_instrument_since_2022_is_heeded() -> None:
    assert entry().instrument() == BTC
    newer = entry(tick_size="0.5", costmin="0.5", status="online").instrument()
    assert newer == attrs.evolve(BTC, price_increment=Decimal("0.5"), min_notional=Decimal("0.5"))


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("online", TradingStatus.TRADING),
        ("limit_only", TradingStatus.TRADING),
        ("cancel_only", TradingStatus.HALTED),
        ("post_only", TradingStatus.HALTED),
        ("reduce_only", TradingStatus.HALTED),
        ("delisted", TradingStatus.CLOSED),
        ("something_new", TradingStatus.HALTED),
    ],
)
def test_the_status_is_translated_and_a_new_one_is_not_trading(word: str, status: TradingStatus) -> None:
    assert entry(status=word).instrument().status is status


@pytest.mark.parametrize(
    "changes",
    [
        {"pair_decimals": -1},
        {"lot_decimals": 10**9},
        {"tick_size": "0"},
        {"tick_size": "NaN"},
        {"costmin": "-1"},
        {"wsname": "XBTUSD"},
        {"wsname": "XBT/USD/EUR"},
        {"wsname": "币/USD"},
        {"wsname": "BTC/USD"},
    ],
    ids=repr,
)
def test_what_cannot_be_an_instrument_is_left_out_unless_it_is_wanted(changes: dict[str, Any]) -> None:
    bad, good = entry(**changes), entry(wsname="ETH/USD")
    assert [each.name for each in defined([bad, good], {"ETH-USD"})] == ["ETH-USD"]
    with pytest.raises(BadInstrument):
        list(defined([bad], {bad.name}))


@pytest.mark.parametrize(
    ("name", "symbol"),
    [("BTC-USD", "XBT/USD"), ("ETH-BTC", "ETH/XBT"), ("DOGE-BTC", "XDG/XBT"), ("WBTC-BTC", "WBTC/XBT")],
)
def test_names_are_usual_and_symbols_are_the_exchanges(name: str, symbol: str) -> None:
    assert symbol_of(name) == symbol
    assert entry(wsname=symbol).name == name
