"""Bytes that are wrong, cut or merged, over real sockets: named errors, counters, and the policy's answer."""

import asyncio
import logging
import tracemalloc
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from ticktree.actors import LiveClock
from ticktree.feeds import BadMessage, Feed, FeedAccount, FeedError, Refused, Source, WireFeed
from ticktree.market import BookUpdate, FeedState, MarketError, Topic, Trade, wire
from ticktree.net import LengthPrefixed, Lines

from .json_feed import ACK, ALL, BTC, ETH, Hand, InBandFeed, JsonFeed, RuledFeed, book, trade
from .rig import Client, Collector, Rig, running

TRADES = ("test/BTC-USDT/trade",)

WRONG: dict[str, bytes] = {
    "garbage": b"\x00\x01\x02 garbage",
    "nothing": b"",
    "no object": b"[1, 2]",
    "half an object": b'{"type":"trade","i":"BTC-USDT"',
    "two objects": b'{"type":"ack"}{"type":"ack"}',
    "depth": b'{"type":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    "NaN": b'{"type":"trade","i":"BTC-USDT","n":1,"price":NaN,"size":1}',
    "infinity": b'{"type":"trade","i":"BTC-USDT","n":1,"price":Infinity,"size":1}',
    "a float beyond": b'{"type":"trade","i":"BTC-USDT","n":1,"price":1e999,"size":1}',
    "30 digits": b'{"type":"trade","i":"BTC-USDT","n":' + b"9" * 30 + b',"price":1,"size":1}',
    "a negative number": b'{"type":"trade","i":"BTC-USDT","n":-1,"price":1,"size":1}',
    "a negative size": b'{"type":"trade","i":"BTC-USDT","n":1,"price":1,"size":-1}',
    "a key twice": b'{"type":"trade","i":"BTC-USDT","n":1,"n":2,"price":1,"size":1}',
    "an unknown key": b'{"type":"trade","i":"BTC-USDT","n":1,"price":1,"size":1,"x":1}',
    "an unknown kind": b'{"type":"order","i":"BTC-USDT"}',
    "an unknown instrument": b'{"type":"trade","i":"DOGE-USDT","n":1,"price":1,"size":1}',
    "text for a number": b'{"type":"trade","i":"BTC-USDT","n":"1","price":1,"size":1}',
    "half a surrogate": b'{"type":"trade","i":"\\ud800","n":1,"price":1,"size":1}',
}
NOT_UTF8 = b'{"type":"trade","i":"\xff\xfe","n":1,"price":1,"size":1}'


@pytest.mark.parametrize("scheme", ["tcp", "ws"])
async def test_each_is_named_counted_and_skipped_and_what_follows_is_read(
    scheme: Any, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = dict(WRONG) if scheme == "ws" else {**WRONG, "no UTF-8": NOT_UTF8}
    async with running(RuledFeed, *TRADES, scheme=scheme) as rig:
        client = await rig.accept()
        for number, (name, text) in enumerate(wrong.items(), 1):
            caplog.clear()
            with caplog.at_level(logging.DEBUG, "ticktree.feeds"):
                client.say(text, trade(number))
                await rig.until_told(number, Trade)
            assert rig.account.errors == {"BadMessage": number}, name
            (record,) = [record for record in caplog.records if "at byte" in record.message]
            assert record.message.startswith("test: at byte ")
            assert repr(text[:16]) in record.message
        assert rig.account.connections == 1
        assert rig.account.broken == 0
        assert rig.account.skipped >= sum(map(len, wrong.values()))


@pytest.mark.parametrize("scheme", ["tcp", "ws"])
async def test_or_it_costs_the_connection_and_what_came_before_is_told(scheme: Any) -> None:
    async with running(RuledFeed, *TRADES, scheme=scheme, on_bad="reconnect") as rig:
        for number, (name, text) in enumerate(WRONG.items(), 1):
            client = await rig.accept()
            client.say(ACK, trade(1), text, trade(2))
            await rig.until_broken(number)
            reason = rig.sink.told[-1].reason
            offset = len(client.framed(ACK) + client.framed(trade(1))) if scheme == "tcp" else None
            assert f"at byte {offset}:" in reason or scheme == "ws", name
            assert repr(text[:16]) in reason
            assert len(rig.sink.of(Trade)) == number
        assert rig.account.errors == {"BadMessage": len(WRONG)}


async def test_a_refusal_costs_the_connection_whatever_the_policy_for_messages() -> None:
    class Refusing(RuledFeed):
        def decode(self, frame: memoryview | bytes, received_ns: int) -> Any:
            if frame == b"no":
                raise Refused(self.name, "too many streams")
            return super().decode(frame, received_ns)

    async with running(Refusing, *TRADES) as rig:
        client = await rig.accept()
        client.say(trade(1), b"no", trade(2))
        await rig.until_failed(1)
        assert (rig.account.errors, rig.account.broken) == ({"Refused": 1}, 0)
        assert "too many streams" in rig.sink.told[-1].reason
        assert len(rig.sink.of(Trade)) == 1
        await rig.accept()


async def test_a_text_that_is_no_utf_8_breaks_the_rules_of_websockets() -> None:
    async with running(RuledFeed, *TRADES, scheme="ws") as rig:
        client = await rig.accept()
        client.say(trade(1), NOT_UTF8)
        await rig.until(lambda: rig.account.broken == 1)
        assert rig.account.errors == {"WebSocketViolation": 1}
        assert len(rig.sink.of(Trade)) == 1
        await rig.accept()


class Prefixed(RuledFeed):
    framing: ClassVar = staticmethod(lambda: LengthPrefixed(4, "little", 4_096))


async def test_a_line_without_end_is_given_up_at_its_bound_and_costs_no_memory() -> None:
    async with running(RuledFeed, *TRADES) as rig:
        client = await rig.accept()
        client.say(trade(1))
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(client.sock, b"x" * 65_536)
        await rig.until(lambda: rig.account.broken == 1)
        assert rig.account.errors == {"NoFrame": 1}
        assert len(rig.sink.of(Trade)) == 1
        assert "65536" in rig.sink.told[-1].reason
        await rig.accept()


@pytest.mark.parametrize("length", [-1, -(2**31), 2**31 - 1, 4_093, 10**9])
async def test_a_length_that_is_negative_or_too_long_is_refused_before_anything_is_allocated(length: int) -> None:
    async with running(Prefixed, *TRADES) as rig:
        client = await rig.accept()
        text = msgspec.json.encode(trade(1))
        client.send(len(text).to_bytes(4, "little") + text)
        await rig.until(lambda: len(rig.sink.of(Trade)) == 1)
        tracemalloc.start()
        client.send((length % 2**32).to_bytes(4, "little") + b"\x01" * 100)
        await rig.until(lambda: rig.account.broken == 1)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 1 << 20
        assert rig.account.errors == {"Oversize": 1}
        assert f"at byte {len(text) + 4}:" in rig.sink.told[-1].reason
        await rig.accept()


async def test_prefixes_belong_to_their_messages_in_accounts_and_offsets() -> None:
    async with running(Prefixed, *TRADES, on_bad="reconnect") as rig:
        client = await rig.accept()
        texts = [msgspec.json.encode(trade(1)), msgspec.json.encode(trade(2)), b"wrong"]
        client.send(b"".join(len(text).to_bytes(4, "little") + text for text in texts))
        await rig.until(lambda: rig.account.broken == 1)
        good = sum(len(text) + 4 for text in texts[:2])
        assert f"at byte {good}: " in rig.sink.told[-1].reason
        assert (rig.account.decoded, rig.account.skipped) == (good, 9)


# --- cut, reset, sliced and merged ---------------------------------------------------------------------------------

CONVERSATION = [ACK, trade(1), book(1, snapshot=True), trade(2), trade(3, "ETH-USDT"), book(2, bids=[(99.0, 2.0)])]


def told_by(client: Client, cut: int) -> int:
    """How many trades and books are whole within `cut` bytes."""
    end, count = 0, 0
    for text in CONVERSATION:
        end += len(client.framed(text))
        count += end <= cut and text is not ACK
    return count


async def play_cut(rig: Rig, cut: int, how: str) -> None:
    client = await rig.accept()
    before = len(rig.sink.told)
    data = b"".join(map(client.framed, CONVERSATION))
    if cut:
        client.send(data[:cut])
    expected, losses = told_by(client, cut), sum(rig.account.errors.values())

    def told() -> int:
        return sum(isinstance(event, Trade | BookUpdate) for event in rig.sink.told[before:])

    await rig.until(lambda: told() == expected)
    if how == "reset":
        if not client.messages:
            await rig.read(client)
        client.reset()
    else:
        client.cut()
    await rig.until_failed(losses + 1)
    assert told() == expected


async def play_cuts(scheme: Any, how: str, step: int) -> None:
    async with running(InBandFeed, scheme=scheme) as rig:
        nobody: Any = None
        length = sum(len(Client(nobody, scheme == "ws").framed(text)) for text in CONVERSATION)
        cuts = range(0, length + 1, step)
        for cut in cuts:
            await play_cut(rig, cut, how)
        assert rig.account.errors == {"PeerLost": len(cuts)}
        assert rig.account.gaps == rig.account.broken == 0


@pytest.mark.parametrize("how", ["cut", "reset"])
@pytest.mark.parametrize("scheme", ["tcp", "unix", "ws"])
async def test_what_is_told_is_what_was_whole_before_the_cut(scheme: Any, how: str) -> None:
    await play_cuts(scheme, how, 13)


@pytest.mark.soak
@pytest.mark.parametrize("how", ["cut", "reset"])
@pytest.mark.parametrize("scheme", ["tcp", "unix", "ws"])
async def test_what_is_told_is_what_was_whole_before_the_cut_at_every_byte(scheme: Any, how: str) -> None:
    await play_cuts(scheme, how, 1)


@pytest.mark.parametrize("size", [1, 2, 7, 64, 1_000])
async def test_however_it_is_sliced_the_same_is_told(size: int) -> None:
    async with running(InBandFeed) as rig:
        client = await rig.accept()
        data = b"".join(map(client.framed, CONVERSATION))
        for start in range(0, len(data), size):
            client.send(data[start : start + size])
            await rig.read(client)
        await rig.until(lambda: len(rig.sink.told) == 7)
        assert rig.account.messages == len(CONVERSATION)


# --- any bytes at all ----------------------------------------------------------------------------------------------


class StubConnection:
    """As much of a connection as a feed looks at while it decodes."""

    def __init__(self) -> None:
        self.bytes_in = self.buffered = 0
        self.error: Exception | None = None

    def abort(self, error: Exception) -> None:
        self.error = error


def alone(make: Callable[[Source], Feed]) -> tuple[Feed, Any, FeedAccount]:
    """A feed without a system around it, and its connection."""
    account = FeedAccount()
    source = Source("test", tuple(map(Topic.parse, ALL)), Collector(), account=account)
    bare = make(source)
    alone_class: Any = type("Alone", (type(bare),), {"clock": LiveClock(), "own": _drop})
    feed: Feed = alone_class(*_arguments(bare, source))
    for instrument in (BTC, ETH):
        feed.adopt(instrument)
    connection: Any = StubConnection()
    account.opened(connection)
    return feed, connection, account


def _in_band(source: Source) -> Feed:
    return InBandFeed(source, "", Hand())


def _wire(source: Source) -> Feed:
    return WireFeed(source, "")


def _drop(_: Feed, work: Any, what: str) -> None:
    work.close()


def _arguments(feed: Feed, source: Source) -> tuple[Any, ...]:
    return (source, "", Hand()) if isinstance(feed, JsonFeed) else (source, "")


def feed_bytes(feed: Feed, connection: Any, account: FeedAccount, framing: Any, chunks: Iterable[bytes]) -> None:
    """What a stream connection does with reads."""
    held = b""
    for chunk in chunks:
        begin = connection.bytes_in - len(held)
        connection.bytes_in += len(chunk)
        data = memoryview(bytearray(held + chunk))
        frames, taken, error = framing.cut(data, begin)
        held = bytes(data[taken:])
        connection.buffered = len(held)
        if frames:
            feed.on_frames(connection, frames, False)
        assert account.bytes_in == account.decoded + account.skipped + account.buffered
        if connection.error or error:
            named = connection.error or error
            assert isinstance(named, MarketError | FeedError) or type(named).__module__ == "ticktree.net.errors"
            return


TEXTS = st.one_of(
    st.binary(max_size=200),
    st.sampled_from([*WRONG.values(), NOT_UTF8, *(msgspec.json.encode(text) for text in CONVERSATION)]),
)


@settings(max_examples=max(100, settings().max_examples), deadline=None)
@given(st.lists(TEXTS, max_size=8), st.sampled_from(["skip", "reconnect"]))
def test_any_lines_give_events_or_named_errors(texts: list[bytes], policy: Any) -> None:
    feed, connection, account = alone(_in_band)
    object.__setattr__(feed.source, "on_bad", policy)
    feed_bytes(feed, connection, account, Lines(65_536), [text + b"\n" for text in texts])


def conversation() -> bytes:
    """A server's side of the wire protocol, with everything in it."""
    from ticktree.market.ticks import encoded

    from .test_wire_feed import book_ticks, trades

    writer = wire.Writer()
    frames = [
        writer.write(wire.Hello(feed="test")),
        writer.write(wire.Instruments((BTC, ETH))),
        writer.write(wire.Subscribed(("test/*/*",))),
        writer.ticks(encoded(trades(3))),
        writer.ticks(book_ticks(4, snapshot=True)),
        writer.skipped(5, [("test", "BTC-USDT")]),
        writer.write(wire.FeedMark("test", FeedState.LOST, "gone", 0)),
        writer.write(wire.StaleMark("test", "BTC-USDT", "gap", 0)),
        writer.ticks(encoded(trades(2))),
        writer.ticks(encoded(trades(2))),
        writer.write(wire.End("that is all")),
    ]
    return b"".join(frames)


def wire_alone() -> tuple[Feed, Any, FeedAccount]:
    feed, connection, account = alone(_wire)
    feed.opened()
    return feed, connection, account


@settings(max_examples=max(100, settings().max_examples), deadline=None)
@given(st.lists(st.binary(max_size=300), max_size=6))
def test_any_bytes_give_a_wire_feed_events_or_named_errors(chunks: list[bytes]) -> None:
    feed_bytes(*wire_alone(), wire.Framing(), chunks)


@settings(max_examples=max(100, settings().max_examples), deadline=None)
@given(st.data())
def test_a_conversation_with_bytes_changed_gives_events_or_named_errors(data: st.DataObject) -> None:
    said = bytearray(conversation())
    for _ in range(data.draw(st.integers(1, 6))):
        said[data.draw(st.integers(0, len(said) - 1))] = data.draw(st.integers(0, 255))
    size = data.draw(st.sampled_from([1, 13, 100, 1_000, 10_000]))
    feed_bytes(*wire_alone(), wire.Framing(), [bytes(said[n : n + size]) for n in range(0, len(said), size)])


def test_a_message_that_is_wrong_at_its_end_gives_nothing() -> None:
    class Late(JsonFeed):
        def decode(self, frame: memoryview | bytes, received_ns: int) -> Iterable[Trade]:
            yield Trade("test", BTC, 1.0, 1.0, None, 1, 0, received_ns)
            raise BadMessage(self.name, "it breaks off", bytes(frame))

    def late(source: Source) -> Feed:
        return Late(source, "", Hand())

    feed, connection, account = alone(late)
    feed_bytes(feed, connection, account, Lines(100), [b"x\n"])
    sink: Any = feed.source.sink
    assert sink.told == []
    assert account.errors == {"BadMessage": 1}
