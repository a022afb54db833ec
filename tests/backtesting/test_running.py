"""A back-test as it runs: who goes first, what orders meet and when, what takes time, and how it ends."""

import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import attrs
import pytest
from hypothesis import given, settings, strategies as st

from ticktree.actors import Conflate, DropOldest, Mailbox
from ticktree.backtesting.errors import BadData, BadManner
from ticktree.backtesting.running import Manner
from ticktree.market import Batch, Quote, batch_rows, latest_quote
from ticktree.parts import GatewayPart, JournalPart, TcpVenuePart, VenuePart, strategy_part
from ticktree.routing import Fill, Terms, VenueRules
from ticktree.routing.gateway import Fees
from ticktree.routing.venues.simulated import Latency
from ticktree.strategies import Strategy

from .markets import (
    BEGAN_NS,
    BTC,
    IOC,
    MS,
    NS,
    Seen,
    Tape,
    TradeText,
    Watcher,
    backtested,
    buys_once,
    feed_part,
    quoted,
    running,
    steady,
    table,
    trading,
    watching,
)

FEEDS: Final = (feed_part("a"), feed_part("b", ("ETH-USDT",)))


def bids(seen: Seen) -> list[float]:
    return [quote.bid for quote in seen.of(Quote)]


# --- the order of things ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [1, -1])
def test_of_data_at_one_instant_those_of_the_feed_that_is_configured_first_come_first(
    order: int, tmp_path: Path
) -> None:
    one, other = steady("a").write(tmp_path), steady("b", name="ETH-USDT").write(tmp_path)
    seen = Seen()
    backtested(trading(watching(seen), feeds=FEEDS[::order]), *(one, other)[::-order])
    assert [quote.feed for quote in seen.of(Quote)] == ["a", "b"][::order] * 10


def test_within_a_feed_what_stands_first_in_the_file_comes_first_also_at_one_instant(tmp_path: Path) -> None:
    tape = Tape().connect()
    for bid in (100.0, 103.0, 101.0, 102.0):
        tape.quote(5 * MS, bid, 110.0)
    seen = Seen()
    backtested(trading(watching(seen)), tape.write(tmp_path))
    assert bids(seen) == [100.0, 103.0, 101.0, 102.0]


def test_data_come_before_timers_of_the_same_instant(tmp_path: Path) -> None:
    def act(strategy: Watcher, message: Any) -> None:
        if isinstance(message, Quote) and message.bid < 105:
            strategy.after(0.1, "rang")  # at the next quote's time

    seen = Seen()
    backtested(trading(watching(seen, act)), steady(rows=4).write(tmp_path))
    found = [message if isinstance(message, str) else message.bid for message in seen.of(Quote, str)]
    assert found == [100.0, 101.0, "rang", 102.0, "rang", 103.0]  # with the last row it ends
    assert seen.times(str) == [100 * MS, 200 * MS]


def test_what_leads_to_what_happens_in_one_instant_before_the_next_row_of_it(tmp_path: Path) -> None:
    """Without latency an order, its fill and what its strategy does then come between two rows of one time."""

    def act(strategy: Watcher, message: Any) -> None:
        if isinstance(message, Quote) and message.bid == 100.0:
            strategy.buy(message.instrument, "0.5", terms=IOC)

    seen, tape = Seen(), Tape().connect().quote(0, 100.0, 101.0).quote(0, 200.0, 201.0)
    outcome = backtested(trading(watching(seen, act)), tape.write(tmp_path))
    assert [type(message) for message in seen.of(Quote, Fill)] == [Quote, Fill, Quote]
    assert [fill.price for fill in outcome.fills] == [Decimal("101.00")]


# --- what orders meet ------------------------------------------------------------------------------------------------


def test_an_order_meets_what_the_market_is_when_it_arrives_all_rows_of_that_instant_included(tmp_path: Path) -> None:
    tape = steady(rows=2).quote(100 * MS, 150.0, 151.0).quote(100 * MS, 160.0, 161.0).quote(101 * MS, 50.0, 51.0)
    venue = VenuePart("paper", "a", latency=Latency(0.1))
    outcome = backtested(trading(watching(Seen(), buys_once(0)), venue=venue), tape.write(tmp_path))
    (fill,) = outcome.fills
    assert (fill.price, fill.time_ns - BEGAN_NS, fill.decided_ns) == (Decimal(161), 100 * MS, BEGAN_NS)


def test_the_word_of_a_fill_takes_as_long_as_the_way_there(tmp_path: Path) -> None:
    seen, venue = Seen(), VenuePart("paper", "a", latency=Latency(0.05))
    backtested(trading(watching(seen, buys_once(0)), venue=venue), steady().write(tmp_path))
    assert seen.times(Fill) == [100 * MS]


def test_an_order_that_rests_is_met_by_later_rows_only(tmp_path: Path) -> None:
    tape = Tape().connect().quote(0, 100.0, 101.0).quote(0, 90.0, 91.0).quote(50 * MS, 100.0, 101.0)
    tape.quote(60 * MS, 90.0, 91.0).quote(70 * MS, 90.0, 91.0)
    venue = VenuePart("paper", "a", latency=Latency(0.05))  # arrives when the ask is 101 again
    app = trading(watching(Seen(), buys_once(0, 95.0, Terms())), venue=venue)
    (fill,) = backtested(app, tape.write(tmp_path)).fills
    assert (fill.price, fill.time_ns - BEGAN_NS, fill.maker) == (Decimal("95.00"), 60 * MS, True)


Row = tuple[int, str, int]  # milliseconds after the row before, quote or trade, and the bid or the price

rows_drawn = st.lists(
    st.tuples(st.sampled_from((0, 0, 1, 2, 5)), st.sampled_from(("quote", "quote", "trade")), st.integers(95, 105)),
    min_size=3, max_size=25,
)  # fmt: skip


def expected(rows: list[Row], decided: int, latency_ms: int, limit: int | None) -> tuple[int, int] | None:
    """Price and time of the fill of what was ordered with row `decided`, worked out another way: row by row."""
    at_ms, ask, sent_ms = 0, 0, 0
    came, arrived = list[tuple[int, int, str, int]](), False
    for number, (after_ms, kind, price) in enumerate(rows):
        at_ms += after_ms
        came.append((number, at_ms, kind, price))
        sent_ms = at_ms if number == decided else sent_ms
    arrives_ms = sent_ms + latency_ms
    for number, at_ms, kind, price in came:
        before = number <= decided if not latency_ms else at_ms <= arrives_ms
        if before:
            ask = price + 1 if kind == "quote" else ask
            continue
        if not arrived:
            arrived = True
            if limit is None or ask <= limit:
                return ask, arrives_ms
        assert limit is not None
        if kind == "quote" and price + 1 <= limit:
            return limit, at_ms
        if kind == "trade" and price < limit:
            return limit, at_ms
    if not arrived and arrives_ms <= came[-1][1] and (limit is None or ask <= limit):
        return ask, arrives_ms
    return None


@settings(max_examples=120)
@given(rows_drawn, st.data())
def test_orders_match_the_market_of_now_and_the_latency(rows: list[Row], data: st.DataObject) -> None:
    rows = [(0, "quote", 100), *rows]
    quotes = [number for number, row in enumerate(rows) if row[1] == "quote"]
    decided = data.draw(st.sampled_from(quotes))
    latency_ms, limit = data.draw(st.sampled_from((0, 1, 2, 3, 7))), data.draw(st.none() | st.integers(94, 107))
    tape, at_ns = Tape().connect(), 0
    for after_ms, kind, price in rows:
        at_ns += after_ms * MS
        if kind == "quote":
            tape.quote(at_ns, float(price), price + 1.0)
        else:
            tape.trade(at_ns, float(price), 1.0)
    act = buys_once(quotes.index(decided), None if limit is None else float(limit), Terms())
    venue = VenuePart("paper", "a", latency=Latency(latency_ms / 1_000))
    with tempfile.TemporaryDirectory() as folder:
        outcome = backtested(trading(watching(Seen(), act), venue=venue), tape.write(Path(folder)))
    found = [(int(fill.price), (fill.time_ns - BEGAN_NS) // MS) for fill in outcome.fills]
    wanted = expected(rows, decided, latency_ms, limit)
    ended_ms = (outcome.ended_ns - BEGAN_NS) // MS
    assert [fill for fill in found if fill[1] <= ended_ms] == ([] if wanted is None else [wanted])


def test_fees_are_those_of_the_venue_and_the_latency_that_is_given_goes_before_its_own(tmp_path: Path) -> None:
    rules = VenueRules(fees=Fees(maker=Decimal("-0.001"), taker=Decimal("0.002")))
    app = trading(watching(Seen(), buys_once(0)), venue=VenuePart("paper", "a", rules=rules))
    outcome = backtested(app, steady().write(tmp_path), latency=Latency(0.25))
    (fill,) = outcome.fills
    assert (fill.price, fill.fee, fill.fee_currency) == (Decimal("103.00"), Decimal("0.103"), "USDT")
    (venue,) = outcome.assumptions.venues
    assert (venue.name, venue.prices) == ("paper", "a")


# --- what takes time -------------------------------------------------------------------------------------------------


def test_a_strategy_that_takes_time_sends_its_orders_that_much_later(tmp_path: Path) -> None:
    path, seen = steady().write(tmp_path), Seen()
    outcome = backtested(trading(watching(seen, buys_once(3))), path, handler_time_s=0.01)
    assert [fill.time_ns - BEGAN_NS for fill in outcome.fills] == [310 * MS]
    assert seen.times(Quote)[1:] == [at * MS for at in range(110, 1_000, 100)]
    assert seen.times(Fill) == [330 * MS]  # the word that its order stands came first, and took as long


def test_what_comes_while_a_strategy_is_busy_waits_in_its_mailbox_and_that_has_its_policy(tmp_path: Path) -> None:
    path, seen = steady().write(tmp_path), Seen()
    running_one = running(trading(watching(seen)), path, handler_time_s=0.25)
    running_one.run()
    (node,) = (node for node in running_one.assembly.system().snapshot().actors() if "strategies/" in node.path)
    box = node.mailbox
    assert box.conflated > 0
    assert box.received == box.delivered + box.conflated == 10
    assert bids(seen) == sorted(bids(seen))
    assert bids(seen)[-1] == 109.0
    assert len(bids(seen)) == box.delivered


def test_a_mailbox_that_is_too_small_loses_ticks_and_that_is_a_warning(tmp_path: Path) -> None:
    small = Mailbox(2, DropOldest(), batch_rows)
    outcome = backtested(
        trading(watching(Seen(), mailbox=small)), steady(every_ns=MS, rows=50).write(tmp_path), handler_time_s=0.01
    )
    lost = [warning for warning in outcome.warnings if "its mailbox was too small" in warning]
    assert len(lost) == 1
    assert lost[0].startswith("strategies/watcher lost ")


def test_without_a_time_each_handler_takes_none(tmp_path: Path) -> None:
    seen = Seen()
    outcome = backtested(trading(watching(seen, buys_once(3))), steady().write(tmp_path))
    assert seen.times(Quote) == [row * 100 * MS for row in range(10)]
    assert outcome.fills[0].time_ns - BEGAN_NS == 300 * MS


@pytest.mark.parametrize("window_s", [0.0, 0.002, 0.02])
def test_rows_of_a_window_come_together_when_the_last_of_them_was_received(window_s: float, tmp_path: Path) -> None:
    told = list[tuple[int, list[int]]]()

    class Columns(Strategy):
        topics = ("a/*/*",)

        def on_batch(self, batch: Batch) -> None:
            told.append((self.clock.now_ns(), [int(each) for each in batch.ticks["received_time_ns"]]))

    path = table(tmp_path, *((at * MS + 1, 100.0 + at, 101.0 + at) for at in (0, 0, 1, 2, 3, 3, 7)))
    outcome = backtested(trading(strategy_part(Columns), instruments=(BTC,)), path, batch_window_s=window_s)
    assert [received for _, batch in told for received in batch] == [
        BEGAN_NS + at * MS + 1 for at in (0, 0, 1, 2, 3, 3, 7)
    ]
    assert all(now == batch[-1] and batch[-1] - batch[0] <= window_s * NS for now, batch in told)
    assert len(told) == {0.0: 5, 0.002: 4, 0.02: 2}[window_s]  # at the first instant something else is due
    assert outcome.ticks == 7


# --- every row is accounted for --------------------------------------------------------------------------------------


def test_every_row_of_a_file_is_told_or_skipped_and_what_was_told_was_delivered_or_given_up(tmp_path: Path) -> None:
    tape = steady(rows=20, every_ns=MS)
    tape.raw(30 * MS, b"no word").read(31 * MS, quoted(1, 2), TradeText("BTC-USDT", 3.0, 1.0, True), quoted(3, 4))
    tape.close(40 * MS).connect(50 * MS, 2).read(51 * MS, quoted(1, 2), number=2)
    box = Mailbox(3, Conflate(latest_quote, otherwise=DropOldest()), batch_rows)
    ready = running(trading(watching(Seen(), mailbox=box)), tape.write(tmp_path), handler_time_s=0.004)
    outcome = ready.run()
    (count,) = outcome.feeds
    assert count.ticks == {"quote": 23, "trade": 1}
    assert count.errors == {"BadMessage": 1, "PeerLost": 1}
    assert outcome.ticks == ready.ticks == 24
    assert count.messages == 24
    assert ready.bytes_done == ready.bytes_total == len(tape.encoded())
    (node,) = (node for node in ready.assembly.system().snapshot().actors() if "strategies/" in node.path)
    mine = node.mailbox
    assert mine.received == 24 == mine.delivered + mine.conflated + sum(attrs.astuple(mine.dropped))
    assert mine.conflated > 0


# --- the application -------------------------------------------------------------------------------------------------


def test_a_venue_elsewhere_becomes_a_simulated_one_and_nothing_of_others_is_there(tmp_path: Path) -> None:
    def never() -> Any:
        raise AssertionError

    journal = tmp_path / "live.journal"
    for venue in (
        GatewayPart("paper", never, prices="a"),
        TcpVenuePart("paper", "tcp://nowhere.invalid:1", "me", prices="a"),
    ):
        app = attrs.evolve(trading(watching(Seen(), buys_once(2)), journal=JournalPart(journal)), venues=(venue,))
        outcome = backtested(app, steady().write(tmp_path))
        assert [fill.venue for fill in outcome.fills] == ["paper"]
        assert outcome.warnings == (
            "venue paper is another one live: here it is simulated, without fees; see its latency",
        )
    assert not journal.exists()


def test_a_venue_without_prices_is_an_error_that_says_what_to_write(tmp_path: Path) -> None:
    app = trading(watching(Seen()), journal=JournalPart(tmp_path / "j"))
    app = attrs.evolve(app, venues=(TcpVenuePart("paper", "tcp://nowhere.invalid:1", "me"),))
    with pytest.raises(BadData) as error:
        running(app, steady().write(tmp_path))
    assert str(error.value) == (
        "venue paper says no feed that a simulated one in its place could match against: "
        '[venues.paper] prices = "the name of a feed"'
    )


@pytest.mark.parametrize("seconds", [-1.0, 1e6, float("nan"), float("inf")])
def test_times_that_are_no_times_are_refused(seconds: float) -> None:
    with pytest.raises(BadManner, match="batch_window_s is a number of seconds, 0 or more; not "):
        Manner(batch_window_s=seconds)
    with pytest.raises(BadManner, match="handler_time_s is a number of seconds, 0 or more; not "):
        Manner(handler_time_s=seconds)
