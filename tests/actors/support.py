"""Probe actors that write down what happens to them, and systems that are checked when they have stopped."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from ticktree.actors import Actor, Block, ChildSpec, Clock, Mailbox, Reason, Supervisor, System
from ticktree.actors.cell import ActorCell
from ticktree.actors.commands import CommandedSupervisor

ROOMY = Mailbox(1_000, Block())

StartHook = Callable[["Probe"], Awaitable[None] | None]
StopHook = Callable[["Probe", Reason], Awaitable[None] | None]


class Failure(Exception):
    """What a probe raises when it is told to."""


class Stage:
    """One log for all probes: `+a` when a life of a starts, `-a` when it is stopped, `a: x` when it handles x."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.lives: dict[str, int] = {}

    def child(
        self,
        id: str,
        start: StartHook | None = None,
        stop: StopHook | None = None,
        mailbox: Mailbox = ROOMY,
        **more: Any,
    ) -> ChildSpec:
        """A probe; `start` and `stop` are called in its `on_start` and `on_stop`, after it wrote them down."""
        return ChildSpec(id, lambda *arguments: Probe(self, id, start, stop, arguments), mailbox, **more)

    def children(self, ids: str, **more: Any) -> tuple[ChildSpec, ...]:
        """A probe for each letter of `ids`, all alike."""
        return tuple(self.child(id, **more) for id in ids)

    def take(self) -> list[str]:
        """The log since it was last taken."""
        log, self.log = self.log, []
        return log


class Probe(Actor[Any]):
    """Raises the exceptions it is told, ends with the reasons, calls the functions, and writes down the rest."""

    def __init__(
        self, stage: Stage, id: str, start: StartHook | None, stop: StopHook | None, arguments: tuple[Any, ...]
    ) -> None:
        self.stage, self.id, self.arguments = stage, id, arguments
        self._start, self._stop = start, stop
        self.life = stage.lives[id] = stage.lives.get(id, 0) + 1

    def on_start(self) -> Awaitable[None] | None:
        self.stage.log.append(f"+{self.id}")
        return self._start(self) if self._start else None

    def on_message(self, message: Any) -> Awaitable[None] | None:
        if isinstance(message, BaseException):
            raise message
        if isinstance(message, Reason):
            self.stop(message)
        elif callable(message):
            return cast(Awaitable[None] | None, message(self))
        else:
            self.stage.log.append(f"{self.id}: {message}")
        return None

    def on_stop(self, reason: Reason) -> Awaitable[None] | None:
        self.stage.log.append(f"-{self.id}")
        return self._stop(self, reason) if self._stop else None


def group(*children: ChildSpec | Supervisor, **more: Any) -> Supervisor:
    """A supervisor that gives up late."""
    options: dict[str, Any] = {"intensity": 10, "period_s": 10.0, **more}
    return Supervisor(children, **options)


@asynccontextmanager
async def started(clock: Clock, root: Supervisor, **more: Any) -> AsyncGenerator[System]:
    """A running system, which is stopped at the end and must then have left nothing behind."""
    system = System(root, clock, **more)
    await system.start()
    try:
        yield system
    finally:
        await system.stop()
    assert_nothing_left(system)


def assert_nothing_left(system: System) -> None:
    """No life, no timer, no task but those of leaked handlers, no tick unaccounted for."""
    assert [cell.path for cell in system.cells() if cell.life is not None] == []
    assert asyncio.all_tasks() - {asyncio.current_task()} == set(system.leaked_tasks)
    if not system.leaked_tasks:
        timers: list[asyncio.TimerHandle] = getattr(asyncio.get_running_loop(), "_scheduled", [])
        assert [timer for timer in timers if not timer.cancelled()] == []
    for cell in system.cells():
        assert_conserved(cell)


def assert_conserved(cell: ActorCell) -> None:
    """The mailbox's figures add up, and say what is queued."""
    assert cell.stats().unaccounted == 0, (cell.path, cell.stats())
    assert cell.lane.weigh() == cell.lane.queued, cell.path


async def settled() -> None:
    """Return when nothing more happens without a timer; what is due within a microsecond, the loop takes for due."""
    await asyncio.sleep(2e-6)


async def until(condition: Callable[[], bool]) -> None:
    """Return in the very turn of the loop in which `condition` has come true."""
    for _ in range(10_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it did not come true in 10,000 turns of the loop")


def cell_of(system: System, path: str) -> ActorCell:
    """The runtime's own view of an actor's place."""
    return next(cell for cell in system.cells() if cell.path == path)


def supervisor_of(system: System, path: str = "") -> CommandedSupervisor:
    """The runtime's own view of a supervisor's place."""
    found = system.supervisor(path)
    assert isinstance(found, CommandedSupervisor)
    return found


async def sleep_long(_: object, __: object = None) -> None:
    """A hook that takes a thousand hours."""
    await asyncio.sleep(3_600_000.0)


async def never_mind_cancels(_: object, __: object = None) -> None:
    """A hook that swallows its cancellation and goes on for ten seconds."""
    ends_s = asyncio.get_running_loop().time() + 10.0
    while (left_s := ends_s - asyncio.get_running_loop().time()) > 0:
        try:
            await asyncio.sleep(left_s)
        except asyncio.CancelledError:
            pass


def note_soak(config: pytest.Config, key: str, counts: dict[str, Any]) -> None:
    """Write what a campaign has counted into `soak.json`, beside what other campaigns wrote."""
    path = config.rootpath / "soak.json"
    known: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**known, key: counts}, indent=2, sort_keys=True) + "\n")
