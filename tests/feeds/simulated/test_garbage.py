"""Garbage is garbage: no reader takes any of it."""

from random import Random

import pytest

from ticktree.feeds.simulated import BTC_USDT
from ticktree.feeds.simulated.garbage import dialect_garbage, wire_garbage
from ticktree.market import MarketError, dialect, wire
from ticktree.market.ticks import check


def read_all(data: bytes) -> int:
    """Read `data` as a client would; how many bytes wait for more. Raises what the client would."""
    frames, taken, error = wire.Framing().cut(memoryview(bytearray(data)), 0)
    reader = wire.Reader()
    for frame in frames:
        message = reader.read(frame)
        if isinstance(message, wire.TickRows):
            check(message.ticks, "sim")
    if error is not None:
        raise error
    return len(data) - taken


def test_no_reader_of_the_wire_protocol_takes_it() -> None:
    for seed in range(1_000):
        with pytest.raises(MarketError):
            read_all(wire_garbage(Random(seed), wire.Writer(), BTC_USDT))


def test_no_reader_of_the_dialect_takes_it() -> None:
    for seed in range(1_000):
        with pytest.raises(MarketError):
            dialect.decode(dialect_garbage(Random(seed), "sim", BTC_USDT))


def test_it_comes_in_every_kind() -> None:
    texts = {dialect_garbage(Random(seed), "sim", BTC_USDT) for seed in range(300)}
    assert len(texts) > 50
    frames = {wire_garbage(Random(seed), wire.Writer(), BTC_USDT)[:8] for seed in range(300)}
    assert len(frames) > 50
