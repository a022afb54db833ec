"""Kraken's messages and answers, read and refused; and all that a recording has of them."""

import json
import zlib
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import attrs
import msgspec
import pytest
from hypothesis import given, strategies as st

from ticktree.feeds import BadMessage, Refused, Source
from ticktree.feeds.errors import UnknownKind
from ticktree.feeds.exchanges.kraken import REST_URL, BadDepth, KrakenFeed, time_ns
from ticktree.feeds.exchanges.kraken_pairs import AssetPairs
from ticktree.feeds.feed import Acknowledged
from ticktree.market import (
    Batch,
    BookUpdate,
    Instrument,
    InstrumentStatus,
    Level,
    Live,
    Mark,
    OrderBook,
    Quote,
    Side,
    Stale,
    TextLevel,
    Topic,
    Trade,
    TradingStatus,
)

from ...recordings import recording
from ..json_feed import Hand
from ..rig import running
from .test_kraken_pairs import BTC, entry, instruments

ETH2 = Instrument("ETH2.S-ETH", 2, Decimal("0.0001"), Decimal("1E-8"))
NOW = 5
KINDS = ("trade", "quote", "book")

ROW = ["354.15000", "5.00000000", "1618678133.365913"]
ROW_NS = 1618678133_365913_000
TRADES: list[Any] = [["354.11000", "0.89594024", "1618678142.557535", "s", "l", ""]]
TICKER: dict[str, Any] = {
    "a": ["13.253900", 35, "35.72892241"], "b": ["13.232900", 185, "185.18432037"], "c": ["13.253900", "3.71672000"],
    "v": ["26560.85364463", "72035.05488104"], "p": ["13.529003", "13.734728"], "t": [640, 1353],
    "l": ["13.021800", "13.021800"], "h": ["13.942000", "14.211200"], "o": ["13.804000", "13.428300"],
}  # fmt: skip


class Nowhere:
    def attach(self, port: object) -> None: ...

    def publish(self, batch: Batch) -> None: ...

    def mark(self, mark: Mark) -> None: ...


def feed_of(*topics: str, **options: Any) -> KrakenFeed:
    return KrakenFeed(Source("kraken", tuple(map(Topic.parse, topics)), Nowhere()), **options)


def connected(*instruments: Instrument, **options: Any) -> KrakenFeed:
    """A feed that asked for all there is of `instruments`."""
    feed = feed_of(*(f"kraken/{each.name}/{kind}" for each in instruments for kind in KINDS), **options)
    for instrument in instruments:
        feed.adopt(instrument)
    feed.opened()
    return feed


FEED = connected(BTC, ETH2)


def frame(*payload: Any, channel: str = "book-1000", pair: str = "XBT/USD", between: str = ",") -> bytes:
    return json.dumps([1664, *payload, channel, pair], separators=(between, ":")).encode()


def changes(**sides: Any) -> bytes:
    return frame({**sides, "c": "2583817756"})


def events(data: bytes | memoryview, feed: KrakenFeed = FEED) -> list[Any]:
    return list(feed.decode(data, NOW))


def update(bids: Iterable[Any] = (), asks: Iterable[Any] = (), **changed: Any) -> BookUpdate:
    (bid_levels, bid_text), (ask_levels, ask_text) = side(bids), side(asks)
    text = bid_text, ask_text
    told = BookUpdate("kraken", BTC, bid_levels, ask_levels, False, 0, 0, ROW_NS, NOW, text=text, checksum=2583817756)
    return msgspec.structs.replace(told, **changed)


def side(rows: Iterable[Any]) -> tuple[tuple[Level, ...], tuple[TextLevel, ...]]:
    text = tuple((str(price), str(size)) for price, size, *_ in rows)
    return tuple((float(price), float(size)) for price, size in text), text


MESSAGES = {
    "bid": changes(b=[ROW]),
    "ask": changes(a=[ROW]),
    "both": frame({"a": [ROW]}, {"b": [ROW], "c": "2583817756"}),
    "snapshot": frame({"as": [ROW], "bs": [ROW]}),
    "trade": frame(TRADES, channel="trade"),
    "ticker": frame(TICKER, channel="ticker"),
}
TOLD: dict[str, Any] = {
    "bid": update([ROW]),
    "ask": update(asks=[ROW]),
    "both": update([ROW], [ROW]),
    "snapshot": update([ROW], [ROW], snapshot=True, checksum=None),
    "trade": Trade("kraken", BTC, 354.11, 0.89594024, Side.SELL, 0, 1618678142_557535_000, NOW),
    "ticker": Quote("kraken", BTC, 13.2329, 185.18432037, 13.2539, 35.72892241, 0, 0, NOW),
}


# --- what is understood --------------------------------------------------------------------------------------------


def test_a_read_of_all_kinds_is_their_events_in_order() -> None:
    assert FEED.decode_read([*MESSAGES.values()] * 2, NOW) == [*TOLD.values()] * 2


@pytest.mark.parametrize(
    "unusual", [b'{"event":"heartbeat"}', frame(TICKER, channel="ticker", pair="LTC/USD"), changes(b=[ROW], x=1), b""]
)
def test_a_read_with_one_unusual_message_is_left_to_be_decoded_one_by_one(unusual: bytes) -> None:
    assert FEED.decode_read([MESSAGES["bid"], unusual, MESSAGES["ask"]], NOW) is None


@pytest.mark.parametrize("name", MESSAGES)
def test_each_kind_of_message_is_one_event(name: str) -> None:
    assert events(MESSAGES[name]) == [TOLD[name]]
    assert events(memoryview(MESSAGES[name])) == [TOLD[name]]


@pytest.mark.parametrize("name", MESSAGES)
def test_the_usual_messages_need_no_closer_look(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FEED, "_look_closer", None)
    assert events(MESSAGES[name]) == [TOLD[name]]


@pytest.mark.parametrize("name", MESSAGES)
def test_spaces_change_nothing(name: str) -> None:
    assert events(json.dumps(json.loads(MESSAGES[name]), indent=1).encode()) == [TOLD[name]]


@pytest.mark.parametrize("name", sorted(MESSAGES.keys() - {"trade"}))
def test_keys_that_are_new_to_us_and_their_order_change_nothing(name: str) -> None:
    number, *payload, channel, pair = json.loads(MESSAGES[name])
    payload[-1] = dict(reversed(payload[-1].items())) | {"new": {"x": [1, "a:b"]}}
    assert events(json.dumps([number, *payload, channel, pair]).encode()) == [TOLD[name]]


def test_what_a_trade_has_more_than_today_changes_nothing() -> None:
    assert events(frame([[*TRADES[0], 12, "x"]], channel="trade")) == [TOLD["trade"]]


def test_sides_may_stand_in_one_object_or_in_two_of_any_order() -> None:
    assert events(changes(b=[ROW], a=[ROW])) == [TOLD["both"]]
    assert events(frame({"b": [ROW]}, {"a": [ROW], "c": "2583817756"})) == [TOLD["both"]]


def test_a_message_of_several_trades_is_as_many_events() -> None:
    found = events(frame([TRADES[0], ["1.5", "2", "1618678143", "b", "m", ""]], channel="trade"))
    assert found == [TOLD["trade"], Trade("kraken", BTC, 1.5, 2.0, Side.BUY, 0, 1618678143_000_000_000, NOW)]
    assert events(frame([], channel="trade")) == []


def test_many_levels_are_one_update_of_the_latest_time() -> None:
    rows = [["1.10", "1", "1618678133.365914"], ROW, ["0.90", "0.00000000", "1618678133.365913001"]]
    expected = update(rows, venue_time_ns=ROW_NS + 1_000)
    assert events(changes(b=rows)) == [expected]
    assert events(changes(b=rows[::-1])) == [update(rows[::-1], venue_time_ns=ROW_NS + 1_000)]


def test_a_level_that_is_told_again_is_a_level(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [["1.10", "1", "1618678133.365913"], [*ROW, "r"]]
    spaced = json.dumps(json.loads(changes(b=rows))).encode()
    assert events(spaced) == [update(rows)]
    monkeypatch.setattr(FEED, "_look_closer", None)
    assert events(changes(b=rows)) == [update(rows)]


def test_an_empty_side_is_one_without_levels() -> None:
    assert events(frame({"as": [], "bs": [ROW]})) == [update([ROW], snapshot=True, checksum=None)]
    assert events(frame({"as": [], "bs": []}))[0].snapshot
    assert events(changes(b=[])) == [update(venue_time_ns=0)]


def test_an_update_may_come_without_a_checksum() -> None:
    assert events(frame({"a": [ROW]})) == [update(asks=[ROW], checksum=None)]


def test_an_empty_side_of_a_quote_has_price_and_size_0() -> None:
    (quote,) = events(frame(TICKER | {"b": ["0.00000", 0, "0.00000000"]}, channel="ticker"))
    assert (quote.bid, quote.bid_size) == (0.0, 0.0)


def test_a_pair_with_digits_in_its_name_is_not_taken_for_another() -> None:
    (found,) = events(frame(TRADES, channel="trade", pair="ETH2.S/ETH"))
    assert found.instrument == ETH2
    for pair in ("ETH3.S/ETH", "ETHS/ETH", "ETH2S/ETH", "XBT1/USD"):
        with pytest.raises(BadMessage, match="not asked for"):
            events(frame(TRADES, channel="trade", pair=pair))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1618678133.365913", 1618678133_365913_000),
        ("1618678133", 1618678133_000_000_000),
        ("1618678133.", 1618678133_000_000_000),
        ("1618678133.123456789", 1618678133_123456789),
        ("0.000001", 1_000),
        ("9000000000", 9_000_000_000_000_000_000),
    ],
)
def test_seconds_are_read_to_the_nanosecond(text: str, expected: int) -> None:
    assert time_ns(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "-1",
        "+1",
        " 1",
        "1 ",
        "1_0",
        "1e3",
        "1.2.3",
        "1.1234567890",
        "9000000001",
        "nan",
        "9" * 30,
        "\uff11",
        "²",
    ],
)
def test_what_are_no_seconds_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no seconds"):
        time_ns(text)


# --- answers -------------------------------------------------------------------------------------------------------


def answer(**fields: Any) -> bytes:
    return json.dumps({"event": "subscriptionStatus", "pair": "XBT/USD", **fields}).encode()


def test_a_subscription_that_stands_is_acknowledged() -> None:
    subscription = {"depth": 1000, "name": "book"}
    assert events(answer(status="subscribed", channelName="book-1000", channelID=1, subscription=subscription)) == [
        Acknowledged()
    ]


@pytest.mark.parametrize(
    "data", [b'{"event":"heartbeat"}', b'{"event":"pong","reqid":42}', answer(status="unsubscribed", reqid=1)]
)
def test_what_tells_nothing_is_no_event(data: bytes) -> None:
    assert events(data) == []


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (answer(status="error", errorMessage="Subscription depth not supported"), "depth not supported .XBT/USD"),
        (b'{"errorMessage":"Malformed request","event":"error"}', "Malformed request"),
        (b'{"Error":"Exceeded msg rate"}', "Exceeded msg rate"),
        (answer(status="unsubscribed"), "no more of XBT/USD"),  # which we did not ask for
    ],
)
def test_an_error_and_an_end_are_refusals_in_the_words_of_the_exchange(data: bytes, words: str) -> None:
    with pytest.raises(Refused, match=words):
        events(data)


def test_a_refusal_of_many_words_is_cut_short() -> None:
    with pytest.raises(Refused) as caught:
        events(answer(status="error", errorMessage="x" * 9_999) + b" " * 9)
    assert len(str(caught.value)) < 400


def test_all_instruments_are_halted_while_the_exchange_matches_nothing() -> None:
    feed = connected(BTC, attrs.evolve(ETH2, status=TradingStatus.CLOSED))

    def system(status: str) -> list[Any]:
        found = events(json.dumps({"event": "systemStatus", "status": status, "version": "1.8.3"}).encode(), feed)
        assert all(isinstance(each, InstrumentStatus) for each in found)
        return [(each.instrument.name, each.status) for each in found]

    halted, back = (
        [("BTC-USD", first), ("ETH2.S-ETH", second)]
        for first, second in (
            (TradingStatus.HALTED, TradingStatus.HALTED),
            (TradingStatus.TRADING, TradingStatus.CLOSED),
        )
    )
    assert system("online") == []
    assert system("maintenance") == halted
    feed.opened()
    assert system("cancel_only") == []
    assert system("online") == back
    assert system("limit_only") == []
    assert system("something new") == halted


# --- the checksum --------------------------------------------------------------------------------------------------


def crc32(bids: list[TextLevel], asks: list[TextLevel]) -> int:
    """The exchange's rule, level by level."""
    texts = [text.replace(".", "").lstrip("0") for level in asks[:10] + bids[:10] for text in level]
    return zlib.crc32("".join(texts).encode())


def test_the_checksum_is_the_one_that_the_exchange_gives_as_an_example() -> None:
    """Source: "Book checksum (WebSocket v1)"."""
    asks = [(f"0.05{n:03d}", "0.00000500") for n in (5, 10, 15, 20, 25, 30, 35, 40, 45, 50)]
    bids = [(f"0.0{n}", "0.00000500") for n in (5000, 4995, 4990, 4980, 4975, 4970, 4965, 4960, 4955, 4950)]
    assert checksum(bids, asks) == 974947235


def checksum(bids: list[TextLevel], asks: list[TextLevel]) -> int:
    book = FEED.new_book(BTC)
    book.apply(update(((*level, "1") for level in bids), ((*level, "1") for level in asks), snapshot=True))
    return FEED.checksum(book)


LEVELS = st.dictionaries(
    st.integers(1, 99_999), st.sampled_from(["0.00000001", "1.00000000", "100.10000000", "7"]), max_size=15
)


@given(LEVELS, LEVELS)
def test_the_checksum_is_over_the_ten_best_of_each_side(low: dict[int, str], high: dict[int, str]) -> None:
    bids = [(f"0.{price:05d}", size) for price, size in sorted(low.items(), reverse=True)]
    asks = [(f"1.{price:05d}", size) for price, size in sorted(high.items())]
    assert checksum(bids, asks) == crc32(bids, asks)


async def test_an_update_that_is_missing_is_noticed_by_the_next_checksum_and_the_book_subscribed_to_anew() -> None:
    def kraken(source: Source, url: str, hand: Hand) -> KrakenFeed:
        return KrakenFeed(source, url)

    bids, missing, asks = ["99.0", "1.00000000", "1.0"], ["98.0", "1.00000000", "1.0"], ["101.0", "2.00000000", "1.0"]
    expected = str(crc32([("99.0", "1.00000000"), ("98.0", "1.00000000")], [("101.0", "2.00000000")]))
    async with running(kraken, "test/BTC-USD/book", scheme="ws", defined={"BTC-USD": BTC}) as rig:
        client = await rig.accept()
        client.say(frame({"as": [], "bs": [bids]}), frame({"a": [asks], "c": expected}))
        await rig.until_told(1, Stale)
        assert [type(event) for event in rig.sink.of(BookUpdate, Live, Stale)] == [BookUpdate, Live, Stale]
        client.say(answer(status="unsubscribed", reqid=1), answer(status="subscribed"))
        client.say(frame({"as": [asks], "bs": [bids, missing]}), frame({"a": [asks], "c": expected}))
        await rig.until_told(3, BookUpdate)
        account = rig.account
        assert (account.checksums_verified, account.checksums_failed, account.snapshots) == (1, 1, 1)
        assert account.errors == {"ChecksumFailed": 1}
        assert rig.feed.book("BTC-USD").bids == ((99.0, 1.0), (98.0, 1.0))


# --- the recording -------------------------------------------------------------------------------------------------

RECORDED = (
    *("WAVES-EUR", "XMR-USD", "KSM-BTC", "GRT-ETH", "SC-EUR"),
    *("ETH-CHF", "OCEAN-BTC", "OMG-USD", "BTC-CHF", "ADA-BTC"),
)


def test_every_recorded_message_is_understood_and_every_checksum_is_reproduced() -> None:
    known = instruments()
    feed = connected(*(known[name] for name in RECORDED))
    told, verified, books = Counter[str](), 0, dict[str, OrderBook]()
    for line in recording("kraken"):
        if line.kind != "received":
            continue
        for event in feed.decode(line.data.encode(), NOW):
            told[type(event).__name__] += 1
            if isinstance(event, BookUpdate):
                book = books.setdefault(event.instrument.name, feed.new_book(event.instrument))
                book.apply(event)
                assert not book.crossed
                if event.checksum is not None:
                    assert feed.checksum(book) == event.checksum
                    verified += 1
    assert told == {"Trade": 10, "Quote": 18, "BookUpdate": 4_279, "Acknowledged": 30}
    assert verified == 4_269
    assert sorted(books) == sorted(RECORDED)


def test_recorded_numbers_are_told_as_they_are() -> None:
    known = instruments()
    feed = connected(*(known[name] for name in RECORDED))
    for line in recording("kraken"):
        if line.kind != "received" or not line.data.startswith("["):
            continue
        (_, *payload, _, pair), found = json.loads(line.data), events(line.data.encode(), feed)
        assert {event.instrument.name for event in found} == {pair.replace("/", "-").replace("XBT", "BTC")}
        match found:
            case [BookUpdate() as book]:
                assert book.text
                parts = {key: value for part in payload for key, value in part.items()}
                rows = [parts.get("bs", parts.get("b", ())), parts.get("as", parts.get("a", ()))]
                assert book.text == tuple(tuple((row[0], row[1]) for row in side) for side in rows)
                latest = max(Decimal(row[2]) for side in rows for row in side)
                assert book.venue_time_ns == latest * 1_000_000_000
            case [Quote() as quote]:
                (ticker,) = payload
                shown = (quote.bid, quote.bid_size, quote.ask, quote.ask_size)
                assert shown == tuple(float(ticker[key][at]) for key in "ba" for at in (0, 2))
            case _:
                assert [(each.price, each.size) for each in found] == [
                    (float(row[0]), float(row[1])) for row in payload[0]
                ]


# --- definitions ---------------------------------------------------------------------------------------------------


class Answering:
    """Stands for the HTTP client."""

    def __init__(self, answer: AssetPairs) -> None:
        self.answer = answer

    async def get(self, path: str, query: dict[str, str], weight: int, type: object) -> AssetPairs:
        assert (path, query) == ("/0/public/AssetPairs", {})
        return self.answer


async def test_definitions_are_those_of_pairs_with_a_name_for_websockets() -> None:
    feed = feed_of("kraken/BTC-USD/book")
    answer = AssetPairs([], {"XXBTZUSD": entry(), "XXBTZUSD.d": entry(wsname="")})
    vars(feed)["_rests"] = {REST_URL: Answering(answer)}
    assert list(await feed.definitions()) == [BTC]


async def test_an_answer_that_is_an_error_is_a_refusal() -> None:
    feed = feed_of("kraken/BTC-USD/book")
    answer = msgspec.json.decode(b'{"error":["EGeneral:Too many requests"]}', type=AssetPairs)
    vars(feed)["_rests"] = {REST_URL: Answering(answer)}
    with pytest.raises(Refused, match="Too many requests"):
        await feed.definitions()


# --- subscribing ---------------------------------------------------------------------------------------------------


def requests(feed: KrakenFeed) -> list[dict[str, Any]]:
    return [json.loads(each) for each in feed.subscribe_frames(feed.topics)]


def test_one_message_subscribes_to_all_pairs_of_a_kind() -> None:
    feed = feed_of("kraken/BTC-USD/book", "kraken/BTC-USD/trade", "kraken/DOGE-BTC/book", "kraken/BTC-USD/quote",
                   "kraken/BTC-USD/status", "kraken/BTC-USD/book", depth=25)  # fmt: skip
    assert requests(feed) == [
        {"event": "subscribe", "pair": ["XBT/USD", "XDG/XBT"], "subscription": {"name": "book", "depth": 25}},
        {"event": "subscribe", "pair": ["XBT/USD"], "subscription": {"name": "trade"}},
        {"event": "subscribe", "pair": ["XBT/USD"], "subscription": {"name": "ticker"}},
    ]


def test_a_feed_of_status_alone_is_live_with_the_first_word_and_pings() -> None:
    feed = feed_of("kraken/BTC-USD/status")
    feed.adopt(BTC)
    feed.opened()
    assert (requests(feed), json.loads(feed.beat())) == ([], {"event": "ping"})
    acknowledged, status = events(b'{"event":"systemStatus","status":"maintenance"}', feed)
    assert acknowledged == Acknowledged()
    assert status == InstrumentStatus("kraken", BTC, TradingStatus.HALTED, 0, NOW)
    assert FEED.beat() == b""


def test_hundreds_of_pairs_take_several_messages() -> None:
    found = requests(feed_of(*(f"kraken/X{number}-USD/trade" for number in range(450))))
    assert [len(each["pair"]) for each in found] == [200, 200, 50]
    assert [pair for each in found for pair in each["pair"]] == [f"X{number}/USD" for number in range(450)]


def test_a_book_is_repaired_by_subscribing_to_it_anew() -> None:
    leave, again = (json.loads(each) for each in FEED.resubscribe_frames(BTC))
    book = {"pair": ["XBT/USD"], "subscription": {"name": "book", "depth": 1000}}
    assert leave == {"event": "unsubscribe", "reqid": 1, **book}
    assert again == {"event": "subscribe", **book}


def test_books_of_a_depth_are_told_on_the_channel_of_that_depth_and_cut_there() -> None:
    feed = connected(BTC, depth=10)
    (told,) = events(frame({"b": [[str(n), "1", "1.0"] for n in range(1, 13)], "c": "1"}, channel="book-10"), feed)
    book = feed.new_book(BTC)
    book.apply(told)
    assert [price for price, _ in book.top(99)[0]] == [float(n) for n in range(12, 2, -1)]


@pytest.mark.parametrize("depth", [0, 1, 11, 1_001, -10, "10", None])
def test_a_depth_that_there_is_not_is_refused_with_those_there_are(depth: Any) -> None:
    with pytest.raises(BadDepth, match="10, 25, 100, 500, 1000"):
        feed_of("kraken/BTC-USD/book", depth=depth)


def test_bars_are_refused_with_the_kinds_there_are() -> None:
    with pytest.raises(UnknownKind, match="no bar of this exchange, only trade, quote, book"):
        feed_of("kraken/BTC-USD/trade", "kraken/BTC-USD/bar")
