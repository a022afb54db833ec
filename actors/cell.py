"""One place in the tree: its mailbox, the life that lives in it now, and every way that life can end.

Only the supervisor starts and stops it; only the scheduler gives it turns; others hold its ref.

A life goes VACANT -> STARTING -> RUNNING -> (DRAINING ->) STOPPING -> VACANT. Its handlers run one at a time: plain ones
in the cell's turn, a coroutine in a task of its own, during which the cell takes no turn.
"""

import asyncio
import inspect
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context, copy_context
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import attrs

from .actor import Actor, Ignore
from .clock import NS, Alarm
from .errors import Misuse, SpecError, StartFailed, StartTimeout
from .lane import new_lane
from .mailbox import Delivery, MailboxStats
from .messages import Down, Request, Timer, describe, lose
from .reason import KILLED, SHUTDOWN, Exit, Reason, failed
from .ref import ActorRef, Watch, caller
from .scheduler import ITEMS_A_TURN, TURN_NS
from .spec import ChildSpec, Shutdown
from .waits import where

if TYPE_CHECKING:
    from .supervisor import SupervisorCell
    from .system import System

log = logging.getLogger("ticktree.actors")

CONTROL_BOUND = 65_536
KILL_GRACE_NS = 100_000_000  # how long a cancelled handler may take to end before it is given up as leaked
HISTORY = 8  # endings remembered a place


class State(StrEnum):
    """Where a life stands."""

    VACANT = "vacant"
    STARTING = "starting"
    RUNNING = "running"
    DRAINING = "draining"
    STOPPING = "stopping"


class Signal(StrEnum):
    """What the runtime puts in a control lane for itself."""

    STOP = "stop"
    EXIT = "exit"
    DRAIN = "drain"


@attrs.frozen
class Leak:
    """A handler that swallowed its cancellation: its life was ended without it."""

    path: str
    life: int
    waits_on: str


class ActorCell:
    """One actor's place."""

    __slots__ = (
        "_context",
        "_control_in_hand",
        "_deadline",
        "_drainers",
        "_ended",
        "_exit_reason",
        "_handle",
        "_killed",
        "_message",
        "_started",
        "actor",
        "args",
        "asked",
        "asking",
        "clock",
        "control",
        "control_dropped",
        "control_handled",
        "control_received",
        "handed",
        "history",
        "lane",
        "last_reason",
        "life",
        "overran",
        "parent",
        "path",
        "ref",
        "restarts",
        "run",
        "run_one",
        "scheduler",
        "spec",
        "state",
        "system",
        "task",
        "timers",
        "watches",
    )

    def __init__(self, system: "System", parent: "SupervisorCell", spec: ChildSpec, path: str) -> None:
        self.system, self.parent, self.spec, self.path = system, parent, spec, path
        self.clock = system.clock
        self.scheduler = system.scheduler
        self.lane = new_lane(path, spec.mailbox, self._wake, self._lost)
        self.ref: ActorRef[Any] = ActorRef(self)
        self.run: Callable[[], bool] = system.watchdog.turn_of(path, self.turn)
        self.run_one: Callable[[], None] = system.watchdog.turn_of(path, self.handed_turn)
        self.args: tuple[Any, ...] = ()
        self.control: deque[Any] = deque()
        self.control_received = self.control_handled = self.control_dropped = 0
        self._control_in_hand = 0
        self.state = State.VACANT
        self.actor: Actor[Any] | None = None
        self.task: asyncio.Task[None] | None = None
        self.timers: set[Timer] = set()
        self.watches: dict[Watch, None] = {}
        self.asked: dict[int, Request[Any]] = {}  # by others, not answered yet
        self.asking: dict[int, tuple[ActorCell, Request[Any], asyncio.Future[Any]]] = {}
        self.life = 0
        self.restarts = 0
        self.handed = 0
        self.history: deque[str] = deque(maxlen=HISTORY)
        self.last_reason: Reason | None = None
        self.overran = False
        self._handle: Callable[[Any], Any] = _nobody
        self._message: Any = None
        self._context: Context | None = None
        self._killed = False
        self._exit_reason: Reason | None = None
        self._started: asyncio.Future[None] | None = None
        self._ended: asyncio.Future[None] | None = None
        self._deadline: Alarm | None = None
        self._drainers: list[tuple[int, asyncio.Future[None]]] = []

    # --- what others tell --------------------------------------------------------------------------------------

    def _wake(self) -> None:
        if self.spec.hand_off:
            self.scheduler.hand_off(self)
        else:
            self.scheduler.enqueue(self)

    def _lost(self, message: Any) -> None:
        lose(message, self.path, "its mailbox dropped it")

    def tell_control(self, message: Any) -> Delivery:
        """Queue in the control lane."""
        if self.lane.closed:
            return Delivery.CLOSED
        if len(self.control) >= CONTROL_BOUND:
            return Delivery.FULL
        self.control_received += 1
        self.control.append(message)
        self._rouse()
        return Delivery.ACCEPTED

    def tell_timer(self, timer: Timer) -> bool:
        """Queue a timer that rang; False when the lane is full."""
        return self.tell_control(timer) is not Delivery.FULL

    def _signal(self, signal: Signal) -> None:
        self.control.appendleft(signal)
        self._rouse()

    def _rouse(self) -> None:
        if self.lane.asleep:
            self.lane.asleep = False
            self.scheduler.enqueue(self)

    def set_timer(self, delay_s: float, interval_s: float, message: Any) -> Timer:
        """A timer of the present life."""
        least = 0.001 if interval_s else 0.0
        if not least <= delay_s < 1e9:
            raise Misuse(f"{self.path}: a timer's delay is a number of seconds ({least:g} or more), not {delay_s!r}")
        timer = Timer(self, round(delay_s * NS), round(interval_s * NS), message)
        self.timers.add(timer)
        return timer

    def watch(self, watcher: ActorRef[Down]) -> Watch:
        """Tell `watcher` when lives end here."""
        watch = Watch(self, watcher)
        self.watches[watch] = None
        if self.lane.closed and self.state is State.VACANT:
            self._tell_down(watch, Down(self.path, self.life, self.last_reason or SHUTDOWN))
        return watch

    def _tell_down(self, watch: Watch, down: Down) -> None:
        if watch not in self.watches:
            return
        delivery = watch.watcher.tell_control(down)
        if delivery is Delivery.CLOSED:
            del self.watches[watch]
        elif delivery is Delivery.FULL:  # a Down waits, it is not lost
            self.clock.call_at(self.clock.monotonic_ns() + TURN_NS, lambda: self._tell_down(watch, down))

    # --- a life begins -----------------------------------------------------------------------------------------

    def start(self) -> "asyncio.Future[None] | None":
        """Begin a life. None when it runs already; else a future, for an `on_start` that waits.

        Raises (or the future does) `Ignore`, or `StartFailed` with the cause.
        """
        assert self.state is State.VACANT, f"{self.path} is {self.state}"
        self.life += 1
        self._killed, self._exit_reason, self._context, self.handed = False, None, None, 0
        self.state = State.STARTING
        self.lane.reopen()
        current, self.scheduler.current = self.scheduler.current, self
        try:
            self.actor = self._make()
            awaitable = self.actor.on_start()
        except Exception as error:
            raise self._start_failed(error) from error
        finally:
            self.scheduler.current = current
        if awaitable is None:
            self._run()
            return None
        self._started = asyncio.get_running_loop().create_future()
        try:
            self._spawn(awaitable)
        except TypeError as error:
            raise self._start_failed(error) from error
        self._set_deadline(self.spec.start_timeout_s, self._start_overran)
        return self._started

    def _make(self) -> Actor[Any]:
        actor = self.spec.start(*self.args)
        if not isinstance(actor, Actor):
            raise SpecError(f"{self.path}: start returned {actor!r}, not an Actor")
        if actor._cell is not None:  # pyright: ignore[reportPrivateUsage]  # the runtime's own mark on the actor
            raise SpecError(f"{self.path}: start returned an actor that already lives at {actor.path}")
        if self.spec.hand_off and inspect.iscoroutinefunction(actor.on_message):
            raise SpecError(f"{self.path}: hand_off needs a plain on_message, not a coroutine")
        actor._cell = self  # pyright: ignore[reportPrivateUsage]
        return actor

    def _run(self) -> None:
        assert self.actor is not None
        self._handle = self.actor.on_message
        self.state = State.RUNNING
        if self.lane.items or self.control:
            self.scheduler.enqueue(self)
        else:
            self.lane.asleep = True

    def _start_failed(self, error: BaseException) -> BaseException:
        """The life is over before it ran; what its supervisor is to be told."""
        if isinstance(error, Ignore):
            self._vacate(Reason(Exit.NORMAL))
            return error
        wrapped = error if isinstance(error, StartFailed) else None
        if wrapped is None:
            wrapped = StartFailed(self.path, f"{type(error).__name__}: {error}", tuple(self.history))
            wrapped.__cause__ = error
        self._vacate(failed(error))
        return wrapped

    def _start_overran(self) -> None:
        timeout_s = self.spec.start_timeout_s
        self._exit_reason = failed(StartTimeout(self.path, timeout_s, self.waits_on(), tuple(self.history)))
        self.kill()

    def _settle_start(self, error: BaseException | None) -> None:
        """Tell the supervisor how an `on_start` that waited has ended."""
        started, self._started = self._started, None
        assert started is not None
        if error is not None:
            wrapped = self._start_failed(error)
            if not started.done():
                started.set_exception(wrapped)
            return
        if not started.done():
            started.set_result(None)
        self._run()

    # --- turns -------------------------------------------------------------------------------------------------

    def turn(self) -> bool:
        """Handle what is queued, for a while. Whether there is more to do."""
        if self.task is not None or self.state not in _TAKES_TURNS:
            return False
        monotonic_ns, lane, control, handle = self.scheduler.monotonic_ns, self.lane, self.control, self._handle
        items, popleft = lane.items, lane.items.popleft
        began_ns = monotonic_ns()
        ends_ns = began_ns + TURN_NS
        handled, served, pause, message = 0, 0, 1, None
        try:
            while True:
                if control:
                    served += len(control)
                    if not self._serve_control():
                        lane.items_out += handled
                        return False
                while items and not control:
                    message, weight = popleft()
                    lane.limit += weight
                    lane.in_hand = weight
                    handled += 1
                    if (awaitable := handle(message)) is not None:
                        self._suspend(awaitable, message)
                        lane.items_out += handled
                        lane.stamp(monotonic_ns())
                        return False
                    if handled >= pause:
                        break
                lane.in_hand = 0
                now_ns = monotonic_ns()
                if handled + served >= ITEMS_A_TURN or now_ns >= ends_ns or not (items or control):
                    break
                pause = min(2 * handled + 1, ITEMS_A_TURN)  # the clock is read 8 times in 256 messages
        except BaseException as error:
            lane.items_out += handled
            self._crash(error, self._message if self._control_in_hand else message)
            self._check_blocked(began_ns, monotonic_ns())
            return False
        lane.items_out += handled
        self._check_blocked(began_ns, now_ns)
        return self._rest(now_ns)

    def _rest(self, now_ns: int) -> bool:
        """The end of a turn: stamp the queue, let waiters in, and sleep if nothing is left."""
        lane = self.lane
        lane.stamp(now_ns)
        if lane.waiting:
            lane.serve_waiting()
        if self._drainers:
            self._serve_drainers()
        if lane.items or self.control:
            return True
        if self.state is State.DRAINING:
            self._finish(self._exit_reason or SHUTDOWN)
            return False
        lane.asleep = True
        return False

    def handed_turn(self) -> None:
        """Handle the one message that just came, within its sender's call."""
        monotonic_ns, lane = self.scheduler.monotonic_ns, self.lane
        began_ns = monotonic_ns()
        message, weight = lane.items.popleft()
        lane.items_out += 1
        lane.limit += weight
        lane.in_hand = weight
        try:
            if (awaitable := self._handle(message)) is not None:
                self._suspend(awaitable, message)
                return
        except BaseException as error:
            self._crash(error, message)
            return
        lane.in_hand = 0
        if lane.items or self.control or lane.waiting or self._drainers:
            self.scheduler.enqueue(self)
        else:
            lane.asleep = True
        self._check_blocked(began_ns, monotonic_ns())

    def _check_blocked(self, began_ns: int, now_ns: int) -> None:
        if now_ns - began_ns > self.system.watchdog.bound_ns:
            self.system.watchdog.blocked(self.path, now_ns - began_ns)

    def _serve_control(self) -> bool:
        """Handle the control lane. False when the data has to wait: the life ends, or a handler suspended it."""
        control = self.control
        for _ in range(min(len(control), ITEMS_A_TURN)):
            item = control.popleft()
            if isinstance(item, Signal):
                if not self._obey(item):
                    return False
                continue
            self._control_in_hand, self._message = 1, item
            awaitable = item.take(self._handle) if type(item) is Timer else self._handle(item)
            if awaitable is not None:
                self._suspend(awaitable, item)
                return False
            self._handled_control()
        return True

    def _handled_control(self) -> None:
        if self._control_in_hand:
            self._control_in_hand, self._message = 0, None
            self.control_handled += 1

    def _obey(self, signal: Signal) -> bool:
        assert self.actor is not None
        match signal:
            case Signal.EXIT:
                assert self._exit_reason is not None
                self._finish(self._exit_reason)
                return False
            case Signal.STOP:
                if self.state is State.DRAINING and self.lane.items:
                    return True
                self._finish(self._exit_reason or SHUTDOWN)
                return False
            case Signal.DRAIN:
                if (awaitable := self.actor.on_drain()) is not None:
                    self._suspend(awaitable, signal)
                    return False
                return True

    # --- coroutine handlers ------------------------------------------------------------------------------------

    def _suspend(self, awaitable: Awaitable[None], message: Any) -> None:
        """Go on with a handler in a task of its own; the cell takes no turn until it is done."""
        self._message = message
        self._spawn(awaitable)

    def _spawn(self, awaitable: Awaitable[None]) -> None:
        if not inspect.isawaitable(awaitable):
            raise TypeError(f"a handler of {self.path} returned {awaitable!r}; it must return None, or be async")
        if self._context is None:
            self._context = copy_context()
            self._context.run(caller.set, self)
        self.task = asyncio.get_running_loop().create_task(
            self.system.named(self.path, awaitable), name=self.path, context=self._context
        )
        self.task.add_done_callback(self._resumed)

    def _resumed(self, task: "asyncio.Task[None]") -> None:
        """A coroutine handler ended, in whichever way."""
        if task is not self.task:  # leaked: its life was ended without it
            self.system.leak_ended(task)
            return
        self.task = None
        message, self._message = self._message, None
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if self.state is State.STARTING:
            self._clear_deadline()
            self._settle_start(self._start_error(error))
        elif self._killed:
            if error is None:
                self._handled()
            self._account(self.lane.in_hand, "cancelled")
            lose(message, self.path, "it was killed")
            self._end(self._kill_reason(error))
        elif self.state is State.STOPPING:
            self._end(self._stop_reason(error))
        elif error is not None:
            self._crash(error, message)
        else:
            self._went_on()

    def _start_error(self, error: BaseException | None) -> BaseException | None:
        if self._killed:  # timed out, or stopped, while starting
            timed_out = self._exit_reason.error if self._exit_reason else None
            return timed_out or StartFailed(self.path, "it was stopped while starting", tuple(self.history))
        return error

    def _went_on(self) -> None:
        self._handled()
        if self._rest(self.clock.monotonic_ns()):
            self.scheduler.enqueue(self)

    def _handled(self) -> None:
        self._handled_control()
        self.lane.in_hand = 0

    # --- a life ends -------------------------------------------------------------------------------------------

    def exit(self, reason: Reason) -> None:
        """The actor's own wish to end."""
        if self._exit_reason is None and self.state in _TAKES_TURNS:
            self._exit_reason = reason
            self._signal(Signal.EXIT)

    def stop(self, drain: bool = False) -> "asyncio.Future[None] | None":
        """End this life as `spec.shutdown` says; a future for its end, None when there is none.

        With `drain` what is queued is handled first; the mailbox is closed.
        """
        if self.state is State.VACANT:
            return None
        ended = self._ended = self._ended or asyncio.get_running_loop().create_future()
        if self.spec.shutdown is Shutdown.BRUTAL_KILL or self.state is State.STARTING:
            self.kill()
            return ended
        if self.state is State.RUNNING:
            if drain:
                self.state = State.DRAINING
                self.lane.close()
            self._signal(Signal.STOP)
        if not isinstance(self.spec.shutdown, Shutdown):
            self._set_deadline(self.spec.shutdown, self._stop_overran)
        return ended

    def cut_drain(self) -> None:
        """Do not handle what is still queued: stop now."""
        if self.state is State.DRAINING:
            self.lane.discard()
            self._rouse()

    def _stop_overran(self) -> None:
        self.overran = True
        log.error("%s did not stop within %g s, waiting on %s: killed", self.path, self.spec.shutdown, self.waits_on())
        self.kill()

    def kill(self) -> None:
        """End this life now, without `on_stop`. A coroutine handler is cancelled, and given up if it swallows that."""
        if self.state is State.VACANT:
            return
        self._clear_deadline()
        if self.task is None:
            self._end(KILLED)
        elif not self._killed:
            self._killed = True
            self.task.cancel()
            self._deadline = self.clock.call_at(self.clock.monotonic_ns() + KILL_GRACE_NS, self._quarantine)

    def _quarantine(self) -> None:
        task, self.task = self.task, None
        assert task is not None
        self.system.leaked(Leak(self.path, self.life, where(task.get_coro())), task)
        message, self._message = self._message, None
        if self.state is State.STARTING:
            self._settle_start(self._start_error(None))
            return
        self._account(self.lane.in_hand, "cancelled")
        lose(message, self.path, "it was killed")
        self._end(self._kill_reason(None))

    def _kill_reason(self, error: BaseException | None) -> Reason:
        """The true reason of a life that ended by itself while it was being killed."""
        if error is not None and not isinstance(error, asyncio.CancelledError):
            return failed(error)
        return KILLED

    def _stop_reason(self, error: BaseException | None) -> Reason:
        """The reason of a life whose `on_stop` is done, or raised."""
        assert self._exit_reason is not None
        if error is None:
            return self._exit_reason
        if self._exit_reason.kind is Exit.ERROR:
            log.error("%s: on_stop raised after the failure of its life", self.path, exc_info=error)
            return self._exit_reason
        return failed(error)

    def _account(self, weight: int, how: str) -> None:
        lane = self.lane
        if how == "crashed":
            lane.crashed += weight
        else:
            lane.cancelled += weight
        lane.in_hand = 0
        if self._control_in_hand:
            self._control_in_hand = 0
            self.control_dropped += 1

    def _crash(self, error: BaseException, message: Any) -> None:
        """A handler raised: this life is over, its supervisor will hear why."""
        if isinstance(error, KeyboardInterrupt):
            raise error
        self._account(self.lane.in_hand, "crashed")
        lose(message, self.path, f"it failed handling it ({type(error).__name__}: {error})")
        log.error("%s failed in life %d on %s", self.path, self.life, describe(message), exc_info=error)
        self._finish(failed(error))

    def _finish(self, reason: Reason) -> None:
        """Let the actor clean up, then end its life."""
        if self.state is State.STOPPING or self.actor is None:
            return
        self.state = State.STOPPING
        self._exit_reason = reason
        try:
            awaitable = self.actor.on_stop(reason)
            if awaitable is not None:
                self._suspend(awaitable, None)
        except Exception as error:
            self._end(self._stop_reason(error))
            return
        if awaitable is None:
            self._end(reason)
        elif self._deadline is None and not isinstance(self.spec.shutdown, Shutdown):
            self._set_deadline(self.spec.shutdown, self._stop_overran)

    def _end(self, reason: Reason) -> None:
        """The life is over: nothing of it may act any more."""
        self._vacate(reason)
        down = Down(self.path, self.life, reason)
        for watch in tuple(self.watches):
            self._tell_down(watch, down)
        self.parent.child_ended(self)

    def _vacate(self, reason: Reason) -> None:
        now_ns = self.clock.monotonic_ns()
        self._clear_deadline()
        for timer in tuple(self.timers):
            timer.cancel()
        if self.actor is not None:
            self.actor._cell = None  # pyright: ignore[reportPrivateUsage]  # the runtime's own mark on the actor
        self.actor, self._handle = None, _nobody
        self.state = State.VACANT
        self.lane.asleep = False
        self.lane.stamp(now_ns)
        self.last_reason = reason
        if self.lane.waiting:
            self.lane.serve_waiting()
        self.history.append(f"{now_ns / NS:.3f} s: life {self.life} ended: {reason}")
        self._forget_control()
        if self.asked:
            self._lose_asked()
        if self._drainers:
            self._serve_drainers()
        ended, self._ended = self._ended, None
        if ended is not None and not ended.done():
            ended.set_result(None)

    def _forget_control(self) -> None:
        """Signals and timers end with the life; what others sent waits for the next one."""
        timers = sum(1 for item in self.control if isinstance(item, Timer))
        self.control_dropped += timers
        kept = [item for item in self.control if not isinstance(item, Timer | Signal)]
        self.control.clear()
        self.control.extend(kept)

    def _lose_asked(self) -> None:
        """Fail the asks that this life had taken and not answered; those still queued wait for the next one."""
        queued = {id(entry[0]) for entry in self.lane.items} | {id(entry[0]) for entry in self.lane.waiting}
        for key, request in tuple(self.asked.items()):
            if key not in queued:
                lose(request, self.path, "it ended without answering")

    def close(self) -> None:
        """Nobody will live here again, unless it is started anew: refuse messages, drop what is queued."""
        self.lane.close()
        self.lane.discard()
        self.control_dropped += len(self.control)
        self.control.clear()
        if self._drainers:
            self._serve_drainers()

    # --- deadlines ---------------------------------------------------------------------------------------------

    def _set_deadline(self, seconds: float, then: Callable[[], None]) -> None:
        self._clear_deadline()
        self._deadline = self.clock.call_at(self.clock.monotonic_ns() + round(seconds * NS), then)

    def _clear_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    # --- what can be seen --------------------------------------------------------------------------------------

    def announce_drain(self) -> None:
        """Tell the actor that the system is about to stop."""
        if self.state is State.RUNNING:
            self._signal(Signal.DRAIN)

    async def drained(self) -> None:
        """Wait until everything queued so far has been handled, or dropped."""
        target = self.lane.items_out + len(self.lane.items)
        if self.lane.items or self.task is not None:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._drainers.append((target, future))
            await future

    def _serve_drainers(self) -> None:
        for target, future in self._drainers:
            if self.lane.items_out >= target and not future.done():
                future.set_result(None)
        self._drainers = [entry for entry in self._drainers if not entry[1].done()]

    def stats(self) -> MailboxStats:
        """The mailbox's figures at this instant."""
        asleep_until_ns = self.scheduler.woken_ns if self.task is None and self.state is State.RUNNING else 0
        age_ns = self.lane.oldest_age_ns(self.clock.monotonic_ns(), asleep_until_ns)
        return attrs.evolve(
            self.lane.stats(age_ns),
            control_received=self.control_received,
            control_handled=self.control_handled,
            control_dropped=self.control_dropped,
            control_queued=sum(1 for item in self.control if not isinstance(item, Signal)),
        )

    def waits_on(self) -> str:
        """What a suspended handler waits for, with its source line; empty when none is suspended."""
        for target, request, future in self.asking.values():
            if not future.done():
                return f"an answer of {target.path} to {describe(request)}, {where(self.task and self.task.get_coro())}"
        return where(self.task.get_coro()) if self.task else ""

    def doing(self) -> str:
        """One phrase for an error message: what this actor is at."""
        if self.task is not None:
            return f"{self.state}, waiting on {self.waits_on()}"
        return f"{self.state}, with {self.lane.queued} ticks queued"


_TAKES_TURNS = frozenset((State.RUNNING, State.DRAINING))


def _nobody(message: Any) -> Coroutine[Any, Any, None] | None:
    raise AssertionError(f"nobody lives here to handle {describe(message)}")
