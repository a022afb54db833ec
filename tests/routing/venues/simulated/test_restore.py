"""A simulated venue begins where a former one of its name ended."""

from ticktree.routing.orders import OrderState
from ticktree.routing.reports import ReportKind

from .bench import BUY, SELL, Bench, quote, ticket


def test_it_holds_what_the_former_one_held_and_counts_its_words_on() -> None:
    bench = Bench()
    bench.engine.restore("a", {"ONE-USD": 7, "TWO-USD": 0}, {ticket("x", BUY, 10, 100): 7}, 40)
    report = bench.engine.account_report("a", 1)
    assert (report.positions, report.open_orders) == ({"ONE-USD": 7}, ())
    bench.engine.query("a", "x", 2)
    (_, status) = bench.heard[-1]
    assert (status.kind, status.state, status.cumulative_increments) == (ReportKind.STATUS, OrderState.CANCELED, 7)
    assert (status.reason, status.sequence) == ("sim began anew", 41)


def test_a_client_id_of_the_former_one_is_taken_and_its_position_can_be_reduced() -> None:
    bench = Bench()
    bench.engine.restore("a", {"ONE-USD": 7}, {ticket("x", BUY, 10, 100): 7}, 0)
    bench.engine.on_quote(quote((99, 50), (101, 50)))
    bench.submit("a", ticket("x", BUY, 10, 100))
    assert bench.heard[-1][1].state is OrderState.CANCELED
    bench.submit("a", ticket("y", SELL, 7, None, reduce_only=True))
    assert bench.engine.position("a", "ONE-USD") == 0


def test_what_an_account_did_here_is_not_forgotten_for_what_it_did_before() -> None:
    bench = Bench()
    bench.engine.on_quote(quote((99, 50), (101, 50)))
    bench.submit("a", ticket("x", BUY, 3, None))
    bench.engine.restore("a", {"ONE-USD": 7}, {}, 0)
    assert bench.engine.position("a", "ONE-USD") == 3
