"""Orders to three venues in another process, over TCP, while messages are late, doubled and cut off, and venues err.

What counts at the end is what the venues themselves say happened there.
"""

import asyncio
import json
import re
import signal
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import attrs

from ticktree.actors import ActorRef, System
from ticktree.app import Assembly, assemble
from ticktree.routing import Ledger, LegRecord, OrderRecord, OrderState, ReportKind, Resolve, Side
from ticktree.routing.facts import AnyFact, Began, Doubted, Quarantined, Reported, Resolved, Sent
from ticktree.routing.journal import read
from ticktree.routing.why import why

from .program import Program
from .traders import NAMES, POLICIES, Trader, Where, app

DEADLINE_S = 30.0
BUDGET_S = 10.0  # what a system may take to stop
ANYWHERE = "tcp://127.0.0.1:0"
LINE = {"delay_s": 0.0, "jitter_s": 0.02, "duplicates": 0.05, "cut_after_bytes": [9_000, 14_000, 20_000]}
VENUE = {"reject": 0.05, "cross": 0.3, "bust": 0.05, "correct": 0.05, "delay_s": [0.01, 0.2]}


@attrs.define
class Venues:
    """The venues' process, from its first line to its last."""

    config: dict[str, Any]
    program: Program = attrs.field(init=False)
    where: Where = attrs.field(init=False)
    rest: "asyncio.Task[tuple[int, str]]" = attrs.field(init=False)

    async def start(self) -> None:
        self.program = Program("-m", "tests.e2e.venues", json.dumps(self.config))
        self.program.__enter__()
        for _ in NAMES:
            await asyncio.to_thread(self.program.until, "order entry: listens at ")
        urls = re.findall(r"listens at (tcp://\S+)", "\n".join(self.program.lines))
        relay = next(line for line in self.program.lines if "relay/server: listens at " in line).split()[-1]
        entries = [line.split()[-1] for line in self.program.lines if "order entry: listens at " in line]
        assert {relay, *entries} <= set(urls)
        self.where = Where(relay, dict(zip(NAMES, entries, strict=True)))
        self.rest = asyncio.create_task(asyncio.to_thread(self.program.end))  # its pipe must not fill up

    def told(self) -> dict[str, dict[str, Any]]:
        """What truly happened, by venue, as it was told last."""
        told = [json.loads(line) for line in self.program.lines if line.startswith('{"venue"')]
        return {one["venue"]: one for one in told}

    async def behave(self) -> dict[str, dict[str, Any]]:
        """Let nothing go wrong at the venues any more; what truly happened until then."""
        self.program.tell(signal.SIGUSR2)
        async with asyncio.timeout(DEADLINE_S):
            while len(self.told()) < len(NAMES):  # noqa: ASYNC110  # a thread reads it
                await asyncio.sleep(0.01)
        return self.told()

    async def end(self) -> dict[str, dict[str, Any]]:
        """Stop it; what truly happened, by venue."""
        self.program.interrupt()
        code, printed = await self.rest
        assert code == 0, printed
        assert printed.splitlines()[-1] == '{"unaccounted": 0, "exit_code": 0}'
        return self.told()

    async def kill(self) -> None:
        """End it where it stands."""
        self.program.kill()
        await self.rest
        self.program.__exit__(None, None, None)

    async def again(self) -> None:
        """Another process at the same addresses, which knows nothing."""
        self.config |= {"relay": self.where.relay, "listen": self.where.venues}
        await self.start()


@asynccontextmanager
async def venues(**config: Any) -> AsyncGenerator[Venues]:
    found = Venues({"relay": ANYWHERE, "listen": dict.fromkeys(NAMES, ANYWHERE), "seed": 1, **config})
    await found.start()
    try:
        yield found
    finally:
        await found.kill()


class Run:
    """The traders' side, in this process. `traders` are the lives that run now."""

    def __init__(self, where: Where, journal: Path, count: int, names: tuple[str, ...] = tuple(POLICIES)) -> None:
        self.journal = journal
        self.traders: dict[str, Trader] = {}
        strategies = {name: (name, partial(self._make, name, place, count)) for place, name in enumerate(names)}
        self.assembly: Assembly = assemble(app(where, journal, strategies))
        self.system = System(self.assembly.tree, self.assembly.clock)

    def _make(self, name: str, seed: int, count: int) -> Trader:
        self.traders[name] = trader = Trader(seed, count, racing=name == "race")
        return trader

    async def until_all_is_over(self, count: int) -> None:
        await self.until(lambda: all(len(trader.handles) == count for trader in self.traders.values()))
        async with asyncio.timeout(DEADLINE_S):
            for trader in self.traders.values():
                await asyncio.gather(*(handle.final() for handle in trader.handles))

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not condition():  # noqa: ASYNC110  # what is awaited tells nobody that it happened
                await asyncio.sleep(0.01)

    def facts(self) -> list[AnyFact]:
        return list(read(self.journal))


def booked(facts: list[AnyFact], venue: str) -> dict[str, list[Any]]:
    """What the journal says was executed at a venue, in the words of its truth."""
    executions = dict[str, tuple[int, list[Any]]]()
    for fact in facts:
        if not isinstance(fact, Reported) or fact.venue != venue or (one := fact.report.execution) is None:
            continue
        what = [fact.report.client_id, one.instrument, one.side is Side.BUY]
        what += [one.quantity_increments, one.price_increments]
        if executions.get(one.id, (-1,))[0] < one.revision:
            executions[one.id] = one.revision, what
    return {id: what for id, (_, what) in executions.items()}


def check_truth(run: Run, truth: dict[str, dict[str, Any]]) -> None:
    """Facts and truth are the same, to the last increment."""
    ledger, facts = run.assembly.office.ledger, run.facts()
    for venue, true in truth.items():
        assert booked(facts, venue) == true["executions"]
        assert true["submitted_twice"] == []
        held = {name: ledger.positions.at_venue(venue, name) for name in true["positions"]}
        assert held == true["positions"], venue
        for leg in (leg for leg in ledger.legs.values() if leg.leg.venue == venue):
            check_leg(leg, true["orders"].get(leg.leg.id))


def check_leg(leg: LegRecord, true: list[Any] | None) -> None:
    if true is None:
        assert leg.state is OrderState.REJECTED  # it never arrived
        assert leg.booked_increments == 0
    else:
        assert [leg.state, leg.booked_increments] == true, leg


def check_orders(run: Run) -> int:
    """Every order is over, and filled by no more than was granted; how many there were."""
    ledger = run.assembly.office.ledger
    assert not ledger.open_orders
    assert not ledger.quarantine
    assert not ledger.halted
    sent = [fact.leg_id for fact in run.facts() if isinstance(fact, Sent)]
    assert len(sent) == len(set(sent))
    for record in ledger.orders.values():
        assert record.terminal
        assert record.overfilled_increments <= record.order.max_overfill_increments, record
        assert record.open_increments == 0
    return len(ledger.orders)


def check_conservation(system: System) -> None:
    assert all(node.mailbox.unaccounted == 0 for node in system.snapshot().actors())
    assert not {node.path for node in system.snapshot().actors() if node.restarts}


async def test_what_is_booked_is_what_truly_happened_at_three_venues_whatever_goes_wrong(tmp_path: Path) -> None:
    count = 50
    async with venues(line=LINE, venue=VENUE) as there:
        run = Run(there.where, tmp_path / "orders.journal", count)
        async with run.system as system:
            await run.until_all_is_over(count)
            assert check_orders(run) == count * len(POLICIES)
            said = await there.behave()  # busts and corrections of what is long over still come
            await run.until(lambda: all(booked(run.facts(), name) == said[name]["executions"] for name in NAMES))
        check_conservation(system)
        assert (await system.wait()).exit_code == 0
        truth = await there.end()
    check_truth(run, truth)
    assert sum(len(true["executions"]) for true in truth.values()) > count
    states = {record.state for record in run.assembly.office.ledger.orders.values()}
    assert {OrderState.FILLED, OrderState.CANCELED, OrderState.REJECTED} <= states
    kinds = {fact.report.kind for fact in run.facts() if isinstance(fact, Reported)}
    assert {ReportKind.CORRECTED, ReportKind.CANCEL_REJECTED, ReportKind.STATUS} <= kinds
    assert any(isinstance(fact, Doubted) for fact in run.facts())  # the lines were cut
    assert run.assembly.office.ledger.overfilled  # as granted to those who raced


async def test_venues_that_begin_anew_and_know_nothing_are_quarantined_until_the_operators_word(
    tmp_path: Path,
) -> None:
    count = 40
    async with venues(line={"jitter_s": 0.02}, venue={"reject": 0.02}) as there:
        run = Run(there.where, tmp_path / "orders.journal", count)
        async with run.system as system:
            await run.until(lambda: all(booked_at_least(run, venue, 3) for venue in NAMES))
            await there.kill()
            killed_ns = run.assembly.clock.now_ns()
            await there.again()
            controls, ledger = system.ref("controls"), run.assembly.office.ledger
            await run.until(lambda: set(ledger.quarantine) >= {f"{venue}/BTC-USDT" for venue in moved(run)})
            await run.until(lambda: any(is_refused(record, "quarantine") for record in ledger.orders.values()))
            operator = asyncio.create_task(resolve_all(run, controls))
            await run.until_all_is_over(count)
            operator.cancel()
            assert check_orders(run) == count * len(POLICIES)
        check_conservation(system)
        truth = await there.end()
    facts, ledger = run.facts(), run.assembly.office.ledger
    sent_before = {fact.leg_id for fact in facts if isinstance(fact, Sent) and fact.time_ns < killed_ns}
    for venue, true in truth.items():
        assert true["submitted_twice"] == []
        assert sent_before.isdisjoint(true["orders"])  # what the former venue had is not sent to the new one
        after = {id: what for id, what in booked(facts, venue).items() if what[0] not in sent_before}
        assert after == true["executions"]
        assert after, venue
        held = ledger.positions.at_venue(venue, "BTC-USDT") + ledger.adopted[venue, "BTC-USDT"]
        assert held == true["positions"]["BTC-USDT"]
    named = {f"{fact.venue}/{fact.name}" for fact in facts if isinstance(fact, Quarantined)}
    assert named == {fact.leg_id for fact in facts if isinstance(fact, Resolved) and "/" in fact.leg_id}


async def resolve_all(run: Run, controls: ActorRef[Any]) -> None:
    """The operator, who says of whatever is quarantined that it may go on."""
    while True:
        for name in tuple(run.assembly.office.ledger.quarantine):
            told = await controls.ask(Resolve(name, reason="it is a new venue"), 1.0)
            assert told.startswith(name) or "resolved" in told
        await asyncio.sleep(0.05)


def booked_at_least(run: Run, venue: str, count: int) -> bool:
    legs = run.assembly.office.ledger.legs.values()
    return sum(leg.leg.venue == venue and leg.booked_increments > 0 for leg in legs) >= count


def moved(run: Run) -> list[str]:
    """The venues where we hold something, that a new one knows nothing of."""
    ledger = run.assembly.office.ledger
    return [venue for venue in NAMES if ledger.positions.at_venue(venue, "BTC-USDT")]


def is_refused(record: OrderRecord, limit: str) -> bool:
    return record.refusal is not None and record.refusal.limit == limit


async def test_a_signal_with_orders_in_flight_ends_in_time_and_the_next_process_learns_what_became_of_them(
    tmp_path: Path,
) -> None:
    journal = tmp_path / "orders.journal"
    async with venues(deaf=["c"]) as there:
        where = [f"{name}={url}" for name, url in there.where.venues.items()]
        with Program("-m", "tests.e2e.traders", str(journal), there.where.relay, *where) as traders:
            await asyncio.to_thread(traders.until, "9 legs rest")
            began = time.monotonic()
            traders.terminate()
            code, printed = await asyncio.to_thread(traders.end)
            took_s = time.monotonic() - began
        assert code == 0, printed
        assert took_s < BUDGET_S + 1.0, printed
        assert "SIGTERM: stopping" in printed
        assert "orders still open: 3, legs of them in doubt (unknown): 3" in printed
        left = Ledger()
        for fact in read(journal):
            left.apply(fact)
        states = {(leg.leg.venue, leg.state) for leg in left.legs.values()}
        assert states == {("a", OrderState.CANCELED), ("b", OrderState.CANCELED), ("c", OrderState.UNKNOWN)}
        await there.behave()  # the deaf one hears again
        run = Run(there.where, journal, 0, names=("hold",))
        async with run.system:
            await run.until(lambda: not run.assembly.office.ledger.open_orders)
            assert check_orders(run) == 3
        truth = await there.end()
    check_truth(run, truth)
    epochs = [fact.epoch for fact in run.facts() if isinstance(fact, Began)]
    assert len(set(epochs)) == 2
    assert epochs[-1] == run.assembly.office.ledger.epoch
    story = why(run.facts(), "c/" + next(leg.leg.id for leg in left.legs.values() if leg.leg.venue == "c"))
    assert any("the system stopped" in line for line in story)
    assert story[-1].endswith("canceled, 0 of 0.01 filled")
