"""Erlang/OTP's supervisor: starts children in order, restarts them by its strategy, gives up beyond its intensity, and
stops them in reverse.

    start      children in order; one fails: those before it are stopped in reverse, and the supervisor fails
    child ends permanent: restart; transient: restart after `killed` or an error; temporary: forget it
    restart    one_for_one that child; rest_for_one it and those after it; one_for_all all; counted, also when it fails
    give up    more than `intensity` restarts in `period_s`: stop all children, end with `shutdown`
    significant a child that ended by itself and is not restarted may end the supervisor (`auto_shutdown`)
    stop       children in reverse, each with its own `shutdown`; a simple_one_for_one's all at once

Endings and commands are served one at a time, by one task that lives while there are any. Questions (`which_children`,
`count_children`) and the wish to stop are heard at once, also while that task waits for a child.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from .actor import Ignore
from .cell import HISTORY, ActorCell, State
from .clock import NS
from .errors import (
    AlreadyPresent,
    AlreadyStarted,
    Closed,
    IntensityExceeded,
    Misuse,
    SpecError,
    StartFailed,
    UnknownActor,
)
from .reason import KILLED, SHUTDOWN, Exit, Reason
from .ref import ActorRef, caller
from .spec import AutoShutdown, ChildSpec, Restart, RestartStrategy, Shutdown, Supervisor, check_child

if TYPE_CHECKING:
    from .system import System

log = logging.getLogger("ticktree.actors")

T = TypeVar("T")


@attrs.frozen
class ChildInfo:
    """One child, as `which_children` tells it: in its order of start."""

    id: str
    path: str
    kind: str  # "actor" or "supervisor"
    state: str
    restarts: int


@attrs.frozen
class ChildCount:
    """Children by what they are: OTP's `count_children`."""

    specs: int
    active: int
    supervisors: int
    actors: int


class _StopWanted(Exception):
    """The supervisor is to stop: leave what is under way."""


class SupervisorCell:
    """One supervisor's place in the tree: its children, and the life that looks after them."""

    def __init__(self, system: "System", parent: "SupervisorCell | None", spec: Supervisor, path: str) -> None:
        self.system, self.parent, self.spec, self.path = system, parent, spec, path
        self.clock = system.clock
        self.state = State.VACANT
        self.life = 0
        self.restarts = 0
        self.overran = False
        self.history: deque[str] = deque(maxlen=HISTORY)
        self.last_reason: Reason | None = None
        self.children: dict[str, ActorCell | SupervisorCell] = {}
        self.restarting: set[str] = set()  # ids whose restart is under way
        self._places: dict[str, ActorCell | SupervisorCell] = {}  # also of children that were deleted: refs stay valid
        self._restarted_ns: deque[int] = deque()
        self._lives: deque[str] = deque(maxlen=HISTORY)
        self._unserved: deque[Callable[[], Coroutine[Any, Any, None]]] = deque()
        self._ended_children: dict[int, None] = {}  # by identity: ended by themselves, not served yet
        self._task: asyncio.Task[None] | None = None
        self._pause: asyncio.Future[None] | None = None
        self._started: asyncio.Future[None] | None = None
        self._ended: asyncio.Future[None] | None = None
        self._stopping: Reason | None = None
        self._drain = False
        self._next_id = 0
        self._commands: dict[asyncio.Future[Any], None] = {}  # of `_command`, to be answered whatever happens
        if spec.strategy is not RestartStrategy.SIMPLE_ONE_FOR_ONE:
            for child in spec.children:
                self.children[child.id] = self._place(child)

    def _place(self, spec: ChildSpec | Supervisor) -> "ActorCell | SupervisorCell":
        known = self._places.get(spec.id)
        if known is not None and known.spec == spec:
            return known
        path = spec.id if self.parent is None else f"{self.path}/{spec.id}"
        place: ActorCell | SupervisorCell
        if isinstance(spec, Supervisor):
            place = SupervisorCell(self.system, self, spec, path)
        else:
            place = ActorCell(self.system, self, spec, path)
        if self.spec.strategy is not RestartStrategy.SIMPLE_ONE_FOR_ONE:
            self._places[spec.id] = place
        return place

    # --- life, as the parent sees it (the same four calls as a cell's) -----------------------------------------

    def start(self) -> "asyncio.Future[None] | None":
        """Begin a life: start the children in order. A future; it raises `StartFailed`."""
        assert self.state is State.VACANT
        self.life += 1
        self.state = State.STARTING
        self._stopping, self._drain = None, False
        self._restarted_ns.clear()
        self._started = asyncio.get_running_loop().create_future()
        self._serve(self._start_all)
        return self._started

    def stop(self, drain: bool = False) -> "asyncio.Future[None] | None":
        """End this life: stop the children in reverse. A future for its end, None when there is no life."""
        if self.state is State.VACANT:
            return None
        self._ended = self._ended or asyncio.get_running_loop().create_future()
        ended = self._ended
        self._drain = drain
        if not isinstance(self.spec.shutdown, Shutdown):
            due_ns = self.clock.monotonic_ns() + round(self.spec.shutdown * NS)
            alarm = self.clock.call_at(due_ns, self._stop_overran)
            ended.add_done_callback(lambda _: alarm.cancel())
        elif self.spec.shutdown is Shutdown.BRUTAL_KILL:
            self.kill()
        self._want_stop(SHUTDOWN)
        return ended

    def _stop_overran(self) -> None:
        self.overran = True
        log.error("%s did not stop within %s s: killed", self.path, self.spec.shutdown)
        self.kill()

    def kill(self) -> None:
        """Kill every life below, at once."""
        for child in reversed(self.children.values()):
            child.kill()
        if self.state is not State.VACANT:
            self._want_stop(KILLED)

    def cut_drain(self) -> None:
        """Do not handle what is still queued."""
        self._drain = False
        for child in self.children.values():
            child.cut_drain()

    def close(self) -> None:
        """Nobody will live below again."""
        for child in self._places.values():
            child.close()
        for child in self.children.values():
            child.close()

    def announce_drain(self) -> None:
        """Tell every actor below that the system is about to stop."""
        for child in self.children.values():
            child.announce_drain()

    def waits_on(self) -> str:
        """What the supervisor is waiting for."""
        return ", ".join(f"restart of {id}" for id in self.restarting)

    # --- the task that serves ----------------------------------------------------------------------------------

    def _serve(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._unserved.append(work)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work(), name=self.path)
            self._task.add_done_callback(self._worked)

    async def _work(self) -> None:
        while self._unserved or self._stopping is not None:
            if self._stopping is not None:
                await self._terminate()
                return
            try:
                await self._unserved.popleft()()
            except _StopWanted:
                continue

    def _worked(self, task: "asyncio.Task[None]") -> None:
        self._task = None
        if not task.cancelled() and (error := task.exception()) is not None:
            self.system.broken(self.path, error)
        elif self._unserved and self.state is not State.VACANT:
            self._serve(self._unserved.popleft())

    def _want_stop(self, reason: Reason) -> None:
        """Stop as soon as what is under way lets go; waits for children that start, or for a delay, are left."""
        if self._stopping is None:
            self._stopping = reason
            self._resume()
            if self._task is None:
                self._serve(_nothing)

    def _resume(self) -> None:
        if self._pause is not None and not self._pause.done():
            self._pause.set_result(None)

    async def _wait(self, future: "asyncio.Future[None]") -> None:
        """Wait for `future`, or leave with `_StopWanted`."""
        pause = self._pause = asyncio.get_running_loop().create_future()
        future.add_done_callback(lambda _: pause.done() or pause.set_result(None))
        if self._stopping is None:
            await pause
        self._pause = None
        if self._stopping is not None:
            raise _StopWanted
        future.result()

    # --- starting ----------------------------------------------------------------------------------------------

    async def _start_all(self) -> None:
        """The first thing a life does."""
        if self.spec.strategy is not RestartStrategy.SIMPLE_ONE_FOR_ONE:
            self.children = {child.id: self._place(child) for child in self.spec.children}
            for place in self._places.values():
                if place not in self.children.values():  # added by start_child in a former life: gone, as in OTP
                    place.close()
        try:
            for child in tuple(self.children.values()):
                await self._start_child(child)
        except StartFailed as error:
            await self._stop_children()
            self._end(Reason(Exit.ERROR, error), error)
            return
        started, self._started = self._started, None
        self.state = State.RUNNING
        if started is not None and not started.done():
            started.set_result(None)

    async def _start_child(self, child: "ActorCell | SupervisorCell") -> None:
        """Start one child and wait until it runs. An ignored one stays specified, unless it is temporary."""
        if self._stopping is not None:
            raise _StopWanted
        self._ended_children.pop(id(child), None)
        try:
            starting = child.start()
            if starting is not None:
                try:
                    await self._wait(starting)
                except _StopWanted:
                    starting.add_done_callback(_look_at)
                    raise
        except Ignore:
            child.close()
            if child.spec.restart is Restart.TEMPORARY:
                self._forget(child)

    def _forget(self, child: "ActorCell | SupervisorCell") -> None:
        child.close()
        self.children.pop(_id_of(child), None)
        self._ended_children.pop(id(child), None)

    # --- a child ended by itself -------------------------------------------------------------------------------

    def child_ended(self, child: "ActorCell | SupervisorCell") -> None:
        """Called by the child, once a life, when it has ended for whatever reason."""
        self._ended_children[id(child)] = None
        if self._stopping is None:
            self._serve(lambda: self._serve_ending(child))

    async def _serve_ending(self, child: "ActorCell | SupervisorCell") -> None:
        if id(child) not in self._ended_children or child.state is not State.VACANT:
            return  # stopped or started again by what was served before
        del self._ended_children[id(child)]
        reason = child.last_reason or SHUTDOWN
        self._lives.append(f"{child.path} {child.history[-1] if child.history else reason}")
        if _restarts(child.spec.restart, reason):
            await self._restart(child)
            return
        significant = child.spec.significant
        if child.spec.restart is Restart.TEMPORARY or self.spec.strategy is RestartStrategy.SIMPLE_ONE_FOR_ONE:
            self._forget(child)
        else:
            child.close()
        if significant and self._is_last_significant():
            log.info("%s: significant child %s ended (%s): shutting down", self.path, child.path, reason)
            self._want_stop(SHUTDOWN)

    def _is_last_significant(self) -> bool:
        if self.spec.auto_shutdown is AutoShutdown.ANY_SIGNIFICANT:
            return True
        return not any(
            child.spec.significant and child.state is not State.VACANT for child in self.children.values()
        )

    async def _restart(self, child: "ActorCell | SupervisorCell") -> None:
        """Restart `child` and who goes with it, until all run, the intensity is exceeded or a stop is wanted."""
        while True:
            self._count_restart()
            child.restarts += 1
            self.restarting.add(_id_of(child))
            try:
                await self._delay()
                for other in await self._stop_group(child):
                    child = other
                    await self._start_child(other)
                return
            except StartFailed as error:
                self._lives.append(f"{child.path} {error}")
                log.warning("%s", error)
            finally:
                self.restarting.clear()

    async def _stop_group(self, child: "ActorCell | SupervisorCell") -> "list[ActorCell | SupervisorCell]":
        """Stop, in reverse, who is restarted together with `child`; who is to be started, in order."""
        children = list(self.children.values())
        match self.spec.strategy:
            case RestartStrategy.ONE_FOR_ONE | RestartStrategy.SIMPLE_ONE_FOR_ONE:
                return [child]
            case RestartStrategy.REST_FOR_ONE:
                group = children[children.index(child) :]
            case RestartStrategy.ONE_FOR_ALL:
                group = children
        for other in reversed(group):
            await self._stop_child(other)
            if other is not child and other.spec.restart is Restart.TEMPORARY:
                self._forget(other)
        return [other for other in group if self.children.get(_id_of(other)) is other]

    def _count_restart(self) -> None:
        now_ns = self.clock.monotonic_ns()
        self._restarted_ns.append(now_ns)
        while now_ns - self._restarted_ns[0] > self.spec.period_s * NS:
            self._restarted_ns.popleft()
        if len(self._restarted_ns) > self.spec.intensity:
            error = IntensityExceeded(self.path, self.spec.intensity, self.spec.period_s, tuple(self._lives))
            log.error("%s", error)
            self._want_stop(Reason(Exit.SHUTDOWN, error))
            raise _StopWanted

    async def _delay(self) -> None:
        """Wait as `spec.delay` says; it grows with the restarts in the present period."""
        seconds = self.spec.delay.delay_s(len(self._restarted_ns) - 1, self.system.random)
        if seconds > 0:
            waited: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            alarm = self.clock.call_at(
                self.clock.monotonic_ns() + round(seconds * NS), lambda: waited.done() or waited.set_result(None)
            )
            try:
                await self._wait(waited)
            finally:
                alarm.cancel()

    # --- stopping ----------------------------------------------------------------------------------------------

    async def _stop_child(self, child: "ActorCell | SupervisorCell") -> None:
        began_ns = self.clock.monotonic_ns()
        ended = child.stop(self._drain)
        if ended is not None:
            await ended
            self.system.stopped(child, began_ns)
        self._ended_children.pop(id(child), None)

    async def _stop_children(self) -> None:
        children = list(self.children.values())
        if self.spec.strategy is RestartStrategy.SIMPLE_ONE_FOR_ONE:
            for ended in [child.stop(self._drain) for child in children]:
                if ended is not None:
                    await ended
            for child in children:
                self._forget(child)
            return
        for child in reversed(children):
            await self._stop_child(child)

    async def _terminate(self) -> None:
        assert self._stopping is not None
        self.state = State.STOPPING
        await self._stop_children()
        reason = self._stopping
        aborted = StartFailed(self.path, "it was stopped while starting", tuple(self._lives)) if self._started else None
        self._end(reason, aborted)

    def _end(self, reason: Reason, start_error: StartFailed | None = None) -> None:
        self.state = State.VACANT
        self._stopping = None
        self._unserved.clear()
        for command in tuple(self._commands):
            _fail(command, Closed(self.path, "the supervisor stopped"))
        self._ended_children.clear()
        self.restarting.clear()
        for child in set(self.children.values()) - set(self._places.values()):
            child.close()
        self.last_reason = reason
        self.history.append(f"{self.clock.monotonic_ns() / NS:.3f} s: life {self.life} ended: {reason}")
        ended, self._ended = self._ended, None
        if ended is not None and not ended.done():
            ended.set_result(None)
        started, self._started = self._started, None
        if started is not None and not started.done():
            assert start_error is not None
            started.set_exception(start_error)
        elif self.parent is not None:
            self.parent.child_ended(self)
        else:
            self.system.root_ended(reason)

    # --- commands, in OTP's words ------------------------------------------------------------------------------

    def which_children(self) -> tuple[ChildInfo, ...]:
        """The children in their order of start."""
        return tuple(
            ChildInfo(
                id, child.path, "supervisor" if isinstance(child, SupervisorCell) else "actor",
                "restarting" if id in self.restarting and child.state is State.VACANT else child.state, child.restarts,
            )
            for id, child in self.children.items()
        )

    def count_children(self) -> ChildCount:
        """Children by what they are."""
        children = self.children.values()
        supervisors = sum(isinstance(child, SupervisorCell) for child in children)
        return ChildCount(
            specs=len(self.children),
            active=sum(child.state is not State.VACANT for child in children),
            supervisors=supervisors,
            actors=len(self.children) - supervisors,
        )

    async def start_child(self, *what: Any) -> ActorRef[Any] | None:
        """Add a child and start it: `start_child(spec)`, or for a template `start_child(*arguments)`.

        Returns its ref (None for a supervisor, and for a temporary child that was ignored). Raises `AlreadyStarted`,
        `AlreadyPresent`, `SpecError`, `StartFailed`.
        """
        return await self._command(lambda: self._start_new(*what))

    async def _start_new(self, *what: Any) -> ActorRef[Any] | None:
        child = self._from_template(what) if self._is_simple else self._from_spec(what)
        id = _id_of(child)
        self.children[id] = child
        try:
            await self._start_child(child)
        except StartFailed:
            child.close()
            del self.children[id]
            raise
        return child.ref if isinstance(child, ActorCell) and self.children.get(id) is child else None

    @property
    def _is_simple(self) -> bool:
        return self.spec.strategy is RestartStrategy.SIMPLE_ONE_FOR_ONE

    def _from_template(self, arguments: tuple[Any, ...]) -> "ActorCell":
        template = self.spec.children[0]
        assert isinstance(template, ChildSpec)
        self._next_id += 1
        cell = ActorCell(self.system, self, template, f"{self.path}/{template.id}:{self._next_id}")
        cell.args = arguments
        return cell

    def _from_spec(self, what: tuple[Any, ...]) -> "ActorCell | SupervisorCell":
        if len(what) != 1:
            raise SpecError(f"{self.path}: start_child takes one ChildSpec or Supervisor")
        spec = what[0]
        check_child(self.spec, spec)
        known = self.children.get(spec.id)
        if known is not None:
            raise AlreadyPresent(known.path) if known.state is State.VACANT else AlreadyStarted(known.path)
        return self._place(spec)

    async def terminate_child(self, which: "str | ActorRef[Any]") -> None:
        """Stop a child, by id or ref. Its specification stays, unless it is temporary or of a template."""
        child = self._find(which)
        asker = caller.get()
        if asker is not None and (asker.path + "/").startswith(child.path + "/"):
            raise Misuse(f"{asker.path} cannot wait for the end of {child.path}, it would wait for itself: use stop()")
        await self._command(lambda: self._terminate_child(child))

    async def _terminate_child(self, child: "ActorCell | SupervisorCell") -> None:
        await self._stop_child(child)
        if child.spec.restart is Restart.TEMPORARY or self._is_simple:
            self._forget(child)
        else:
            child.close()

    async def restart_child(self, id: str) -> None:
        """Start a child that was terminated, or ended and was not restarted. Raises `AlreadyStarted`, `StartFailed`."""
        child = self._find(id)
        await self._command(lambda: self._restart_child(child))

    async def _restart_child(self, child: "ActorCell | SupervisorCell") -> None:
        if child.state is not State.VACANT:
            raise AlreadyStarted(child.path)
        child.restarts += 1
        await self._start_child(child)

    async def delete_child(self, id: str) -> None:
        """Forget the specification of a child that does not run. Raises `AlreadyStarted`."""
        child = self._find(id)
        if child.state is not State.VACANT:
            raise AlreadyStarted(child.path)
        self._forget(child)

    def _find(self, which: "str | ActorRef[Any]") -> "ActorCell | SupervisorCell":
        wanted = which if isinstance(which, str) else which.path.rpartition("/")[2]
        child = self.children.get(wanted)
        if child is None:
            raise UnknownActor(f"{self.path}/{wanted}", [other.path for other in self.children.values()][:5])
        return child

    async def _command(self, work: Callable[[], Awaitable[T]]) -> T:
        """Have `work` served in its turn and give its result, or what it raises, to who asked."""
        if self.state not in (State.STARTING, State.RUNNING):
            raise Closed(self.path, f"the supervisor is {self.state}")
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        async def serve() -> None:
            try:
                result = await work()
            except _StopWanted:
                _fail(done, Closed(self.path, "the supervisor stopped"))
                raise
            except Exception as error:
                _fail(done, error)
            else:
                if not done.done():
                    done.set_result(result)

        self._commands[done] = None
        self._serve(serve)
        try:
            return await done
        finally:
            del self._commands[done]


def _fail(future: "asyncio.Future[Any]", error: Exception) -> None:
    if not future.done():
        future.set_exception(error)


def _look_at(future: "asyncio.Future[None]") -> None:
    """Retrieve the outcome of a start that nobody waits for any more."""
    if not future.cancelled():
        future.exception()


async def _nothing() -> None:
    pass


def _id_of(child: "ActorCell | SupervisorCell") -> str:
    return child.path.rpartition("/")[2]


def _restarts(restart: Restart, reason: Reason) -> bool:
    match restart:
        case Restart.PERMANENT:
            return True
        case Restart.TRANSIENT:
            return reason.kind in (Exit.KILLED, Exit.ERROR)
        case Restart.TEMPORARY:
            return False
