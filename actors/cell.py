"""One place in the tree: its mailbox, the turns it is given, and the life that lives there now.

Only its supervisor starts and stops it, only the scheduler gives it turns; all others hold its ref.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs

from .clock import NS, settle
from .control import ControlLane, Signal
from .handoff import hand_off_to
from .lane import ACCEPTED, CLOSED, FULL, ConflatingLane, DataLane
from .life import TAKES_TURNS, Life, State
from .mailbox import Conflate, Delivery, MailboxStats
from .messages import Down, Request, Timer, lose
from .reason import SHUTDOWN, Reason
from .ref import ActorRef, Watch
from .scheduler import ITEMS_A_TURN, TURN_NS
from .spec import ChildSpec

if TYPE_CHECKING:
    from .supervisor import SupervisorCell
    from .system import System

HISTORY = 8  # endings remembered a place
DOWN_RETRY_NS = 1_000_000
STEP = 16
ONE, NONE = range(1, 2), range(0)  # made once: making a range costs as much as a quick handler
RUNNING, DRAINING = State.RUNNING, State.DRAINING  # looked up once, see lane.py


class _Inbox(DataLane, ActorRef[Any]):
    """A data lane that is its actor's ref, so that `ref.tell` is the lane's own method.

    A ref that only held that method, bound, cost 40 ns more a call: CPython 3.11 does not specialise such calls.
    """

    __slots__ = ("_cell",)


class _ConflatingInbox(ConflatingLane, ActorRef[Any]):
    """The same, conflating."""

    __slots__ = ("_cell",)


class ActorCell:
    """One actor's place."""

    __slots__ = (
        "_drainers",
        "args",
        "asked",
        "asking",
        "clock",
        "control",
        "history",
        "lane",
        "last_reason",
        "life",
        "lives",
        "overran",
        "parent",
        "path",
        "ref",
        "restarts",
        "run",
        "scheduler",
        "spec",
        "system",
        "watches",
        "woken_ns",
    )

    def __init__(self, system: "System", parent: "SupervisorCell", spec: ChildSpec, path: str) -> None:
        self.system, self.parent, self.spec, self.path = system, parent, spec, path
        self.clock = system.clock
        self.scheduler = system.scheduler
        kind = _ConflatingInbox if isinstance(spec.mailbox.overflow, Conflate) else _Inbox
        self.lane: _Inbox | _ConflatingInbox = kind(path, spec.mailbox, self.enqueue, self._lost)
        self.lane._cell = self  # pyright: ignore[reportPrivateUsage]  # what a ref needs beyond the lane
        self.control = ControlLane()
        self.ref: ActorRef[Any] = self.lane
        self.run: Callable[[], bool] = system.watchdog.turn_of(path, self.turn)
        self.args: tuple[Any, ...] = ()  # of `start_child`, for a template's child
        self.life: Life | None = None
        self.lives = 0  # begun so far
        self.restarts = 0
        self.woken_ns = self.clock.monotonic_ns()  # what is queued came after this
        self.watches: dict[Watch, None] = {}
        self.asked: dict[int, Request[Any]] = {}  # by others, not answered yet
        self.asking: dict[int, tuple[ActorCell, Request[Any], asyncio.Future[Any]]] = {}
        self.history: tuple[str, ...] = ()  # how the last lives ended
        self.last_reason: Reason | None = None
        self.overran = False
        self._drainers: list[tuple[int, asyncio.Future[None]]] = []

    @property
    def state(self) -> State:
        """Where the life here stands."""
        return State.VACANT if self.life is None else self.life.state

    # --- what others tell --------------------------------------------------------------------------------------

    def _lost(self, message: Any) -> None:
        lose(message, self.path, "its mailbox dropped it")

    def tell_control(self, message: Any) -> Delivery:
        """Queue in the control lane, which takes messages as long as anybody will handle them."""
        if self.lane.closed and self.state is not State.DRAINING:
            return CLOSED
        if not self.control.tell(message):
            return FULL
        self._rouse()
        return ACCEPTED

    def signal(self, signal: Signal) -> None:
        """Have the runtime's own `signal` obeyed before anything else."""
        self.control.items.appendleft(signal)
        self._rouse()

    def _rouse(self) -> None:
        if self.lane.asleep:
            self.lane.asleep = False
            self.enqueue()

    def watch(self, watcher: ActorRef[Down]) -> Watch:
        """Tell `watcher` when lives end here."""
        watch = Watch(self, watcher)
        self.watches[watch] = None
        if self.lane.closed and self.life is None:
            self._tell_down(watch, Down(self.path, self.lives, self.last_reason or SHUTDOWN))
        return watch

    def _tell_down(self, watch: Watch, down: Down) -> None:
        if watch not in self.watches:
            return
        delivery = watch.watcher.tell_control(down)
        if delivery is Delivery.CLOSED:
            del self.watches[watch]
        elif delivery is Delivery.FULL:  # a Down waits, it is not lost
            self.clock.call_at(self.clock.monotonic_ns() + DOWN_RETRY_NS, lambda: self._tell_down(watch, down))

    # --- what its supervisor does ------------------------------------------------------------------------------

    def start(self) -> "asyncio.Future[None] | None":
        """Begin a life. None when it runs already, a future where `on_start` waits.

        Raises (or the future does) `Ignore`, or `StartFailed` with the cause.
        """
        assert self.life is None, f"{self.path} lives already"
        self.lives += 1
        self.lane.reopen()
        self.life = Life(self, self.lives)
        context = self.scheduler.context  # nobody's, whoever's command it is
        return context.copy().run(self.life.begin) if context is not None else self.life.begin()

    def stop(self, drain: bool = False) -> "asyncio.Future[None] | None":
        """End the life as `spec.shutdown` says; a future for its end, None when there is none.

        With `drain` the mailbox is closed, and what is queued handled first.
        """
        return None if self.life is None else self.life.stop(drain)

    def kill(self) -> None:
        """End the life now, without `on_stop`."""
        if self.life is not None:
            self.life.kill()

    def cut_drain(self) -> None:
        """Do not handle what is still queued: stop now."""
        if self.state is State.DRAINING:
            self.lane.discard()
            self._rouse()

    def announce_drain(self) -> None:
        """Tell the actor that the system is about to stop."""
        if self.state is State.RUNNING:
            self.signal(Signal.DRAIN)

    def close(self) -> None:
        """Nobody will live here again, unless it is started anew: refuse messages, drop what is queued."""
        self.lane.close()
        self.lane.discard()
        self.control.discard()
        self._serve_drainers()

    # --- turns -------------------------------------------------------------------------------------------------

    def enqueue(self, message: Any = None, weight: int = 0) -> bool:
        """Have a turn; `message` woke this actor and is to be queued for it."""
        scheduler = self.scheduler
        if not scheduler.scheduled:
            scheduler.schedule()
        self.woken_ns = scheduler.woken_ns
        scheduler.ready.append(self)
        return False

    def turn(self) -> bool:
        """Handle what is queued, for a while. Whether there is more to do."""
        life = self.life
        if life is None or life.task is not None or life.state not in TAKES_TURNS:
            return False
        scheduler, lane, control, handle = self.scheduler, self.lane, self.control.items, life.handle
        monotonic_ns, items, popleft = scheduler.monotonic_ns, lane.items, lane.items.popleft
        began_ns = scheduler.now_ns
        done, pause, steps, n, message, held_up, limit = 0, 1, ONE, 0, None, False, lane.limit
        try:
            while True:
                if control:
                    done, message = done + len(control), None
                    if not self._serve_control(life):
                        now_ns, held_up = monotonic_ns(), True
                        break
                for n in steps if items else NONE:
                    if control:
                        n -= 1
                        break
                    try:
                        message, weight = popleft()
                    except IndexError:  # what the handler told itself evicted the rest
                        n -= 1
                        break
                    lane.limit += weight
                    lane.in_hand = weight
                    if (awaitable := handle(message)) is not None:
                        life.suspend(awaitable, message)
                        held_up = True
                        break
                now_ns = monotonic_ns()
                lane.items_out += n
                if held_up:
                    break
                lane.in_hand = 0
                if not (items or control):
                    break
                done, n = done + n, 0
                elapsed_ns = now_ns - began_ns
                if done >= ITEMS_A_TURN or elapsed_ns >= TURN_NS:
                    break
                # Until the clock is read again: as many as fit at this pace, but in steps, as the next may be slower.
                pause = min(STEP * pause, ITEMS_A_TURN - done, _fitting(lane, lane.limit - limit, elapsed_ns))
                steps = range(1, min(len(items), pause) + 1)
        except BaseException as error:
            lane.items_out += n
            life.crash(error, life.message if self.control.in_hand else message)
            now_ns = monotonic_ns()
        scheduler.now_ns = now_ns
        if now_ns - began_ns >= TURN_NS:
            self.check_blocked(now_ns - began_ns)
        if held_up or items or control or lane.waiting or self._drainers or life.state is not RUNNING:
            return self._rest(now_ns)
        lane.asleep = True  # as `_rest` would find, at 5 % of a turn of one message
        return False

    def _rest(self, now_ns: int) -> bool:
        """The end of a turn: stamp the queue, let waiters in, and sleep if nothing is left. Whether there is more."""
        lane, life = self.lane, self.life
        if lane.items:
            lane.stamp(now_ns)
        else:
            self.woken_ns = now_ns
        if lane.waiting:
            lane.serve_waiting()
        if self._drainers:
            self._serve_drainers()
        if life is None or life.task is not None:
            return False
        if lane.items or self.control.items:
            return True
        if life.state is DRAINING:
            life.finish()
            self.scheduler.now_ns = self.clock.monotonic_ns()  # what that took is not the next one's
        else:
            lane.asleep = True
        return False

    def _serve_control(self, life: Life) -> bool:
        """Handle the control lane. False when data has to wait: the life ends, or a handler suspended it."""
        control = self.control
        for _ in range(min(len(control.items), ITEMS_A_TURN)):
            item = control.items.popleft()
            if isinstance(item, Signal):
                if not self._obey(life, item):
                    return False
                continue
            control.in_hand, life.message = 1, item
            awaitable = item.take(life.handle) if type(item) is Timer else life.handle(item)
            if awaitable is not None:
                life.suspend(awaitable, item)
                return False
            control.done()
        life.message = None
        return True

    def _obey(self, life: Life, signal: Signal) -> bool:
        match signal:
            case Signal.STOP if life.state is State.DRAINING and (self.lane.items or self.control.items):
                return True
            case Signal.STOP | Signal.EXIT:
                life.finish()
                return False
            case Signal.DRAIN:
                assert life.actor is not None
                if (awaitable := life.actor.on_drain()) is not None:
                    life.suspend(awaitable, None)
                return awaitable is None

    def check_blocked(self, elapsed_ns: int) -> None:
        """Report a handler that kept the loop for longer than the watchdog's bound."""
        if elapsed_ns > self.system.watchdog.bound_ns:
            self.system.watchdog.blocked(self.path, elapsed_ns)

    # --- what its life reports ---------------------------------------------------------------------------------

    def runs(self) -> None:
        """The life here takes messages from now on."""
        if self.spec.hand_off:
            assert self.life is not None
            self.lane.wake = hand_off_to(self, self.life)
        if self.lane.items or self.control.items:
            self._go_on()
        else:
            self.lane.asleep = True
        if self.system.stopping:  # a life that begins now has missed the announcement
            self.signal(Signal.DRAIN)

    def resumed(self) -> None:
        """A coroutine handler is done."""
        self.handled()
        if self._rest(self.clock.monotonic_ns()):
            self._go_on()

    def _go_on(self) -> None:
        """Take a turn for what is queued already; it is as old as it was."""
        woken_ns = self.woken_ns
        self.enqueue()
        self.woken_ns = woken_ns

    def handled(self) -> None:
        """What was in hand was handled."""
        self.lane.in_hand = 0
        self.control.done()

    def lose_in_hand(self, how: str) -> None:
        """What was in hand is lost by a `crash` or a `cancel`."""
        lane = self.lane
        if how == "crash":
            lane.crashed += lane.in_hand
        else:
            lane.cancelled += lane.in_hand
        lane.in_hand = 0
        self.control.lose_in_hand()

    def vacate(self, life: int, reason: Reason) -> None:
        """The life here is gone; its mailbox waits for the next one."""
        now_ns = self.clock.monotonic_ns()
        self.life, self.last_reason = None, reason
        self.history = (*self.history[1 - HISTORY :], f"{now_ns / NS:.3f} s: life {life} ended: {reason}")
        self.lane.asleep, self.lane.wake = False, self.enqueue  # what hands off would keep the actor in memory
        self.control.forget_life()
        if self.asked:
            self._lose_asked()
        self._rest(now_ns)

    def _lose_asked(self) -> None:
        """Fail the asks that this life had taken and not answered; those still queued wait for the next one."""
        queued = {id(entry[0]) for entry in self.lane.items} | {id(entry[0]) for entry in self.lane.waiting.values()}
        for key, request in tuple(self.asked.items()):
            if key not in queued:
                lose(request, self.path, "it ended without answering")

    def tell_end(self, life: int, reason: Reason) -> None:
        """Tell who watches, and the supervisor, that a life that ran has ended."""
        down = Down(self.path, life, reason)
        for watch in tuple(self.watches):
            self._tell_down(watch, down)
        self.parent.child_ended(self)

    # --- what can be seen --------------------------------------------------------------------------------------

    async def drained(self) -> None:
        """Wait until everything queued so far has been handled, or dropped."""
        if self.lane.items or (self.life is not None and self.life.task is not None):
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._drainers.append((self.lane.items_out + len(self.lane.items), future))
            await future

    def _serve_drainers(self) -> None:
        in_hand = 1 if self.life is not None and self.life.task is not None and not self.control.in_hand else 0
        done = self.lane.items_out - in_hand
        for target, future in self._drainers:
            if done >= target:
                settle(future)
        self._drainers = [entry for entry in self._drainers if not entry[1].done()]

    def stats(self) -> MailboxStats:
        """The mailbox's figures at this instant."""
        return attrs.evolve(
            self.lane.figures(self.lane.oldest_age_ns(self.clock.monotonic_ns(), self.woken_ns)),
            control_received=self.control.received,
            control_handled=self.control.handled,
            control_dropped=self.control.dropped,
            control_queued=self.control.queued,
            control_in_handler=self.control.in_hand,
        )

    def waits_on(self) -> str:
        """What a suspended handler waits for, with its source line; empty when none is suspended."""
        return "" if self.life is None else self.life.waits_on()

    def doing(self) -> str:
        """One phrase for a message: what goes on here."""
        return f"vacant after {self.last_reason}" if self.life is None else self.life.doing()


def _fitting(lane: DataLane, ticks: int, elapsed_ns: int) -> int:
    """How many messages fit into the rest of a turn at its pace so far, at least 1. Its pace in `ticks`, not messages:
    after a mark, which takes 3 us, 16 batches of 25 ms each seemed to fit."""
    mean = (lane.entered - lane.limit + lane.capacity) // (len(lane.items) or 1) or 1  # ticks a message, if not closed
    return max(1, (TURN_NS - elapsed_ns) * ticks // ((elapsed_ns + 1) * mean) + 1)
