"""Exact conversion between what people write and integers of increments."""

from decimal import Decimal
from typing import Any, cast

import attrs
import pytest
from hypothesis import given, strategies as st

from ticktree.market import (
    BadInstrument,
    BadNumber,
    Instrument,
    InstrumentIds,
    OffIncrement,
    TradingStatus,
    exact,
    plain,
)
from ticktree.market.instruments import MOST_IDS

from .samples import BTC

INCREMENTS = st.sampled_from([Decimal(text) for text in ("0.01", "0.5", "0.00000001", "1", "25", "0.0003")])


@given(st.integers(-(10**12), 10**12), INCREMENTS)
def test_increments_come_back_whatever_the_increment(count: int, increment: Decimal) -> None:
    instrument = Instrument("A-B", 0, increment, increment)
    assert instrument.price_increments(instrument.price(count)) == count
    assert instrument.size_increments(str(instrument.size(count))) == count


@given(st.integers(0, 10**9))
def test_a_price_that_went_through_a_float_is_still_on_increment(count: int) -> None:
    assert BTC.price_increments(float(BTC.price(count))) == count
    assert BTC.nearest_price(float(BTC.price(count))) == count


@pytest.mark.parametrize("value", ["0.01", Decimal("0.01"), 0.01, "1e-2"])
def test_a_size_may_be_written_in_any_way(value: Any) -> None:
    assert BTC.size_increments(value) == 100


def test_a_price_that_was_counted_before_is_counted_by_its_own_type_and_definition() -> None:
    fine = Instrument("BTC-USDT", 1, Decimal("0.001"), Decimal("0.0001"))
    for _ in range(2):
        assert (BTC.price_increments(1.0), fine.price_increments(1.0), BTC.price_increments("1.0")) == (100, 1_000, 100)
        assert (BTC.size_increments("1.0"), BTC.size_increments(1.0)) == (10_000, 10_000)
        with pytest.raises(BadNumber):
            BTC.price_increments(True)
        with pytest.raises(OffIncrement):
            BTC.price_increments(1.001)
        with pytest.raises(BadNumber):
            BTC.price_increments(cast(Any, [1.0]))


def test_off_increment_is_refused_with_the_nearest_valid_ones() -> None:
    with pytest.raises(OffIncrement, match=r"BTC-USDT: price 100\.011 .* nearest valid: 100\.01 and 100\.02") as raised:
        BTC.price_increments(100.011)
    assert raised.value.nearest == (Decimal("100.01"), Decimal("100.02"))


@pytest.mark.parametrize(
    "value", ["x", "", "nan", "inf", float("nan"), float("-inf"), True, None, b"1", "1e999999999", "9" * 10_000]
)
def test_what_is_no_sensible_number_is_refused(value: Any) -> None:
    with pytest.raises(BadNumber):
        exact(value)


def test_more_increments_than_64_bits_are_refused() -> None:
    with pytest.raises(BadNumber, match="64 bits"):
        BTC.price_increments("1e20")


@pytest.mark.parametrize(
    ("name", "id", "increment"),
    [("btc-usdt", 1, "1"), ("BTCUSDT", 1, "1"), ("A-B", -1, "1"), ("A-B", MOST_IDS, "1"), ("A-B", 1, "0"),
     ("A-B", 1, "-1"), ("A-B", 1, "nan"), ("A-B", 1, "1e-9999")],
)  # fmt: skip
def test_a_definition_that_cannot_be_is_refused(name: str, id: int, increment: str) -> None:
    with pytest.raises(BadInstrument):
        Instrument(name, id, Decimal(increment), Decimal(1))


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "1e-9999", "1e31"])
def test_a_minimum_notional_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(BadInstrument, match="minimum notional"):
        Instrument("A-B", 1, Decimal(1), Decimal(1), min_notional=Decimal(text))


@pytest.mark.parametrize("text", ["0", "-1", "nan", "1e31"])
def test_a_multiplier_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(BadInstrument, match="multiplier"):
        Instrument("A-B", 1, Decimal(1), Decimal(1), multiplier=Decimal(text))


def test_an_instrument_is_of_a_spot_market_that_trades_unless_told() -> None:
    assert (BTC.min_notional, BTC.multiplier, BTC.status) == (Decimal(0), Decimal(1), TradingStatus.TRADING)


def test_the_status_does_not_make_another_instrument_and_a_multiplier_does() -> None:
    halted = attrs.evolve(BTC, status=TradingStatus.HALTED)
    assert halted == BTC
    assert hash(halted) == hash(BTC)
    assert attrs.evolve(BTC, multiplier=Decimal(2)) != BTC
    assert attrs.evolve(BTC, min_notional=Decimal(2)) != BTC


def test_the_id_of_a_session_does_not_make_another_instrument() -> None:
    other = Instrument("BTC-USDT", 99, BTC.price_increment, BTC.size_increment)
    assert other == BTC
    assert hash(other) == hash(BTC)


def test_whole_sizes_round_down() -> None:
    assert BTC.whole_sizes(0.00029) == 2
    assert BTC.whole_sizes(0.0) == 0


def test_plain_text_has_neither_exponent_nor_needless_zeros() -> None:
    assert [plain(Decimal(text)) for text in ("0.0100", "64000", "0", "1E+3")] == ["0.01", "64000", "0", "1000"]


# --- ids -----------------------------------------------------------------------------------------------------------

definitions = st.builds(
    Instrument,
    st.sampled_from(["A-B", "C-D", "E-F"]),
    st.integers(0, 4),
    st.sampled_from([Decimal(1), Decimal("1.0"), Decimal("0.1")]),
    st.just(Decimal(1)),
    status=st.sampled_from(TradingStatus),
)


@given(st.lists(definitions, max_size=20))
def test_ids_name_definitions_and_nothing_else(found: list[Instrument]) -> None:
    ids = InstrumentIds()
    named = dict[Instrument, int]()
    for instrument in found:
        free = instrument not in named and instrument.id not in named.values()
        mine = ids.adopt(instrument)
        assert mine == instrument
        assert mine.status is instrument.status
        assert mine.id == named.setdefault(instrument, mine.id)
        assert ids.by_id[mine.id] is mine
        assert not free or mine.id == instrument.id
    assert len(set(named.values())) == len(named) == len(ids.by_id)


def test_who_is_adopted_again_is_the_same_object() -> None:
    ids = InstrumentIds()
    first = ids.adopt(Instrument("A-B", 5, Decimal(1), Decimal(1)))
    assert ids.adopt(Instrument("A-B", 9, Decimal(1), Decimal("1.00"))) is first


def test_a_status_that_changes_keeps_the_id() -> None:
    ids = InstrumentIds()
    first = ids.adopt(Instrument("A-B", 5, Decimal(1), Decimal(1)))
    halted = ids.adopt(Instrument("A-B", 7, Decimal(1), Decimal(1), status=TradingStatus.HALTED))
    assert (first.id, halted.id, halted.status) == (5, 5, TradingStatus.HALTED)
    assert ids.by_id == {5: halted}


def test_there_are_only_so_many_ids() -> None:
    ids = InstrumentIds()
    ids.adopt(BTC)
    ids.by_id.update(dict.fromkeys(range(MOST_IDS), BTC))
    with pytest.raises(BadInstrument, match="from 0 to"):
        ids.adopt(Instrument("NEW-ONE", 1, Decimal(1), Decimal(1)))
