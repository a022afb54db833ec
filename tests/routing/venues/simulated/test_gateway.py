"""The way to the simulated venue and back, in virtual time."""

import asyncio
from collections.abc import Callable, Coroutine
from decimal import Decimal
from random import Random
from typing import Any

import attrs
import pytest

from ticktree.actors import VirtualClock, simulate
from ticktree.routing.errors import NotConnected
from ticktree.routing.gateway import Gateway, Hears, VenueRules
from ticktree.routing.orders import OrderState, Ticket, TimeInForce
from ticktree.routing.reports import Report, ReportKind, VenueQuote
from ticktree.routing.venues.simulated import Engine, Faults, Latency, SimulatedGateway

from .bench import BUY, ONE, SELL, quote, ticket, trade
from .ears import NS, Ears

DIRECT, NONE = Latency(), Faults()


@attrs.define
class Rig:
    clock: VirtualClock
    engine: Engine
    gateway: SimulatedGateway
    ears: Ears
    answers: list[tuple[float, VenueQuote | None]] = attrs.field(factory=list[tuple[float, VenueQuote | None]])

    def submit(self, client_id: str, quantity: int = 5, limit: int | None = 100, **terms: Any) -> Ticket:
        order = ticket(client_id, BUY, quantity, limit, **terms)
        self.gateway.submit(order)
        return order

    def ask(self) -> None:
        self.gateway.query_quote(ONE, lambda told: self.answers.append((self.clock.monotonic_ns() / NS, told)))


def rigged(
    test: Callable[[Rig], Coroutine[Any, Any, None]],
    latency: Latency = DIRECT,
    faults: Faults = NONE,
    on_report: Callable[[Rig, Report], None] = lambda rig, report: None,
) -> Rig:
    """Run a test with a gateway that is started, and nothing left over in the end."""

    async def main(clock: VirtualClock) -> Rig:
        engine = Engine("sim", VenueRules(), Random(1))
        gateway = SimulatedGateway(engine, "paper", latency, faults)
        ears = Ears(clock, lambda report: on_report(rig, report))
        rig = Rig(clock, engine, gateway, ears)
        gateway.start(ears, Random(2))
        await test(rig)
        await gateway.stop()
        assert not ears.clock.pending
        said = len(ears.log)
        await clock.sleep(1000)
        assert len(ears.log) == said
        assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        return rig

    return simulate(main)


def test_it_is_a_gateway() -> None:
    gateway: Gateway = SimulatedGateway(Engine("sim", VenueRules(client_id_length=9), Random(1)), "mine")
    assert (gateway.account, gateway.rules.client_id_length) == ("mine", 9)
    hears: type[Hears] = Ears
    assert hears is Ears


def test_without_latency_all_is_answered_within_the_call() -> None:
    async def test(rig: Rig) -> None:
        assert rig.ears.log == ["up True"]
        rig.gateway.on_market(quote(ask=(101, 9)))
        order = rig.submit("1")
        assert rig.ears.log[1:] == ["1 accepted"]
        rig.gateway.replace(order, 6, 101)
        rig.gateway.cancel(order)
        rig.gateway.query(order)
        rig.gateway.query_fills(order)
        rig.gateway.query_account()
        rig.ask()
        assert rig.ears.log[2:] == [
            "1 replaced", "1 fill", "1 cancel_rejected", "1 status", "1 fill", "1 status", "account {'ONE-USD': 6}",
        ]  # fmt: skip
        assert rig.answers[0][1] == rig.engine.quote(ONE, 0)
        assert set(rig.ears.times_s) == {0.0}

    rigged(test)


def test_latency_counts_each_way() -> None:
    async def test(rig: Rig) -> None:
        rig.gateway.on_market(quote(bid=(99, 5), ask=(101, 5)))
        with pytest.raises(NotConnected, match="no session"):
            rig.submit("0")
        await rig.clock.sleep(0.5)
        rig.submit("1")
        rig.ask()
        await rig.clock.sleep(0.15)
        assert rig.engine.orders("paper")["1"].state is OrderState.LIVE
        await rig.clock.sleep(1)
        rig.gateway.on_market(trade(99, 1))
        await rig.clock.sleep(1)
        assert rig.ears.log == ["up True", "1 accepted", "1 fill"]
        assert rig.ears.times_s == pytest.approx([0.2, 0.7, 1.75])
        ((time_s, told),) = rig.answers
        assert told is not None
        assert (time_s, told.time_ns / NS) == pytest.approx((0.7, 0.6))

    rigged(test, Latency(0.1))


def test_the_way_back_may_take_another_time_than_the_way_there() -> None:
    async def test(rig: Rig) -> None:
        await rig.clock.sleep(1)
        rig.submit("1")
        await rig.clock.sleep(0.25)
        assert rig.engine.orders("paper") == {}
        await rig.clock.sleep(1)
        assert rig.ears.log == ["up True", "1 accepted"]
        assert rig.ears.times_s == pytest.approx([0.4, 1.4])

    rigged(test, Latency(0.3, back=Latency(0.1)))


def test_an_answer_from_within_a_report_is_served_after_the_reports_before() -> None:
    def answer(rig: Rig, report: Report) -> None:
        if report.kind is ReportKind.ACCEPTED and report.client_id == "1":
            rig.submit("2", 1)
            rig.gateway.query_account()
            assert rig.ears.log[-1] == "1 accepted"

    async def test(rig: Rig) -> None:
        rig.gateway.on_market(quote(ask=(100, 9)))
        rig.submit("1")
        assert rig.ears.log[1:] == ["1 accepted", "1 fill", "2 accepted", "2 fill", "account {'ONE-USD': 6}"]

    rigged(test, on_report=answer)


@pytest.mark.parametrize("latency_s", [0.01, 0.1, 0.5])  # the pause is of 0.1
def test_a_reset_loses_what_is_on_its_way_in_both_directions(latency_s: float) -> None:
    async def test(rig: Rig) -> None:
        rig.gateway.on_market(quote(ask=(101, 9)))
        await rig.clock.sleep(latency_s * 2)
        rig.submit("1")
        await rig.clock.sleep(latency_s * 1.5)  # it is accepted, and the answer on its way
        rig.submit("2")
        rig.ask()
        rig.gateway.reset("because")
        rig.gateway.reset("again")
        assert rig.ears.log == ["up True", "down: because"]
        assert [told for _, told in rig.answers] == [None]
        with pytest.raises(NotConnected):
            rig.ask()
        rig.gateway.on_market(trade(99, 2))
        await rig.clock.sleep(5)
        assert rig.ears.log == ["up True", "down: because", "up True"]
        assert rig.ears.times_s[2] - rig.ears.times_s[1] == pytest.approx(0.1)
        assert list(rig.engine.orders("paper")) == ["1"]
        rig.gateway.query(ticket("1", BUY, 5, 100))
        rig.gateway.query(ticket("2", BUY, 5, 100))
        await rig.clock.sleep(2)
        assert rig.ears.log[3:] == ["1 status", "2 not_found"]
        assert rig.ears.reports[0].cumulative_increments == 2

    rigged(test, Latency(latency_s))


def test_nothing_is_left_to_happen_after_a_stop() -> None:
    async def test(rig: Rig) -> None:
        rig.gateway.on_market(quote(ask=(101, 9)))
        rig.submit("1", time_in_force=TimeInForce.GTD, expires_ns=rig.clock.now_ns() + 60 * NS)
        await rig.clock.sleep(2)
        rig.submit("2", 5, 101)
        rig.gateway.reset("so that it is about to connect")
        await rig.gateway.stop()
        assert not rig.ears.clock.pending
        await rig.clock.sleep(100)
        assert rig.engine.orders("paper")["1"].state is OrderState.LIVE
        assert [execution.revision for execution in rig.engine.executions("paper")] == [0]
        assert rig.ears.log[-1].startswith("down")

    rigged(test, faults=Faults(bust=1))


def test_a_gtd_order_expires_without_anybody_asking() -> None:
    async def test(rig: Rig) -> None:
        for client_id, after_s in (("1", 5), ("2", 3), ("3", 5)):
            expires_ns = rig.clock.now_ns() + after_s * NS
            rig.submit(client_id, time_in_force=TimeInForce.GTD, expires_ns=expires_ns)
        rig.gateway.cancel(ticket("3", BUY, 5, 100))
        await rig.clock.sleep(10)
        assert rig.ears.log[5:] == ["2 expired", "1 expired"]
        assert rig.ears.times_s[5:] == [3, 5]

    rigged(test)


def test_an_older_replace_that_comes_later_does_nothing() -> None:
    async def test(rig: Rig) -> None:
        order = rig.submit("1")
        for quantity in range(6, 60):
            rig.gateway.replace(order, quantity, 100)
            await rig.clock.sleep(0.01)
        await rig.clock.sleep(10)
        replaced = [report.quantity_increments for report in rig.ears.reports if report.kind is ReportKind.REPLACED]
        assert len(set(replaced)) < 50
        (final,) = [order.quantity_increments for order in rig.engine.orders("paper").values()]
        assert final == max(replaced)

    rigged(test, faults=Faults(delay=0.5, duplicate=0.5, delay_s=(0.05, 0.1)))


def test_a_rejection_at_the_venue_is_what_a_query_tells_later() -> None:
    async def test(rig: Rig) -> None:
        order = rig.submit("1")
        assert rig.ears.log[1:] == ["1 rejected"]
        rig.gateway.query(order)
        assert rig.ears.reports[-1].state is OrderState.REJECTED

    rigged(test, faults=Faults(reject=1))


def test_a_cancel_may_cross_a_fill() -> None:
    async def test(rig: Rig) -> None:
        for number in range(20):
            order = rig.submit(str(number), 2)
            rig.gateway.cancel(order)
        states = {order.state for order in rig.engine.orders("paper").values()}
        assert states == {OrderState.FILLED, OrderState.CANCELED}  # some in part
        assert [kind for kind in rig.ears.log if "fill" in kind] == [f"{number} fill" for number in range(20)]
        rig.gateway.cancel(ticket("nobody", BUY, 1, 1))
        assert rig.ears.log[-1] == "nobody cancel_rejected"

    rigged(test, faults=Faults(cross=1))


def test_executions_are_busted_and_corrected_later_and_once() -> None:
    async def test(rig: Rig) -> None:
        rig.gateway.on_market(quote(ask=(100, 1000)))
        for number in range(40):
            order = rig.submit(str(number))
            rig.gateway.query_fills(order)
        await rig.clock.sleep(10)
        corrections = [r.execution for r in rig.ears.reports if r.kind is ReportKind.CORRECTED and r.execution]
        busts = [execution for execution in corrections if not execution.quantity_increments]
        assert 5 < len(busts) < len(corrections) < 40
        assert {execution.revision for execution in corrections} == {1}
        assert rig.engine.position("paper", ONE) == sum(e.quantity_increments for e in rig.engine.executions("paper"))

    rigged(test, faults=Faults(bust=0.3, correct=0.3))


def test_a_late_fill_comes_after_what_followed_it() -> None:
    async def test(rig: Rig) -> None:
        rig.gateway.on_market(quote(ask=(100, 3)))
        rig.submit("1", time_in_force=TimeInForce.IOC)
        assert rig.ears.log[1:] == ["1 accepted", "1 canceled"]
        assert rig.ears.reports[-1].cumulative_increments == 3
        await rig.clock.sleep(2)
        assert rig.ears.log[3:] == ["1 fill"]

    rigged(test, faults=Faults(late_fill=1))


def test_what_cannot_be_read_ends_the_session() -> None:
    async def test(rig: Rig) -> None:
        for number in range(10):
            rig.submit(str(number))
            await rig.clock.sleep(1)
        told = {rig.ears.log[1 + 3 * n] for n in range(10)}
        assert "unreadable None" in told
        assert told - {"unreadable None"} <= {f"unreadable {n}" for n in range(10)}
        assert len(told) > 2
        assert rig.ears.log[2:4] == ["down: what came could not be read", "up True"]
        assert len(rig.engine.orders("paper")) == 10

    rigged(test, faults=Faults(unreadable=1))


def test_a_dropped_report_is_heard_when_it_is_asked_for() -> None:
    async def test(rig: Rig) -> None:
        rig.gateway.on_market(quote(ask=(100, 1000)))
        for number in range(30):
            rig.submit(str(number))
        for number in range(30):
            for _ in range(20):
                rig.gateway.query_fills(ticket(str(number), BUY, 5, 100))
        known = {r.client_id for r in rig.ears.reports if r.kind is not ReportKind.NOT_FOUND}
        assert known == set(rig.engine.orders("paper")) < {str(number) for number in range(30)}

    rigged(test, faults=Faults(drop=0.4))


def test_two_accounts_meet_at_one_engine() -> None:
    async def test(rig: Rig) -> None:
        other, ears = SimulatedGateway(rig.engine, "other"), Ears(rig.clock)
        other.start(ears, Random(3))
        rig.submit("1")
        other.submit(ticket("1", SELL, 2, 100))
        assert rig.ears.log[1:] == ["1 accepted", "1 fill"]
        assert ears.log[1:] == ["1 accepted", "1 fill"]
        await other.stop()

    rigged(test)


def test_it_may_be_stopped_and_started_again() -> None:
    async def test(rig: Rig) -> None:
        expires_ns = rig.clock.now_ns() + 5 * NS
        order = rig.submit("1", time_in_force=TimeInForce.GTD, expires_ns=expires_ns)
        rig.submit("2")
        await rig.gateway.stop()
        with pytest.raises(NotConnected):
            rig.gateway.query(order)
        rig.gateway.on_market(quote(ask=(100, 5)))
        second = Ears(rig.clock)
        rig.gateway.start(second, Random(4))
        rig.gateway.query_account()
        assert second.log == ["up True", "account {'ONE-USD': 5}"]
        await rig.clock.sleep(10)
        assert rig.ears.log == ["up True", "1 accepted", "2 accepted"]

    rigged(test)


SOME = Latency(0.01, 0.02)
EVERYTHING = Faults(0.05, 0.05, 0.05, 0.05, 0.01, 0.01, 0.1, 0.05, 0.3, 0.1, 0.1)


def storm(seed: int, latency: Latency = SOME, faults: Faults = EVERYTHING) -> tuple[list[str], list[float], Decimal]:
    """All faults at once, and what is heard of it."""

    async def main(clock: VirtualClock) -> tuple[list[str], list[float], Decimal]:
        engine = Engine("sim", VenueRules(), Random(seed))
        gateway, ears = SimulatedGateway(engine, "paper", latency, faults), Ears(clock)
        gateway.start(ears, Random(seed))
        random = Random(seed)
        for number in range(300):
            price = random.randint(98, 102)
            gateway.on_market(quote((price - 1, 3), (price, 3), clock.now_ns()))
            order = ticket(str(random.randint(0, number)), random.choice([BUY, SELL]), 3, random.randint(98, 102))
            try:
                match random.randrange(4):
                    case 0 | 1:
                        gateway.submit(order)
                    case 2:
                        gateway.cancel(order)
                    case _:
                        gateway.replace(order, random.randint(1, 9), random.randint(98, 102))
            except NotConnected:
                pass
            await clock.sleep(0.01)
        await clock.sleep(10)
        await gateway.stop()
        worth = sum((e.quantity_increments * e.price_increments for e in engine.executions("paper")), 0)
        return ears.log, ears.times_s, Decimal(worth)

    return simulate(main)


def test_the_seed_decides_everything() -> None:
    first = storm(1)
    assert first == storm(1)
    assert first != storm(2)
    assert len(first[0]) > 200


@pytest.mark.parametrize("latency", [DIRECT, SOME])
@pytest.mark.parametrize("faults", [EVERYTHING, Faults(reorder=0.7, unreadable=0.2)])
def test_nothing_is_heard_between_sessions(latency: Latency, faults: Faults) -> None:
    for seed in range(5):
        up = False
        for line in storm(seed, latency, faults)[0]:
            if line == "up True":
                assert not up
                up = True
            elif line.startswith("down"):
                assert up
                up = False
            else:
                assert up, line
