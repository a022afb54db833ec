"""The JSON dialect: events to text and back, and text that is something else."""

import json
import math
from contextlib import suppress
from typing import get_args

import pytest
from hypothesis import given, strategies as st

from ticktree.market import BadNumber, BadPayload, dialect, messages
from ticktree.market.errors import UnknownInstrument
from ticktree.market.events import Bar, BookUpdate, Data, Event, Level, Quote, Side, Skipped, Trade

from .samples import BTC, ETH, quote, trade
from .test_messages import MARKS

NAMES = {"BTC-USDT": BTC, "ETH-USDT": ETH}
DATA: list[Data] = [
    quote(),
    quote(bid=101.0, ask=100.0),
    trade(),
    trade(aggressor=Side.SELL),
    trade(aggressor=None),
    BookUpdate("sim", BTC, ((100.0, 1.0), (99.5, 2.0)), ((100.5, 0.1),), True, 8, 8, 10, 20),
    BookUpdate("sim", BTC, (), ((100.5, 0.0),), False, 9, 12, 10, 20, crossed=True),
    Bar("sim", BTC, 1.0, 2.0, 0.5, 1.5, 10.0, 15.0, 3, 0, 60, 20),
]
EVENTS: list[Event] = [*DATA, *MARKS]
SAID: list[messages.Message] = [
    messages.Hello(session="00000000000000ff", feed="sim"),
    messages.Hello(token="open sesame"),
    messages.Subscribe(("sim/*/book",)),
    messages.Unsubscribe(("sim/*/book",)),
    messages.Subscribed(()),
    messages.Refused(messages.Refusal.LIMIT, "at most 256: not 257"),
    messages.Instruments((BTC, ETH)),
    messages.Heartbeat(),
    messages.End("done"),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_that_was_said_is_heard(event: Event) -> None:
    message = dialect.decode(dialect.encode(event))
    assert isinstance(message, (*dialect.DATA, *messages.MARKS, messages.Skipped))
    assert dialect.heard(message, NAMES, received_ns=20) == event


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_what_is_heard_can_be_of_a_feed_by_another_name(event: Event) -> None:
    message = dialect.decode(dialect.encode(event))
    assert isinstance(message, (*dialect.DATA, *messages.MARKS, messages.Skipped))
    heard = dialect.heard(message, NAMES, 20, feed="relay")
    assert heard.feed == "relay"
    if isinstance(heard, Skipped):
        assert {feed for feed, _ in heard.books} == {"relay"}


def test_every_event_can_be_said() -> None:
    assert {type(event) for event in EVENTS} == set(get_args(Event))


@pytest.mark.parametrize("message", SAID, ids=lambda message: type(message).__name__)
def test_the_conversation_is_said_and_heard(message: messages.Message) -> None:
    text = dialect.encode(message)
    assert dialect.decode(text) == dialect.decode(text.decode()) == dialect.decode(memoryview(text)) == message


def test_data_is_received_when_we_received_it() -> None:
    message = dialect.decode(dialect.encode(trade()))
    assert isinstance(message, dialect.TradeMessage)
    heard = dialect.heard(message, NAMES, received_ns=99)
    assert isinstance(heard, Trade)
    assert (message.received_time_ns, heard.received_time_ns) == (20, 99)


def test_an_instrument_that_was_never_defined_is_named() -> None:
    message = dialect.decode(dialect.encode(trade()))
    assert isinstance(message, dialect.TradeMessage)
    with pytest.raises(UnknownInstrument, match="BTC-USDT"):
        dialect.heard(message, {}, 1)


finite = st.floats(allow_nan=False, allow_infinity=False)
sizes = st.floats(0, allow_infinity=False)
whole = st.integers(0, 2**63 - 1)
times = st.integers(-(2**63) + 1, 2**63 - 1)
levels: st.SearchStrategy[tuple[Level, ...]] = st.lists(st.tuples(finite, sizes), max_size=8).map(tuple)
quotes = st.builds(Quote, st.just("sim"), st.just(BTC), finite, sizes, finite, sizes, whole, times, st.just(20))
trades = st.builds(
    Trade, st.just("sim"), st.just(ETH), finite, sizes, st.sampled_from([None, *Side]), whole, times, st.just(20)
)
updates = st.builds(
    BookUpdate, st.just("sim"), st.just(BTC), levels, levels, st.just(False), st.integers(0, 9), st.integers(9, 99),
    times, st.just(20), st.booleans(),
).filter(lambda update: bool(update.bids or update.asks))  # fmt: skip


@given(st.one_of(quotes, trades, updates))
def test_numbers_come_out_as_they_went_in(event: Data) -> None:
    message = dialect.decode(dialect.encode(event))
    assert isinstance(message, dialect.DATA)
    assert dialect.heard(message, NAMES, 20) == event


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_json_cannot_say_is_refused(value: float) -> None:
    update = BookUpdate("sim", BTC, ((1.0, 1.0),), ((2.0, value),), False, 1, 1, 1, 1)
    for event in (quote(bid=value), trade(price=value), update):
        with pytest.raises(BadNumber, match="not finite"):
            dialect.encode(event)


def test_null_as_a_name_is_no_number() -> None:
    assert b'"null"' in dialect.encode(quote(feed="null"))


def said(**changes: object) -> bytes:
    return json.dumps({**json.loads(dialect.encode(quote())), **changes}).encode()


QUOTE = dialect.encode(quote())
UPDATE = dialect.encode(DATA[6])
HOSTILE = {
    "nothing": b"",
    "no object": b"[]",
    "no type": b'{"feed":"sim"}',
    "an unknown type": b'{"type":"order"}',
    "a negative size": said(bid_size=-1),
    "a negative sequence": said(sequence=-1),
    "64 bits": said(sequence=2**63),
    "30 digits": said(sequence=10**30),
    "a price in text": said(bid="1"),
    "no price": said(bid=None),
    "NaN": said(bid=math.nan),
    "infinity": said(bid=math.inf),
    "out of range": QUOTE.replace(b"100.0", b"1e400"),
    "300 kB of digits": QUOTE.replace(b"100.0", b"1" * 300_000),
    "a field too many": said(depth=1),
    "a key twice": QUOTE.replace(b'"bid"', b'"bid":1,"bid"'),
    "nested": b'{"type":"quote","feed":' + b"[" * 5_000,
    "invalid UTF-8": QUOTE.replace(b"sim", b"s\xffm"),
    "half a surrogate pair": QUOTE.replace(b"sim", b"\\ud800"),
    "cut": QUOTE[:-1],
    "two": QUOTE + QUOTE,
    "a negative size in a book": UPDATE.replace(b"0.0]", b"-1.0]"),
    "a level of three": UPDATE.replace(b"0.0]", b"0.0,1]"),
    "a book of nothing": UPDATE.replace(b"[[100.5,0.0]]", b"[]"),
    "updates backwards": UPDATE.replace(b'first_sequence":9', b'first_sequence":13'),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_text_that_cannot_be_read_is_named(text: bytes) -> None:
    assert text not in (QUOTE, UPDATE)
    with pytest.raises(BadPayload) as raised:
        dialect.decode(text, offset=1_000)
    assert (raised.value.offset, raised.value.head) == (1_000, text[:16])


def test_half_a_surrogate_pair_in_a_text_is_named() -> None:
    with pytest.raises(BadPayload):
        dialect.decode('{"type":"end","reason":"\ud800"}')


@given(st.binary(max_size=100) | st.text(max_size=100))
def test_any_text_is_a_message_or_a_named_error(text: bytes | str) -> None:
    with suppress(BadPayload):
        assert isinstance(dialect.decode(text), messages.Message)


@pytest.mark.parametrize(
    "text",
    [
        b'{"token":"open sesame","type":"hello","version":1.5}',
        b'{"token":"open sesame","type":"hello","token":"open sesame"}',
        b'{"token":"open sesame","type":"hell',
        b'{"token":"open sesame\xff","type":"hello"}',
    ],
)
def test_an_error_never_shows_a_token(text: bytes) -> None:
    with pytest.raises(BadPayload) as raised:
        dialect.decode(text)
    assert raised.value.head == b""
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__
    assert "sesame" not in str(raised.value)
    assert "not shown" in str(raised.value)
