"""What the engine does with each kind of order, and what it says."""

from decimal import Decimal

import attrs
import pytest

from ticktree.market import Batch, InstrumentIds, TradingStatus
from ticktree.routing.errors import UnknownOrder
from ticktree.routing.gateway import Fees, FeeTier, VenueRules
from ticktree.routing.orders import OrderState, TimeInForce
from ticktree.routing.reports import ReportKind

from .bench import BUY, ONE, SELL, Bench, book, quote, ticket, trade

IOC, FOK, GTD = TimeInForce.IOC, TimeInForce.FOK, TimeInForce.GTD


@pytest.fixture
def bench() -> Bench:
    return Bench()


# --- the market's prices ---------------------------------------------------------------------------------------------


def test_an_order_takes_what_is_displayed_and_rests_with_the_remainder(bench: Bench) -> None:
    bench.engine.on_quote(quote(ask=(100, 3)))
    bench.submit("a", ticket("1", BUY, 5, 101))
    assert bench.said() == ["a 1 accepted", "a 1 3@100"]
    bench.engine.on_quote(quote(ask=(100, 3)))
    assert bench.said() == ["a 1 2@101"]  # its own limit: it was there first
    assert bench.state("a", "1") is OrderState.FILLED


def test_what_was_taken_is_gone_until_the_next_quote(bench: Bench) -> None:
    bench.engine.on_quote(quote(ask=(100, 3)))
    for client_id in "12":
        bench.submit("a", ticket(client_id, BUY, 2, 100, IOC))
    assert bench.said() == ["a 1 accepted", "a 1 2@100", "a 2 accepted", "a 2 1@100", "a 2 canceled"]
    bench.engine.on_quote(quote(ask=(100, 3)))
    bench.submit("a", ticket("3", BUY, 2, 100, IOC))
    assert bench.said() == ["a 3 accepted", "a 3 2@100"]


def test_an_order_walks_the_book_down_to_its_limit(bench: Bench) -> None:
    bench.engine.on_book(book(bids=tuple((100 - n, 1) for n in range(20)), snapshot=True))
    bench.submit("a", ticket("1", SELL, 30, 91, IOC))
    fills = [report.execution for _, report in bench.reports() if report.execution]
    assert [fill.price_increments for fill in fills] == list(range(100, 90, -1))
    assert bench.engine.position("a", ONE) == -10


def test_only_the_levels_of_an_update_are_displayed_anew(bench: Bench) -> None:
    bench.engine.on_book(book(asks=((100, 1), (101, 1)), snapshot=True))
    bench.submit("a", ticket("1", BUY, 2, 101))
    bench.engine.on_book(book(asks=((101, 5),)))
    bench.said()
    bench.submit("a", ticket("2", BUY, 9, 101, IOC))
    assert bench.said() == ["a 2 accepted", "a 2 5@101", "a 2 canceled"]
    bench.engine.on_book(book(asks=((100, 1), (101, 1)), snapshot=True))
    bench.submit("a", ticket("3", BUY, 9, 101, IOC))
    assert bench.said() == ["a 3 accepted", "a 3 1@100", "a 3 1@101", "a 3 canceled"]


def test_quotes_are_not_listened_to_beside_a_book(bench: Bench) -> None:
    bench.engine.on_book(book(asks=((100, 1),), snapshot=True))
    bench.engine.on_quote(quote(ask=(90, 9)))
    bench.submit("a", ticket("1", BUY, 5, 100, IOC))
    assert bench.said() == ["a 1 accepted", "a 1 1@100", "a 1 canceled"]


def test_a_batch_brings_all_its_events(bench: Bench) -> None:
    bench.rest("a", "1", BUY, 5, 100)
    events = (quote(ask=(101, 5)), trade(100, 2), quote(ask=(100, 1)))
    bench.engine.on_market(Batch("sim", InstrumentIds(), events=events))
    assert bench.said() == ["a 1 2@100", "a 1 1@100"]


# --- at the market, at once, all or nothing --------------------------------------------------------------------------


def test_a_market_order_takes_what_there_is_and_the_rest_is_canceled(bench: Bench) -> None:
    bench.engine.on_quote(quote(ask=(100, 3)))
    bench.submit("a", ticket("1", BUY, 5, None))
    assert bench.said() == ["a 1 accepted", "a 1 3@100", "a 1 canceled"]
    assert bench.engine.orders("a")["1"].reason == "no more liquidity"


def test_a_market_order_is_rejected_without_a_price_and_canceled_where_all_is_taken(bench: Bench) -> None:
    bench.engine.on_quote(quote(bid=(99, 1)))
    bench.submit("a", ticket("1", BUY, 5, None))
    assert bench.last().reason == "no price: nobody is on the other side"
    bench.engine.on_quote(quote(ask=(100, 1)))
    bench.submit("a", ticket("2", BUY, 1, None))
    bench.submit("a", ticket("3", BUY, 1, None))
    assert bench.said() == ["a 2 accepted", "a 2 1@100", "a 3 accepted", "a 3 canceled"]


def test_fill_or_kill_fills_all_or_nothing(bench: Bench) -> None:
    bench.engine.on_quote(quote(ask=(100, 3)))
    bench.rest("b", "1", SELL, 2, 101)
    bench.submit("a", ticket("1", BUY, 6, 101, FOK))
    bench.submit("a", ticket("2", BUY, 4, 100, FOK))
    bench.submit("a", ticket("3", BUY, 5, 101, FOK))
    assert bench.said() == [
        "a 1 accepted", "a 1 canceled", "a 2 accepted", "a 2 canceled",
        "a 3 accepted", "a 3 3@100", "b 1 2@101", "a 3 2@101",
    ]  # fmt: skip
    assert bench.engine.orders("a")["1"].reason == "fill or kill: 5 of 6 increments are there"


def test_fill_or_kill_counts_no_reduce_only_order_that_will_be_canceled_on_the_way(bench: Bench) -> None:
    bench.engine.on_quote(quote(ask=(100, 5)))
    bench.submit("b", ticket("0", BUY, 5, 100))
    bench.said()
    for client_id in "12":
        bench.submit("b", ticket(client_id, SELL, 3, 101, reduce_only=True))
    bench.submit("a", ticket("1", BUY, 6, 101, FOK))
    assert bench.said()[-2:] == ["a 1 accepted", "a 1 canceled"]
    bench.submit("a", ticket("2", BUY, 3, 101, FOK))
    assert bench.said() == ["a 2 accepted", "b 1 3@101", "b 2 canceled", "a 2 3@101"]


def test_gtd_ends_at_its_time_and_no_price_comes_in_between(bench: Bench) -> None:
    bench.submit("a", ticket("1", BUY, 1, 100, GTD, expires_ns=50), now_ns=10)
    bench.submit("a", ticket("2", BUY, 1, 100, GTD, expires_ns=60), now_ns=10)
    assert bench.due_ns() == 50
    bench.engine.cancel("a", "1", 20)
    assert bench.due_ns() == 60
    bench.said()
    bench.engine.expire(59)
    assert bench.said() == []
    bench.engine.on_quote(quote(ask=(100, 1), time_ns=60))
    assert bench.said() == ["a 2 expired"]
    assert bench.due_ns() is None
    bench.submit("a", ticket("3", BUY, 1, 100, GTD, expires_ns=60), now_ns=61)
    assert bench.last().reason == "it expires before it begins"


def test_a_post_only_order_rests_or_is_rejected(bench: Bench) -> None:
    bench.engine.on_quote(quote(bid=(98, 1), ask=(100, 1)))
    bench.submit("a", ticket("1", BUY, 1, 100, post_only=True))
    bench.submit("a", ticket("2", BUY, 1, 99, post_only=True))
    bench.submit("b", ticket("1", SELL, 1, 99, post_only=True))
    assert bench.said() == ["a 1 rejected", "a 2 accepted", "b 1 rejected"]
    bench.engine.replace("a", "2", 1, 100, 0)
    assert bench.said() == ["a 2 replace_rejected"]


def test_a_reduce_only_order_never_turns_the_position_over(bench: Bench) -> None:
    bench.engine.on_quote(quote(bid=(99, 9), ask=(100, 9)))
    bench.submit("a", ticket("1", SELL, 1, 101, reduce_only=True))
    assert "0 increments of the position can be reduced, not 1" in bench.last().reason
    bench.submit("a", ticket("2", BUY, 5, 100))
    bench.submit("a", ticket("3", BUY, 1, 100, reduce_only=True))
    assert bench.last().kind is ReportKind.REJECTED
    bench.submit("a", ticket("4", SELL, 6, 101, reduce_only=True))
    assert bench.last().kind is ReportKind.REJECTED
    bench.submit("a", ticket("5", SELL, 5, 101, reduce_only=True))
    bench.submit("a", ticket("6", SELL, 1, 99))
    assert bench.said() == ["a 5 accepted", "a 6 accepted", "a 6 1@99", "a 5 canceled"]
    assert bench.engine.orders("a")["5"].reason == "the position no longer covers it"


def test_a_resting_reduce_only_order_goes_when_a_bust_takes_its_position_away(bench: Bench) -> None:
    bench.engine.on_quote(quote(ask=(100, 9)))
    bench.submit("a", ticket("1", BUY, 5, 100))
    (execution,) = bench.engine.executions("a")
    bench.submit("a", ticket("2", SELL, 5, 101, reduce_only=True))
    bench.said()
    bench.engine.bust("a", execution.id, 5)
    assert bench.said() == ["a 1 0@100 corrected", "a 2 canceled"]


# --- ids, cancels, replaces, queries ---------------------------------------------------------------------------------


def test_the_same_ticket_again_is_answered_and_not_done_twice(bench: Bench) -> None:
    bench.engine.on_quote(quote(ask=(100, 9)))
    bench.submit("a", ticket("1", BUY, 5, 100))
    bench.submit("a", ticket("1", BUY, 5, 100))
    report = bench.last()
    assert (report.kind, report.state, report.cumulative_increments) == (ReportKind.STATUS, OrderState.FILLED, 5)
    assert report.reason == ""
    assert bench.engine.position("a", ONE) == 5


def test_another_ticket_of_a_known_id_is_not_done_and_is_no_end_of_the_original(bench: Bench) -> None:
    bench.rest("a", "1", BUY, 5, 100)
    bench.submit("a", ticket("1", BUY, 6, 100))
    report = bench.last()
    assert (report.kind, report.state, report.reason) == (ReportKind.STATUS, OrderState.LIVE, "duplicate client id")
    assert (report.quantity_increments, report.limit_increments) == (5, 100)
    bench.submit("b", ticket("1", BUY, 6, 100))
    assert bench.said() == ["b 1 accepted"]  # ids are an account's own


def test_a_rejected_id_is_taken_too(bench: Bench) -> None:
    bench.submit("a", ticket("1", BUY, 0, 100))
    assert bench.last().reason == "a quantity is 1 increment or more, not 0"
    bench.submit("a", ticket("1", BUY, 1, 100))
    report = bench.last()
    assert (report.kind, report.state, report.reason) == (ReportKind.STATUS, OrderState.REJECTED, "duplicate client id")


def test_what_cannot_be_canceled_or_replaced_says_why(bench: Bench) -> None:
    bench.rest("a", "1", BUY, 5, 100)
    bench.engine.cancel("a", "1", 0)
    assert bench.said() == ["a 1 canceled"]
    bench.engine.cancel("a", "1", 0)
    assert bench.last().reason == "too late: the order is canceled"
    bench.engine.cancel("a", "2", 0)
    assert (report := bench.last()).reason == "unknown order"
    assert report.kind is ReportKind.CANCEL_REJECTED
    bench.engine.replace("a", "1", 3, 100, 0)
    assert (report := bench.last()).reason == "too late: the order is canceled"
    assert report.kind is ReportKind.REPLACE_REJECTED
    bench.engine.replace("b", "1", 3, 100, 0)
    assert bench.last().reason == "unknown order"


@pytest.mark.parametrize(("quantity", "limit", "first"), [(4, 100, "1"), (5, 100, "1"), (6, 100, "2"), (4, 101, "1")])
def test_a_replace_keeps_the_place_only_when_it_shrinks_at_the_same_limit(
    bench: Bench, quantity: int, limit: int, first: str
) -> None:
    bench.rest("a", "1", BUY, 5, 100)
    bench.rest("a", "2", BUY, 5, 100)
    bench.engine.replace("a", "1", quantity, limit, 0)
    assert bench.said() == ["a 1 replaced"]
    bench.submit("b", ticket("1", SELL, 1, 100))
    assert bench.said()[1] == f"a {first} 1@{limit}"


def test_a_replace_that_moves_away_and_back_stands_last(bench: Bench) -> None:
    bench.rest("a", "1", BUY, 5, 100)
    bench.rest("a", "2", BUY, 5, 100)
    bench.engine.replace("a", "1", 5, 99, 0)
    bench.engine.replace("a", "1", 5, 100, 0)
    bench.said()
    bench.submit("b", ticket("1", SELL, 1, 100))
    assert bench.said()[1] == "a 2 1@100"


def test_a_replace_may_take_at_once_and_says_its_terms_first(bench: Bench) -> None:
    bench.engine.on_quote(quote(ask=(102, 3)))
    bench.rest("a", "1", BUY, 5, 100)
    bench.engine.replace("a", "1", 6, 102, 0)
    (_, replaced), (_, fill) = bench.reports()
    assert (replaced.kind, replaced.quantity_increments, replaced.limit_increments) == (ReportKind.REPLACED, 6, 102)
    assert (fill.kind, fill.cumulative_increments) == (ReportKind.FILL, 3)


def test_a_replace_to_no_more_than_is_filled_cancels(bench: Bench) -> None:
    bench.rest("a", "1", BUY, 5, 100)
    bench.engine.hit("a", "1", 3, 0)
    bench.engine.replace("a", "1", 3, 99, 0)
    assert bench.said() == ["a 1 3@100", "a 1 canceled"]
    assert bench.engine.orders("a")["1"].reason == "replaced to no more than is filled"


@pytest.mark.parametrize(
    ("quantity", "limit", "reason"),
    [
        (0, 100, "a quantity is 1 increment or more, not 0"),
        (5, 0, "a limit is 1 increment or more, not 0"),
        (5, None, "an order that rests needs a limit"),
    ],
)
def test_a_replace_that_means_nothing_is_rejected(bench: Bench, quantity: int, limit: int, reason: str) -> None:
    bench.rest("a", "1", BUY, 5, 100)
    bench.engine.replace("a", "1", quantity, limit, 0)
    assert bench.last().reason == reason
    assert bench.state("a", "1") is OrderState.LIVE


def test_queries_tell_what_is_and_what_is_not_known(bench: Bench) -> None:
    bench.rest("a", "1", BUY, 5, 100)
    bench.engine.hit("a", "1", 2, 0)
    bench.engine.hit("a", "1", 1, 0)
    first, second = bench.engine.executions("a")
    bench.engine.bust("a", first.id, 0)
    bench.said()
    bench.engine.query_fills("a", "1", 7)
    (_, corrected), (_, fill), (_, status) = bench.reports()
    assert [report.kind for report in (corrected, fill, status)] == [
        ReportKind.CORRECTED, ReportKind.FILL, ReportKind.STATUS,
    ]  # fmt: skip
    assert corrected.execution is not None
    assert (corrected.execution.id, corrected.execution.quantity_increments) == (first.id, 0)
    assert fill.execution == second
    assert {report.cumulative_increments for report in (corrected, fill, status)} == {1}
    assert (status.state, status.quantity_increments, status.limit_increments) == (OrderState.LIVE, 5, 100)
    for ask in (bench.engine.query, bench.engine.query_fills):
        ask("b", "1", 7)
        assert bench.said() == ["b 1 not_found"]


def test_an_account_report_tells_open_orders_and_positions_that_are_not_0(bench: Bench) -> None:
    bench.engine.on_quote(quote(bid=(98, 9), ask=(100, 9)))
    bench.submit("a", ticket("1", BUY, 2, 100))
    bench.submit("a", ticket("2", BUY, 2, 99))
    report = bench.engine.account_report("a", 5)
    assert [(order.client_id, order.kind, order.instrument) for order in report.open_orders] == [
        ("2", ReportKind.STATUS, "ONE-USD")
    ]
    assert (report.positions, report.time_ns) == ({"ONE-USD": 2}, 5)
    bench.submit("a", ticket("3", SELL, 2, 98))
    assert bench.engine.account_report("a", 5).positions == {}


def test_later_words_about_an_account_have_greater_sequences(bench: Bench) -> None:
    bench.rest("a", "1", BUY, 2, 100)
    bench.engine.query("a", "1", 0)
    bench.engine.query("a", "2", 0)
    numbers = [report.sequence for _, report in bench.heard]
    (order,) = bench.engine.account_report("a", 0).open_orders
    assert [*numbers, order.sequence] == [1, 2, 3, 4]
    life = Bench()  # that forgot all
    life.engine.query("a", "1", 1_000)
    assert life.last().sequence > order.sequence


# --- what is rejected ------------------------------------------------------------------------------------------------


def test_what_a_venue_lacks_is_rejected() -> None:
    bench = Bench(VenueRules(frozenset({TimeInForce.GTC}), False, False, False, replaces=False, quotes=False))
    bench.engine.on_quote(quote(ask=(100, 1)))
    bench.submit("a", ticket("1", BUY, 1, 99, IOC))
    bench.submit("a", ticket("2", BUY, 1, 99, post_only=True))
    bench.submit("a", ticket("3", BUY, 1, 99, reduce_only=True))
    bench.submit("a", ticket("4", BUY, 1, None))
    assert [report.reason for _, report in bench.reports()] == [
        "sim has no time in force ioc", "sim has no post-only orders", "sim has no reduce-only orders",
        "sim has no market orders",
    ]  # fmt: skip
    bench.rest("a", "5", BUY, 1, 99)
    bench.engine.replace("a", "5", 1, 98, 0)
    assert bench.last().reason == "no order is replaced here"
    assert bench.engine.quote(ONE, 0) is None


@pytest.mark.parametrize("client_id", ["", "123456", "a_b"])
def test_a_client_id_is_of_the_declared_length_and_alphabet(client_id: str) -> None:
    bench = Bench(VenueRules(client_id_length=5))
    bench.submit("a", ticket(client_id, BUY, 1, 100))
    assert bench.last().reason.startswith("a client id has 1 to 5 characters of")


@pytest.mark.parametrize("status", [TradingStatus.HALTED, TradingStatus.CLOSED])
def test_an_instrument_that_is_not_traded_takes_no_order_and_fills_none(bench: Bench, status: TradingStatus) -> None:
    halted = attrs.evolve(ONE, status=status)
    bench.rest("a", "1", BUY, 1, 100)
    bench.engine.on_quote(quote(ask=(100, 1), instrument=halted))
    bench.engine.replace("a", "1", 1, 99, 0)
    bench.submit("a", ticket("2", BUY, 1, 100))
    assert [report.reason for _, report in bench.reports()] == [f"ONE-USD is {status}"] * 2
    bench.engine.on_quote(quote(ask=(100, 1)))
    assert bench.said() == ["a 1 1@100"]
    bench.submit("a", ticket("3", BUY, 1, 100, instrument=halted))
    assert bench.last().reason == f"ONE-USD is {status}"


def test_a_ticket_alone_halts_nobody_for_long(bench: Bench) -> None:
    bench.submit("a", ticket("1", BUY, 1, 100, instrument=attrs.evolve(ONE, status=TradingStatus.HALTED)))
    bench.submit("a", ticket("2", BUY, 1, 100))
    assert bench.said() == ["a 1 rejected", "a 2 accepted"]


def test_an_order_of_other_increments_is_rejected_and_a_new_definition_cancels_what_rests(bench: Bench) -> None:
    finer = attrs.evolve(ONE, price_increment=Decimal("0.5"))
    bench.rest("a", "1", BUY, 1, 100)
    bench.submit("a", ticket("2", BUY, 1, 100, instrument=finer))
    assert bench.last().reason == "ONE-USD has a price_increment of 1 here, not 0.5"
    bench.engine.on_quote(quote(ask=(101, 1), instrument=finer))
    assert bench.said() == ["a 1 canceled"]
    bench.submit("a", ticket("3", BUY, 1, 202, instrument=finer))
    assert bench.said() == ["a 3 accepted", "a 3 1@202"]


def test_too_small_an_order_is_rejected(bench: Bench) -> None:
    least = attrs.evolve(ONE, min_notional=Decimal(500), multiplier=Decimal(2))
    bench.engine.on_quote(quote(ask=(50, 9), instrument=least))
    bench.submit("a", ticket("1", BUY, 4, 60, instrument=least))
    assert bench.last().reason == "worth 480, less than the least of 500"
    bench.submit("a", ticket("2", BUY, 4, None, instrument=least))
    assert bench.last().reason == "worth 400, less than the least of 500"
    bench.submit("a", ticket("3", BUY, 5, 50, instrument=least))
    assert bench.said() == ["a 3 accepted", "a 3 5@50"]


# --- fees, executions, the operator ----------------------------------------------------------------------------------


def test_maker_and_taker_pay_their_own_fee_of_the_notional() -> None:
    bench = Bench(VenueRules(fees=Fees(Decimal("-0.0001"), Decimal("0.0005"))))
    instrument = attrs.evolve(ONE, multiplier=Decimal("0.01"))
    bench.submit("a", ticket("1", BUY, 3, 100, instrument=instrument))
    bench.submit("b", ticket("1", SELL, 3, 100, instrument=instrument))
    (maker,), (taker,) = bench.engine.executions("a"), bench.engine.executions("b")
    assert (maker.fee, maker.fee_currency, maker.maker) == (Decimal("-0.0003"), "USD", True)
    assert (taker.fee, taker.fee_currency, taker.maker) == (Decimal("0.0015"), "USD", False)
    assert maker.id != taker.id


def test_tiers_go_by_what_an_account_traded_and_a_bust_takes_back_what_was_charged() -> None:
    tiers = (FeeTier(Decimal(300), Decimal("0.01"), Decimal("0.02")),)
    bench = Bench(VenueRules(fees=Fees(Decimal("0.1"), Decimal("0.2"), per_execution=Decimal(7), tiers=tiers)))
    bench.rest("a", "1", BUY, 9, 100)
    for quantity in (3, 1, 1):
        bench.engine.hit("a", "1", quantity, 0)
    first, second, _ = bench.engine.executions("a")
    assert [first.fee, second.fee] == [37, 8]
    bench.engine.bust("a", first.id, 0)
    bench.engine.hit("a", "1", 1, 0)
    bench.engine.correct("a", second.id, 2, 100, 0)
    assert [one.fee for one in bench.engine.executions("a")] == [0, 9, 8, 17]


def test_a_bust_of_an_open_order_opens_it_again_and_a_finished_one_stays_finished(bench: Bench) -> None:
    bench.rest("a", "1", BUY, 3, 100)
    bench.engine.hit("a", "1", 2, 0)
    (execution,) = bench.engine.executions("a")
    bench.engine.bust("a", execution.id, 9)
    report = bench.last()
    assert (report.kind, report.cumulative_increments, report.time_ns) == (ReportKind.CORRECTED, 0, 9)
    assert report.execution is not None
    assert (report.execution.revision, report.execution.fee, bench.engine.position("a", ONE)) == (1, Decimal(0), 0)
    bench.engine.hit("a", "1", 3, 9)
    assert bench.state("a", "1") is OrderState.FILLED
    bench.engine.bust("a", bench.engine.executions("a")[1].id, 9)
    assert bench.state("a", "1") is OrderState.FILLED
    assert bench.engine.orders("a")["1"].filled_increments == 0


def test_a_correction_changes_quantity_price_and_fee() -> None:
    bench = Bench(VenueRules(fees=Fees(Decimal("0.01"), Decimal("0.01"))))
    bench.rest("a", "1", BUY, 5, 100)
    bench.engine.hit("a", "1", 2, 0)
    (execution,) = bench.engine.executions("a")
    bench.engine.correct("a", execution.id, 4, 99, 0)
    (corrected,) = bench.engine.executions("a")
    assert (corrected.quantity_increments, corrected.price_increments, corrected.revision) == (4, 99, 1)
    assert corrected.fee == Decimal("3.96")
    assert bench.engine.position("a", ONE) == bench.last().cumulative_increments == 4
    bench.engine.correct("a", execution.id, 5, 99, 0)
    assert bench.state("a", "1") is OrderState.FILLED


def test_a_correction_that_cannot_be_is_refused_by_name(bench: Bench) -> None:
    bench.rest("a", "1", BUY, 5, 100)
    bench.engine.hit("a", "1", 2, 0)
    (execution,) = bench.engine.executions("a")
    with pytest.raises(ValueError, match="can be of 5 increments at most, not 6"):
        bench.engine.correct("a", execution.id, 6, 100, 0)
    with pytest.raises(ValueError, match="else bust"):
        bench.engine.correct("a", execution.id, 0, 100, 0)
    with pytest.raises(UnknownOrder, match="account b has no execution"):
        bench.engine.bust("b", execution.id, 0)
    assert bench.engine.executions("a") == (execution,)


def test_where_ids_begin_anew_each_day_the_latest_execution_of_that_id_is_meant() -> None:
    bench, day_ns = Bench(VenueRules(trading_days=True)), 86_400 * 1_000_000_000
    bench.rest("a", "1", BUY, 5, 100)
    bench.engine.hit("a", "1", 1, 0)
    bench.engine.hit("a", "1", 2, day_ns)
    first, second = bench.engine.executions("a")
    assert first.id == second.id
    bench.engine.bust("a", first.id, day_ns)
    assert [execution.quantity_increments for execution in bench.engine.executions("a")] == [1, 0]


def test_an_operator_may_refuse_an_order_but_not_one_that_is_known(bench: Bench) -> None:
    bench.engine.refuse("a", ticket("1", BUY, 5, 100), "not today", 0)
    assert bench.said() == ["a 1 rejected"]
    bench.rest("a", "2", BUY, 5, 100)
    bench.engine.refuse("a", ticket("2", BUY, 5, 100), "not today", 0)
    assert bench.said() == ["a 2 status"]


# --- what is displayed -----------------------------------------------------------------------------------------------


def test_a_quote_tells_what_is_left_of_the_market_and_what_rests(bench: Bench) -> None:
    assert bench.engine.quote(ONE, 0) is None
    bench.engine.on_book(book(((98, 3), (97, 1)), ((100, 5), (103, 1)), snapshot=True))
    bench.submit("a", ticket("1", BUY, 2, 100))
    bench.submit("a", ticket("2", BUY, 2, 98))
    bench.submit("b", ticket("1", SELL, 7, 101))
    told = bench.engine.quote("ONE-USD", 9)
    assert told is not None
    assert (told.venue, told.instrument, told.time_ns) == ("sim", "ONE-USD", 9)
    assert told.bids == ((98, 5), (97, 1))
    assert told.asks == ((100, 3), (101, 7), (103, 1))
    shorter = bench.engine.quote(ONE, 9, levels=1)
    assert shorter is not None
    assert (shorter.bids, shorter.asks) == (((98, 5),), ((100, 3),))
