"""One life of one actor: how it begins, suspends, and every way it can end.

STARTING -> RUNNING -> (DRAINING ->) STOPPING, and then it is gone from its place. Its handlers run one at a time: plain
ones in the cell's turn, a coroutine in a task of its own, during which the cell takes no turn. asyncio cannot kill: a
handler that swallows its cancellation is given up as leaked, its life ends without it.
"""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeGuard

import attrs

from .actor import Actor, Ignore
from .clock import NS, Alarm
from .control import Signal
from .errors import Misuse, SpecError, StartFailed, StartTimeout
from .messages import Timer, describe, lose
from .reason import KILLED, NORMAL, SHUTDOWN, Exit, Reason, failed
from .ref import caller
from .sources import where
from .spec import Shutdown

if TYPE_CHECKING:
    from .cell import ActorCell

log = logging.getLogger("ticktree.actors")

KILL_GRACE_NS = 100_000_000  # how long a cancelled handler may take to end before it is given up as leaked


class State(StrEnum):
    """Where a life stands; VACANT is a place without one."""

    VACANT = "vacant"
    STARTING = "starting"
    RUNNING = "running"
    DRAINING = "draining"
    STOPPING = "stopping"


@attrs.frozen
class Leak:
    """A handler that swallowed its cancellation: its life was ended without it."""

    path: str
    life: int
    waits_on: str


class Life:
    """What begins with `on_start` and ends with `on_stop`, a failure or a kill. The place it lives at outlasts it."""

    __slots__ = (
        "_awaitable",
        "_context",
        "_deadline",
        "_killed",
        "_reason",
        "_started",
        "actor",
        "cell",
        "ended",
        "handle",
        "message",
        "number",
        "state",
        "task",
        "timers",
    )

    def __init__(self, cell: "ActorCell", number: int) -> None:
        self.cell = cell
        self.number = number  # from 1
        self.state = State.STARTING
        self.actor: Actor[Any] | None = None
        self.handle: Callable[[Any], Any] = _unborn
        self.task: asyncio.Task[None] | None = None  # of the coroutine handler at work
        self.message: Any = None  # what it is about
        self.timers: set[Timer] = set()
        self.ended: asyncio.Future[None] | None = None  # for who waits for the end
        self._started: asyncio.Future[None] | None = None
        self._awaitable: Awaitable[None] | None = None  # what that task awaits
        self._context: Context | None = None
        self._deadline: Alarm | None = None
        self._reason: Reason | None = None  # why it is to end, once that is known
        self._killed = False

    # --- it begins ---------------------------------------------------------------------------------------------

    def begin(self) -> "asyncio.Future[None] | None":
        """Make the actor and start it. None when it runs already, a future where `on_start` waits.

        Raises (or the future does) `Ignore`, or `StartFailed` with the cause.
        """
        try:
            self.actor = self._make()
            awaitable = self.actor.on_start()
            if awaitable is not None:
                self._spawn(awaitable)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise self._stillborn(error) from error
        if awaitable is None:
            self._run()
            return None
        self._started = asyncio.get_running_loop().create_future()
        self._set_deadline(self.cell.spec.start_timeout_s, self._start_overran)
        return self._started

    def _make(self) -> Actor[Any]:
        spec, path = self.cell.spec, self.cell.path
        actor = _checked(path, spec.start(*self.cell.args))
        if spec.hand_off and inspect.iscoroutinefunction(actor.on_message):
            raise SpecError(f"{path}: hand_off needs a plain on_message, not a coroutine")
        actor._ticktree_life = self  # pyright: ignore[reportPrivateUsage]  # the runtime's own mark on the actor
        return actor

    def _run(self) -> None:
        assert self.actor is not None
        self.handle = self.actor.on_message
        self.state = State.RUNNING
        self.cell.runs()

    def _stillborn(self, error: BaseException) -> BaseException:
        """It is over before it ran; what the supervisor is to be told."""
        if isinstance(error, Ignore):
            self._leave(NORMAL)
            return error
        self._leave(failed(error))
        if isinstance(error, StartFailed):
            return error
        told = StartFailed(self.cell.path, f"{type(error).__name__}: {error}", self.cell.history)
        told.__cause__ = error
        return told

    def _start_overran(self) -> None:
        cell, timeout_s = self.cell, self.cell.spec.start_timeout_s
        self._reason = failed(StartTimeout(cell.path, timeout_s, self.waits_on(), cell.history))
        self.kill()

    def _settle_start(self, error: BaseException | None) -> None:
        """An `on_start` that waited has ended; `error` None: well."""
        self._clear_deadline()
        started, self._started = self._started, None
        assert started is not None
        if self._killed:
            timed_out = self._reason.error if self._reason else None
            error = timed_out or StartFailed(self.cell.path, "it was stopped while starting", self.cell.history)
        if error is not None:
            started.set_exception(self._stillborn(error))
        else:
            started.set_result(None)
            self._run()

    # --- coroutine handlers ------------------------------------------------------------------------------------

    def suspend(self, awaitable: Awaitable[None], message: Any) -> None:
        """Go on with a handler in a task of its own; the cell takes no turn until it is done."""
        self.message = message
        self._spawn(awaitable)

    def _spawn(self, awaitable: Awaitable[None]) -> None:
        cell = self.cell
        if not inspect.isawaitable(awaitable):
            raise TypeError(f"a handler of {cell.path} returned {awaitable!r}; it must return None, or be async")
        if self._context is None:
            self._context = copy_context()
            self._context.run(caller.set, cell)
        self._awaitable = awaitable
        named = cell.system.watchdog.task_of(cell.path, awaitable)
        self.task = asyncio.get_running_loop().create_task(named, name=cell.path, context=self._context)
        self.task.add_done_callback(self._resumed)

    def _resumed(self, task: "asyncio.Task[None]") -> None:
        """A coroutine handler has ended, in whichever way."""
        if task is not self.task:  # given up as leaked before
            self.cell.system.leak_ended(task)
            return
        self.task = None
        awaitable, self._awaitable = self._awaitable, None
        if task.cancelled() and inspect.iscoroutine(awaitable):
            awaitable.close()  # it may have been cancelled before its first step, and Python would complain
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if self.state is State.STARTING:
            self._settle_start(error)
        elif self._killed:
            self._killed_end(error)
        elif self.state is State.STOPPING:
            self._end(self._stop_reason(error))
        elif error is not None:
            self.crash(error, self.message)
        else:
            self.message = None
            self.cell.resumed()

    # --- it ends -----------------------------------------------------------------------------------------------

    def exit(self, reason: Reason) -> None:
        """The actor's own wish to end; one of `on_start` waits until that is done."""
        if self._reason is None and self.state is not State.STOPPING:
            self._reason = reason
            self.cell.signal(Signal.EXIT)

    def stop(self, drain: bool) -> "asyncio.Future[None]":
        """End as `spec.shutdown` says; a future for the end. With `drain` what is queued is handled first."""
        ended = self.ended = self.ended or asyncio.get_running_loop().create_future()
        shutdown = self.cell.spec.shutdown
        if self._killed:
            return ended
        if shutdown is Shutdown.BRUTAL_KILL or self.state is State.STARTING:
            self.kill()
            return ended
        if self.state is State.RUNNING:
            if drain:
                self.state = State.DRAINING
                self.cell.lane.close()
            self.cell.signal(Signal.STOP)
        if not isinstance(shutdown, Shutdown):
            self._set_deadline(shutdown, self._stop_overran)
        return ended

    def _stop_overran(self) -> None:
        cell = self.cell
        cell.overran = True
        log.error("%s did not stop in time (shutdown: %s; %s): killed", cell.path, cell.spec.shutdown, self.doing())
        self.kill()

    def kill(self) -> None:
        """End now, without `on_stop`. A coroutine handler is cancelled, and given up if it swallows that."""
        if self._killed:
            return  # the grace of the first kill counts
        self._clear_deadline()
        if self.task is None:
            self._end(KILLED)
        else:
            self._killed = True
            self.task.cancel()
            clock = self.cell.clock
            self._deadline = clock.call_at(clock.monotonic_ns() + KILL_GRACE_NS, self._quarantine)

    def _quarantine(self) -> None:
        task, self.task = self.task, None
        assert task is not None
        self.cell.system.leaked(Leak(self.cell.path, self.number, where(task.get_coro())), task)
        if self.state is State.STARTING:
            self._settle_start(None)
        else:
            self._killed_end(asyncio.CancelledError())

    def _killed_end(self, error: BaseException | None) -> None:
        """The handler of a killed life has ended, or was given up. What it raised by itself is the true reason."""
        if error is None:
            self.cell.handled()
        self.cell.lose_in_hand("cancel")
        lose(self.message, self.cell.path, "it was killed")
        if error is not None and not isinstance(error, asyncio.CancelledError):
            self._end(failed(error))
        elif self._reason is not None and self._reason.kind is Exit.ERROR:  # killed in its on_stop, after it failed
            self._end(self._reason)
        else:
            self._end(KILLED)

    def crash(self, error: BaseException, message: Any) -> None:
        """A handler raised: this life is over, the supervisor will hear why."""
        if isinstance(error, KeyboardInterrupt):
            raise error
        path = self.cell.path
        self.cell.lose_in_hand("crash")
        lose(message, path, f"it failed handling it ({type(error).__name__}: {error})")
        log.error("%s failed in life %d on %s", path, self.number, describe(message), exc_info=error)
        self.finish(failed(error))

    def finish(self, reason: Reason | None = None) -> None:
        """Let the actor clean up, then end. Without a reason: the one it gave itself, or `shutdown`."""
        assert self.actor is not None
        self.state = State.STOPPING
        self._reason = reason or self._reason or SHUTDOWN
        try:
            if (awaitable := self.actor.on_stop(self._reason)) is None:
                self._end(self._reason)
                return
            self.suspend(awaitable, None)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self._end(self._stop_reason(error))
            return
        shutdown = self.cell.spec.shutdown
        if self._deadline is None and shutdown is not Shutdown.INFINITY:
            seconds = KILL_GRACE_NS / NS if isinstance(shutdown, Shutdown) else shutdown
            self._set_deadline(seconds, self._stop_overran)

    def _stop_reason(self, error: BaseException | None) -> Reason:
        """The reason of a life whose `on_stop` has ended; `error` is what that raised."""
        assert self._reason is not None
        if error is None:
            return self._reason
        if self._reason.kind is Exit.ERROR:
            log.error("%s: on_stop raised after its life had failed", self.cell.path, exc_info=error)
            return self._reason
        return failed(error)

    def _end(self, reason: Reason) -> None:
        self._leave(reason)
        self.cell.tell_end(self.number, reason)

    def _leave(self, reason: Reason) -> None:
        """Nothing of this life may act any more; its place is vacant."""
        self._clear_deadline()
        for timer in tuple(self.timers):
            timer.cancel()
        if self.actor is not None:
            self.actor._ticktree_life = None  # pyright: ignore[reportPrivateUsage]  # the runtime's own mark on the actor
        self.state = State.VACANT
        self.cell.vacate(self.number, reason)
        if self.ended is not None and not self.ended.done():
            self.ended.set_result(None)

    # --- timers and deadlines ----------------------------------------------------------------------------------

    def set_timer(self, delay_s: float, interval_s: float, message: Any) -> Timer:
        """A timer that ends with this life."""
        least_s = 0.001 if interval_s else 0.0
        if not least_s <= delay_s < 1e9:
            raise Misuse(f"{self.cell.path}: a timer takes seconds, {least_s:g} or more; not {delay_s!r}")
        timer = Timer(self, round(delay_s * NS), round(interval_s * NS), message)
        self.timers.add(timer)
        return timer

    def _set_deadline(self, seconds: float, then: Callable[[], None]) -> None:
        self._clear_deadline()
        clock = self.cell.clock
        self._deadline = clock.call_at(clock.monotonic_ns() + round(seconds * NS), then)

    def _clear_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    # --- what can be seen --------------------------------------------------------------------------------------

    def waits_on(self) -> str:
        """What a suspended handler waits for, with its source line; empty when none is suspended."""
        if self.task is None:
            return ""
        place = where(self.task.get_coro())
        for target, request, future in self.cell.asking.values():
            if not future.done():
                return f"an answer of {target.path} to {describe(request)}, {place}"
        return place

    def doing(self) -> str:
        """One phrase for a message: what this life is at."""
        if self.task is not None:
            return f"{self.state}, waiting on {self.waits_on()}"
        return f"{self.state}, with {self.cell.lane.queued} ticks queued"


TAKES_TURNS = frozenset((State.RUNNING, State.DRAINING))


def _checked(path: str, made: object) -> Actor[Any]:
    if not _is_actor(made):
        raise SpecError(f"{path}: start returned {made!r}, not an Actor")
    if made._ticktree_life is not None:  # pyright: ignore[reportPrivateUsage]  # the runtime's own mark on the actor
        raise SpecError(f"{path}: start returned an actor that already lives at {made.path}: make a new one each time")
    return made


def _is_actor(made: object) -> TypeGuard[Actor[Any]]:
    return isinstance(made, Actor)


def _unborn(message: Any) -> None:
    raise AssertionError(f"nobody lives here yet to handle {describe(message)}")
