"""One supervisor tree on one event loop: its start, its signals, its end."""

import asyncio
import difflib
import logging
import signal
import sys
from collections.abc import Callable, Iterable
from random import Random
from typing import Any

import attrs
import uvloop

from . import snapshot
from .affinity import pin
from .cell import ActorCell
from .clock import NS, Clock, LiveClock
from .collector import Collector
from .commands import CommandedSupervisor
from .errors import NotRunning, SpecError, StartFailed, UnknownActor
from .life import Leak
from .reason import SHUTDOWN, Exit, Reason
from .ref import ActorRef, SupervisorRef
from .scheduler import Scheduler
from .spec import Supervisor, check_root
from .supervisor import SupervisorCell
from .watchdog import Watchdog

log = logging.getLogger("ticktree.actors")


@attrs.frozen
class Step:
    """One stop: of an actor or a supervisor, how long it took, and why its life ended."""

    path: str
    duration_s: float
    reason: Reason | None
    overran: bool


@attrs.frozen
class StopReport:
    """How a system ended. `exit_code` is 0 when everything stopped in time and for the wanted reason."""

    reason: Reason
    duration_s: float
    steps: tuple[Step, ...]
    overran: tuple[str, ...]  # paths that were killed because they took too long
    leaks: tuple[Leak, ...]
    dropped_stop: int  # ticks that were still queued

    @property
    def exit_code(self) -> int:
        """0, or 1: a supervisor gave up, somebody overran, or a handler could not be cancelled."""
        clean = self.reason == SHUTDOWN and self.reason.error is None
        return 0 if clean and not self.overran and not self.leaks else 1


class System:
    """Owns every life in one process. `async with System(root):`, or `start`, `wait` and `stop`.

    root        the tree; paths of its children are `group/child`
    clock       live unless told; a `VirtualClock` on a `VirtualLoop` makes a simulation
    seed        draws the order in which runnable actors go, and the jitter of restart delays; None: in turn
    budget_s    how long the whole stop may take; what is left then is killed
    watchdog_s  a loop blocked for longer is dumped and counted; 0 for off
    cpus        CPUs to stay on (Linux)
    """

    def __init__(
        self,
        root: Supervisor,
        clock: Clock | None = None,
        *,
        seed: int | None = None,
        budget_s: float = 10.0,
        watchdog_s: float = 0.25,
        cpus: Iterable[int] | None = None,
    ) -> None:
        check_root(root)
        if not 0 < budget_s < 1e9:
            raise SpecError(f"budget_s is a number of seconds above 0; not {budget_s!r}")
        self.clock: Clock = clock or LiveClock()
        self.budget_s = budget_s
        self.random = Random(seed)
        self.scheduler = Scheduler(self.clock, Random(seed) if seed is not None else None)
        self.watchdog = Watchdog(self.clock, watchdog_s if isinstance(self.clock, LiveClock) else 0.0)
        self.collector = Collector()
        self.root = CommandedSupervisor(self, None, root, root.id)
        self._cpus = tuple(cpus) if cpus is not None else None
        self._leaked: dict[asyncio.Task[None], Leak] = {}
        self._leaks: list[Leak] = []
        self._ended: asyncio.Future[Reason] | None = None
        self._steps: list[Step] = []
        self._stopping_since_ns: int | None = None

    # --- life --------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start the tree, in order. Raises `StartFailed` after having stopped what had started."""
        if self._ended is not None:
            raise NotRunning("a system starts once: make a new one")
        if self._cpus is not None:
            pin(self._cpus)
        self._ended = asyncio.get_running_loop().create_future()
        self.scheduler.start()
        self.watchdog.start()
        starting = self.root.start()
        assert starting is not None
        try:
            await starting
        except StartFailed as error:
            self.root_ended(self.root.last_reason or Reason(Exit.ERROR, error))
            raise
        except asyncio.CancelledError:  # nobody else would stop what has started
            await self.stop()
            raise
        self.collector.start()

    async def wait(self) -> StopReport:
        """Wait until the system has ended, by `stop`, a signal, or because its root gave up."""
        if self._ended is None:
            raise NotRunning("the system was not started")
        reason = await asyncio.shield(self._ended)
        return self._report(reason)

    async def stop(self) -> StopReport:
        """Stop the tree, in reverse, mailboxes drained, within the budget. What a signal does, too."""
        self.begin_stop()
        return await self.wait()

    def begin_stop(self) -> None:
        """Have the stop begin: at once, all actors are told to drain. A second call cuts the draining short."""
        if self._ended is None or self._ended.done():
            return
        if self._stopping_since_ns is not None:
            self.root.cut_drain()
            return
        self._stopping_since_ns = self.clock.monotonic_ns()
        self.root.announce_drain()
        due_ns = self._stopping_since_ns + round(self.budget_s * NS)
        alarm = self.clock.call_at(due_ns, self._over_budget)
        self._ended.add_done_callback(lambda _: alarm.cancel())
        self.root.stop(drain=True)

    def _over_budget(self) -> None:
        running = [cell.path for cell in self.cells() if cell.life is not None]
        log.error("the stop took longer than its budget of %g s; killed: %s", self.budget_s, ", ".join(running))
        for cell in self.cells():
            cell.overran = cell.overran or cell.life is not None
        self.root.kill()

    @property
    def stopping(self) -> bool:
        """Whether a stop has begun."""
        return self._stopping_since_ns is not None

    async def __aenter__(self) -> "System":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    # --- what can be found and seen ----------------------------------------------------------------------------

    def ref(self, path: str) -> ActorRef[Any]:
        """The ref of the actor at `path`; valid before the start. Raises `UnknownActor`, naming the nearest."""
        cell = self._walk(path)
        if not isinstance(cell, ActorCell):
            raise self._unknown(path)
        return cell.ref

    def supervisor(self, path: str = "") -> SupervisorRef:
        """The supervisor at `path`; the root without one. Raises `UnknownActor`."""
        cell = self._walk(path) if path else self.root
        if not isinstance(cell, CommandedSupervisor):
            raise self._unknown(path)
        return cell

    def snapshot(self) -> snapshot.Tree:
        """The whole tree at this instant."""
        return snapshot.take(self)

    def cells(self) -> list[ActorCell]:
        """Every actor's place, in order of start (the runtime's own view)."""
        return _cells(self.root)

    def _walk(self, path: str) -> ActorCell | SupervisorCell | None:
        cell: ActorCell | SupervisorCell | None = self.root
        for name in path.split("/"):
            cell = cell.children.get(name) if isinstance(cell, SupervisorCell) else None
        return cell

    def _unknown(self, path: str) -> UnknownActor:
        known = [cell.path for cell in self.cells()]
        return UnknownActor(path, difflib.get_close_matches(path, known, 3, 0.4) or known[:5])

    @property
    def leaks(self) -> tuple[Leak, ...]:
        """Handlers that swallowed their cancellation, ever."""
        return tuple(self._leaks)

    @property
    def leaked_tasks(self) -> tuple["asyncio.Task[None]", ...]:
        """Those of them that still run."""
        return tuple(self._leaked)

    # --- what cells and supervisors report ---------------------------------------------------------------------

    def leaked(self, leak: Leak, task: "asyncio.Task[None]") -> None:
        """A handler swallowed its cancellation; the system keeps its task."""
        log.error("%s life %d swallowed its cancellation, waiting on %s", leak.path, leak.life, leak.waits_on)
        self._leaked[task] = leak
        self._leaks.append(leak)

    def leak_ended(self, task: "asyncio.Task[None]") -> None:
        """A leaked handler ended after all."""
        self._leaked.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a leaked handler raised", exc_info=error)

    def stopped(self, cell: ActorCell | SupervisorCell, began_ns: int) -> None:
        """A supervisor has stopped a child."""
        if self._stopping_since_ns is not None:
            duration_s = (self.clock.monotonic_ns() - began_ns) / NS
            self._steps.append(Step(cell.path, duration_s, cell.last_reason, cell.overran))

    def broken(self, path: str, error: BaseException) -> None:
        """The runtime itself failed: nothing can be trusted, so everything is killed, once."""
        log.critical("the supervisor %s is broken; killing the system", path, exc_info=error)
        if self._ended is not None and self._ended.done():
            return
        self.root.kill()
        self.root_ended(Reason(Exit.ERROR, error))

    def root_ended(self, reason: Reason) -> None:
        """The root has no life any more: nothing runs."""
        self.root.close()
        self.watchdog.stop()
        self.collector.stop()
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(reason)

    def _report(self, reason: Reason) -> StopReport:
        now_ns = self.clock.monotonic_ns()
        since_ns = self._stopping_since_ns if self._stopping_since_ns is not None else now_ns
        cells = self.cells()
        return StopReport(
            reason=reason,
            duration_s=(now_ns - since_ns) / NS,
            steps=tuple(self._steps),
            overran=tuple(cell.path for cell in cells if cell.overran),
            leaks=self.leaks,
            dropped_stop=sum(cell.lane.stopped for cell in cells),
        )

    # --- signals -----------------------------------------------------------------------------------------------

    def handle_signals(self) -> None:
        """SIGINT and SIGTERM stop the system, the second one cuts its draining short; SIGUSR1 prints the tree. SIGUSR2
        is the watchdog's own, unless it has a handler.

        When the stop outlasts its budget by a second, the process ends itself.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._on_signal, number)
            signal.signal(number, self._limit_stop)  # runs at once, also where a handler blocks the loop
            signal.siginterrupt(number, False)
        loop.add_signal_handler(signal.SIGUSR1, self._print_tree)
        if signal.getsignal(signal.SIGUSR2) is signal.SIG_DFL:
            signal.signal(signal.SIGUSR2, _nothing)
            self.watchdog.nudge_with(signal.SIGUSR2)

    def ignore_signals(self) -> None:
        """Undo `handle_signals`."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
            loop.remove_signal_handler(number)
        if signal.getsignal(signal.SIGUSR2) is _nothing:
            self.watchdog.nudge_with(None)
            signal.signal(signal.SIGUSR2, signal.SIG_DFL)

    def _print_tree(self) -> None:
        sys.stderr.write(f"{self.snapshot()}\n")
        sys.stderr.flush()

    def _on_signal(self, number: signal.Signals) -> None:
        again = self._stopping_since_ns is not None
        log.warning("%s: %s", number.name, "cutting the drain short" if again else "stopping")
        self.begin_stop()

    def _limit_stop(self, *_: object) -> None:
        self.watchdog.exit_at(self.clock.monotonic_ns() + round((self.budget_s + 1) * NS))


def _nothing(*_: object) -> None:
    """Its coming is all that a nudge is for."""


def _cells(supervisor: SupervisorCell) -> list[ActorCell]:
    found: list[ActorCell] = []
    for child in supervisor.children.values():
        found += [child] if isinstance(child, ActorCell) else _cells(child)
    return found


def new_loop(kind: str = "uvloop") -> Callable[[], asyncio.AbstractEventLoop]:
    """A loop factory: `uvloop`, or `asyncio` where uvloop is not wanted."""
    if kind == "uvloop":
        return uvloop.new_event_loop
    if kind == "asyncio":
        return asyncio.new_event_loop
    raise SpecError(f"loop is uvloop or asyncio; not {kind!r}")


def run_system(make: Callable[[], System], loop: str = "uvloop") -> StopReport:
    """Run the system that `make` returns until a signal or its own end; blocks. Raises `StartFailed`.

    Signals are heard from the first moment; one that comes while the tree starts stops what has started. What keeps
    the loop from closing, for a second or what is left of the budget, ends the process.
    """
    systems: list[System] = []

    async def main() -> StopReport:
        system = make()
        systems.append(system)
        system.handle_signals()
        try:
            await system.start()
        except StartFailed:
            if not system.stopping:
                raise
        try:
            return await system.wait()
        finally:
            system.ignore_signals()
            system.watchdog.exit_at(system.clock.monotonic_ns() + NS)
            for task in system.leaked_tasks:  # the runner would wait for them for ever
                asyncio.tasks._unregister_task(task)  # pyright: ignore[reportPrivateUsage]  # asyncio has no public way

    try:
        with asyncio.Runner(loop_factory=new_loop(loop)) as runner:
            return runner.run(main())
    finally:
        for system in systems:
            system.watchdog.stop()
