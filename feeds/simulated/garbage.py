"""Messages that mean nothing, each wrong in its own way: what a client must survive, name and count."""

from collections.abc import Callable
from random import Random
from struct import Struct

import numpy as np

from ticktree.market import Instrument, Side, Ticks, Trade, dialect, wire
from ticktree.market.ticks import encoded

_HEADER = Struct("<IBBHQ")


def wire_garbage(random: Random, writer: wire.Writer, instrument: Instrument) -> bytes:
    """Bytes that no reader of the wire protocol takes, where a frame would begin."""
    return random.choice(_FRAMES)(random, writer, instrument)


def dialect_garbage(random: Random, feed: str, instrument: Instrument) -> bytes:
    """A text that no reader of the JSON dialect takes."""
    good = dialect.encode(_trade(feed, instrument))
    return random.choice(_TEXTS)(random, good)


# --- frames --------------------------------------------------------------------------------------------------------

_Frame = Callable[[Random, wire.Writer, Instrument], bytes]


def _noise(random: Random, _: wire.Writer, __: Instrument) -> bytes:
    return b"\xff" + random.randbytes(random.randint(15, 300)).replace(b"\x00\x00", b"\xff\xff")


def _endless(_: Random, writer: wire.Writer, __: Instrument) -> bytes:
    return _HEADER.pack(0xFFFF_FFF8, wire.FrameKind.TICKS, wire.VERSION, 0, writer.sequence)


def _crooked(random: Random, writer: wire.Writer, _: Instrument) -> bytes:
    length = 16 + 8 * random.randint(1, 100) + random.randint(1, 7)
    return _HEADER.pack(length, wire.FrameKind.TICKS, wire.VERSION, 0, writer.sequence) + random.randbytes(length - 16)


def _foreign(random: Random, writer: wire.Writer, _: Instrument) -> bytes:
    return _HEADER.pack(24, random.randint(100, 255), wire.VERSION, 0, writer.sequence) + random.randbytes(8)


def _no_text(random: Random, writer: wire.Writer, _: Instrument) -> bytes:
    return _HEADER.pack(32, wire.FrameKind.SKIPPED, wire.VERSION, 0, writer.sequence) + b"{" + random.randbytes(15)


def _not_a_number(_: Random, writer: wire.Writer, instrument: Instrument) -> bytes:
    ticks = _tick(instrument)
    ticks["a"] = np.nan
    return writer.ticks(ticks)


def _less_than_none(_: Random, writer: wire.Writer, instrument: Instrument) -> bytes:
    ticks = _tick(instrument)
    ticks["b"] = -1.0
    return writer.ticks(ticks)


_FRAMES: tuple[_Frame, ...] = (_noise, _endless, _crooked, _foreign, _no_text, _not_a_number, _less_than_none)


# --- texts ---------------------------------------------------------------------------------------------------------

_Text = Callable[[Random, bytes], bytes]
_NUMBERS = (b"NaN", b"Infinity", b"1e999", b'"nan"', b"-1.0", b"1" * 400, b"null")


def _broken_off(random: Random, good: bytes) -> bytes:
    return good[: random.randint(1, len(good) - 1)]


def _bad_number(random: Random, good: bytes) -> bytes:
    return good.replace(b'"size":1.0', b'"size":' + random.choice(_NUMBERS))


def _key_twice(_: Random, good: bytes) -> bytes:
    return good.replace(b'"size":1.0', b'"size":1.0,"size":2.0')


def _deep(_: Random, __: bytes) -> bytes:
    return b"[" * 5_000


def _unknown_type(_: Random, good: bytes) -> bytes:
    return good.replace(b'"trade"', b'"gossip"')


def _no_json(random: Random, _: bytes) -> bytes:
    return bytes(random.randint(33, 126) for _ in range(random.randint(1, 300))).replace(b"{", b"}")


_TEXTS: tuple[_Text, ...] = (_broken_off, _bad_number, _key_twice, _deep, _unknown_type, _no_json)


def _trade(feed: str, instrument: Instrument) -> Trade:
    return Trade(feed, instrument, 1.0, 1.0, Side.BUY, 1, 0, 0)


def _tick(instrument: Instrument) -> Ticks:
    return encoded([_trade("", instrument)]).copy()
