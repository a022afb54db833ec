"""Which exchange a recording is of, and that none of them fails on what a client says."""

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from ticktree.feeds.exchanges.played import EXCHANGES, PlayedBinance, PlayedCoinbase, PlayedKraken, named, played
from ticktree.feeds.playback import ForeignRecording, Listener, NothingRecorded, Played, UnknownExchange
from ticktree.feeds.recording import Entry, EntryKind

from ....recordings import entries
from . import test_binance, test_coinbase, test_kraken
from .speaking import http

NAMES = tuple(EXCHANGES)
MADE: dict[str, Played] = {
    "binance": PlayedBinance(test_binance.BEGUN),
    "coinbase": PlayedCoinbase(test_coinbase.ENTRIES),
    "kraken": PlayedKraken(test_kraken.ENTRIES),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_capture_tells_by_its_addresses_which_exchange_it_is_of(name: str) -> None:
    assert named(entries(name)) == name
    assert played("", entries(name)).name == name


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_that_is_not_of_the_exchange_it_is_said_to_be_is_refused(name: str) -> None:
    for other in set(NAMES) - {name}:
        with pytest.raises(ForeignRecording, match=f"not of {name}: its addresses are of {other}"):
            played(name, entries(other))
        nameless = [Entry(entry.kind, entry.time_ns, entry.connection, "", entry.data) for entry in entries(other)]
        with pytest.raises(ForeignRecording, match=f"not of {name}: it has no message of the kind; one begins"):
            played(name, nameless)


def test_an_address_that_only_looks_like_one_of_an_exchange_is_none() -> None:
    address = "https://binance.com.evil.example/notbinance.com?binance.com"
    assert named([http(address, {})]) == ""
    assert named([http("https://api1.binance.com/api/v3/depth", {})]) == "binance"


@pytest.mark.parametrize("found", [[], [http("https://api.kraken.com/0/public/AssetPairs", {})]])
def test_where_no_exchange_said_anything_there_is_nothing_to_be_served(found: list[Entry]) -> None:
    with pytest.raises(NothingRecorded, match="no message"):
        played("kraken", found)


def test_an_exchange_that_nobody_knows_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(UnknownExchange, match="no exchange 'krakne' to be played; there is binance, coinbase, kraken"):
        played("krakne", ())
    with pytest.raises(UnknownExchange, match="say which it is, of binance, coinbase, kraken"):
        played("", [Entry(EntryKind.RECEIVED, 0, 1, "", b"{}")])


WORDS = st.sampled_from(
    (
        *("subscribe", "unsubscribe", "SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "ping", "book", "trade"),
        *("level2", "ticker", "A-B", "XBT/USD", "ab@depth@100ms", "event", "pair", "name", ""),
    )
)
VALUES = st.recursive(
    WORDS | st.none() | st.booleans() | st.integers() | st.just(2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)
KEYS = ("event", "pair", "subscription", "reqid", "type", "channels", "product_ids", "method", "params", "id")
NAMED = st.fixed_dictionaries({}, optional={"name": VALUES, "depth": VALUES, "product_ids": VALUES})
MESSAGES = st.fixed_dictionaries(
    {}, optional={key: VALUES | NAMED | st.lists(NAMED | VALUES, max_size=2) for key in KEYS}
)


@pytest.mark.parametrize("name", NAMES)
@given(said=st.lists(MESSAGES | VALUES, max_size=4))
def test_whatever_a_client_says_is_answered(name: str, said: list[Any]) -> None:
    listener = Listener()
    for message in said:
        answers = MADE[name].heard(listener, json.dumps(message))
        assert answers or (name == "kraken" and message["pair"] == [])
        for answer in answers:
            json.loads(answer)


@pytest.mark.parametrize("name", NAMES)
@given(st.text())
def test_whatever_bytes_a_client_says_are_answered(name: str, said: str) -> None:
    assert MADE[name].heard(Listener(), said)
