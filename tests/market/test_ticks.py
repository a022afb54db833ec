"""The 64-byte record: its layout, and the way to events and back."""

import struct
from typing import Any

import pytest
from hypothesis import given, strategies as st

from ticktree.market import TICK, BadTick, Quote, Side, Tick, TickFlag, Trade
from ticktree.market.ticks import RECORD, VECTOR_ROWS, decode, encode

from .samples import BTC, ETH, quote, trade

INSTRUMENTS = {1: BTC, 2: ETH}
price = st.floats(allow_nan=False, allow_infinity=False)
size = st.floats(min_value=0, allow_nan=False, allow_infinity=False)
number = st.integers(0, (1 << 64) - 1)
time_ns = st.integers(-(1 << 63), (1 << 63) - 1)
instrument = st.sampled_from([BTC, ETH])
quotes = st.builds(Quote, st.just("sim"), instrument, price, size, price, size, number, time_ns, st.just(5))
trades = st.builds(
    Trade, st.just("sim"), instrument, price, size, st.sampled_from([None, *Side]), number, time_ns, st.just(5)
)


def there_and_back(ticks: list[Tick]) -> list[Tick]:
    return decode(memoryview(encode(ticks)), INSTRUMENTS, "sim", received_time_ns=5)


@given(st.lists(quotes | trades, max_size=VECTOR_ROWS - 1))
def test_few_ticks_come_back(ticks: list[Tick]) -> None:
    assert there_and_back(ticks) == ticks


@given(st.lists(quotes | trades, min_size=VECTOR_ROWS, max_size=VECTOR_ROWS + 8))
def test_many_ticks_come_back(ticks: list[Tick]) -> None:
    assert there_and_back(ticks) == ticks


@given(st.lists(quotes | trades, min_size=VECTOR_ROWS, max_size=VECTOR_ROWS + 2))
def test_vectorised_and_scalar_bytes_are_the_same(ticks: list[Tick]) -> None:
    assert encode(ticks) == b"".join(encode([tick]) for tick in ticks)


def test_the_record_is_laid_out_as_documented() -> None:
    offsets = {name: field[1] for name, field in (TICK.fields or {}).items()}
    assert offsets == {
        "instrument": 0, "kind": 4, "flags": 5, "source": 6, "sequence": 8, "venue_time_ns": 16,
        "received_time_ns": 24, "a": 32, "b": 40, "c": 48, "d": 56,
    }  # fmt: skip
    assert TICK.itemsize == RECORD.size == 64
    assert encode([quote()]) == struct.pack("<IBBHQqqdddd", 1, 1, TickFlag.LAST, 0, 7, 10, 20, 100.0, 1.5, 100.5, 2.5)


def test_a_crossed_quote_is_flagged_and_kept() -> None:
    crossed = encode([quote(bid=101.0, ask=100.0)])
    assert crossed[5] & TickFlag.CROSSED


def test_the_aggressor_is_in_the_flags() -> None:
    flags = [encode([trade(aggressor=side)])[5] & 3 for side in (None, Side.BUY, Side.SELL)]
    assert flags == [0, 1, 2]


def record(**changed: Any) -> bytes:
    fields: dict[str, Any] = {
        "instrument": 1, "kind": 1, "flags": 4, "source": 0, "sequence": 1, "venue": 0, "received": 0,
        "a": 1.0, "b": 1.0, "c": 2.0, "d": 1.0,
    }  # fmt: skip
    return RECORD.pack(*(fields | changed).values())


@pytest.mark.parametrize("before", [0, VECTOR_ROWS])
@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"a": float("nan")}, "not finite"),
        ({"c": float("inf")}, "not finite"),
        ({"b": -1.0}, "negative"),
        ({"d": -0.5}, "negative"),
        ({"instrument": 9}, "instrument 9 was never defined"),
        ({"kind": 0}, "no kind 0"),
    ],
)
def test_a_record_that_cannot_be_is_refused_by_row(before: int, changed: dict[str, Any], why: str) -> None:
    data = record() * before + record(**changed)
    with pytest.raises(BadTick, match=why) as raised:
        decode(memoryview(data), INSTRUMENTS, "sim", 0)
    assert (raised.value.feed, raised.value.row) == ("sim", before)
