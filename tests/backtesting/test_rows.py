"""Rows of orders and fills from facts, whatever venues do to them."""

from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest

from ticktree.actors import Backoff
from ticktree.backtesting.observer import Sample
from ticktree.backtesting.rows import History, series
from ticktree.market import Quote, Side
from ticktree.parts import GroupPart, SupervisionPart, VenuePart
from ticktree.routing import OrderState, Terms, TimeInForce, VenueRules
from ticktree.routing.gateway import Fees
from ticktree.routing.venues.simulated import Faults, Latency

from .markets import BEGAN_NS, MS, Seen, Tape, Watcher, backtested, running, steady, trading, watching

IOC: Final = Terms(time_in_force=TimeInForce.IOC)


def ordering(terms: Terms = IOC, every: int = 1) -> Any:
    """Buys and sells in turn, at the touch."""

    def act(strategy: Watcher, message: Any) -> None:
        if isinstance(message, Quote) and round(message.bid) % every == 0:
            number = round(message.bid) // every
            if number % 2:
                strategy.buy(message.instrument, "0.3", message.ask, terms)
            else:
                strategy.sell(message.instrument, "0.2", message.bid, terms)

    return act


def test_an_order_says_what_was_wanted_decided_and_came_of_it(tmp_path: Path) -> None:
    def act(strategy: Watcher, message: Any) -> None:
        if isinstance(message, Quote) and message.bid == 102.0:
            strategy.buy(message.instrument, "1.5", "103.5", IOC)

    venue = VenuePart("paper", "a", latency=Latency(0.01))
    outcome = backtested(trading(watching(Seen(), act), venue=venue), steady().write(tmp_path))
    (order,), (fill,) = outcome.orders, outcome.fills
    assert (order.strategy, order.router, order.instrument, order.side) == ("watcher", "default", "BTC-USDT", Side.BUY)
    assert (order.quantity, order.limit, order.time_in_force) == (Decimal("1.5"), Decimal("103.5"), TimeInForce.IOC)
    assert (order.decided_ns - BEGAN_NS, order.ended_ns - BEGAN_NS) == (200 * MS, 220 * MS)
    assert (order.state, order.filled, order.average_price) == (OrderState.CANCELED, Decimal(1), Decimal(103))
    assert (order.bid, order.ask, order.legs, order.reason) == (102.0, 103.0, 1, "immediate or cancel")
    assert (fill.order_id, fill.quantity, fill.price, fill.position) == (order.id, Decimal(1), Decimal(103), Decimal(1))
    assert (fill.time_ns - BEGAN_NS, fill.decided_ns, fill.maker) == (210 * MS, order.decided_ns, False)


def test_positions_and_what_fills_realise_are_worked_out_again_and_agree(tmp_path: Path) -> None:
    rules = VenueRules(fees=Fees(taker=Decimal("0.001")))
    ready = running(
        trading(watching(Seen(), ordering()), venue=VenuePart("paper", "a", rules=rules)),
        steady(rows=30).write(tmp_path),
    )
    outcome = ready.run()
    position, spent = Decimal(0), Decimal(0)
    for fill in outcome.fills:
        signed = fill.quantity if fill.side is Side.BUY else -fill.quantity
        position, spent = position + signed, spent + signed * fill.price
        assert fill.position == position
        assert fill.fee == fill.quantity * fill.price * Decimal("0.001")
    assert len(outcome.fills) == 30
    (held,) = ready.assembly.office.ledger.snapshot(lambda _: None).holdings
    assert (held.quantity, held.realised) == (position, sum(fill.realised for fill in outcome.fills))
    assert held.fees["USDT"] == sum(fill.fee for fill in outcome.fills)


@pytest.mark.parametrize("seed", range(4))
def test_with_busts_corrections_and_late_fills_rows_agree_with_the_ledger(seed: int, tmp_path: Path) -> None:
    faults = Faults(bust=0.3, correct=0.3, late_fill=0.3, duplicate=0.2, delay=0.2, delay_s=(0.001, 0.3))
    venue = VenuePart("paper", "a", latency=Latency(0.001, 0.01), faults=faults)
    ready = running(trading(watching(Seen(), ordering()), venue=venue), steady(rows=60).write(tmp_path), seed=seed)
    outcome = ready.run()
    assert outcome.incomplete == ""
    ledger = ready.assembly.office.ledger
    assert {order.id for order in outcome.orders} == set(ledger.orders)
    filled = defaultdict[str, Decimal](Decimal)
    keys = [(fill.order_id, fill.leg_id, fill.time_ns, fill.quantity) for fill in outcome.fills]
    assert len(keys) == len(set(keys))  # each execution once, however often it was told
    for fill in outcome.fills:
        filled[fill.order_id] += fill.quantity
    for order in outcome.orders:
        record = ledger.orders[order.id]
        assert (order.state, order.filled) == (record.execution().state, record.execution().filled)
        assert bool(order.ended_ns) == record.terminal
        assert filled[order.id] >= order.filled or record.execution().filled  # busts take back what was a fill
    assert outcome.samples.time_ns == sorted(outcome.samples.time_ns)


def test_at_any_point_of_the_facts_an_order_that_is_not_over_has_no_end(tmp_path: Path) -> None:
    ready = running(trading(watching(Seen(), ordering(every=105))), steady(rows=8).write(tmp_path))
    (order,) = ready.run().orders
    facts, ended = list(ready.facts.facts), list[int]()
    for length in range(len(facts) + 1):
        history = History.of(facts[:length], {})
        ended += [row.ended_ns for row in history.orders()]
        assert all(bool(row.ended_ns) == history.ledger.orders[row.id].terminal for row in history.orders())
    assert ended[0] == 0
    assert ended[-1] == order.ended_ns > 0


def test_orders_of_all_lives_of_a_strategy_are_its_own(tmp_path: Path) -> None:
    send = ordering()

    def act(strategy: Watcher, message: Any) -> None:
        send(strategy, message)
        if isinstance(message, Quote) and round(message.bid) % 4 == 0:
            raise ValueError("ends this life")

    rooms = {"strategies": GroupPart(intensity=100, delay=Backoff(0.001, 0.002))}
    app = trading(watching(Seen(), act), supervision=SupervisionPart(rooms=rooms))
    outcome = backtested(app, steady(rows=20).write(tmp_path))
    assert len(outcome.orders) == 20
    assert {order.strategy for order in outcome.orders} == {"watcher"}
    assert len({order.id for order in outcome.orders}) == 20
    assert outcome.fills[-1].position == Decimal("0.3") * 10 - Decimal("0.2") * 10


def test_an_order_that_a_limit_stands_against_ends_where_it_began(tmp_path: Path) -> None:
    def act(strategy: Watcher, message: Any) -> None:
        if isinstance(message, Quote) and message.bid == 102.0:
            strategy.buy(message.instrument, "0.5", message.ask)

    seen, path = Seen(), steady(rows=5).write(tmp_path)
    halting = watching(Seen(), lambda strategy, message: strategy.halt("enough"), name="other")
    (order,) = backtested(trading(halting, watching(seen, act)), path).orders
    assert (order.ended_ns, order.legs, order.filled) == (order.decided_ns, 0, Decimal(0))
    assert "enough" in order.reason
    assert len(backtested(trading(watching(seen, act)), path).fills) == 1


# --- series ----------------------------------------------------------------------------------------------------------


def sample(at_ns: int, positions: dict[str, float], money: dict[tuple[str, str], Any]) -> Sample:
    return Sample(at_ns, {"X": (1.0, 2.0), "Y": None}, {(name, "X"): held for name, held in positions.items()}, money)


def test_series_begin_with_nothing_and_totals_are_unknown_where_a_part_is() -> None:
    samples = [
        sample(0, {}, {}),
        sample(1, {"one": 1.0}, {("one", "USD"): (1.0, 2.0, 0.5)}),
        sample(2, {"one": 1.0, "two": -1.0}, {("one", "USD"): (1.0, None, 0.5), ("two", "USD"): (2.0, 1.0, 0.0)}),
        sample(3, {"one": 0.0, "two": -1.0}, {("one", "USD"): (3.0, 0.0, 1.0), ("two", "USD"): (2.0, 4.0, 0.25)}),
    ]
    found = series(samples, 0.5, set())
    assert (found.every_s, found.time_ns) == (0.5, [0, 1, 2, 3])
    assert [(one.instrument, one.bid[0], one.ask[0]) for one in found.prices] == [("X", 1.0, 2.0), ("Y", None, None)]
    assert [(one.strategy, one.quantity) for one in found.positions] == [("one", [0, 1, 1, 0]), ("two", [0, 0, -1, -1])]
    total, one, two = found.money
    assert (total.strategy, one.strategy, two.strategy) == ("", "one", "two")
    assert total.realised == [0.0, 1.0, 3.0, 5.0]
    assert total.unrealised == [0.0, 2.0, None, 4.0]
    assert total.fees == [0.0, 0.5, 0.5, 1.25]


def test_of_very_many_instruments_only_those_traded_are_shown() -> None:
    prices: dict[str, tuple[float, float] | None] = {f"I{number}": (1.0, 2.0) for number in range(60)}
    found = series([Sample(0, prices, {}, {})], 0.01, {"I7", "I9"})
    assert [one.instrument for one in found.prices] == ["I7", "I9"]


def test_a_tape_without_rows_has_no_rows(tmp_path: Path) -> None:
    outcome = backtested(trading(watching(Seen())), Tape().connect().write(tmp_path))
    assert (outcome.orders, outcome.fills, outcome.samples.money, outcome.samples.positions) == ((), (), (), ())
