"""Bars: by time, by number and by volume, from trades one by one and from columns."""

from collections.abc import Callable, Sequence

import msgspec
import pytest
from hypothesis import given, strategies as st

from ticktree.market import BadNumber, Bar, BarMaker, Batch, TickBars, TimeBars, Trade, VolumeBars

from .samples import BTC, ETH, IDS, quote, quotes, update

SECOND_NS = 1_000_000_000


def traded(at_s: float, price: float = 100.0, size: float = 1.0) -> Trade:
    at_ns = round(at_s * SECOND_NS)
    return Trade("sim", BTC, price, size, None, 1, at_ns, at_ns + 7)


def bars_of(maker: BarMaker, trades: Sequence[Trade]) -> list[Bar]:
    return [bar for trade in trades for bar in maker.update(trade)]


# --- columns and events --------------------------------------------------------------------------------------------

# Sizes and prices whose sums are exact, so that bars can be compared for equality.
trades = st.builds(
    Trade, st.just("sim"), st.sampled_from([BTC, BTC, ETH]), st.integers(-50, 50).map(lambda n: n / 4),
    st.integers(0, 40).map(lambda n: n / 8), st.none(), st.just(1), st.integers(-40, 90), st.integers(0, 1_000),
)  # fmt: skip
makers: dict[str, Callable[[], BarMaker]] = {
    "time": lambda: TimeBars(10e-9),
    "time, filled": lambda: TimeBars(3e-9, fill=True),
    "ticks": lambda: TickBars(3),
    "every tick": lambda: TickBars(1),
    "volume": lambda: VolumeBars(7.5),
}


@pytest.mark.parametrize("make", makers.values(), ids=makers)
@given(st.lists(st.lists(trades | trades | quotes, max_size=12), max_size=3), st.booleans(), st.sampled_from([0, 32]))
def test_columns_make_the_same_bars_as_trades_one_by_one(
    make: Callable[[], BarMaker], reads: list[list[Trade]], flushed: bool, vector_rows: int
) -> None:
    one_by_one, columns = make(), make()
    for read in reads:
        bars = bars_of(one_by_one, [event for event in read if type(event) is Trade and event.instrument == BTC])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("ticktree.market.bars.VECTOR_ROWS", vector_rows)
            assert columns.update_ticks(Batch("sim", IDS, events=read).ticks, "sim", BTC) == bars
        if flushed:
            assert columns.flush() == one_by_one.flush()
    assert columns.flush() == one_by_one.flush()
    if isinstance(columns, TimeBars) and isinstance(one_by_one, TimeBars):
        assert columns.late == one_by_one.late


sized = st.floats(0, 1e6)


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), sized), max_size=100), st.floats(0.1, 1e6))
def test_where_volume_bars_end_does_not_depend_on_the_rounding_of_sums(
    found: list[tuple[float, float]], volume: float
) -> None:
    trades = [traded(number, *each) for number, each in enumerate(found)]
    one_by_one, columns = VolumeBars(volume), VolumeBars(volume)
    expected = bars_of(one_by_one, trades)
    middle = len(trades) // 2
    bars = list[Bar]()
    for part in (trades[:middle], trades[middle:]):
        bars += columns.update_ticks(Batch("sim", IDS, events=part).ticks, "sim", BTC)
    for bar, other in zip(bars, expected, strict=True):
        assert (bar.volume, bar.notional) == pytest.approx((other.volume, other.notional), rel=1e-9, abs=1e-3)
        assert msgspec.structs.replace(bar, volume=other.volume, notional=other.notional) == other


@pytest.mark.parametrize("make", makers.values(), ids=makers)
@given(found=st.lists(trades.filter(lambda trade: trade.instrument == BTC), max_size=60))
def test_no_trade_is_lost_or_counted_twice(make: Callable[[], BarMaker], found: list[Trade]) -> None:
    maker = make()
    bars = bars_of(maker, found)
    if (rest := maker.flush()) is not None:
        bars.append(rest)
    late = maker.late if isinstance(maker, TimeBars) else 0
    assert sum(bar.trades for bar in bars) + late == len(found)
    if not late:
        assert sum(bar.volume for bar in bars) == sum(trade.size for trade in found)
        assert sum(bar.notional for bar in bars) == sum(trade.price * trade.size for trade in found)
    for bar in bars:
        assert bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
        assert bar.begin_time_ns < bar.end_time_ns


@pytest.mark.parametrize("make", makers.values(), ids=makers)
def test_rows_of_other_kinds_are_passed_over(make: Callable[[], BarMaker]) -> None:
    maker = make()
    others = Batch("sim", IDS, events=[quote(), update((1.0, 2.0))] * 20)
    assert maker.update_ticks(others.ticks, "sim", BTC) == []
    assert maker.update_ticks(others.ticks[:0], "sim", BTC) == []
    assert maker.flush() is None


# --- time ----------------------------------------------------------------------------------------------------------


def test_time_bars_begin_at_multiples_of_the_interval_and_end_with_the_first_trade_after() -> None:
    maker = TimeBars(60)
    assert bars_of(maker, [traded(60, 10.0), traded(70, 12.0, 2.0), traded(119.999, 9.0)]) == []
    assert bars_of(maker, [traded(125, 11.0)]) == [
        Bar("sim", BTC, 10.0, 12.0, 9.0, 9.0, 4.0, 43.0, 3, 60 * SECOND_NS, 120 * SECOND_NS, 125 * SECOND_NS + 7)
    ]
    rest = maker.flush()
    assert rest
    assert (rest.begin_time_ns, rest.trades, rest.received_time_ns) == (120 * SECOND_NS, 1, 125 * SECOND_NS + 7)
    assert maker.flush() is None


def test_empty_intervals_have_no_bar() -> None:
    bars = bars_of(TimeBars(1), [traded(0), traded(5), traded(7)])
    assert [bar.begin_time_ns // SECOND_NS for bar in bars] == [0, 5]


def test_empty_intervals_are_filled_with_the_last_price_where_asked() -> None:
    bars = bars_of(TimeBars(1, fill=True), [traded(0, 10.0), traded(0.5, 12.0), traded(3)])
    assert [(bar.begin_time_ns // SECOND_NS, bar.open, bar.low, bar.close, bar.volume, bar.trades) for bar in bars] == [
        (0, 10.0, 10.0, 12.0, 2.0, 2), (1, 12.0, 12.0, 12.0, 0.0, 0), (2, 12.0, 12.0, 12.0, 0.0, 0),
    ]  # fmt: skip


def test_a_trade_of_a_far_time_does_not_fill_the_memory() -> None:
    maker = TimeBars(1e-9, fill=True)
    bars_of(maker, [traded(0)])
    assert len(maker.update(traded(9e9))) == 1


def test_late_trades_are_counted_and_left_out() -> None:
    maker = TimeBars(1)
    bars = bars_of(maker, [traded(1), traded(2), traded(1.9, 500.0), traded(2.5), traded(3)])
    assert [bar.trades for bar in bars] == [1, 2]
    assert max(bar.high for bar in bars) == 100.0
    assert maker.late == 1


@pytest.mark.parametrize("interval_s", [0, -1, float("nan"), float("inf"), 1e-10, 1e300])
def test_an_interval_that_cannot_be_is_refused(interval_s: float) -> None:
    with pytest.raises(BadNumber, match="interval"):
        TimeBars(interval_s)


# --- number and volume ---------------------------------------------------------------------------------------------


def test_tick_bars_hold_as_many_trades_each() -> None:
    maker = TickBars(2)
    bars = bars_of(maker, [traded(3, 10.0), traded(2, 11.0), traded(4), traded(5), traded(6)])
    assert [bar.trades for bar in bars] == [2, 2]
    assert (bars[0].begin_time_ns, bars[0].end_time_ns) == (2 * SECOND_NS, 3 * SECOND_NS + 1)
    assert (bars[0].open, bars[0].close, bars[0].received_time_ns) == (10.0, 11.0, 2 * SECOND_NS + 7)


def test_a_trade_is_never_split_over_volume_bars() -> None:
    maker = VolumeBars(10)
    bars = bars_of(maker, [traded(1, size=9.0), traded(2, size=35.0), traded(3, size=10.0), traded(4, size=1.0)])
    assert [(bar.volume, bar.trades) for bar in bars] == [(44.0, 2), (10.0, 1)]


@pytest.mark.parametrize("make", [lambda: TickBars(2), lambda: VolumeBars(2.0)])
def test_what_was_flushed_does_not_count_for_the_next_bar(make: Callable[[], BarMaker]) -> None:
    maker = make()
    assert bars_of(maker, [traded(1)]) == []
    assert maker.flush()
    assert bars_of(maker, [traded(2)]) == []
    assert len(maker.update(traded(3))) == 1


@pytest.mark.parametrize("count", [0, -3])
def test_a_count_that_cannot_be_is_refused(count: int) -> None:
    with pytest.raises(BadNumber):
        TickBars(count)


@pytest.mark.parametrize("volume", [0.0, -1.0, float("nan"), float("inf")])
def test_a_volume_that_cannot_be_is_refused(volume: float) -> None:
    with pytest.raises(BadNumber):
        VolumeBars(volume)


# --- whose ---------------------------------------------------------------------------------------------------------


def test_trades_of_another_instrument_or_feed_are_refused() -> None:
    maker = TickBars(5)
    maker.update(traded(1))
    for stranger in (msgspec.structs.replace(traded(2), instrument=ETH), msgspec.structs.replace(traded(2), feed="b")):
        with pytest.raises(ValueError, match="its own"):
            maker.update(stranger)
    rest = maker.flush()
    assert rest
    assert rest.trades == 1
