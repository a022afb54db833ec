"""What a page draws: what the outcome has, and no more than a page can bear."""

import msgspec
import pytest

from ticktree.backtesting.charts import BINS, MOST_MARKERS, PageData, SlippageDrawn, page_data, thinned
from ticktree.backtesting.result import Outcome
from ticktree.backtesting.risk import below_peak, net
from ticktree.backtesting.statistics import statistics

from .outcomes import BUY, SELL, Street, busy


def drawn(outcome: Outcome) -> PageData:
    return page_data(outcome, statistics(outcome))


def slippage(outcome: Outcome) -> SlippageDrawn:
    found = drawn(outcome).slippage
    assert found is not None
    return found


def test_fills_are_drawn_where_they_were() -> None:
    outcome = busy(names=("BTC-USDT", "ETH-USDT")).outcome()
    for one in drawn(outcome).instruments:
        own = [fill for fill in outcome.fills if fill.instrument == one.instrument]
        assert one.fills.time_ms == [fill.time_ns / 1e6 for fill in own]
        assert one.fills.price == [float(fill.price) for fill in own]
        assert one.fills.side == [fill.side.name.lower() for fill in own]
        assert one.fills.strategy == [fill.strategy for fill in own]
        assert one.fills.liquidity == ["maker" if fill.maker else "taker" for fill in own]
        assert one.fills.fee == ["0.01 USDT"] * len(own)


def test_series_are_those_of_the_outcome() -> None:
    outcome = busy().outcome()
    data = drawn(outcome)
    assert data.times_ms == [ns / 1e6 for ns in outcome.samples.time_ns]
    assert (data.instruments[0].bid, data.instruments[0].ask) == (
        outcome.samples.prices[0].bid, outcome.samples.prices[0].ask,
    )  # fmt: skip
    assert data.positions == outcome.samples.positions
    assert [(one.strategy, one.net) for one in data.money] == [
        (one.strategy, net(one)) for one in outcome.samples.money
    ]
    assert data.money[0].drawdown == [0.0 - (one or 0.0) for one in below_peak(net(outcome.samples.money[0]))]


def test_one_strategy_alone_is_drawn_once() -> None:
    assert [one.strategy for one in drawn(busy(strategies=("alone",)).outcome()).money] == ["alone"]


def test_what_was_traded_most_comes_first() -> None:
    street = busy(names=("BTC-USDT", "ETH-USDT"))
    street.fill(BUY, "1", "100", 3500, name="ETH-USDT")
    assert [one.instrument for one in drawn(street.outcome()).instruments] == ["ETH-USDT", "BTC-USDT"]


def test_beyond_so_many_fills_markers_are_chosen_by_lot_and_that_is_said() -> None:
    street = Street(span_s=60, every_s=30, middle=lambda at: 100.0)
    row = street.fill(BUY, "1", "100", 10)
    many = tuple(msgspec.structs.replace(row, time_ns=row.time_ns + index) for index in range(2 * MOST_MARKERS + 1))
    outcome = street.outcome(fills=many)
    data = drawn(outcome)
    assert len(data.instruments[0].fills.time_ms) == MOST_MARKERS
    assert data.notes == ("5,000 of 10,001 fills are marked, chosen by lot; figures and tables count all.",)
    assert sum(slippage(outcome).taker) == len(many)
    assert thinned(many) == thinned(many)
    assert len({fill.time_ns for fill in thinned(many)}) == MOST_MARKERS
    assert drawn(busy().outcome()).notes == ()


def test_a_rare_instrument_keeps_its_markers_and_no_side_is_lost_to_a_rhythm() -> None:
    street = Street(span_s=60, every_s=30, middle=lambda at: 100.0)
    rows = (
        street.fill(BUY, "1", "100", 10),
        street.fill(SELL, "1", "100", 20),
        street.fill(BUY, "1", "1", 30, name="A-B"),
    )
    shown = thinned([rows[index % 2] for index in range(1000)] + [rows[2]] * 7, most=100)
    assert len(shown) == 100
    assert sum(fill.instrument == "A-B" for fill in shown) == 7
    assert 25 < sum(fill.side is BUY for fill in shown[:93]) < 68


def test_every_fill_with_a_middle_counts_in_the_distribution_of_slippage() -> None:
    street = Street(every_s=600, middle=lambda at: 100.0)
    for index in range(200):
        street.fill(BUY if index % 2 else SELL, "1", f"{100 + index / 100:.2f}", index + 1, maker=index % 4 == 0)
    street.fill(BUY, "1", "100", 300, mid=None)
    found = slippage(street.outcome())
    assert (len(found.taker), sum(found.taker), sum(found.maker)) == (BINS, 150, 50)
    assert found.low_bp == pytest.approx(-195, abs=5)
    assert found.high_bp == pytest.approx(195, abs=5)


def test_equal_slippage_has_a_width_and_none_has_no_distribution() -> None:
    street = Street(middle=lambda at: 100.0)
    street.fill(BUY, "1", "100.1", 10)
    found = slippage(street.outcome())
    assert found.low_bp < 10 < found.high_bp
    assert sum(found.taker) == 1
    street.fills[:] = [msgspec.structs.replace(street.fills[0], mid=None)]
    assert drawn(street.outcome()).slippage is None


def test_the_markout_curve_begins_at_the_fill() -> None:
    outcome = busy().outcome()
    (total,) = statistics(outcome).total
    first = drawn(outcome).markouts[0]
    assert first.bp == [-(total.quality.slippage_bp or 0), *(one.markout_bp for one in total.quality.markouts)]
