"""kill -9 in the middle of orders: the journal lacks nothing, nothing is sent twice, the venues' truth is booked."""

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any, cast

import attrs
import pytest

from ticktree.actors import LiveClock
from ticktree.market import Quote
from ticktree.routing.facts import AnyFact, Reported, Sent
from ticktree.routing.journal import read
from ticktree.routing.orders import Ticket
from ticktree.routing.venues.simulated import Engine
from ticktree.routing.venues.tcp import Front, OrderEntryServer

from ...actors.support import note_soak
from ...market.samples import BTC
from .killed import RULES, VENUES
from .known import replayed

ROOT = Path(__file__).parents[3]
LONGEST_S = 0.06  # of a life, once it trades
DEADLINE_S = 20.0


class Counting:
    """An engine that counts what comes for it, and whose orders are hit now and then."""

    def __init__(self, name: str) -> None:
        self.engine = Engine(name, RULES, Random(1))
        self.submits: Counter[str] = Counter()
        self._number = 0

    def submit(self, account: str, ticket: Ticket, now_ns: int) -> None:
        self.submits[ticket.client_id] += 1
        self.engine.submit(account, ticket, now_ns)

    def move(self, random: Random, now_ns: int) -> None:
        """The market: somebody displays again, somebody takes from what rests here."""
        self._number += 1
        self.engine.on_market(Quote("sim", BTC, 100.0, 0.003, 100.5, 0.003, self._number, now_ns, now_ns))
        resting = [id for id, order in self.engine.orders(self.engine.name).items() if order.resting]
        for id in resting:
            if random.random() < 0.2:
                self.engine.hit(self.engine.name, id, random.randint(1, 5), now_ns)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)


@attrs.define
class Lives:
    """Many traders, one after another, at two venues that live on."""

    path: Path
    url: str
    engines: dict[str, Counting]
    process: asyncio.subprocess.Process
    random: Random
    clock: LiveClock
    moves: bool = False
    facts: list[AnyFact] = attrs.field(factory=list[AnyFact])
    told: set[str] = attrs.field(factory=set[str])
    kills: int = 0
    in_flight: int = 0  # orders that were open when their process was killed

    async def market(self) -> None:
        while True:
            for engine in self.engines.values():
                if self.moves:
                    engine.move(self.random, self.clock.now_ns())
            await asyncio.sleep(0.002)

    async def hear(self, word: str) -> str:
        """The rest of the next line that begins with `word`."""
        assert self.process.stdout is not None
        async with asyncio.timeout(DEADLINE_S):
            while line := (await self.process.stdout.readline()).decode():
                first, _, rest = line.strip().partition(" ")
                if first == "told":
                    self.told.add(rest)
                if first == word:
                    return rest
        raise AssertionError(f"the process ended before it said {word!r}")

    async def born(self, seed: int) -> int:
        """A trader that has taken up everything; what it knows is checked."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{seed}\n".encode())
        child = int(await self.hear("born"))
        known = json.loads(await self.hear("known"))
        truth = {name: engine.position(name, BTC) for name, engine in self.engines.items()}
        assert known == truth, f"booked {known}, at the venues {truth}"
        return child

    async def one(self) -> None:
        child = await self.born(self.kills + 1)
        self.moves = True
        os.kill(child, signal.SIGUSR1)
        await asyncio.sleep(self.random.uniform(0.005, LONGEST_S))
        os.kill(child, signal.SIGKILL)
        await self.hear("gone")
        self.moves = False
        self.kills += 1
        self.look()

    def look(self) -> None:
        """What stands in the journal goes on from what stood there, and lacks nothing."""
        facts = list(read(self.path))
        assert facts[: len(self.facts)] == self.facts, "what was written has changed"
        self.facts = facts
        self.in_flight += len(replayed(facts).open_orders)
        sent = Counter(fact.leg_id for fact in facts if isinstance(fact, Sent))
        assert set(sent.values()) <= {1}
        for engine in self.engines.values():
            assert set(engine.submits.values()) <= {1}, engine.submits.most_common(3)
            assert set(engine.submits) <= set(sent), "an order is at a venue and not in the journal"
        executions = {
            f"{fact.venue}/{fact.report.execution.id}"
            for fact in facts
            if isinstance(fact, Reported) and fact.report.execution is not None
        }
        assert self.told <= executions, f"told, and not in the journal: {self.told - executions}"

    async def end(self) -> None:
        """The last trader cancels everything; then each order is booked as its venue has it."""
        child = await self.born(0)
        os.kill(child, signal.SIGTERM)
        await self.hear("gone")
        self.look()
        ledger = replayed(self.facts)
        assert not ledger.open_orders
        assert not ledger.quarantine
        for name, engine in self.engines.items():
            for id, order in engine.orders(name).items():
                assert ledger.legs[id].booked_increments == order.filled_increments, id
                assert ledger.legs[id].state is order.state, id


def serving(engines: dict[str, Counting]) -> OrderEntryServer:
    """An account at each engine, called as that is."""
    fronts = [Front(cast(Engine, engine), {name: ""}, [BTC]) for name, engine in engines.items()]
    return OrderEntryServer(fronts, LiveClock())


@asynccontextmanager
async def trading(path: Path, seed: int) -> AsyncGenerator[Lives]:
    engines, clock = {name: Counting(name) for name in VENUES}, LiveClock()
    server = serving(engines)
    for engine in engines.values():
        engine.move(Random(0), clock.now_ns())
    url = await server.listen("tcp://127.0.0.1:0")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.routing.proof.killed", str(path), url, cwd=ROOT,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    lives = Lives(path, url, engines, process, Random(seed), clock)
    market = asyncio.create_task(lives.market())
    try:
        yield lives
    finally:
        market.cancel()
        await asyncio.wait([market])
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(DEADLINE_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        await server.close()


async def killed(path: Path, times: int, seed: int) -> Lives:
    async with trading(path, seed) as lives:
        for _ in range(times):
            await lives.one()
        await lives.end()
        return lives


async def test_traders_that_are_killed_lose_nothing_and_send_nothing_twice(tmp_path: Path) -> None:
    lives = await killed(tmp_path / "orders.journal", 12, 1)
    assert lives.in_flight > 0
    assert lives.told


@pytest.mark.soak
async def test_200_traders_that_are_killed_lose_nothing(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    counts = Counter[str]()
    for seed in range(5):  # the journal is read as often as it has lives
        lives = await killed(tmp_path / f"{seed}.journal", 40, seed)
        orders = sum(len(engine.submits) for engine in lives.engines.values())
        counts.update(kills=lives.kills, facts=len(lives.facts), orders=orders, in_flight=lives.in_flight)
        counts.update(fills=len(replayed(lives.facts).legs) and replayed(lives.facts).fills)
    assert counts["kills"] == 200
    note_soak(pytestconfig, "execution_killed", {**counts, "lost": 0, "submitted twice": 0})
