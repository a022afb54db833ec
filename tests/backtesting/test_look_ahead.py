"""Nobody can look ahead: nothing that was received later than a strategy's clock says is ever in its reach."""

import tempfile
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, Final

import attrs
from hypothesis import given, settings, strategies as st

from ticktree.feeds.files import write_ticks
from ticktree.market import MARKS, Batch, BookUpdate, Quote, Side, Skipped, Trade, ticks
from ticktree.parts import VenuePart, strategy_part
from ticktree.routing import Fill, OrderUpdate, Terms, TimeInForce
from ticktree.routing.venues.simulated import Latency
from ticktree.strategies import Strategy

from .markets import BEGAN_NS, BTC, KNOWN, MS, NS, Seen, Tape, Watcher, backtested, feed_part, trading, watching

NAMES: Final = {"a": "BTC-USDT", "b": "ETH-USDT"}
FEEDS: Final = tuple(feed_part(feed, (name,)) for feed, name in NAMES.items())
US: Final = 1_000
IOC: Final = Terms(time_in_force=TimeInForce.IOC)


@attrs.frozen
class Row:
    """What one feed says, `after_ns` after the row before it. The price says when: that is how it is told apart."""

    after_ns: int
    kind: str
    feed: str


rows_drawn = st.lists(
    st.builds(
        Row, st.sampled_from((0, 0, 1, US, MS, 3 * MS)), st.sampled_from(("quote", "quote", "trade", "book", "cut")),
        st.sampled_from(("a", "b")),
    ),
    min_size=2, max_size=40,
)  # fmt: skip


def price(at_ns: int) -> float:
    """A bid that tells when it was said, to the microsecond."""
    return round(1 + at_ns / (10 * US) / 100, 2)


def said_ns(bid: float) -> int:
    """When at the earliest."""
    return round((bid - 1) * 100 - 1) * 10 * US


def tapes(rows: list[Row]) -> list[Tape]:
    """A recording for each feed."""
    made = {feed: Tape(feed).connect() for feed in NAMES}
    numbers, connections = dict.fromkeys(NAMES, 0), dict.fromkeys(NAMES, 1)
    at_ns = 0
    for row in rows:
        at_ns += row.after_ns
        tape, name, bid = made[row.feed], NAMES[row.feed], price(at_ns)
        match row.kind:
            case "quote":
                tape.quote(at_ns, bid, bid + 1, name=name)
            case "trade":
                tape.trade(at_ns, bid, name=name)
            case "book" if row.feed == "a":
                number = numbers["a"] = numbers["a"] + 1
                tape.book(at_ns, number, ((bid, 1.0),), ((bid + 1, 1.0),), snapshot=True)
            case _:
                tape.close(at_ns, connections[row.feed])
                connections[row.feed] += 1
                tape.connect(at_ns, connections[row.feed])
    return list(made.values())


def check(strategy: Strategy, message: Any) -> None:
    """Nothing here is of the future."""
    now_ns = strategy.clock.now_ns()
    if isinstance(message, (Quote, Trade, BookUpdate, *MARKS)) and not isinstance(message, Skipped):
        assert message.received_time_ns <= now_ns
    if isinstance(message, Fill):
        assert message.time_ns <= now_ns
    if isinstance(message, OrderUpdate):
        assert message.time_ns <= now_ns
    for name in NAMES.values():
        last = strategy.last(name)
        assert last is None or last.received_time_ns <= now_ns
        assert last is None or said_ns(last.bid) <= now_ns - BEGAN_NS
    book = None if strategy.takes_columns() else strategy.book("BTC-USDT", "a")
    if book is not None and book.bid is not None:
        assert said_ns(book.bid[0]) <= now_ns - BEGAN_NS
    for one in strategy.portfolio().holdings:
        assert one.price is None or said_ns(float(one.price)) - 50 * MS <= now_ns - BEGAN_NS


def looks(strategy: Watcher, message: Any) -> Awaitable[None] | None:
    check(strategy, message)
    if isinstance(message, Quote) and message.instrument.name == "BTC-USDT" and not strategy.working("BTC-USDT"):
        side = Side.BUY if strategy.position("BTC-USDT") <= 0 else Side.SELL
        (strategy.buy if side is Side.BUY else strategy.sell)(message.instrument, "0.01", terms=IOC)
    if isinstance(message, Quote):
        strategy.after(0.000_001, "a moment later")
    return None


@settings(max_examples=60)
@given(rows_drawn, st.sampled_from((0.0, 0.000_5, 0.002)), st.sampled_from((0.0, 0.001)))
def test_nothing_in_the_reach_of_a_strategy_was_received_later_than_now(
    rows: list[Row], handler_time_s: float, latency_s: float
) -> None:
    seen, venue = Seen(), VenuePart("paper", "a", latency=Latency(latency_s))
    with tempfile.TemporaryDirectory() as folder:
        paths = [tape.write(Path(folder)) for tape in tapes(rows)]
        app = trading(watching(seen, looks), feeds=FEEDS, venue=venue)
        outcome = backtested(app, *paths, handler_time_s=handler_time_s)
    assert outcome.incomplete == ""  # a look that failed would have ended it, or its life
    for at_ns, message in seen.told:
        if isinstance(message, Quote | Trade | BookUpdate):
            assert at_ns - message.received_time_ns >= handler_time_s * NS
            if not handler_time_s:
                assert at_ns == message.received_time_ns


class Batches(Strategy):
    """Takes columns, and looks around at each."""

    topics = ("*/*/*",)

    def __init__(self, told: list[tuple[int, Batch]]) -> None:
        self.told = told

    def on_batch(self, batch: Batch) -> None:
        check(self, batch)
        self.told.append((self.clock.now_ns(), batch))
        self.after(0.000_000_7, "a moment later")

    def on_timer(self, name: str) -> None:
        check(self, name)


@settings(max_examples=40)
@given(rows_drawn, st.sampled_from((0.0, 0.000_002, 0.004, 0.1)))
def test_a_batch_of_a_window_comes_when_its_last_row_was_received_and_everything_in_its_turn(
    rows: list[Row], window_s: float
) -> None:
    told, at_ns = list[tuple[int, Batch]](), 0
    times = dict[str, list[int]](a=[0], b=[0])
    for row in rows:
        at_ns += row.after_ns
        times[row.feed].append(at_ns)
    part = attrs.evolve(strategy_part(Batches), make=lambda: Batches(told))
    with tempfile.TemporaryDirectory() as folder:
        paths = [written(Path(folder), feed, times[feed]) for feed in NAMES]
        app = trading(part, feeds=FEEDS, instruments=tuple(KNOWN.values()))
        outcome = backtested(app, *paths, batch_window_s=window_s)
    assert outcome.incomplete == ""
    assert outcome.ticks == len(rows) + 2
    for now_ns, batch in told:
        received = [int(each) for each in batch.ticks["received_time_ns"]]
        assert now_ns == received[-1]
        assert received[-1] - received[0] <= window_s * NS
    assert [now_ns for now_ns, _ in told] == sorted(now_ns for now_ns, _ in told)
    for feed in NAMES:
        rows_told = [int(each) for _, batch in told if batch.feed == feed for each in batch.ticks["received_time_ns"]]
        assert [each - BEGAN_NS for each in rows_told] == times[feed]


def written(folder: Path, feed: str, times: list[int]) -> Path:
    known = attrs.evolve(KNOWN[NAMES[feed]], id=1)
    quotes = [Quote(feed, known, price(at), 1.0, price(at) + 1, 1.0, 0, BEGAN_NS + at, BEGAN_NS + at) for at in times]
    path = folder / f"{feed}.ticks"
    write_ticks(path, feed, [known], [ticks.encoded(quotes)])
    return path


def test_a_window_does_not_reach_over_what_another_feed_says(tmp_path: Path) -> None:
    told = list[tuple[int, Batch]]()
    one = written(tmp_path, "a", [0, MS, 2 * MS, 4 * MS])
    other = written(tmp_path, "b", [0, 3 * MS])
    part = attrs.evolve(strategy_part(Batches), make=lambda: Batches(told))
    backtested(trading(part, feeds=FEEDS, instruments=(BTC, KNOWN["ETH-USDT"])), one, other, batch_window_s=0.009)
    shown = [(batch.feed, (now_ns - BEGAN_NS) // MS, len(batch.ticks)) for now_ns, batch in told]
    assert shown == [("a", 0, 1), ("b", 0, 1), ("a", 2, 2), ("b", 3, 1), ("a", 4, 1)]
