"""Erlang/OTP's supervisor: starts children in order, restarts them by its strategy, gives up beyond its intensity, and
stops them in reverse.

    start       children in order; one fails: those before it are stopped in reverse, and the supervisor fails
    child ends  permanent: restart; transient: restart after `killed` or an error; temporary: forget it
    restart     one_for_one that child; rest_for_one it and those after it; one_for_all all: stopped in reverse, started
                in order, now or after `delay`. Counted; a start that fails is counted and tried again
    give up     more than `intensity` restarts in `period_s`: stop all children, end with `shutdown`
    significant a child that ended by itself and is not restarted may end the supervisor (`auto_shutdown`)
    stop        children in reverse, each with its own `shutdown`; a simple_one_for_one's all at once

Endings, commands and restarts that are due are served one at a time, in order, by one task that lives while there are
any; a delay keeps nobody waiting. Questions (`which_children`, `count_children`) and the wish to stop are heard at
once, also while that task waits for a child to start.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from .actor import Ignore
from .cell import HISTORY, ActorCell
from .clock import NS, Alarm, settle
from .errors import (
    Closed,
    IntensityExceeded,
    StartFailed,
)
from .life import State
from .reason import KILLED, SHUTDOWN, Exit, Reason
from .spec import AutoShutdown, ChildSpec, Restart, RestartStrategy, Shutdown, Supervisor

if TYPE_CHECKING:
    from .system import System

log = logging.getLogger("ticktree.actors")

YIELD_EVERY = 256  # children stopped before others have a turn: ten thousand at once would block the loop
Child: TypeAlias = "ActorCell | SupervisorCell"


class StopWanted(Exception):
    """The supervisor is to stop: leave what is under way."""


class SupervisorCell:
    """One supervisor's place in the tree: its children, and the life that looks after them."""

    def __init__(self, system: "System", parent: "SupervisorCell | None", spec: Supervisor, path: str) -> None:
        self.system, self.parent, self.spec, self.path = system, parent, spec, path
        self.clock = system.clock
        self.state = State.VACANT
        self.lives = 0
        self.restarts = 0
        self.overran = False
        self.history: deque[str] = deque(maxlen=HISTORY)
        self.last_reason: Reason | None = None
        self.restarting: dict[str, Alarm | None] = {}  # ids to be started again; the alarm is with whose turn it is
        self._is_simple = spec.strategy is RestartStrategy.SIMPLE_ONE_FOR_ONE
        # The places of `spec.children` outlast their deletion: the next life has them again, so refs stay valid.
        self._specified = {} if self._is_simple else {child.id: self._place(child) for child in spec.children}
        self.children: dict[str, Child] = dict(self._specified)
        self._restarted_ns: deque[int] = deque()
        self._endings: deque[str] = deque(maxlen=HISTORY)  # of children
        self._unserved: deque[Callable[[], Coroutine[Any, Any, None]]] = deque()
        self._unserved_endings: set[Child] = set()
        self._commands: dict[asyncio.Future[Any], None] = {}  # to be answered whatever happens
        self._task: asyncio.Task[None] | None = None
        self._pause: asyncio.Future[None] | None = None  # of that task, while it waits for a child to start
        self._started: asyncio.Future[None] | None = None
        self._ended: asyncio.Future[None] | None = None
        self._deadline: Alarm | None = None
        self._stopping: Reason | None = None
        self._drain = False
        self._next_id = 0

    def _place(self, spec: ChildSpec | Supervisor) -> Child:
        if isinstance(spec, Supervisor):
            return type(self)(self.system, self, spec, self._path_of(spec.id))
        return ActorCell(self.system, self, spec, self._path_of(spec.id))

    def _path_of(self, id: str) -> str:
        return id if self.parent is None else f"{self.path}/{id}"

    # --- life, as the parent sees it (the same calls as a cell's) ----------------------------------------------

    def start(self) -> "asyncio.Future[None] | None":
        """Begin a life: start the children in order. A future; it raises `StartFailed`."""
        assert self.state is State.VACANT, f"{self.path} lives already"
        self.lives += 1
        self.state = State.STARTING
        self._drain = False
        self._restarted_ns.clear()
        self._endings.clear()
        self.children = dict(self._specified)
        self._started = asyncio.get_running_loop().create_future()
        self._serve(self._start_all)
        return self._started

    def stop(self, drain: bool = False) -> "asyncio.Future[None] | None":
        """End this life: stop the children in reverse. A future for its end, None when there is no life."""
        if self.state is State.VACANT:
            return None
        loop = asyncio.get_running_loop()
        ended = self._ended = self._ended or loop.create_future()
        self._drain = drain
        if not isinstance(self.spec.shutdown, Shutdown):
            self._set_deadline(self.spec.shutdown)
        elif self.spec.shutdown is Shutdown.BRUTAL_KILL:
            loop.call_soon(self.kill)  # not within this call: it may come from a handler below
        self._want_stop(SHUTDOWN)
        return ended

    def _set_deadline(self, seconds: float) -> None:
        if self._deadline is None:
            self._deadline = self.clock.call_at(self.clock.monotonic_ns() + round(seconds * NS), self._stop_overran)

    def _stop_overran(self) -> None:
        self.overran = True
        log.error("%s did not stop within %s s: killed", self.path, self.spec.shutdown)
        self.kill()

    def kill(self) -> None:
        """Kill every life below, at once."""
        if self.state is not State.VACANT:
            self._want_stop(KILLED)
        for child in reversed(self.children.values()):
            child.kill()

    def cut_drain(self) -> None:
        """Do not handle what is still queued."""
        self._drain = False
        for child in self.children.values():
            child.cut_drain()

    def close(self) -> None:
        """Nobody will live below again, unless this is started anew."""
        for child in (*self.children.values(), *self._specified.values()):
            child.close()

    def announce_drain(self) -> None:
        """Tell every actor below that the system is about to stop."""
        for child in self.children.values():
            child.announce_drain()

    def waits_on(self) -> str:
        """Whose start, or restart, is under way or due."""
        return ", ".join(
            f"{'restart' if id in self.restarting else 'start'} of {id}"
            for id, child in self.children.items()
            if id in self.restarting or child.state is State.STARTING
        )

    # --- the task that serves ----------------------------------------------------------------------------------

    def _serve(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._unserved.append(work)
        self._ensure_task()

    def _ensure_task(self) -> None:
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work(), name=self.path)
            self._task.add_done_callback(self._worked)

    async def _work(self) -> None:
        try:
            while self._unserved and self._stopping is None:
                try:
                    await self._unserved.popleft()()
                except StopWanted:
                    break
                if self._unserved:
                    await asyncio.sleep(0)  # many may end at once; others want their turn, too
            if self._stopping is not None:
                await self._terminate()
        finally:
            self._task = None  # here and not when the loop tells: what comes in between needs a new task

    def _worked(self, task: "asyncio.Task[None]") -> None:
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is not None:
            self.system.broken(self.path, error)

    def _want_stop(self, reason: Reason) -> None:
        """Stop as soon as what is under way lets go. Starting children are not waited for; who asked is told."""
        if self._stopping is None or (self._stopping is SHUTDOWN and reason is KILLED):
            self._stopping = reason
        if self._pause is not None:
            settle(self._pause)
        self._refuse_commands()
        self._ensure_task()

    # --- starting ----------------------------------------------------------------------------------------------

    async def _start_all(self) -> None:
        """The first thing a life does."""
        try:
            for child in tuple(self.children.values()):
                await self._start_child(child)
        except StartFailed as error:
            await self._stop_children()
            self._end(Reason(Exit.ERROR, error), error)
            return
        started, self._started = self._started, None
        self.state = State.RUNNING
        if started is not None:
            settle(started)

    async def _start_child(self, child: Child) -> None:
        """Start one child and wait until it runs. An ignored one stays specified, unless it is temporary."""
        if self._stopping is not None:
            raise StopWanted
        self._unserved_endings.discard(child)
        try:
            starting = child.start()
            if starting is not None:
                await self._wait(starting)
        except Ignore:
            child.close()
            if child.spec.restart is Restart.TEMPORARY or self._is_simple:
                self._forget(child)

    async def _wait(self, starting: "asyncio.Future[None]") -> None:
        """Wait until a child has started, or leave it behind with `StopWanted`."""
        pause = self._pause = asyncio.get_running_loop().create_future()
        starting.add_done_callback(partial(settle, pause))
        starting.add_done_callback(_look_at)  # perhaps nobody else will
        if self._stopping is None:
            await pause
        self._pause = None
        if self._stopping is not None:
            raise StopWanted
        starting.result()

    def _forget(self, child: Child) -> None:
        child.close()
        self._unserved_endings.discard(child)
        if self.children.get(id_of(child)) is child:
            del self.children[id_of(child)]

    # --- a child ended by itself -------------------------------------------------------------------------------

    def child_ended(self, child: Child) -> None:
        """Called by the child, once a life that ran, when it has ended for whatever reason."""
        if self._stopping is None:
            self._unserved_endings.add(child)
            self._serve(partial(self._serve_ending, child))

    async def _serve_ending(self, child: Child) -> None:
        if child not in self._unserved_endings:
            return  # stopped or started again by what was served before
        self._unserved_endings.discard(child)
        reason = child.last_reason or SHUTDOWN
        self._endings.append(f"{child.path} {child.history[-1]}")
        if _restarts(child.spec.restart, reason):
            await self._restart(child)
            return
        if child.spec.restart is Restart.TEMPORARY or self._is_simple:
            self._forget(child)
        else:
            child.close()
        if child.spec.significant and self._ends_with_it():
            log.info("%s: significant child %s ended (%s): shutting down", self.path, child.path, reason)
            self._want_stop(SHUTDOWN)

    def _ends_with_it(self) -> bool:
        """Whether the end of a significant child ends the supervisor."""
        if self.spec.auto_shutdown is AutoShutdown.ANY_SIGNIFICANT:
            return True
        return not any(child.spec.significant and self._lives_on(child) for child in self.children.values())

    def _lives_on(self, child: Child) -> bool:
        """Whether `child` lives, or may: its end was not looked at yet, or it is to be started again."""
        return child.state is not State.VACANT or child in self._unserved_endings or id_of(child) in self.restarting

    # --- restarting --------------------------------------------------------------------------------------------

    async def _restart(self, child: Child) -> None:
        """Restart `child` and who goes with it; with a delay they are stopped now and started then."""
        delay_s = self._count_restart(child)
        if delay_s > 0:
            await self._stop_group(child)
            self._start_later(child, delay_s)
        else:
            await self._start_group(child)

    def _count_restart(self, child: Child) -> float:
        """Count one more, and say how long to wait before it; leave with `StopWanted` when it is one too many."""
        now_ns = self.clock.monotonic_ns()
        self._restarted_ns.append(now_ns)
        while now_ns - self._restarted_ns[0] > self.spec.period_s * NS:
            self._restarted_ns.popleft()
        if len(self._restarted_ns) > self.spec.intensity:
            error = IntensityExceeded(self.path, self.spec.intensity, self.spec.period_s, tuple(self._endings))
            log.error("%s", error)
            self._want_stop(Reason(Exit.SHUTDOWN, error))
            raise StopWanted
        child.restarts += 1
        self._mark(child)
        return self.spec.delay.delay_s(len(self._restarted_ns) - 1, self.system.random)

    def _start_later(self, child: Child, delay_s: float) -> None:
        due_ns = self.clock.monotonic_ns() + round(delay_s * NS)
        start = partial(self._serve, partial(self._start_group, child))
        self.restarting[id_of(child)] = self.clock.call_at(due_ns, start)

    async def _start_group(self, child: Child) -> None:
        """Start `child` and who goes with it. One that fails is tried again, behind whatever waits to be served."""
        if id_of(child) not in self.restarting:
            return  # terminated since it was marked
        for other in await self._stop_group(child):
            try:
                await self._start_child(other)
            except StartFailed as error:
                self._endings.append(f"{other.path} {error}")
                log.warning("%s", error)
                self._start_later(other, self._count_restart(other))
                return
            self._unmark(other)

    def _group(self, child: Child) -> list[Child]:
        """Who is restarted together with `child`."""
        children = list(self.children.values())
        match self.spec.strategy:
            case RestartStrategy.ONE_FOR_ONE | RestartStrategy.SIMPLE_ONE_FOR_ONE:
                return [child]
            case RestartStrategy.REST_FOR_ONE:
                return children[children.index(child) :]
            case RestartStrategy.ONE_FOR_ALL:
                return children

    async def _stop_group(self, child: Child) -> list[Child]:
        """Stop, in reverse, who is restarted together with `child`; who is to be started, in order."""
        group = self._group(child)
        for other in reversed(group):
            await self._stop_child(other)
            if other.spec.restart is Restart.TEMPORARY:
                self._forget(other)
            else:
                self._mark(other)
        return [other for other in group if other.spec.restart is not Restart.TEMPORARY]

    def _mark(self, child: Child) -> None:
        """`child` is to be started again; by what is under way, not by an alarm set before."""
        self._unmark(child)
        self.restarting[id_of(child)] = None

    def _unmark(self, child: Child) -> None:
        alarm = self.restarting.pop(id_of(child), None)
        if alarm is not None:
            alarm.cancel()

    # --- stopping ----------------------------------------------------------------------------------------------

    async def _stop_child(self, child: Child) -> None:
        ended = self._begin_stop(child)
        if ended is not None:
            await ended
        self._unserved_endings.discard(child)

    def _begin_stop(self, child: Child) -> "asyncio.Future[None] | None":
        began_ns = self.clock.monotonic_ns()
        ended = child.stop(self._drain)
        if ended is not None:
            ended.add_done_callback(lambda _: self.system.stopped(child, began_ns))
        return ended

    async def _stop_children(self) -> None:
        children = tuple(reversed(self.children.values()))
        if self._is_simple:
            ends: list[asyncio.Future[None] | None] = []
            for child in children:
                ends.append(self._begin_stop(child))
                if len(ends) % YIELD_EVERY == 0:
                    await asyncio.sleep(0)
            for ended in ends:
                if ended is not None:
                    await ended
            return
        for child in children:
            await self._stop_child(child)

    async def _terminate(self) -> None:
        self.state = State.STOPPING
        await self._stop_children()
        assert self._stopping is not None
        self._end(self._stopping, StartFailed(self.path, "it was stopped while starting", tuple(self._endings)))

    def _end(self, reason: Reason, start_error: StartFailed) -> None:
        """The life is over. Who waits for its start hears `start_error`."""
        self.state, self._stopping = State.VACANT, None
        self._leave_nothing()
        for child in self.children.values():
            if self._specified.get(id_of(child)) is not child:
                child.close()
        self.last_reason = reason
        self.history.append(f"{self.clock.monotonic_ns() / NS:.3f} s: life {self.lives} ended: {reason}")
        ended, self._ended = self._ended, None
        if ended is not None:
            settle(ended)
        started, self._started = self._started, None
        if started is not None and not started.done():
            started.set_exception(start_error)
        elif self.parent is not None:
            self.parent.child_ended(self)
        else:
            self.system.root_ended(reason)

    def _leave_nothing(self) -> None:
        """Nothing that was to be done in this life may happen in the next one."""
        self._refuse_commands()
        self._unserved.clear()
        self._unserved_endings.clear()
        for alarm in (self._deadline, *self.restarting.values()):
            if alarm is not None:
                alarm.cancel()
        self._deadline = None
        self.restarting.clear()

    def _refuse_commands(self) -> None:
        for command in self._commands:
            fail(command, Closed(self.path, "the supervisor stopped"))


def fail(future: "asyncio.Future[Any]", error: Exception) -> None:
    if not future.done():
        future.set_exception(error)


def _look_at(future: "asyncio.Future[None]") -> None:
    """Retrieve the outcome, so that asyncio does not complain when nobody waits for it any more."""
    if not future.cancelled():
        future.exception()


def id_of(child: Child) -> str:
    return child.path.rpartition("/")[2]


def _restarts(restart: Restart, reason: Reason) -> bool:
    match restart:
        case Restart.PERMANENT:
            return True
        case Restart.TRANSIENT:
            return reason.kind in (Exit.KILLED, Exit.ERROR)
        case Restart.TEMPORARY:
            return False
