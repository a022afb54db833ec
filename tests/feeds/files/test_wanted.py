"""Which rows a feed brings, and what files call its instruments."""

from pathlib import Path

import pytest

from ticktree.feeds.files import NoDefinition
from ticktree.feeds.files.wanted import Names, Wanted
from ticktree.market import Topic

from .made import BOOK, BTC, ETH, KNOWN, QUOTE, TRADE


def wanted(*topics: str) -> Wanted:
    return Wanted("f", tuple(map(Topic.parse, topics)), KNOWN)


def test_kinds_and_instruments_are_those_of_the_topics() -> None:
    some = wanted("f/BTC-USDT/trade", "f/ETH-*/*", "g/BTC-USDT/quote")
    found = {(one.name, kind) for one in (BTC, ETH) for kind in (TRADE, QUOTE, BOOK) if some.wants(one.name, kind)}
    assert found == {("BTC-USDT", TRADE), *(("ETH-USDT", kind) for kind in (TRADE, QUOTE, BOOK))}


def test_names_are_those_told_and_those_defined_that_are_selected() -> None:
    assert wanted("f/XRP-USDT/trade", "f/ETH-*/trade").names == ["XRP-USDT", "ETH-USDT"]
    with pytest.raises(NoDefinition, match="prices and sizes of XRP-USDT are multiples of"):
        wanted("f/XRP-USDT/trade").defined(Path("a.csv"), ["BTC-USDT", "XRP-USDT"])


@pytest.mark.parametrize(
    ("symbol", "name"),
    [
        ("BTC-USD", "BTC-USD"),
        ("BTCUSD", "BTC-USD"),
        ("btc/usd", "BTC-USD"),
        ("AB-C", "AB-C"),  # as it is written
        ("A-BC", "A-BC"),
        ("abc", None),  # it might be both
        ("BTCUSDT", None),
        ("", None),
    ],
)
def test_a_symbol_is_ours_but_for_case_and_punctuation_if_it_can_be_one_only(symbol: str, name: str | None) -> None:
    assert Names(["BTC-USD", "AB-C", "A-BC"]).find(symbol) == name
