"""What Kraken would never send: each is refused by name, and nothing of it is told."""

import json
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from ticktree.feeds import BadMessage, FeedError
from ticktree.market import BookUpdate, MarketError, Quote, Trade

from .test_kraken import MESSAGES, ROW, TICKER, TRADES, changes, events, frame

NO_NUMBER = (
    *('"nan"', '"inf"', '"-inf"', "NaN", "Infinity", '"1e999"', '"1e400"', '"-1"', '"-0"', "-1", '"+1"', '""', '" 1"'),
    *('"1 "', '"1_0"', '"1e5"', '"1,5"', '"0x1"', '"."', '"1.2.3"', '"\\uff11"', '"²"', "null", "true", "[]", "{}"),
    *('"' + "9" * 30 + '"', '"' + "9" * 5_000 + '"', '"' + "9" * 22 + '.0"', "1.5", '"1\\u0000"', '"\\ud800"'),
)
LEVEL_PLACES = ("PRICE", "SIZE", "TIME")
BOOKS = {
    "bid": '[1,{"b":[["PRICE","SIZE","TIME"]],"c":"77"},"book-1000","XBT/USD"]',
    "second ask": '[1,{"a":[["1.0","1.0","1.0"],["PRICE","SIZE","TIME"]],"c":"77"},"book-1000","XBT/USD"]',
    "both": '[1,{"a":[["1.0","1.0","1.0"]]},{"b":[["PRICE","SIZE","TIME"]],"c":"77"},"book-1000","XBT/USD"]',
    "snapshot": '[1,{"as":[["PRICE","SIZE","TIME"]],"bs":[]},"book-1000","XBT/USD"]',
    "again": '[1,{"b":[["PRICE","SIZE","TIME","r"]],"c":"77"},"book-1000","XBT/USD"]',
}


def filled(text: str, place: str, value: str) -> bytes:
    for each, usual in zip(LEVEL_PLACES, ROW, strict=True):
        text = text.replace(f'"{each}"', value if each == place else f'"{usual}"')
    return text.encode()


@pytest.mark.parametrize("name", BOOKS)
@pytest.mark.parametrize("place", LEVEL_PLACES)
def test_a_level_that_cannot_be_is_refused(name: str, place: str) -> None:
    assert len(events(filled(BOOKS[name], "", ""))) == 1
    for value in NO_NUMBER:
        data = filled(BOOKS[name], place, value)
        with pytest.raises(BadMessage) as caught:
            events(data)
        assert (caught.value.feed, caught.value.head) == ("kraken", data[:16])


def test_a_level_at_price_0_is_refused() -> None:
    for price in ("0", "0.00000"):
        with pytest.raises(BadMessage):
            events(changes(b=[[price, *ROW[1:]]]))


@pytest.mark.parametrize("value", NO_NUMBER)
def test_a_checksum_that_cannot_be_is_refused(value: str) -> None:
    if value == "null":
        return  # as if there was none
    with pytest.raises(BadMessage):
        events(b'[1,{"b":[["1.0","1.0","1.0"]],"c":' + value.encode() + b'},"book-1000","XBT/USD"]')


LAX = ("1.5", '"1e5"', '"-0"')  # which are numbers to what reads trades and quotes


@pytest.mark.parametrize("value", [value for value in NO_NUMBER if value not in LAX])
def test_an_amount_that_cannot_be_is_refused(value: str) -> None:
    trade, ticker = '[1,[["@","1","1.0","b","l",""]],"trade","XBT/USD"]', json.dumps([1, TICKER, "ticker", "XBT/USD"])
    for text in (
        trade.replace('"@"', value),
        trade.replace('"1"', value).replace('"@"', '"1.0"'),
        ticker.replace('"13.232900"', value),
        ticker.replace('"35.72892241"', value),
    ):
        with pytest.raises(BadMessage):
            events(text.encode())


@pytest.mark.parametrize(
    "row",
    [
        [],
        ["1"],
        ["1", "2", "1.0", "x", "l", ""],
        ["1", "2", "1.0", None, "l", ""],
        ["0", "2", "1.0", "b", "l", ""],
        ["1", "2", "x", "b", "l", ""],
        ["1", "2", 1.0, "b", "l", ""],
        {},
        None,
        "x",
    ],
)
def test_a_trade_that_cannot_be_is_refused(row: Any) -> None:
    with pytest.raises(BadMessage):
        events(frame([TRADES[0], row], channel="trade"))


@pytest.mark.parametrize("key", ["a", "b"])
@pytest.mark.parametrize("best", [None, [], ["1", 1], ["1", 1, "1", "1"], {}, "x", ["1", 1, None]])
def test_best_prices_that_cannot_be_are_refused(key: str, best: Any) -> None:
    with pytest.raises(BadMessage):
        events(frame(TICKER | {key: best}, channel="ticker"))
    with pytest.raises(BadMessage):
        events(frame({other: TICKER[other] for other in TICKER if other != key}, channel="ticker"))


NO_BOOKS: list[list[Any]] = [
    [],
    [{}],
    [{"c": "77"}],
    [{"as": [ROW]}],
    [{"bs": [ROW], "c": "77"}],
    [{"as": [ROW], "bs": [ROW], "a": [ROW]}],
    [{"as": [ROW], "bs": [ROW]}, {"b": [ROW], "c": "77"}],
    [{"a": [ROW]}, {"a": [ROW], "c": "77"}],
    [{"a": [ROW], "c": "77"}, {"b": [ROW], "c": "77"}],
    [{"a": None}],
    [{"a": {}}],
    [{"a": "x"}],
    [{"a": [[]]}],
    [{"a": [ROW[:2]]}],
    [{"a": [[*ROW, "x"]]}],
    [{"a": [[*ROW, "r", "r"]]}],
    [{"a": [["r", *ROW]]}],
    [{"a": [[*ROW[:2], "r"]]}],
    [{"a": [["1", "r", "1", "1"]]}],
    [{"a": [{"0": "1"}]}],
    [{"a1": [ROW], "c": "77"}],
    [{"a": [ROW], "c": 77}],
    [["a"]],
    ["a"],
    [None],
    [1],
]


@pytest.mark.parametrize("payload", NO_BOOKS, ids=repr)
def test_a_book_that_cannot_be_is_refused(payload: list[Any]) -> None:
    for between in (",", ", "):
        with pytest.raises(BadMessage):
            events(frame(*payload, between=between))


@pytest.mark.parametrize("name", sorted(MESSAGES.keys() - {"trade"}))
def test_a_key_that_comes_twice_is_refused_wherever_it_is(name: str) -> None:
    text = MESSAGES[name]
    for content in json.loads(text)[1:-2]:
        for key, value in content.items():
            again = json.dumps({key: value}, separators=(",", ":"))[1:-1].encode()
            for doubled in (text.replace(b"{", b"{" + again + b","), text.replace(b"}", b"," + again + b"}")):
                with pytest.raises(BadMessage, match="twice"):
                    events(doubled)


@pytest.mark.parametrize(
    ("channel", "pair"),
    [
        ("book-10", "XBT/USD"),
        ("book-100", "XBT/USD"),
        ("book", "XBT/USD"),
        ("ohlc-1", "XBT/USD"),
        ("spread", "XBT/USD"),
        ("book-1000", "BTC/USD"),
        ("book-1000", "XBT/EUR"),
        ("book-1000", ""),
    ],
)
def test_what_was_not_asked_for_is_refused(channel: str, pair: str) -> None:
    with pytest.raises(BadMessage, match="not asked for"):
        events(frame({"b": [ROW], "c": "77"}, channel=channel, pair=pair))


@pytest.mark.parametrize(("name", "channel"), [("bid", "trade"), ("ticker", "book-1000"), ("trade", "ticker")])
def test_what_is_of_another_kind_than_its_channel_is_refused(name: str, channel: str) -> None:
    with pytest.raises(BadMessage):
        events(frame(*json.loads(MESSAGES[name])[1:-2], channel=channel))


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


BID = MESSAGES["bid"]


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{", b"null", b"[]", b"1", b'"x"', b"{}", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf{}", b"GET / HTTP/1.1",
        b"[1]", b"[1,2]", b'[1,"book-1000","XBT/USD"]', b'{"event":"heartbeat","event":"heartbeat"}', b'{"event":1}',
        b'{"event":"subscriptionStatus"}', b'{"event":"systemStatus","status":1}', b'{"event":"new"}',
        nested(5_000), nested(100_000), b'[1,{"b":' + nested(5_000) + b',"c":"1"},"book-1000","XBT/USD"]',
        BID + BID, BID + b"x", BID[:-1] + b',"r"]', BID.replace(b'"354', b'"r","354'), BID.replace(b"]]", b'],"r"]'),
        BID.replace(b"1664", b'"1664"'), BID.replace(b"1664", b""), BID.replace(b"1664", b"16.64"),
        BID.replace(b"1664,", b"1664,1664,"), BID.replace(b'{"b"', b'{"b1"'), BID.replace(b'"354', b'1"354'),
        BID.replace(b"book-1000", b"book-1000."), BID.replace(b"XBT", b"\xff\xfe"), b"9" * 5_000,
    ],
    ids=lambda data: repr(data[:40]),
)  # fmt: skip
def test_garbage_is_named(data: bytes) -> None:
    with pytest.raises(BadMessage) as caught:
        events(data)
    assert str(caught.value).startswith("kraken: ")
    assert caught.value.head == data[:16]


def test_a_message_cut_anywhere_is_refused() -> None:
    for message in MESSAGES.values():
        for end in range(len(message)):
            with pytest.raises(BadMessage):
                events(message[:end])


def outcome(data: bytes) -> None:
    """Events, or an error of the kinds that the base expects; and nothing that cannot be."""
    try:
        found = events(data)
    except (FeedError, MarketError):
        return
    for event in found:
        match event:
            case Trade():
                assert 0 < event.price <= 1e20
                assert 0 <= event.size <= 1e20
            case Quote():
                assert all(0 <= value <= 1e20 for value in (event.bid, event.bid_size, event.ask, event.ask_size))
            case BookUpdate():
                assert all(0 < price <= 1e20 and 0 <= size <= 1e20 for price, size in event.bids + event.asks)
                assert event.text
                assert event.bids + event.asks == tuple((float(p), float(s)) for p, s in event.text[0] + event.text[1])
            case _:
                pass


@given(st.binary(max_size=200))
@settings(max_examples=max(100, settings().max_examples))
def test_any_bytes_are_events_or_a_named_error(data: bytes) -> None:
    outcome(data)


@given(st.sampled_from(sorted(MESSAGES)), st.integers(0, 200), st.sampled_from([*b'0123456789.-e_ r",:[]{}ab', 255]))
@settings(max_examples=max(300, settings().max_examples))
def test_any_change_of_a_message_is_events_or_a_named_error(name: str, at: int, other: int) -> None:
    message = MESSAGES[name]
    outcome(message[:at] + bytes([other]) + message[at + 1 :])
    outcome(message[:at] + bytes([other]) + message[at:])
