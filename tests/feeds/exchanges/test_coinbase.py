"""Coinbase's messages and answers, read and refused."""

import json
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs
import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from ticktree.feeds import BadMessage, FeedError, Refused, Source, UnknownKind
from ticktree.feeds.exchanges.coinbase import REST_URL, CoinbaseFeed, Listed, time_ns
from ticktree.feeds.exchanges.listing import defined
from ticktree.feeds.feed import Acknowledged
from ticktree.feeds.sequence import SequenceRule
from ticktree.market import (
    BadInstrument,
    Batch,
    BookUpdate,
    EventKind,
    Instrument,
    Mark,
    MarketError,
    OrderBook,
    Quote,
    Side,
    Topic,
    Trade,
    TradingStatus,
)

from ...recordings import recording

BTC = Instrument("BTC-USD", 1, Decimal("0.01"), Decimal("0.00000001"))
ETH = Instrument("ETH-USD", 2, Decimal("0.01"), Decimal("0.00000001"))
NOW = 5
TIME, TIME_NS = "2023-11-14T22:13:20.000123Z", 1_700_000_000_000_123_000

MATCH: dict[str, Any] = {
    "type": "match", "trade_id": 12345, "maker_order_id": "a", "taker_order_id": "b", "side": "sell", "size": "0.5",
    "price": "37000.01", "product_id": "BTC-USD", "sequence": 400, "time": TIME,
}  # fmt: skip
UNSIZED: dict[str, Any] = {
    "type": "ticker", "sequence": 400, "product_id": "BTC-USD", "price": "37000.01", "open_24h": "36000",
    "volume_24h": "12.5", "low_24h": "35000", "high_24h": "38000", "volume_30d": "900", "best_bid": "37000.00",
    "best_ask": "37000.02", "side": "buy", "time": TIME, "trade_id": 12345, "last_size": "0.5",
}  # fmt: skip
TICKER: dict[str, Any] = UNSIZED | {"best_bid_size": "1.5", "best_ask_size": "0.25"}
UPDATE: dict[str, Any] = {
    "type": "l2update", "product_id": "BTC-USD",
    "changes": [["buy", "37000.00", "2"], ["sell", "37000.02", "0.00000000"], ["buy", "36999.99", "0.1"]],
    "time": TIME,
}  # fmt: skip
SNAPSHOT: dict[str, Any] = {
    "type": "snapshot", "product_id": "BTC-USD", "asks": [["37000.02", "1"]], "bids": [["37000.00", "2"], ["1", "3"]],
}  # fmt: skip
DATA = {
    "match": MATCH, "unsized ticker": UNSIZED, "ticker": TICKER, "l2update": UPDATE, "snapshot": SNAPSHOT,
    "timed snapshot": SNAPSHOT | {"time": TIME},
}  # fmt: skip
NEEDED = {
    "match": ("trade_id", "side", "size", "price", "product_id", "time"),
    "ticker": ("sequence", "product_id", "best_bid", "best_ask", "time"),
    "l2update": ("product_id", "changes", "time"),
    "snapshot": ("product_id", "asks", "bids"),
}
KEYS = [(kind, key) for kind, data in DATA.items() for key in data]


class Nowhere:
    def attach(self, port: object) -> None: ...

    def publish(self, batch: Batch) -> None: ...

    def mark(self, mark: Mark) -> None: ...


def feed_of(*topics: str) -> CoinbaseFeed:
    return CoinbaseFeed(Source("coinbase", tuple(map(Topic.parse, topics)), Nowhere()))


def connected(*instruments: Instrument) -> CoinbaseFeed:
    """A feed that asked for all there is of `instruments`."""
    feed = feed_of(*(f"coinbase/{each.name}/{kind}" for each in instruments for kind in ("trade", "quote", "book")))
    for instrument in instruments:
        feed.adopt(instrument)
    feed.opened()
    return feed


FEED = connected(BTC)


def message(data: Any) -> bytes:
    return json.dumps(data, separators=(",", ":")).encode()


def events(frame: bytes | memoryview, feed: CoinbaseFeed = FEED) -> list[Any]:
    return list(feed.decode(frame, NOW))


# --- what is understood --------------------------------------------------------------------------------------------

BOOK = BookUpdate("coinbase", BTC, ((37000.0, 2.0), (1.0, 3.0)), ((37000.02, 1.0),), True, 0, 0, 0, NOW)
TOLD: dict[str, Any] = {
    "match": Trade("coinbase", BTC, 37000.01, 0.5, Side.BUY, 12345, TIME_NS, NOW),
    "unsized ticker": Quote("coinbase", BTC, 37000.0, 0.0, 37000.02, 0.0, 400, TIME_NS, NOW),
    "ticker": Quote("coinbase", BTC, 37000.0, 1.5, 37000.02, 0.25, 400, TIME_NS, NOW),
    "l2update": BookUpdate(
        "coinbase", BTC, ((37000.0, 2.0), (36999.99, 0.1)), ((37000.02, 0.0),), False, 0, 0, TIME_NS, NOW
    ),
    "snapshot": BOOK,
    "timed snapshot": BOOK,
}


@pytest.mark.parametrize("kind", DATA)
def test_each_kind_of_message_is_one_event(kind: str) -> None:
    frame = message(DATA[kind])
    assert events(frame) == [TOLD[kind]]
    assert events(memoryview(frame)) == [TOLD[kind]]


def test_a_read_of_all_kinds_is_their_events_in_order() -> None:
    kinds = [*DATA, *reversed(DATA)]
    assert FEED.decode_read([message(DATA[kind]) for kind in kinds], NOW) == [TOLD[kind] for kind in kinds]


@pytest.mark.parametrize("unusual", [MATCH | {"new": 1}, MATCH | {"product_id": "ETH-USD"}, {"type": "error"}, []])
def test_a_read_with_one_unusual_message_is_left_to_be_decoded_one_by_one(unusual: Any) -> None:
    assert FEED.decode_read([message(MATCH), message(unusual), message(MATCH)], NOW) is None


@pytest.mark.parametrize("kind", DATA)
def test_the_usual_messages_need_no_closer_look(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(CoinbaseFeed, "_look_closer")
    assert events(message(DATA[kind])) == [TOLD[kind]]


@pytest.mark.parametrize("kind", DATA)
def test_keys_that_are_new_to_us_change_nothing(kind: str) -> None:
    assert events(message(DATA[kind] | {"new": {"x": [1, "a:b"]}})) == [TOLD[kind]]
    assert events(message({"new": None} | DATA[kind])) == [TOLD[kind]]


@pytest.mark.parametrize("kind", DATA)
def test_spaces_and_the_order_of_keys_change_nothing(kind: str) -> None:
    assert events(json.dumps(dict(reversed(DATA[kind].items())), indent=1).encode()) == [TOLD[kind]]


@pytest.mark.parametrize("kind", NEEDED)
def test_keys_we_do_not_need_may_go(kind: str) -> None:
    data = {key: DATA[kind][key] for key in ("type", *NEEDED[kind])}
    assert events(message(data)) == [TOLD["unsized ticker" if kind == "ticker" else kind]]


@pytest.mark.parametrize(("maker", "aggressor"), [("sell", Side.BUY), ("buy", Side.SELL)])
def test_the_taker_is_on_the_other_side_of_the_maker(maker: str, aggressor: Side) -> None:
    assert events(message(MATCH | {"side": maker}))[0].aggressor is aggressor


def test_the_trade_before_the_subscription_is_understood_and_not_told() -> None:
    assert events(message(MATCH | {"type": "last_match"})) == []
    with pytest.raises(BadMessage):
        events(message(MATCH | {"type": "last_match", "time": "yesterday"}))


def test_a_level_that_an_update_names_twice_is_as_it_was_named_last() -> None:
    changes = [["sell", "5", "1"], ["buy", "4", "0"], ["sell", "5", "0"], ["buy", "4", "7"], ["sell", "6", "2"]]
    (update,) = events(message(UPDATE | {"changes": changes}))
    book = OrderBook()
    book.apply(update)
    assert book.top(9) == ([(4.0, 7.0)], [(6.0, 2.0)])


def test_an_update_or_a_snapshot_may_have_no_levels() -> None:
    (update,) = events(message(UPDATE | {"changes": []}))
    (snapshot,) = events(message(SNAPSHOT | {"bids": [], "asks": []}))
    assert (update.bids, update.asks, update.snapshot) == ((), (), False)
    assert (snapshot.bids, snapshot.asks, snapshot.snapshot) == ((), (), True)


def test_an_empty_side_has_price_and_size_0() -> None:
    (quote,) = events(message(TICKER | {"best_bid": "0", "best_bid_size": "0.00000000"}))
    assert (quote.bid, quote.bid_size) == (0.0, 0.0)


def test_numbers_may_be_written_without_quotes() -> None:
    assert events(message(MATCH | {"price": 37000.01, "size": 0.5})) == [TOLD["match"]]


SUBSCRIPTIONS: dict[str, Any] = {
    "type": "subscriptions",
    "channels": [{"name": "level2_50", "product_ids": ["BTC-USD"], "account_ids": None}],
}


def test_the_list_of_subscriptions_acknowledges() -> None:
    assert events(message(SUBSCRIPTIONS)) == [Acknowledged()]
    assert events(message(SUBSCRIPTIONS | {"channels": []})) == [Acknowledged()]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"message": "Failed to subscribe", "reason": "XYZ-USD is not a valid product"}, r"subscribe \(XYZ-USD is not"),
        ({"message": "ErrSlowConsume"}, "ErrSlowConsume"),
        ({"message": ["x"] * 9_999, "reason": {"y": "z" * 9_999}}, "ended it"),
    ],
)
def test_an_error_is_a_refusal_in_the_words_of_the_exchange(answer: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words) as caught:
        events(message({"type": "error"} | answer))
    assert len(str(caught.value)) < 500


def test_the_rules_are_what_the_exchange_promises() -> None:
    assert CoinbaseFeed.rules == {
        EventKind.TRADE: SequenceRule.PLUS_ONE,
        EventKind.QUOTE: SequenceRule.MONOTONIC,
        EventKind.BOOK: SequenceRule.NONE,
    }


# --- times ---------------------------------------------------------------------------------------------------------

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@given(
    st.datetimes(datetime(1970, 1, 1), datetime(2255, 1, 1)),  # noqa: DTZ001  # without a zone, as `isoformat` is to be
    st.integers(0, 9),
)
def test_times_are_told_to_the_last_digit(moment: datetime, digits: int) -> None:
    fraction = f"{moment.microsecond:06d}987"[:digits]
    text = moment.replace(microsecond=0).isoformat() + (f".{fraction}" if fraction else "") + "Z"
    seconds = (moment.replace(microsecond=0, tzinfo=UTC) - EPOCH) // timedelta(seconds=1)
    assert time_ns(text) == seconds * 1_000_000_000 + int(fraction.ljust(9, "0"))


NO_TIMES = (
    *("", "Z", "x", "2023", "2023-11-14", "2023-11-14T22:13:20", "2023-11-14T22:13:20.000123", "22:13:20.000123Z"),
    *(
        "2023-11-14 22:13:20.000123Z",
        "2023-11-14T22:13:20.Z",
        "2023-11-14T22:13:20.1234567890Z",
        TIME + "Z",
        TIME + " ",
    ),
    *("2023-11-14T22:13:20,000123Z", "2023-11-14T22:13:20.00012-Z", "2023-11-14T22:13:20.-00123Z", " " + TIME),
    *("2023-11-14T22:13:20.0001_3Z", "2023-11-14T22:13:20. 00123Z", "2023-11-14T22:13:20.00012\u0663Z"),
    *("2023-11-14T22:13:20.000123z", "2023-11-14T22:13:20.000123+00:00", "2023-11-14T22:13:20+01:00", "1700000000"),
    *("2023-13-14T22:13:20Z", "2023-02-29T22:13:20Z", "2023-11-14T24:13:20Z", "2023-11-14T22:60:20Z"),
    *("2023-11-14T22:13:60Z", "0001-01-01T00:00:00Z", "1969-12-31T23:59:59.9Z", "2256-01-01T00:00:00Z", "0000-00-00T"),
    *("\u0662023-11-14T22:13:20Z", "2023-11-1\u0664T22:13:20Z", "+023-11-14T22:13:20Z", "2023-W46-2T22:13:20Z"),
)


@pytest.mark.parametrize("text", NO_TIMES)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no |before 1970|must be in|out of range"):
        time_ns(text)
    for data in (MATCH, TICKER, UPDATE):
        with pytest.raises(BadMessage):
            events(message(data | {"time": text}))


@given(st.text("0123456789-:.TZ+ ", max_size=30))
def test_any_text_is_a_time_or_none(text: str) -> None:
    try:
        assert 0 <= time_ns(text) < 1 << 63
    except ValueError:
        pass


# --- what is not ---------------------------------------------------------------------------------------------------


def replaced(kind: str, key: str, text: str) -> bytes:
    """A message whose `key` has `text` for a value."""
    return message(DATA[kind] | {key: "@@"}).replace(b'"@@"', text.encode())


NO_AMOUNT = (
    *('"nan"', '"inf"', '"-inf"', "NaN", "Infinity", "1e999", '"1e999"', '"-1"', "-1", '""', '" 1"', "null", "true"),
    *('"' + "9" * 30 + '"', "9" * 30, "[]", "{}", '"1,5"', "[1]"),
)
NO_NUMBER = ("9" * 30, '"' + "9" * 30 + '"', "9223372036854775808", "-1", "1.5", '"x"', "null", "true", "[]", "1e40")
NO_TEXT = ("1", "null", "[]", '"ETH-USD"', '"btc-usd"', '""', '"\\ud800"')
NO_LEVELS = (
    *("{}", "null", '"x"', "[[]]", '[["1"]]', '[["1","2","3"]]', '[["1","1"],1]', f'[["{"9" * 30}","1"]]', "[[[[1]]]]"),
    *('[["nan","1"]]', '[["1","nan"]]', '[["1","inf"]]', '[["-1","1"]]', '[["1","-1"]]', '[["0","1"]]'),
)
NO_CHANGES = (
    *("{}", "null", '"x"', "[[]]", '[["buy"]]', '[["buy","1"]]', '[["buy","1","1","1"]]', '[["hold","1","1"]]'),
    *('[["buy","nan","1"]]', '[["buy","1","inf"]]', '[["buy","0","1"]]', '[["buy","1","-1"]]', '[["1","1","buy"]]'),
    *(
        '[["BUY","1","1"]]',
        '[[1,"1","1"]]',
        '[["buy","1","1"],1]',
        f'[["buy","{"9" * 30}","1"]]',
        '[[["buy"],"1","1"]]',
    ),
)
HOSTILE = (
    [("match", key, text) for key in ("price", "size") for text in NO_AMOUNT]
    + [("match", "trade_id", text) for text in NO_NUMBER]
    + [("match", "side", text) for text in ("2", "null", '"Buy"', '""', "[]", "true")]
    + [("match", "price", "0")]
    + [("ticker", f"best_{side}", text) for side in ("bid", "ask", "bid_size", "ask_size") for text in NO_AMOUNT]
    + [("ticker", "sequence", text) for text in NO_NUMBER]
    + [("snapshot", key, text) for key in ("bids", "asks") for text in NO_LEVELS]
    + [("l2update", "changes", text) for text in NO_CHANGES]
    + [(kind, "product_id", text) for kind in DATA for text in NO_TEXT]
    + [(kind, "time", text) for kind in ("match", "ticker", "l2update") for text in ("1", "null", "[]", "1.5", "{}")]
    + [(kind, "type", text) for kind in DATA for text in ("1", "null", "[]", '"x"', '""', '"status"', '"heartbeat"')]
)


@pytest.mark.parametrize(("kind", "key", "text"), HOSTILE)
def test_a_value_that_cannot_be_is_refused(kind: str, key: str, text: str) -> None:
    frame = replaced(kind, key, text)
    with pytest.raises(BadMessage) as caught:
        events(frame)
    assert (caught.value.feed, caught.value.head) == ("coinbase", frame[:16])


@pytest.mark.parametrize("kind", NEEDED)
def test_a_needed_key_that_is_missing_is_refused(kind: str) -> None:
    for key in NEEDED[kind]:
        with pytest.raises(BadMessage, match="missing required field"):
            events(message({other: DATA[kind][other] for other in DATA[kind] if other != key}))


@pytest.mark.parametrize(("kind", "key"), KEYS)
def test_a_key_that_comes_twice_is_refused_wherever_it_is(kind: str, key: str) -> None:
    frame, again = message(DATA[kind]), json.dumps({key: DATA[kind][key]})[1:-1].encode()
    for doubled in (
        frame[:-1] + b"," + again + b"}",
        b"{" + again + b"," + frame[1:],
        frame[:-1] + b"," + again.replace(b'":', b'" :') + b"}",
        frame[:-1] + b"," + again + b',"x":"a:b"}',
    ):
        with pytest.raises(BadMessage, match=f"'{key}' comes twice"):
            events(doubled)


@pytest.mark.parametrize(("kind", "key"), KEYS)
def test_a_key_that_comes_twice_in_the_place_of_another_is_refused(kind: str, key: str) -> None:
    """There are as many colons as ever."""
    for other in set(DATA[kind]) - {key}:
        frame = message(DATA[kind]).replace(f'"{other}":'.encode(), f'"{key}":'.encode())
        with pytest.raises(BadMessage):
            events(frame)


@pytest.mark.parametrize("kind", DATA)
def test_a_key_that_comes_twice_is_refused_where_a_time_has_fewer_colons(kind: str) -> None:
    if "time" not in DATA[kind]:
        return
    frame = message(DATA[kind] | {"time": "2023"})[:-1]
    for again in (b',"time":"2023","time":"2023"}', b',"product_id":"BTC-USD","product_id":"BTC-USD"}'):
        with pytest.raises(BadMessage):
            events(frame + again)


@pytest.mark.parametrize("kind", DATA)
def test_what_was_not_asked_for_is_refused(kind: str) -> None:
    feed = feed_of(
        "coinbase/BTC-USD/status", "coinbase/ETH-USD/trade", "coinbase/ETH-USD/quote", "coinbase/ETH-USD/book"
    )
    for instrument in (BTC, ETH):
        feed.adopt(instrument)
    feed.opened()
    for frame in (message(DATA[kind]), message(DATA[kind] | {"new": 1})):
        with pytest.raises(BadMessage, match="'BTC-USD' was not asked for"):
            events(frame, feed)


def test_a_kind_that_was_not_asked_for_is_refused() -> None:
    feed = feed_of("coinbase/BTC-USD/book")
    feed.adopt(BTC)
    feed.opened()
    assert events(message(UPDATE), feed) == [TOLD["l2update"]]
    for data in (MATCH, TICKER):
        with pytest.raises(BadMessage, match="was not asked for"):
            events(message(data), feed)


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"1",
        b'"x"',
        b"{}",
        b"\x00",
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b"GET / HTTP/1.1",
        nested(5_000),
        nested(100_000),
        b'{"type":"l2update","product_id":"BTC-USD","time":"' + TIME.encode() + b'","changes":' + nested(5_000) + b"}",
        message(MATCH)[:-1] + b',"x":' + nested(5_000) + b"}",
        message(MATCH) + message(MATCH),
        message(MATCH) + b"x",
        message(MATCH).replace(b"BTC-USD", b"\xff\xfeUSD"),
        message(MATCH | {"x": "@"}).replace(b'"@"', b'"\xff"'),
        message(MATCH | {"x": "@"}).replace(b'"@"', b"NaN"),
        b'{"type":"subscriptions"}',
        b'{"type":"subscriptions","channels":{}}',
        b'{"type":"subscriptions","channels":[],"channels":[]}',
        b'{"type":"error"}',
        b'{"type":"error","message":"x","message":"y"}',
        b'{"type":"heartbeat","sequence":90,"last_trade_id":20,"product_id":"BTC-USD","time":"' + TIME.encode() + b'"}',
        b'{"type":"status","products":[],"currencies":[]}',
        b'{"type":"new since yesterday"}',
        b"9" * 5_000,
        b":" * 6,
        b":" * 12,
    ],
    ids=lambda frame: repr(frame[:24]),
)
def test_garbage_is_named(frame: bytes) -> None:
    with pytest.raises(BadMessage) as caught:
        events(frame)
    assert str(caught.value).startswith("coinbase: ")
    assert caught.value.head == frame[:16]


def test_a_message_cut_anywhere_is_refused() -> None:
    for data in DATA.values():
        frame = message(data)
        for end in range(len(frame)):
            with pytest.raises(BadMessage):
                events(frame[:end])


def outcome(frame: bytes) -> None:
    """Events, or an error of the kinds that the base expects; and nothing that is not finite."""
    try:
        told = events(frame)
    except (FeedError, MarketError):
        return
    for event in told:
        assert isinstance(event, Trade | Quote | BookUpdate | Acknowledged)
        if not isinstance(event, Acknowledged):
            assert 0 <= event.venue_time_ns < 1 << 63
        if isinstance(event, Trade):
            assert event.price > 0
            assert event.size >= 0
        elif isinstance(event, Quote):
            assert min(event.bid, event.bid_size, event.ask, event.ask_size) >= 0
        elif isinstance(event, BookUpdate):
            assert all(price > 0 and size >= 0 for price, size in event.bids + event.asks)


@given(st.binary(max_size=400))
def test_any_bytes_are_events_or_a_named_error(frame: bytes) -> None:
    outcome(frame)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text('ab:"é', max_size=5)
    | st.sampled_from(["nan", "-1", "1e400", TIME, "buy"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(UPDATE)), inner, max_size=4),
    max_leaves=8,
)


USED = sorted({*MATCH, *TICKER, *UPDATE, *SNAPSHOT})


@given(st.sampled_from(sorted(DATA)), st.dictionaries(st.sampled_from(USED), JSON, max_size=3))
@settings(max_examples=max(100, settings().max_examples))
def test_any_values_are_events_or_a_named_error(kind: str, values: dict[str, Any]) -> None:
    outcome(message(DATA[kind] | values))


@given(st.sampled_from(sorted(DATA)), st.integers(0, 350), st.binary(min_size=1, max_size=4))
@settings(max_examples=max(100, settings().max_examples))
def test_any_change_of_a_message_is_events_or_a_named_error(kind: str, at: int, other: bytes) -> None:
    frame = message(DATA[kind])
    outcome(frame[:at] + other + frame[at + len(other) :])


# --- the recording -------------------------------------------------------------------------------------------------


def listing() -> list[Listed]:
    body = next(line.data for line in recording("coinbase") if line.url.endswith("/products"))
    return msgspec.json.decode(body, type=list[Listed], strict=False)


def received() -> list[bytes]:
    return [line.data.encode() for line in recording("coinbase") if line.kind == "received"]


def recorded_feed() -> CoinbaseFeed:
    asked = next(json.loads(line.data) for line in recording("coinbase") if line.kind == "sent")
    wanted = set(asked["product_ids"])
    return connected(*(each for each in defined(listing(), wanted) if each.name in wanted))


def test_every_recorded_message_is_the_event_it_is_recorded_as() -> None:
    feed, told, messages = recorded_feed(), Counter[str](), Counter[str]()
    for frame in received():
        found = events(frame, feed)
        messages[json.loads(frame)["type"]] += 1
        told.update([type(event).__name__ + (" anew" if getattr(event, "snapshot", False) else "") for event in found])
    assert told == {"Acknowledged": 3, "Quote": 107, "Trade": 97, "BookUpdate anew": 10, "BookUpdate": 9_719}
    assert messages == {
        "subscriptions": 3, "ticker": 107, "match": 97, "snapshot": 10, "l2update": 9_719, "last_match": 10
    }  # fmt: skip


def test_recorded_values_are_told_as_they_are() -> None:
    feed = recorded_feed()
    for frame in received():
        data = json.loads(frame)
        for event in events(frame, feed):
            if "time" in data:  # not that of a `last_match`, which is no event
                moment = datetime.fromisoformat(data["time"])
                assert event.venue_time_ns == (moment - EPOCH) // timedelta(microseconds=1) * 1_000
            match event:
                case Quote():
                    assert event.sequence == data["sequence"]
                    assert (event.bid, event.bid_size) == (float(data["best_bid"]), 0.0)
                    assert (event.ask, event.ask_size) == (float(data["best_ask"]), 0.0)
                case Trade():
                    assert event.sequence == data["trade_id"]
                    assert (event.price, event.size) == (float(data["price"]), float(data["size"]))
                    assert event.aggressor is (Side.BUY if data["side"] == "sell" else Side.SELL)
                case BookUpdate(snapshot=True):
                    assert event.bids == tuple((float(price), float(size)) for price, size in data["bids"])
                    assert event.asks == tuple((float(price), float(size)) for price, size in data["asks"])
                case BookUpdate():
                    told = [("buy", *level) for level in event.bids] + [("sell", *level) for level in event.asks]
                    assert told == [(side, float(price), float(size)) for side, price, size in data["changes"]]
                case _:
                    assert event == Acknowledged()


def test_recorded_numbers_keep_their_rules_and_begin_after_the_last_match() -> None:
    feed, trades, quotes = recorded_feed(), defaultdict[str, list[int]](list), defaultdict[str, list[int]](list)
    for frame in received():
        data = json.loads(frame)
        if data["type"] == "last_match":
            trades[data["product_id"]].append(data["trade_id"])
        for event in events(frame, feed):
            if isinstance(event, Trade | Quote):
                (trades if isinstance(event, Trade) else quotes)[event.instrument.name].append(event.sequence)
    assert all(ids == list(range(ids[0], ids[0] + len(ids))) for ids in trades.values())
    assert all(ids == sorted(set(ids)) for ids in quotes.values())
    assert sum(map(len, trades.values())) == 97 + 10


def test_no_recorded_book_is_ever_crossed() -> None:
    feed, books, crossed = recorded_feed(), defaultdict[str, OrderBook](OrderBook), 0
    for frame in received():
        for event in events(frame, feed):
            if isinstance(event, BookUpdate):
                book = books[event.instrument.name]
                book.apply(event)
                crossed += book.crossed
    assert (len(books), crossed) == (10, 0)
    assert all(book.bid and book.ask for book in books.values())


# --- definitions ---------------------------------------------------------------------------------------------------


def test_all_recorded_instruments_are_defined() -> None:
    found = {instrument.name: instrument for instrument in defined(listing(), set())}
    assert len(found) == len(listing()) == 162
    assert all(each.name in found and FEED.symbol(found[each.name]) == each.id for each in listing())
    gbp = found["BTC-GBP"]
    assert (gbp.price_increment, gbp.size_increment) == (Decimal("0.01"), Decimal("0.00000001"))
    assert gbp.min_notional == Decimal(10)
    assert {each.status for each in found.values()} == {TradingStatus.TRADING}


def entry(**changes: Any) -> Listed:
    """As the exchange lists it today."""
    plain = {
        "id": "BTC-USD", "base_currency": "BTC", "quote_currency": "USD", "quote_increment": "0.01",
        "base_increment": "0.00000001", "display_name": "BTC-USD", "min_market_funds": "1", "margin_enabled": False,
        "post_only": False, "limit_only": False, "cancel_only": False, "status": "online", "status_message": "",
        "trading_disabled": False, "fx_stablecoin": False, "max_slippage_percentage": "0.02", "auction_mode": False,
        "high_bid_limit_percentage": "",
    }  # fmt: skip
    return msgspec.convert(plain | changes, Listed, strict=False)


def test_a_product_is_an_instrument_by_its_increments() -> None:
    assert entry().instrument() == attrs.evolve(BTC, min_notional=Decimal(1))
    assert entry().instrument().status is TradingStatus.TRADING


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, TradingStatus.TRADING),
        ({"limit_only": True}, TradingStatus.TRADING),
        ({"trading_disabled": True}, TradingStatus.HALTED),
        ({"cancel_only": True}, TradingStatus.HALTED),
        ({"post_only": True}, TradingStatus.HALTED),
        ({"auction_mode": True}, TradingStatus.HALTED),
        ({"status": "offline"}, TradingStatus.HALTED),
        ({"status": "something new"}, TradingStatus.HALTED),
        ({"status": "internal"}, TradingStatus.CLOSED),
        ({"status": "delisted", "trading_disabled": True}, TradingStatus.CLOSED),
    ],
)
def test_only_what_is_online_and_matched_is_trading(changes: dict[str, Any], status: TradingStatus) -> None:
    assert entry(**changes).instrument().status is status


@pytest.mark.parametrize(
    "changes",
    [
        {"quote_increment": "0"},
        {"base_increment": "-1"},
        {"base_increment": "NaN"},
        {"quote_increment": "1e-999"},
        {"min_market_funds": "-1"},
        {"id": "XBT-USD"},
        {"base_currency": "btc", "id": "btc-USD"},
    ],
)
def test_what_cannot_be_an_instrument_is_left_out_unless_it_is_wanted(changes: dict[str, Any]) -> None:
    bad, good = entry(**changes), entry(base_currency="ETH", id="ETH-USD")
    assert [each.name for each in defined([bad, good], {"ETH-USD"})] == ["ETH-USD"]
    with pytest.raises(BadInstrument, match=bad.name):
        list(defined([bad], {bad.name}))


class Asked:
    """Stands for the HTTP client."""

    def __init__(self, *listed: Listed) -> None:
        self.listed = listed

    async def get(self, path: str, query: dict[str, str], weight: int, type: object) -> list[Listed]:
        assert (path, query, weight) == ("/products", {}, 1)
        return list(self.listed)


async def test_definitions_are_asked_for_in_one_question() -> None:
    feed = feed_of("coinbase/BTC-USD/trade")
    rests = vars(feed)["_rests"]
    rests[REST_URL] = Asked(entry(), entry(base_currency="ETH", id="ETH-USD"), entry(id="?"))
    with pytest.raises(BadInstrument):
        list(await feed.definitions())
    rests[REST_URL] = Asked(entry(), entry(base_currency="ETH", id="ETH-USD"), entry(base_currency="?", id="?-USD"))
    assert [each.name for each in await feed.definitions()] == ["BTC-USD", "ETH-USD"]


# --- subscribing ---------------------------------------------------------------------------------------------------


def test_one_message_asks_for_each_kind_of_just_its_instruments() -> None:
    feed = feed_of(
        "coinbase/BTC-USD/trade", "coinbase/BTC-USD/status", "coinbase/ETH-USD/book", "coinbase/BTC-USD/book",
        "coinbase/ETH-USD/trade", "coinbase/BTC-USD/trade", "coinbase/SOL-USD/quote",
    )  # fmt: skip
    (frame,) = feed.subscribe_frames(feed.topics)
    assert json.loads(frame) == {
        "type": "subscribe",
        "channels": [
            {"name": "matches", "product_ids": ["BTC-USD", "ETH-USD"]},
            {"name": "level2_batch", "product_ids": ["ETH-USD", "BTC-USD"]},
            {"name": "ticker", "product_ids": ["SOL-USD"]},
        ],
    }


def test_where_no_channel_is_asked_for_it_is_heartbeats_that_tell_nothing() -> None:
    feed = feed_of("coinbase/BTC-USD/status", "coinbase/BTC-USD/status")
    (frame,) = feed.subscribe_frames(feed.topics)
    assert json.loads(frame) == {"type": "subscribe", "channels": [{"name": "heartbeat", "product_ids": ["BTC-USD"]}]}
    assert list(feed.subscribe_frames(())) == []
    feed.adopt(BTC)
    feed.opened()
    beat = {"type": "heartbeat", "sequence": 90, "last_trade_id": 20, "product_id": "BTC-USD", "time": TIME}
    assert events(message(beat), feed) == []
    with pytest.raises(BadMessage):
        events(message(beat | {"product_id": "ETH-USD"}), feed)


@pytest.mark.parametrize("level2", ["level2", "level2_batch"])
def test_a_book_alone_is_subscribed_to_anew(level2: str) -> None:
    source = Source("coinbase", (Topic("coinbase", "BTC-USD", "book"), Topic("coinbase", "ETH-USD", "book")), Nowhere())
    feed = CoinbaseFeed(source, level2=level2)
    said = [json.loads(frame) for frame in feed.resubscribe_frames(ETH)]
    assert [each["type"] for each in said] == ["unsubscribe", "subscribe"]
    assert all(each["channels"] == [{"name": level2, "product_ids": ["ETH-USD"]}] for each in said)


@pytest.mark.parametrize("kind", ["bar", "*"])
def test_a_kind_that_the_exchange_does_not_tell_is_refused_at_once(kind: str) -> None:
    with pytest.raises(UnknownKind, match="only trade, quote, book") as caught:
        feed_of("coinbase/BTC-USD/trade", f"coinbase/BTC-USD/{kind}")
    assert (caught.value.feed, caught.value.kind) == ("coinbase", kind)
    assert caught.value.kinds == ("trade", "quote", "book")
