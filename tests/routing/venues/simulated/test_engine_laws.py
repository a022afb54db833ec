"""What holds of the engine whatever is done to it."""

from collections import defaultdict
from collections.abc import Callable
from functools import partial
from random import Random

from hypothesis import given, settings, strategies as st

from ticktree.market import Side
from ticktree.routing.gateway import VenueRules
from ticktree.routing.orders import TimeInForce
from ticktree.routing.reports import Report, ReportKind

from .bench import BUY, ONE, SELL, Bench, Level, book, quote, ticket, trade
from .model import Model, ModelOrder

# Few accounts, prices and sizes, so that everything meets.
accounts = st.sampled_from("abc")
sides = st.sampled_from([BUY, SELL])
prices = st.integers(97, 103)
sizes = st.integers(1, 6)
plain_times = st.sampled_from([TimeInForce.GTC, TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK])
ids = st.integers(0, 12).map(str)


@st.composite
def ladders(draw: st.DrawFn) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
    """A book that is not crossed."""
    mid = draw(prices)
    bids = draw(st.lists(sizes, max_size=6))
    asks = draw(st.lists(sizes, max_size=6))
    return (
        tuple((mid - n, size) for n, size in enumerate(bids)),
        tuple((mid + 1 + n, size) for n, size in enumerate(asks)),
    )


Step = Callable[[Bench, Model, str], None]


def submit(  # what an order is made of
    bench: Bench,
    model: Model,
    number: str,
    *,
    account: str,
    side: Side,
    size: int,
    limit: int | None,
    time: TimeInForce,
) -> None:
    bench.submit(account, ticket(number, side, size, limit, time))
    model.submit(ModelOrder(account, number, side, size, limit, 0), time)


def cancel(bench: Bench, model: Model, _: str, *, account: str, id: str) -> None:
    bench.engine.cancel(account, id, 0)
    model.cancel(account, id)


def replace(bench: Bench, model: Model, _: str, *, account: str, id: str, size: int, limit: int) -> None:
    bench.engine.replace(account, id, size, limit, 0)
    model.replace(account, id, size, limit)


def show(bench: Bench, model: Model, _: str, *, ladder: tuple[tuple[Level, ...], tuple[Level, ...]]) -> None:
    bench.engine.on_book(book(*ladder, snapshot=True))
    model.show(*ladder)


def print_(bench: Bench, model: Model, _: str, *, price: int, size: int, aggressor: Side | None) -> None:
    bench.engine.on_trade(trade(price, size, aggressor))
    model.trade(price, size, aggressor)


def does(step: Callable[..., None], **choices: st.SearchStrategy[object]) -> st.SearchStrategy[Step]:
    return st.fixed_dictionaries(choices).map(lambda chosen: partial(step, **chosen))


submits = does(submit, account=accounts, side=sides, size=sizes, limit=prices | st.none(), time=plain_times)
others = (
    does(cancel, account=accounts, id=ids)
    | does(replace, account=accounts, id=ids, size=sizes, limit=prices)
    | does(show, ladder=ladders())
    | does(print_, price=prices, size=st.integers(1, 20), aggressor=sides | st.none())
)


@given(st.lists(submits | others, max_size=60))
@settings(max_examples=150, deadline=None)
def test_priority_is_that_of_a_search_by_brute_force(steps: list[Step]) -> None:
    bench, model = Bench(), Model()
    for number, step in enumerate(steps):
        step(bench, model, str(number))
        happened = [
            (account, report.client_id, fill.quantity_increments, fill.price_increments, fill.maker)
            for account, report in bench.heard
            if (fill := report.execution) is not None
        ]
        assert happened == model.happened


# --- everything that can be asked, and all that may go wrong --------------------------------------------------------


def wild(bench: Bench, random: Random, steps: int) -> None:
    """Do anything at all."""
    engine = bench.engine
    for number in range(steps):
        account, client_id, now_ns = random.choice("abc"), str(random.randrange(number + 1)), number * 10
        price, size = random.randint(97, 103), random.randint(1, 6)
        match random.randrange(12):
            case 0 | 1 | 2 | 3 | 4:
                time_in_force = random.choice(list(TimeInForce))
                expires_ns = now_ns + random.randrange(200) if time_in_force is TimeInForce.GTD else 0
                limit = None if random.random() < 0.1 else price
                order = ticket(
                    str(number if random.random() < 0.9 else client_id), random.choice([BUY, SELL]), size, limit,
                    time_in_force, expires_ns=expires_ns, post_only=limit is not None and random.random() < 0.2,
                    reduce_only=random.random() < 0.3,
                )  # fmt: skip
                engine.submit(account, order, now_ns)
            case 5:
                engine.cancel(account, client_id, now_ns)
            case 6:
                engine.replace(account, client_id, size, price, now_ns)
            case 7:
                engine.on_trade(trade(price, size, random.choice([BUY, SELL, None]), now_ns))
            case 8 | 9:
                engine.on_quote(quote((price - 1, size), (price, random.randint(1, 6)), now_ns))
            case 10:
                random.choice([engine.query, engine.query_fills])(account, client_id, now_ns)
            case _:
                executions = engine.executions(account)
                if executions:
                    execution = random.choice(executions)
                    if random.random() < 0.5:
                        engine.bust(account, execution.id, now_ns)
                    elif execution.quantity_increments:
                        less = random.randint(1, execution.quantity_increments)
                        engine.correct(account, execution.id, less, price, now_ns)
        check_books(bench)


def check_books(bench: Bench) -> None:
    for account in "abc":
        position, reducing = 0, dict.fromkeys((BUY, SELL), 0)
        for order in bench.engine.orders(account).values():
            filled = sum(execution.quantity_increments for execution in order.executions.values())
            assert filled == order.filled_increments <= order.quantity_increments
            assert order.resting == (not order.state.terminal)
            position += filled if order.side is BUY else -filled
            if order.resting and order.ticket.reduce_only:
                reducing[order.side] = max(reducing[order.side], order.remaining_increments)
        assert bench.engine.position(account, ONE) == position
        assert reducing[SELL] <= max(0, position)
        assert reducing[BUY] <= max(0, -position)


def check_reports(bench: Bench) -> None:
    """What each order's reports must be in themselves."""
    told: dict[tuple[str, str], list[Report]] = defaultdict(list)
    for account, report in bench.heard:
        told[account, report.client_id].append(report)
    for reports in told.values():
        known: dict[str, int] = {}
        over = False
        for report in reports:
            if report.execution is not None:
                repeated = report.execution.id in known and report.kind is ReportKind.FILL
                known[report.execution.id] = report.execution.quantity_increments
                assert repeated or report.kind is ReportKind.CORRECTED or not over
            if report.kind in (ReportKind.FILL, ReportKind.ACCEPTED, ReportKind.REPLACED) and not report.execution:
                assert not over
            assert report.kind is not ReportKind.ACCEPTED or not known
            if report.kind not in (ReportKind.CANCEL_REJECTED, ReportKind.REPLACE_REJECTED, ReportKind.NOT_FOUND):
                assert report.cumulative_increments == sum(known.values())
            over = over or report.kind in (ReportKind.CANCELED, ReportKind.EXPIRED, ReportKind.REJECTED)


@given(st.integers(0, 1 << 32))
@settings(max_examples=40, deadline=None)
def test_books_and_reports_agree_whatever_is_done(seed: int) -> None:
    bench = Bench()
    wild(bench, Random(seed), 150)
    check_reports(bench)


def test_no_fill_is_worse_than_the_limit_that_stood_then() -> None:
    fills = 0
    for seed in range(30):
        bench = Bench()
        wild(bench, Random(seed), 150)
        limits: dict[tuple[str, str], int | None] = {}
        seen: set[str] = set()  # a query tells fills again, when the limit may be another one
        for account, report in bench.heard:
            key, fill = (account, report.client_id), report.execution
            if report.kind is ReportKind.ACCEPTED:
                limits[key] = bench.engine.orders(account)[report.client_id].ticket.limit_increments
            elif report.kind is ReportKind.REPLACED:
                limits[key] = report.limit_increments
            if fill is not None and fill.id not in seen:
                seen.add(fill.id)
                fills += 1
                limit = limits[key]
                if limit is not None:
                    price = fill.price_increments
                    assert price <= limit if fill.side is BUY else price >= limit
    assert fills > 500


@given(st.lists(st.tuples(sides, sizes, prices | st.none(), plain_times), max_size=30), sizes, sizes)
@settings(deadline=None)
def test_no_more_is_taken_than_a_quote_displayed(
    orders: list[tuple[Side, int, int | None, TimeInForce]], bid_size: int, ask_size: int
) -> None:
    bench = Bench()
    bench.engine.on_quote(quote((99, bid_size), (100, ask_size)))
    for number, (side, size, limit, time_in_force) in enumerate(orders):
        bench.submit("a", ticket(str(number), side, size, limit, time_in_force))
    taken = {
        side: sum(fill.quantity_increments for fill in bench.engine.executions("a") if fill.side is side)
        for side in (BUY, SELL)
    }
    assert taken[BUY] <= ask_size
    assert taken[SELL] <= bid_size


def test_the_same_calls_give_the_same_reports() -> None:
    first, second, other = Bench(seed=5), Bench(seed=5), Bench(seed=6)
    for bench in (first, second, other):
        wild(bench, Random(3), 300)
    assert first.heard == second.heard
    assert first.heard != other.heard  # its executions have other ids


def test_execution_ids_are_unique_over_accounts_and_restart_with_trading_days() -> None:
    for trading_days in (False, True):
        bench = Bench(VenueRules(trading_days=trading_days))
        wild(bench, Random(3), 300)
        keys = [(e.trading_day, e.id) for account in "abc" for e in bench.engine.executions(account)]
        assert len(keys) == len(set(keys)) > 30
        assert {day for day, _ in keys} == ({"1970-01-01"} if trading_days else {""})
