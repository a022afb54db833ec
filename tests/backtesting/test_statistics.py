"""What a back-test came to in figures: by hand, and the laws that hold for any fills."""

from decimal import Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from ticktree.backtesting.risk import net
from ticktree.backtesting.statistics import BadCapital, Profit, Row, Statistics, statistics
from ticktree.backtesting.trips import round_trips
from ticktree.routing import OrderState
from ticktree.routing.accounts import EXACT, ZERO

from .outcomes import BUY, SELL, Street, busy

MONEY = ("net", "realised", "unrealised", "fees", "turnover")


def only(rows: tuple[Row, ...]) -> Row:
    (row,) = rows
    return row


def test_profit_is_what_was_closed_and_what_is_held_less_fees() -> None:
    street = Street(middle=lambda at: 120.0)
    street.fill(BUY, "2", "100", 10, fee="0.5")
    street.fill(SELL, "0.5", "110", 20, fee="0.25")
    profit = only(statistics(street.outcome()).total).profit
    assert profit == Profit(
        net=Decimal("34.25"), realised=Decimal(5), unrealised=Decimal(30), fees=Decimal("0.75"), turnover=Decimal(255),
        fees_bp=0.75 / 255 * 1e4,
    )  # fmt: skip


def test_a_contract_counts_by_its_multiplier() -> None:
    street = Street(middle=lambda at: 101.0)
    street.fill(BUY, "3", "100", 10, name="ES-USD")
    row = only(statistics(street.outcome()).total)
    assert (row.currency, row.profit.net, row.profit.turnover) == ("USD", Decimal(150), Decimal(15_000))
    assert row.risk is not None
    assert row.risk.exposure_max == pytest.approx(3 * 50 * 101.0)


def test_a_fee_in_another_currency_is_a_loss_in_that_one() -> None:
    street = Street(middle=lambda at: 100.0)
    street.fill(BUY, "1", "100", 10, fee="0.25", fee_currency="BNB")
    rows = {row.currency: row.profit for row in statistics(street.outcome()).total}
    assert (rows["BNB"].net, rows["BNB"].fees, rows["BNB"].turnover) == (Decimal("-0.25"), Decimal("0.25"), ZERO)
    assert (rows["USDT"].net, rows["USDT"].fees, rows["USDT"].fees_bp) == (ZERO, ZERO, 0.0)


def test_fees_for_fills_in_another_currency_are_no_share_of_the_turnover_in_this_one() -> None:
    street = Street(middle=lambda at: 100.0)
    street.fill(BUY, "1", "100", 10, name="BTC-USDT")
    street.fill(BUY, "1", "100", 20, name="ETH-BTC", fee="3", fee_currency="USDT")
    rows = {row.currency: row.profit for row in statistics(street.outcome()).total}
    assert (rows["USDT"].fees, rows["USDT"].fees_bp, rows["BTC"].fees_bp) == (Decimal(3), 0.0, 0.0)


def test_a_rebate_is_a_gain() -> None:
    street = Street(middle=lambda at: 100.0)
    street.fill(BUY, "1", "100", 10, fee="-0.01", maker=True)
    row = only(statistics(street.outcome()).total)
    assert (row.profit.net, row.activity.maker_share) == (Decimal("0.01"), 1.0)


def test_what_is_held_without_a_price_has_no_net_profit_and_what_is_flat_has() -> None:
    street = Street(middle=lambda at: None)
    street.fill(BUY, "1", "100", 10)
    profit = only(statistics(street.outcome()).total).profit
    assert (profit.net, profit.unrealised, profit.realised) == (None, None, ZERO)
    street.fill(SELL, "1", "101", 20)
    assert only(statistics(street.outcome()).total).profit.net == 1


def test_orders_count_by_state_and_fill_ratio_is_their_mean() -> None:
    street = Street()
    street.fill(BUY, "1", "100", 10)
    street.order(BUY, "4", 20, state=OrderState.CANCELED, filled=Decimal(1))
    street.order(BUY, "1", 30, state=OrderState.FILLED, filled=Decimal("1.5"))  # beyond what it asked for
    activity = only(statistics(street.outcome()).total).activity
    assert (activity.orders, activity.fills) == (3, 1)
    assert activity.states == {OrderState.FILLED: 2, OrderState.CANCELED: 1}
    assert activity.fill_ratio == pytest.approx((1 + 0.25 + 1) / 3)


def test_a_strategy_that_only_ordered_has_a_row_and_one_that_did_nothing_has_none() -> None:
    street = Street()
    street.order(BUY, "1", 10, strategy="shy", state=OrderState.CANCELED)
    found = statistics(street.outcome())
    assert [row.strategy for row in found.strategies] == ["shy"]
    assert only(found.total).activity.fill_ratio == 0
    assert only(found.total).profit.net == 0
    assert statistics(Street().outcome()) == Statistics(3600.0, None, (), (), ())


def test_what_no_strategy_ordered_counts_once() -> None:
    street = Street(middle=lambda at: 110.0)
    street.fill(BUY, "1", "100", 10, strategy="")
    found = statistics(street.outcome())
    assert (only(found.total).profit.net, only(found.total).activity.fills, found.strategies) == (Decimal(10), 1, ())


def test_capital_makes_a_drawdown_a_share_and_is_left_out_where_there_are_two_currencies() -> None:
    one, two = busy().outcome(), busy(names=("BTC-USDT", "ES-USD")).outcome()
    row = only(statistics(one, Decimal(500)).total)
    assert row.risk is not None
    assert row.risk.drawdown is not None
    assert 0 < (row.risk.drawdown.share or 0) < 0.1
    assert statistics(two, Decimal(500)).capital is None
    for capital in (ZERO, Decimal(-1), Decimal("NaN")):
        with pytest.raises(BadCapital, match="capital must be above 0"):
            statistics(one, capital)


# --- laws ------------------------------------------------------------------------------------------------------------

FILLS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]), st.sampled_from(["BTC-USDT", "ETH-USDT", "ES-USD"]), st.sampled_from([BUY, SELL]),
        st.integers(1, 30_000), st.integers(1, 3_000_000), st.integers(-500, 5_000), st.sampled_from(["own", "BNB"]),
    ),
    max_size=12,
)  # fmt: skip


def traded(fills: list[tuple[Any, ...]]) -> Street:
    street = Street(span_s=60, every_s=20)
    for index, (strategy, name, side, quantity, price, fee, currency) in enumerate(fills):
        others = {"fee_currency": currency} if currency != "own" else {}
        street.fill(
            side, str(Decimal(quantity).scaleb(-4)), str(Decimal(price).scaleb(-2)), 1 + index * 4, strategy=strategy,
            name=name, fee=str(Decimal(fee).scaleb(-4)), **others,
        )  # fmt: skip
    return street


@settings(max_examples=40, deadline=None)
@given(FILLS)
def test_no_money_is_made_or_lost_between_the_parts_and_the_whole(fills: list[tuple[Any, ...]]) -> None:
    outcome = traded(fills).outcome()
    found = statistics(outcome)
    with localcontext(EXACT):
        for total in found.total:
            profit = total.profit
            assert profit.unrealised is not None
            assert profit.net == profit.realised + profit.unrealised - profit.fees
            for parts in (found.strategies, found.instruments):
                own = [row for row in parts if row.currency == total.currency]
                for name in MONEY:
                    assert sum((getattr(row.profit, name) for row in own), ZERO) == getattr(profit, name)
                for count in ("count", "open", "won", "lost", "gross_profit", "gross_loss"):
                    assert sum(getattr(row.trips, count) for row in own) == getattr(total.trips, count)
                assert sum(row.activity.fills for row in own) == total.activity.fills
                assert sum(row.activity.orders for row in own) == total.activity.orders


@settings(max_examples=40, deadline=None)
@given(FILLS)
def test_net_profit_is_where_the_samples_end(fills: list[tuple[Any, ...]]) -> None:
    outcome = traded(fills).outcome()
    found = statistics(outcome)
    rows = {(row.strategy, row.currency): row.profit.net for row in (*found.total, *found.strategies)}
    for series in outcome.samples.money:
        ended = net(series)[-1]
        assert ended is not None
        if (series.strategy, series.currency) in rows:
            assert float(rows[series.strategy, series.currency] or 0) == pytest.approx(ended, abs=1e-6)
        else:
            assert ended == 0


@settings(max_examples=40, deadline=None)
@given(FILLS)
def test_round_trips_hold_all_that_was_realised_and_paid(fills: list[tuple[Any, ...]]) -> None:
    rows = traded(fills).fills
    with localcontext(EXACT):
        trips = sum((trip.profit for trip in round_trips(rows)), ZERO)
        paid = sum((fill.fee for fill in rows if fill.fee_currency == fill.currency), ZERO)
        assert trips == sum((fill.realised for fill in rows), ZERO) - paid
