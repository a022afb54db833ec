"""A random tree of 200 actors under a storm of failures: nothing is orphaned, miscounted, or handled by the dead."""

import asyncio
import hashlib
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from random import Random
from typing import Any

import pytest

from tests.actors.support import Failure, assert_conserved, assert_nothing_left, note_soak
from ticktree.actors import (
    KILLED,
    NORMAL,
    SHUTDOWN,
    Actor,
    ActorRef,
    ActorsError,
    Backoff,
    Block,
    ChildInfo,
    ChildSpec,
    Conflate,
    Delivery,
    DropNewest,
    DropOldest,
    Fail,
    Ignore,
    Mailbox,
    MailboxFull,
    NoDelay,
    NotRunning,
    Reason,
    Restart,
    RestartStrategy,
    StartFailed,
    Supervisor,
    System,
    VirtualClock,
    failed,
    simulate,
)
from ticktree.actors.cell import ActorCell
from ticktree.actors.commands import CommandedSupervisor
from ticktree.actors.life import State

ACTORS = 200
EXITS = {"normal": NORMAL, "shutdown": SHUTDOWN, "killed": KILLED, "error": failed(Failure("exit"))}
DEADLY = ("raise", "raise later", *(f"exit {kind}" for kind in EXITS), *(f"exit {kind} later" for kind in EXITS))
HARMLESS = ("work", "work", "forward", "timer", "sleep", "stubborn")
RINGS = ("work", "raise")
STARTS = ("raise", "raise later", "ignore", "hang", "slow", "exit")


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Thousands of tracebacks are nobody's reading."""
    logger = logging.getLogger("ticktree.actors")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    yield
    logger.setLevel(level)


class NewestWork:
    """Merges what is only work."""

    def key(self, message: str) -> str | None:
        return message if message == "work" else None

    def merge(self, older: str, newer: str) -> tuple[str, int]:
        return newer, 1


MAILBOXES = (
    Mailbox(8, Block()),
    Mailbox(100, Block()),
    Mailbox(5, DropOldest()),
    Mailbox(5, DropNewest()),
    Mailbox(5, Fail()),
    Mailbox(5, Conflate(NewestWork(), otherwise=DropOldest())),
)


class Leaf(Actor[str]):
    """Does what it is told, which is often the end of it."""

    def __init__(self, storm: "Storm") -> None:
        self.storm = storm
        self.number = 0  # of all lives
        self.where = ""
        self.over = self.killed = False

    def on_start(self) -> Awaitable[None] | None:
        self.where = self.path
        how = self.storm.begins(self)
        match how:
            case "raise":
                self.fails("on_start raises")
            case "ignore":
                self.storm.ignored.add(self.where)
                raise Ignore
            case "exit":
                self.exits("normal")
            case "raise later" | "hang" | "slow":
                return self.start_later(how)
            case _:
                pass
        return None

    async def start_later(self, how: str) -> None:
        await asyncio.sleep(3_600.0 if how == "hang" else 0.02)
        if how == "raise later":
            self.fails("on_start raises later")

    def on_message(self, message: str) -> Awaitable[None] | None:
        self.storm.handles(self, message)
        match message.split():
            case ["raise"]:
                self.fails("raises")
            case ["exit", kind]:
                self.exits(kind)
            case ["forward"]:
                self.storm.tell_somebody(self.storm.random.choice(HARMLESS))
            case ["timer"]:
                self.after(self.storm.random.random(), f"ring {self.number} {self.storm.random.choice(RINGS)}")
            case ["ring", number, then]:
                self.storm.must(number == str(self.number), f"{self.where} handled a timer of a former life")
                if then == "raise":
                    self.fails("raises")
            case [*_, "later"] | ["sleep" | "stubborn"]:
                return self.do_later(message)
            case _:
                pass
        return None

    async def do_later(self, message: str) -> None:
        try:
            await asyncio.sleep(self.storm.random.random() * 0.1)
        except asyncio.CancelledError:
            if message != "stubborn":
                raise
            await asyncio.sleep(1.0)
            return
        match message.split():
            case ["raise", "later"]:
                self.fails("raises later")
            case ["exit", kind, "later"]:
                self.exits(kind)
            case _:
                pass

    def on_stop(self, reason: Reason) -> Awaitable[None] | None:
        self.storm.must(not self.killed, f"on_stop after a kill: {self.where}")
        self.over = True
        self.storm.note(self, f"stops: {reason.kind}")
        draw = self.storm.random.random()
        if draw < 0.02:
            self.fails("on_stop raises")
        return self.stop_later(20.0 if draw < 0.03 else draw) if draw < 0.1 else None

    async def stop_later(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def fails(self, how: str) -> None:
        self.storm.failure(self, how)
        self.over = True
        raise Failure(how)

    def exits(self, kind: str) -> None:
        self.storm.failure(self, f"exits: {kind}")
        self.over = True
        self.stop(EXITS[kind])

    @property
    def lives(self) -> bool:
        """Whether the runtime lets it act."""
        try:
            return self.ref.path == self.where
        except NotRunning:
            return False


class Storm:
    """One seed: a tree, what befalls it, and what must hold all the time."""

    def __init__(self, clock: VirtualClock, seed: int) -> None:
        self.clock = clock
        self.random = Random(seed)
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.told: dict[ActorRef[Any], Counter[Delivery]] = {}
        self.present: dict[str, Leaf] = {}
        self.starts: dict[str, str] = {}  # how the next life at a path begins
        self.ignored: set[str] = set()
        self.meddled: set[str] = set()  # paths that commands have stopped
        self.cells: dict[ActorCell, None] = {}  # all there ever were
        self.here: list[ActorCell] = []  # those there are now
        self.commands: set[asyncio.Task[None]] = set()
        self.trace = hashlib.sha256()
        self.system = System(self.plant(), clock, seed=seed, budget_s=1_000.0)

    # --- the tree ---

    def plant(self) -> Supervisor:
        groups = [self.grow(f"g{number}", 40, depth=1) for number in range(ACTORS // 40)]
        return Supervisor(groups, intensity=1_000_000, period_s=1.0)

    def grow(self, id: str, actors: int, depth: int) -> Supervisor:
        draw = self.random
        strategy = draw.choice(list(RestartStrategy)) if actors < 10 else draw.choice(list(RestartStrategy)[:3])
        leaves = actors if depth == 4 or actors < 5 else draw.randrange(1, 1 + actors // 2)
        children: list[ChildSpec | Supervisor] = [self.leaf(f"a{number}") for number in range(leaves)]
        if strategy is RestartStrategy.SIMPLE_ONE_FOR_ONE:
            children = [self.leaf(f"t{actors}")]
        elif actors > leaves:
            first = (actors - leaves) // 2
            for number, size in enumerate((first, actors - leaves - first)):
                if size:
                    children.insert(draw.randrange(len(children)), self.grow(f"s{number}", size, depth + 1))
        return Supervisor(
            children,
            strategy,
            intensity=draw.choice((1, 3, 10, 1_000)),
            period_s=draw.choice((0.5, 5.0)),
            id=id,
            restart=draw.choice((Restart.PERMANENT, Restart.PERMANENT, Restart.TRANSIENT)),
            shutdown=draw.choice(("infinity", "infinity", 1.0, "brutal_kill")),
            delay=draw.choice((NoDelay(), NoDelay(), Backoff(base_s=0.01, ceiling_s=0.1))),
        )

    async def fill_pools(self) -> None:
        for supervisor in self.supervisors():
            if supervisor.spec.strategy is RestartStrategy.SIMPLE_ONE_FOR_ONE:
                for _ in range(int(supervisor.spec.children[0].id[1:])):
                    await supervisor.start_child()

    def leaf(self, id: str) -> ChildSpec:
        draw = self.random
        return ChildSpec(
            id,
            lambda: Leaf(self),
            draw.choice(MAILBOXES),
            restart=draw.choice((Restart.PERMANENT, Restart.PERMANENT, Restart.TRANSIENT, Restart.TEMPORARY)),
            shutdown=draw.choice((0.2, 2.0, "brutal_kill")),
            start_timeout_s=0.5,
        )

    def supervisors(self) -> list[CommandedSupervisor]:
        found, unseen = [self.system.root], [self.system.root]
        while unseen:
            below = [child for child in unseen.pop().children.values() if isinstance(child, CommandedSupervisor)]
            found += below
            unseen += below
        return found

    # --- what leaves report ---

    def must(self, condition: bool, otherwise: str) -> None:
        """Remember what is wrong; an assertion within a handler would only be one failure more."""
        if not condition:
            self.wrong.append(otherwise)

    def note(self, leaf: Leaf, what: str) -> None:
        self.trace.update(f"{self.clock.monotonic_ns()} {leaf.where} {what}\n".encode())

    def begins(self, leaf: Leaf) -> str:
        former = self.present.get(leaf.where)
        self.must(former is None or not former.lives, f"two lives at {leaf.where}")
        self.present[leaf.where] = leaf
        self.ignored.discard(leaf.where)
        self.counts["lives"] += 1
        leaf.number = self.counts["lives"]
        self.note(leaf, "begins")
        return self.starts.pop(leaf.where, "")

    def handles(self, leaf: Leaf, message: str) -> None:
        self.must(not leaf.over, f"{leaf.where} handled {message}, but its life is over")
        self.must(not leaf.killed, f"{leaf.where} handled {message}, but it was killed")
        self.must(leaf.lives, f"{leaf.where} handled {message}, but it does not live")
        self.must(self.present[leaf.where] is leaf, f"{leaf.where} handled {message} in a former life")
        self.counts["handled"] += 1
        self.note(leaf, message)

    def failure(self, leaf: Leaf, how: str) -> None:
        self.counts["failures"] += 1
        self.counts[how] += 1
        self.note(leaf, how)

    # --- what befalls the tree ---

    def tell_somebody(self, message: str) -> None:
        if self.here:
            self.tell(self.random.choice(self.here).ref, message, self.random.choice((1, 1, 1, 2, 3)))

    def tell(self, ref: ActorRef[Any], message: str, weight: int) -> None:
        told = self.told.setdefault(ref, Counter())
        try:
            told[ref.tell(message, weight)] += weight
        except MailboxFull:
            told[Delivery.FULL] += weight

    def kill_somebody(self) -> None:
        cell = self.random.choice(self.here)
        leaf = cell.life.actor if cell.life is not None else None
        if isinstance(leaf, Leaf):
            leaf.killed = True
            self.failure(leaf, "killed")
            cell.kill()

    def curse_somebody(self) -> None:
        cell = self.random.choice(self.here)
        self.starts[cell.path] = self.random.choice(STARTS)
        self.tell(cell.ref, "raise", 1)

    def command(self) -> None:
        if len(self.commands) < 20:
            supervisor = self.random.choice([cell for cell in self.supervisors() if cell.state is State.RUNNING])
            task = asyncio.ensure_future(self.obey(supervisor, self.choose(supervisor)))
            self.commands.add(task)
            task.add_done_callback(self.commands.discard)

    def choose(self, supervisor: CommandedSupervisor) -> Callable[[], Coroutine[Any, Any, Any]]:
        children = supervisor.which_children()
        if supervisor.spec.strategy is RestartStrategy.SIMPLE_ONE_FOR_ONE:
            if len(children) < 8:
                return supervisor.start_child
            id = self.random.choice(children).id
            return lambda: supervisor.terminate_child(id)
        missing = [spec for spec in supervisor.spec.children if spec.id not in supervisor.children]
        vacant = [child for child in children if child.state == "vacant"]
        if missing:
            return lambda: supervisor.start_child(missing[0])
        if vacant and self.random.random() < 0.9:
            return lambda: self.restart(supervisor, vacant[0])
        child = self.random.choice(children)
        # who waits in a group for the restart of a child that is terminated stays down with it
        alone = supervisor.spec.strategy is RestartStrategy.ONE_FOR_ONE
        self.meddled.update([child.path] if alone else [info.path for info in children])
        return lambda: self.random.choice((supervisor.terminate_child, supervisor.delete_child))(child.id)

    async def restart(self, supervisor: CommandedSupervisor, child: ChildInfo) -> None:
        try:
            await supervisor.restart_child(child.id)
        except StartFailed:
            self.meddled.add(child.path)  # what was down and cannot start stays down
            raise

    async def obey(self, supervisor: CommandedSupervisor, command: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        try:
            await command()
            outcome = "done"
        except ActorsError as error:
            outcome = type(error).__name__
        self.counts[f"command {outcome}"] += 1
        self.trace.update(f"{self.clock.monotonic_ns()} {supervisor.path} command {outcome}\n".encode())

    async def rage(self, failures: int) -> None:
        """Let it all happen."""
        for step in range(100 * failures):
            if self.counts["failures"] >= failures:
                return
            if step % 200 == 0:
                self.check()
                assert self.system.root.state is State.RUNNING
            draw = self.random.random()
            if draw < 0.02:
                self.command()
            elif draw < 0.05:
                self.kill_somebody()
            elif draw < 0.08:
                self.curse_somebody()
            elif draw < 0.4:
                self.tell_somebody(self.random.choice(DEADLY))
            else:
                self.tell_somebody(self.random.choice(HARMLESS))
            if draw < 0.5:
                await self.clock.sleep(self.random.random() * 0.02)
        raise AssertionError(f"too few failures: {self.counts}")

    # --- what must hold ---

    def check(self) -> None:
        assert self.wrong == []
        self.here = self.system.cells()
        self.cells.update(dict.fromkeys(self.here))
        for cell in self.cells:
            self.check_mailbox(cell)
        supervisors = self.supervisors()
        self.check_counts(supervisors)
        self.check_tasks(supervisors)
        self.counts["checks"] += 1

    def check_mailbox(self, cell: ActorCell) -> None:
        assert_conserved(cell)
        stats, told = cell.stats(), self.told.get(cell.ref, Counter())
        assert stats.received == told[Delivery.ACCEPTED] + told[Delivery.CONFLATED] + told[Delivery.DROPPED]
        assert stats.refused == told[Delivery.FULL] + told[Delivery.CLOSED]
        left = stats.control_handled + stats.control_dropped + stats.control_queued + stats.control_in_handler
        assert stats.control_received == left

    def check_counts(self, supervisors: list[CommandedSupervisor]) -> None:
        alive = Counter(path.rpartition("/")[0] for path, leaf in self.present.items() if leaf.lives)
        for supervisor in supervisors:
            count, children = supervisor.count_children(), supervisor.which_children()
            below = [child for child in supervisor.children.values() if isinstance(child, CommandedSupervisor)]
            up = sum(child.state is not State.VACANT for child in below)
            assert count.active == alive.pop(supervisor.path, 0) + up, supervisor.path
            assert (count.specs, count.supervisors) == (len(children), len(below))
            assert count.actors == sum(child.kind == "actor" for child in children)
        assert not alive, f"lives without a supervisor: {alive}"

    def check_tasks(self, supervisors: list[CommandedSupervisor]) -> None:
        ours = {asyncio.current_task(), *self.commands, *self.system.leaked_tasks}
        handlers = {cell.life.task for cell in self.here if cell.life is not None}
        others = [task.get_name() for task in asyncio.all_tasks() - ours - handlers]
        paths = {supervisor.path for supervisor in supervisors}
        assert paths.issuperset(others), "orphans"
        assert len(others) == len(set(others)), "a supervisor has two tasks"

    def check_all_is_well(self) -> None:
        """After the storm every permanent child that nobody meddled with runs, below supervisors that do."""
        for supervisor in self.supervisors():
            if supervisor.state is not State.RUNNING:
                continue
            for child in supervisor.children.values():
                if child.spec.restart is Restart.PERMANENT and child.path not in self.ignored | self.meddled:
                    assert child.state is State.RUNNING, f"{child.path} is {child.state}"


def endure(seed: int, failures: int) -> tuple[Counter[str], str]:
    """Counts of what happened, and a digest of all of it in order."""
    unhandled: list[dict[str, Any]] = []

    async def main(clock: VirtualClock) -> Storm:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
        storm = Storm(clock, seed)
        await storm.system.start()
        await storm.fill_pools()
        assert storm.counts["lives"] == ACTORS
        await storm.rage(failures)
        await asyncio.sleep(100.0)
        storm.check()
        storm.check_all_is_well()
        report = await storm.system.stop()
        assert not storm.commands
        assert_nothing_left(storm.system)
        for cell in storm.cells:
            storm.check_mailbox(cell)
            assert cell.stats().queued == 0
        storm.counts["leaks"] = len(report.leaks)
        return storm

    storm = simulate(main)
    assert storm.wrong == []
    assert unhandled == []
    return storm.counts, storm.trace.hexdigest()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_random_tree_survives_thousands_of_failures(seed: int) -> None:
    counts, _ = endure(seed, 2_000)
    assert counts["failures"] >= 2_000
    for what in ("raises", "raises later", "on_start raises", "killed", "exits: normal", "exits: error", "leaks"):
        assert counts[what] > 0, what


def test_the_same_seed_gives_the_same_trace_twice_and_another_seed_another() -> None:
    first = endure(4, 500)
    assert first == endure(4, 500)
    assert first != endure(5, 500)


@pytest.mark.soak
def test_a_random_tree_survives_millions_of_failures(pytestconfig: pytest.Config) -> None:
    total: Counter[str] = Counter()
    for seed in range(200):
        counts, _ = endure(seed, 10_000)
        total += counts
        total["seeds"] += 1
    assert total["failures"] >= 2_000_000
    note_soak(pytestconfig, "random_tree", dict(total))
