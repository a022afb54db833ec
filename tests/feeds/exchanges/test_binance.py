"""Binance's messages and answers, read and refused."""

import json
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import attrs
import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from ticktree.feeds import BadMessage, FeedError, Refused, Source
from ticktree.feeds.exchanges.binance import REST_URL, URL, BinanceFeed, Listed, Listing, TooManyStreams, addressed
from ticktree.feeds.exchanges.listing import defined
from ticktree.feeds.feed import Acknowledged
from ticktree.feeds.rest import RestRefused
from ticktree.market import (
    BadInstrument,
    Bar,
    Batch,
    BookUpdate,
    Instrument,
    Mark,
    MarketError,
    Quote,
    Side,
    Topic,
    Trade,
    TradingStatus,
)

from ...recordings import recording

BTC = Instrument("BTC-USDT", 1, Decimal("0.01"), Decimal("0.00001"))
NOW = 5

TRADE: dict[str, Any] = {
    "e": "aggTrade", "E": 1672515782136, "s": "BTCUSDT", "a": 12345, "p": "0.001", "q": "100", "f": 100, "l": 105,
    "T": 1672515782130, "m": True, "M": True,
}  # fmt: skip
QUOTE: dict[str, Any] = {"u": 400, "s": "BTCUSDT", "b": "25.35", "B": "31.21", "a": "25.36", "A": "40.66"}
BOOK: dict[str, Any] = {
    "e": "depthUpdate", "E": 1672515782136, "s": "BTCUSDT", "U": 157, "u": 160,
    "b": [["0.0024", "10"], ["0.0023", "0.00000000"]], "a": [["0.0026", "100"]],
}  # fmt: skip
CANDLE: dict[str, Any] = {
    "t": 1672515780000, "T": 1672515839999, "s": "BTCUSDT", "i": "1m", "f": 100, "L": 200, "o": "0.0010", "c": "0.0020",
    "h": "0.0025", "l": "0.0015", "v": "1000", "n": 100, "x": True, "q": "1.0000", "V": "500", "Q": "0.500", "B": "1",
}  # fmt: skip
DATA = {"aggTrade": TRADE, "bookTicker": QUOTE, "depth@100ms": BOOK}
KEYS = [(kind, key) for kind, data in DATA.items() for key in data]


class Nowhere:
    def attach(self, port: object) -> None: ...

    def publish(self, batch: Batch) -> None: ...

    def mark(self, mark: Mark) -> None: ...


def feed_of(*topics: str) -> BinanceFeed:
    return BinanceFeed(Source("binance", tuple(map(Topic.parse, topics)), Nowhere()))


def connected(*instruments: Instrument) -> BinanceFeed:
    """A feed that asked for all there is of `instruments`."""
    feed = feed_of(
        *(f"binance/{each.name}/{kind}" for each in instruments for kind in ("trade", "quote", "book", "bar"))
    )
    for instrument in instruments:
        feed.adopt(instrument)
    feed.opened()
    return feed


FEED = connected(BTC)


def wrapped(kind: str, data: Any, symbol: str = "btcusdt") -> bytes:
    return json.dumps({"stream": f"{symbol}@{kind}", "data": data}, separators=(",", ":")).encode()


def events(frame: bytes | memoryview, feed: BinanceFeed = FEED) -> list[Any]:
    return list(feed.decode(frame, NOW))


# --- what is understood --------------------------------------------------------------------------------------------

TOLD = {
    "aggTrade": Trade("binance", BTC, 0.001, 100.0, Side.SELL, 12345, 1672515782130_000_000, NOW),
    "bookTicker": Quote("binance", BTC, 25.35, 31.21, 25.36, 40.66, 400, 0, NOW),
    "depth@100ms": BookUpdate(
        "binance", BTC, ((0.0024, 10.0), (0.0023, 0.0)), ((0.0026, 100.0),), False, 157, 160, 1672515782136_000_000, NOW
    ),
}


@pytest.mark.parametrize("kind", DATA)
def test_each_kind_of_message_is_one_event(kind: str) -> None:
    frame = wrapped(kind, DATA[kind])
    assert events(frame) == [TOLD[kind]]
    assert events(memoryview(frame)) == [TOLD[kind]]


def test_a_read_of_all_kinds_is_their_events_in_order() -> None:
    kinds = [*DATA, *reversed(DATA)]
    assert FEED.decode_read([wrapped(kind, DATA[kind]) for kind in kinds], NOW) == [TOLD[kind] for kind in kinds]


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize(
    "unusual",
    [
        wrapped("bookTicker", {**QUOTE, "new": 1}),
        wrapped("bookTicker", QUOTE, "ethusdt"),
        wrapped("bookTicker", {**QUOTE, "s": "ETHUSDT"}),
        wrapped("aggTrade", QUOTE),
        b'{"result":null,"id":1}',
        wrapped("bookTicker", QUOTE).replace(b'"A"', b'"a"'),
        b"{}",
        b"",
    ],
)
def test_a_read_with_one_unusual_message_is_left_to_be_decoded_one_by_one(unusual: bytes, place: int) -> None:
    frames = [wrapped("bookTicker", QUOTE)] * 2
    assert FEED.decode_read(frames, NOW) is not None
    frames.insert(place, unusual)
    assert FEED.decode_read(frames, NOW) is None


def test_a_key_that_comes_twice_is_found_in_a_read_whatever_is_missing_elsewhere() -> None:
    whole = wrapped("aggTrade", DATA["aggTrade"])
    twice, less = whole.replace(b'"data":{', b'"data":{"m":true,'), whole.replace(b',"M":true', b"")
    assert whole.count(b":") * 2 == (twice + less).count(b":")
    assert FEED.decode_read([twice, less], NOW) is None
    assert FEED.decode_read([twice, whole], NOW) is None


@pytest.mark.parametrize("kind", DATA)
def test_keys_that_are_new_to_us_change_nothing(kind: str) -> None:
    assert events(wrapped(kind, DATA[kind] | {"new": {"x": [1, "a:b"]}})) == [TOLD[kind]]


@pytest.mark.parametrize("kind", DATA)
def test_spaces_and_the_order_of_keys_change_nothing(kind: str) -> None:
    data = dict(reversed(DATA[kind].items()))
    assert events(json.dumps({"data": data, "stream": f"btcusdt@{kind}"}, indent=1).encode()) == [TOLD[kind]]


def test_keys_we_do_not_need_may_go() -> None:
    assert events(wrapped("aggTrade", {key: TRADE[key] for key in TRADE if key not in "EflM"})) == [TOLD["aggTrade"]]


def test_the_taker_is_the_buyer_unless_the_buyer_is_the_maker() -> None:
    assert events(wrapped("aggTrade", TRADE | {"m": False}))[0].aggressor is Side.BUY


def test_an_update_without_levels_still_moves_the_sequence() -> None:
    (update,) = events(wrapped("depth@100ms", BOOK | {"b": [], "a": []}))
    assert (update.bids, update.asks, update.first_sequence, update.sequence) == ((), (), 157, 160)


def test_an_empty_side_has_price_and_size_0() -> None:
    (quote,) = events(wrapped("bookTicker", QUOTE | {"b": "0.00000000", "B": "0.00000000"}))
    assert (quote.bid, quote.bid_size) == (0.0, 0.0)


def test_numbers_may_be_written_without_quotes() -> None:
    assert events(wrapped("aggTrade", TRADE | {"p": 0.001, "q": 100}))[0] == TOLD["aggTrade"]


def kline(**changes: Any) -> bytes:
    return wrapped("kline_1m", {"e": "kline", "E": 1672515782136, "s": "BTCUSDT", "k": CANDLE | changes})


def test_a_candle_is_told_once_its_minute_is_over() -> None:
    begin_ns, end_ns = 1672515780_000_000_000, 1672515840_000_000_000
    assert events(kline()) == [
        Bar("binance", BTC, 0.001, 0.0025, 0.0015, 0.002, 1000.0, 1.0, 100, begin_ns, end_ns, NOW)
    ]
    assert events(kline(x=False)) == []


@pytest.mark.parametrize(
    "changes", [{"i": "5m"}, {"o": "nan"}, {"c": "0"}, {"v": "-1"}, {"n": -1}, {"x": None}, {"T": "9" * 30}]
)
def test_a_candle_that_cannot_be_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BadMessage):
        events(kline(**changes))


def test_an_answer_acknowledges() -> None:
    assert events(b'{"result":null,"id":1}') == [Acknowledged()]


@pytest.mark.parametrize(
    "answer",
    [
        b'{"error":{"code":2,"msg":"Invalid request: too many parameters"},"id":1}',
        b'{"code":2,"msg":"Invalid request: too many parameters","id":1}',
        b'{"code":2,"msg":"Invalid request: too many parameters"}',
    ],
)
def test_an_error_is_a_refusal_in_the_words_of_the_exchange(answer: bytes) -> None:
    with pytest.raises(Refused, match=r"too many parameters \(code 2\)"):
        events(answer)


def test_a_refusal_of_many_words_is_cut_short() -> None:
    with pytest.raises(Refused) as caught:
        events(json.dumps({"code": "9" * 9_999, "msg": ["x"] * 9_999}).encode())
    assert len(str(caught.value)) < 300


# --- what is not ---------------------------------------------------------------------------------------------------


def replaced(kind: str, key: str, text: str) -> bytes:
    """A message whose `key` has `text` for a value."""
    return wrapped(kind, DATA[kind] | {key: "@@"}).replace(b'"@@"', text.encode())


NO_AMOUNT = (
    *('"nan"', '"inf"', '"-inf"', "NaN", "Infinity", "1e999", '"1e999"', '"-1"', "-1", '""', '" 1"', "null", "true"),
    *('"' + "9" * 30 + '"', "9" * 30, "[]", "{}", '"1,5"', "[1]"),
)
NO_NUMBER = ("9" * 30, '"' + "9" * 30 + '"', "9223372036854775808", "-1", "1.5", '"x"', "null", "true", "[]", "1e40")
NO_TEXT = ("1", "null", "[]", '"ETHUSDT"', '"btcusdt"', '""', '"\\ud800"')
NO_LEVELS = (
    *("{}", "null", '"x"', "[[]]", '[["1"]]', '[["1","2","3"]]', '[["1","1"],1]', f'[["{"9" * 30}","1"]]', "[[[[1]]]]"),
    *('[["nan","1"]]', '[["1","nan"]]', '[["1","inf"]]', '[["-1","1"]]', '[["1","-1"]]', '[["0","1"]]'),
)
HOSTILE = (
    [("aggTrade", key, text) for key in "pq" for text in NO_AMOUNT]
    + [("aggTrade", key, text) for key in "aT" for text in NO_NUMBER]
    + [("aggTrade", "m", text) for text in ("2", "null", '"x"', "[]")]
    + [("aggTrade", "p", "0")]
    + [("bookTicker", key, text) for key in "bBaA" for text in NO_AMOUNT]
    + [("bookTicker", "u", text) for text in NO_NUMBER]
    + [("depth@100ms", key, text) for key in "ba" for text in NO_LEVELS]
    + [("depth@100ms", key, text) for key in "EUu" for text in NO_NUMBER]
    + [(kind, "s", text) for kind in DATA for text in NO_TEXT]
    + [("aggTrade", "T", "9000000000001"), ("depth@100ms", "u", "156")]
)


@pytest.mark.parametrize(("kind", "key", "text"), HOSTILE)
def test_a_value_that_cannot_be_is_refused(kind: str, key: str, text: str) -> None:
    frame = replaced(kind, key, text)
    with pytest.raises(BadMessage) as caught:
        events(frame)
    assert (caught.value.feed, caught.value.head) == ("binance", frame[:16])


@pytest.mark.parametrize("kind", DATA)
def test_a_needed_key_that_is_missing_is_refused(kind: str) -> None:
    for key in set(DATA[kind]) - set("eEflM" if kind == "aggTrade" else "e"):
        with pytest.raises(BadMessage, match="missing required field"):
            events(wrapped(kind, {other: DATA[kind][other] for other in DATA[kind] if other != key}))


@pytest.mark.parametrize(("kind", "key"), KEYS)
def test_a_key_that_comes_twice_is_refused_wherever_it_is(kind: str, key: str) -> None:
    frame, again = wrapped(kind, DATA[kind]), json.dumps({key: DATA[kind][key]})[1:-1].encode()
    for doubled in (
        frame[:-2] + b"," + again + b"}}",
        frame.replace(b'"data":{', b'"data":{' + again + b","),
        frame[:-2] + b"," + again.replace(b'":', b'" :') + b"}}",
        frame[:-2] + b"," + again + b',"x":"a:b"}}',
    ):
        with pytest.raises(BadMessage, match=f"'{key}' comes twice"):
            events(doubled)


@pytest.mark.parametrize(("kind", "key"), KEYS)
def test_a_key_that_comes_twice_in_the_place_of_another_is_refused(kind: str, key: str) -> None:
    """There are as many colons as ever."""
    for other in set(DATA[kind]) - {key}:
        frame = wrapped(kind, DATA[kind]).replace(f'"{other}":'.encode(), f'"{key}":'.encode())
        with pytest.raises(BadMessage):
            events(frame)


def test_an_outer_key_that_comes_twice_is_refused() -> None:
    frame = wrapped("bookTicker", QUOTE)
    for again in (b'"stream":"btcusdt@bookTicker"', b'"data":{}', b'"data":' + json.dumps(QUOTE).encode()):
        for doubled in (frame[:-1] + b"," + again + b"}", b"{" + again + b"," + frame[1:]):
            with pytest.raises(BadMessage, match="comes twice"):
                events(doubled)


@pytest.mark.parametrize(
    "stream",
    [
        "ethusdt@bookTicker",
        "btcusdt@kline_1m",
        "btcusdt@trade",
        "btcusdt@aggTrade",
        "btcusdt@depth@100ms",
        "",
        "BTCUSDT@bookTicker",
    ],
)
def test_what_was_not_asked_for_or_is_of_another_kind_is_refused(stream: str) -> None:
    with pytest.raises(BadMessage):
        events(json.dumps({"stream": stream, "data": QUOTE}, separators=(",", ":")).encode())


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
        b'{"stream":"btcusdt@bookTicker","data":' + nested(5_000) + b"}",
        wrapped("aggTrade", TRADE)[:-1] + b',"x":' + nested(5_000) + b"}",
        wrapped("aggTrade", TRADE) + wrapped("aggTrade", TRADE),
        wrapped("aggTrade", TRADE) + b"x",
        wrapped("aggTrade", TRADE).replace(b"BTCUSDT", b"\xff\xfeUSDT"),
        wrapped("aggTrade", TRADE | {"x": "@"}).replace(b'"@"', b'"\xff"'),
        wrapped("aggTrade", TRADE | {"x": "@"}).replace(b'"@"', b"NaN"),
        b'{"result":1,"id":1}',
        b'{"result":null}',
        b'{"stream":1,"data":{}}',
        b'{"stream":"btcusdt@bookTicker"}',
        b'{"stream":"btcusdt@bookTicker","data":null}',
        b"9" * 5_000,
    ],
    ids=lambda frame: repr(frame[:24]),
)
def test_garbage_is_named(frame: bytes) -> None:
    with pytest.raises(BadMessage) as caught:
        events(frame)
    assert str(caught.value).startswith("binance: ")
    assert caught.value.head == frame[:16]


def test_a_message_cut_anywhere_is_refused() -> None:
    for kind, data in DATA.items():
        frame = wrapped(kind, data)
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
    | st.text(max_size=5)
    | st.sampled_from(["nan", "-1", "1e400"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("suUbBaAETmpqe"), inner, max_size=4),
    max_leaves=8,
)


@given(st.sampled_from(sorted(DATA)), st.dictionaries(st.sampled_from("suUbBaAETmpqeflM"), JSON, max_size=3))
@settings(max_examples=max(100, settings().max_examples))
def test_any_values_are_events_or_a_named_error(kind: str, values: dict[str, Any]) -> None:
    outcome(wrapped(kind, DATA[kind] | values))


@given(st.sampled_from(sorted(DATA)), st.integers(0, 250), st.binary(min_size=1, max_size=4))
@settings(max_examples=max(100, settings().max_examples))
def test_any_change_of_a_message_is_events_or_a_named_error(kind: str, at: int, other: bytes) -> None:
    frame = wrapped(kind, DATA[kind])
    outcome(frame[:at] + other + frame[at + len(other) :])


# --- the recording -------------------------------------------------------------------------------------------------


def listing() -> Listing:
    body = next(line.data for line in recording("binance") if "exchangeInfo" in line.url)
    return msgspec.json.decode(body, type=Listing)


def recorded_feed() -> BinanceFeed:
    wanted = {"NKN-USDT", "BLZ-ETH", "LRC-BTC", "RUNE-EUR"}
    return connected(*(each for each in defined(listing().symbols, wanted) if each.name in wanted))


def test_every_recorded_message_is_understood() -> None:
    feed, told = recorded_feed(), Counter[str]()
    for line in recording("binance"):
        if line.kind == "received":
            found = events(line.data.encode(), feed)
            told[type(found[0]).__name__ if found else "a candle that is not over"] += 1
    assert told == {"Trade": 2, "Quote": 84, "BookUpdate": 177, "a candle that is not over": 2}


def test_recorded_numbers_are_told_as_they_are() -> None:
    feed = recorded_feed()
    for line in recording("binance"):
        if line.kind != "received" or "kline" in line.data:
            continue
        data, (event,) = json.loads(line.data)["data"], events(line.data.encode(), feed)
        match event:
            case Quote():
                assert (event.sequence, event.venue_time_ns) == (data["u"], 0)
                shown = (event.bid, event.bid_size, event.ask, event.ask_size)
                assert shown == tuple(float(data[key]) for key in "bBaA")
            case Trade():
                assert (event.sequence, event.price, event.size) == (data["a"], float(data["p"]), float(data["q"]))
                assert event.aggressor is (Side.SELL if data["m"] else Side.BUY)
                assert event.venue_time_ns == data["T"] * 1_000_000
            case _:
                assert (event.first_sequence, event.sequence) == (data["U"], data["u"])
                assert event.bids == tuple((float(price), float(size)) for price, size in data["b"])
                assert event.asks == tuple((float(price), float(size)) for price, size in data["a"])


# --- definitions ---------------------------------------------------------------------------------------------------


def test_all_recorded_instruments_are_defined() -> None:
    listed = listing().symbols
    found = {instrument.name: instrument for instrument in defined(listed, set())}
    assert len(found) == len(listed) == 1695
    btc = found["BTC-USDT"]
    assert (btc.price_increment, btc.size_increment) == (Decimal("0.01"), Decimal("0.00001"))
    assert (btc.min_notional, btc.status) == (Decimal(10), TradingStatus.TRADING)
    assert Counter(each.status for each in found.values()) == {TradingStatus.TRADING: 1262, TradingStatus.HALTED: 433}
    assert all(FEED.symbol(found[each.name]) == each.symbol for each in listed)


FILTERS: list[dict[str, Any]] = [
    {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000.00", "tickSize": "0.01"},
    {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000", "stepSize": "0.00001"},
    {"filterType": "MARKET_LOT_SIZE", "minQty": "0", "maxQty": "100", "stepSize": "0"},
    {"filterType": "NOTIONAL", "minNotional": "5", "applyMinToMarket": True, "maxNotional": "9000000"},
    {"filterType": "TRAILING_DELTA", "minTrailingAboveDelta": 10},
]


def entry(**changes: Any) -> Listed:
    plain = {"symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT", "filters": FILTERS}
    return msgspec.convert(plain | changes, Listed)


def test_the_least_notional_stands_in_a_filter_of_either_name() -> None:
    assert entry().instrument() == attrs.evolve(BTC, min_notional=Decimal(5))
    older = [*FILTERS[:3], {"filterType": "MIN_NOTIONAL", "minNotional": "10"}]
    assert entry(filters=older).instrument().min_notional == Decimal(10)
    assert entry(filters=FILTERS[:3]).instrument().min_notional == 0


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("TRADING", TradingStatus.TRADING),
        ("HALT", TradingStatus.HALTED),
        ("BREAK", TradingStatus.HALTED),
        ("PRE_TRADING", TradingStatus.CLOSED),
        ("SOMETHING_NEW", TradingStatus.HALTED),
    ],
)
def test_the_status_is_translated_and_a_new_one_is_not_trading(word: str, status: TradingStatus) -> None:
    assert entry(status=word).instrument().status is status


@pytest.mark.parametrize(
    "changes",
    [
        {"filters": FILTERS[1:]},
        {"filters": FILTERS[:1]},
        {"filters": [{"filterType": "PRICE_FILTER", "tickSize": "0"}, *FILTERS[1:]]},
        {"filters": [{"filterType": "PRICE_FILTER", "tickSize": "NaN"}, *FILTERS[1:]]},
        {"baseAsset": "币安", "symbol": "币安USDT"},
    ],
)
def test_what_cannot_be_an_instrument_is_left_out_unless_it_is_wanted(changes: dict[str, Any]) -> None:
    bad = entry(**changes)
    good = entry(baseAsset="ETH", symbol="ETHUSDT")
    assert [each.name for each in defined([bad, good], {"ETH-USDT"})] == ["ETH-USDT"]
    with pytest.raises(BadInstrument, match=bad.baseAsset):
        list(defined([bad], {bad.name}))


def test_a_symbol_that_is_not_its_assets_is_left_out() -> None:
    assert list(defined([entry(symbol="XBTUSDT")], set())) == []


def many(count: int, base: int = 6) -> list[Topic]:
    return [Topic("binance", f"{number:0{base}d}-USDT", "trade") for number in range(count)]


class Asked:
    """Stands for the HTTP client: refuses with `statuses` first, then lists nothing."""

    def __init__(self, *statuses: int) -> None:
        self.statuses, self.queries = list(statuses), list[dict[str, str]]()

    async def get(self, path: str, query: dict[str, str], weight: int, type: object) -> Listing:
        assert (path, weight) == ("/api/v3/exchangeInfo", 20)
        self.queries.append(query)
        if self.statuses:
            raise RestRefused(path, self.statuses.pop(0), b"")
        return Listing([])


async def asked_for(topics: Iterable[Topic], *statuses: int) -> list[dict[str, str]]:
    feed = BinanceFeed(Source("binance", tuple(topics), Nowhere()))
    vars(feed)["_rests"] = {REST_URL: (asked := Asked(*statuses))}
    assert list(await feed.definitions()) == []
    return asked.queries


async def test_a_hundred_instruments_are_asked_for_by_name_and_more_are_picked_from_all() -> None:
    (query,) = await asked_for(many(100))
    assert len(json.loads(query["symbols"])) == 100
    assert await asked_for(many(101)) == [{}]


async def test_an_exchange_that_does_not_know_a_name_is_asked_for_all() -> None:
    assert await asked_for(many(2), 400) == [{"symbols": '["000000USDT","000001USDT"]'}, {}]


@pytest.mark.parametrize(("count", "statuses"), [(2, [500]), (2, [400, 400]), (101, [400])])
async def test_any_other_refusal_of_definitions_is_told(count: int, statuses: list[int]) -> None:
    with pytest.raises(RestRefused):
        await asked_for(many(count), *statuses)


# --- subscribing ---------------------------------------------------------------------------------------------------


def names(address: str, messages: Iterable[bytes]) -> list[str]:
    query = address.partition("?streams=")[2]
    return [*filter(None, query.split("/")), *(name for each in messages for name in json.loads(each)["params"])]


async def test_the_streams_stand_in_the_address() -> None:
    feed = feed_of(
        "binance/BTC-USDT/trade", "binance/BTC-USDT/status", "binance/BTC-USDT/book", "binance/ETH-BTC/quote"
    )
    assert await feed.locate() == f"{URL}?streams=btcusdt@depth@100ms/btcusdt@aggTrade/ethbtc@bookTicker"
    assert list(feed.subscribe_frames(feed.topics)) == []


def test_what_the_address_cannot_hold_is_asked_for_by_few_short_messages() -> None:
    address, messages = addressed("binance", URL, many(1_024, base=4))
    assert sorted(names(address, messages)) == [f"{number:04d}usdt@aggTrade" for number in range(1_024)]
    assert len(address) <= 8_000
    assert max(map(len, messages)) <= 4_000
    assert 1 <= len(messages) <= 4
    assert [json.loads(each)["id"] for each in messages] == list(range(1, len(messages) + 1))


def test_books_are_in_the_address_first() -> None:
    topics = [*many(1_000, base=4), Topic("binance", "BTC-USDT", "book")]
    address, _ = addressed("binance", URL, topics)
    assert address.startswith(f"{URL}?streams=btcusdt@depth@100ms/")


def test_more_streams_than_a_connection_carries_are_refused_at_once() -> None:
    for topics in (many(1_025, base=4), many(1_024, base=16)):
        with pytest.raises(TooManyStreams, match="use several feeds"):
            addressed("binance", URL, topics)
    with pytest.raises(TooManyStreams):
        BinanceFeed(Source("binance", tuple(many(1_025)), Nowhere()))
