"""What goes wrong on the way to a venue and at the venue itself, drawn from a seed."""

from collections.abc import Callable
from functools import partial
from heapq import heappop, heappush
from random import Random
from typing import Generic, TypeVar

import attrs

from ticktree.actors import Clock
from ticktree.actors.clock import Alarm

from ...orders import Ticket
from ...reports import Report, ReportKind, VenueExecution
from .accounts import ExecutionKey
from .engine import Engine
from .latency import Latency

M = TypeVar("M")
NS = 1_000_000_000


@attrs.frozen
class Faults:
    """Probabilities from 0 to 1 that something goes wrong; none unless told.

    Of each message, either way:
        drop          it never arrives
        duplicate     it arrives once more, later
        reorder       it is held back until the next one has gone (or for the longest delay)
        delay         it comes later than those behind it
        disconnect    the session breaks, and it is lost with all that is on its way
    Of each answer:
        unreadable    something comes that cannot be read, which ends the session
        late_fill     it is a fill, and comes later than what follows it
    At the venue:
        reject        a submit is turned down although nothing is wrong with it
        cross         a cancel crosses a fill: just before it comes somebody takes a part of the order, or all
        bust          an execution is taken back, later
        correct       an execution is changed, later

    `delay_s` is the range of everything that is "later". With a `seed` of its own the draws are the same whatever else
    draws from the gateway's randomness.
    """

    drop: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    delay: float = 0.0
    disconnect: float = 0.0
    unreadable: float = 0.0
    late_fill: float = 0.0
    reject: float = 0.0
    cross: float = 0.0
    bust: float = 0.0
    correct: float = 0.0
    delay_s: tuple[float, float] = (0.001, 1.0)
    seed: int | None = None

    def __attrs_post_init__(self) -> None:
        for name in _PROBABILITIES:
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a probability from 0 to 1; not {getattr(self, name)!r}")
        if not 0 < self.delay_s[0] <= self.delay_s[1]:
            raise ValueError(f"delay_s is (least, most) in seconds, above 0; not {self.delay_s!r}")

    def random(self, otherwise: Random) -> Random:
        """Where its draws come from."""
        return otherwise if self.seed is None else Random(self.seed)

    def later_s(self, random: Random) -> float:
        """How much later, of what is later."""
        return random.uniform(*self.delay_s)


_PROBABILITIES = (
    "drop", "duplicate", "reorder", "delay", "disconnect", "unreadable", "late_fill", "reject", "cross", "bust",
    "correct",
)  # fmt: skip
NONE = Faults()


def happens(probability: float, random: Random) -> bool:
    """A draw; where it cannot happen nothing is drawn."""
    return probability > 0 and random.random() < probability


class Line(Generic[M]):
    """Messages on their way: each comes out once it is due, those of one moment in the order they went in."""

    def __init__(self, clock: Clock, deliver: Callable[[M], None]) -> None:
        self._clock, self._deliver = clock, deliver
        self._due: list[tuple[int, int, M]] = []
        self._sent = 0
        self._alarm: Alarm | None = None
        self._alarm_ns = 0

    def send(self, message: M, due_ns: int) -> None:
        """Let it come out at `due_ns` of monotonic time."""
        self._sent += 1
        heappush(self._due, (due_ns, self._sent, message))
        self._arm()

    def clear(self) -> None:
        """Nothing that is on its way arrives."""
        self._due.clear()
        self._disarm()

    def __len__(self) -> int:
        return len(self._due)

    def _arm(self) -> None:
        if not self._due:
            self._disarm()
        elif self._alarm is None or self._due[0][0] != self._alarm_ns:
            self._disarm()
            self._alarm_ns = self._due[0][0]
            self._alarm = self._clock.call_at(self._alarm_ns, self._ring)

    def _disarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _ring(self) -> None:
        self._alarm = None
        try:
            while self._due and self._due[0][0] <= self._clock.monotonic_ns():
                self._deliver(heappop(self._due)[2])
        finally:
            self._arm()


class FaultyLink(Generic[M]):
    """One direction of a link. Messages keep their order, whatever the latency, unless a fault is drawn.

    `latency` is that of this way. Without it `send` delivers at once what no fault holds up. `broken` is called when
    the session breaks; whoever hears it clears both directions.
    """

    def __init__(
        self,
        clock: Clock,
        random: Random,
        faults: Faults,
        latency: Latency,
        deliver: Callable[[M], None],
        broken: Callable[[], None],
    ) -> None:
        self._clock, self._random, self._faults, self._latency = clock, random, faults, latency
        self._deliver, self._broken = deliver, broken
        self._at_once = latency.none
        self._line: Line[M] = Line(clock, deliver)
        self._last_ns = 0  # when the last message in order is due
        self._held: list[M] = []
        self._release: Alarm | None = None

    def send(self, message: M, late: bool = False) -> None:
        """On its way, if nothing happens to it. `late`: in any case later than what follows."""
        faults, random = self._faults, self._random
        if happens(faults.disconnect, random):
            self._broken()
        elif not happens(faults.drop, random):
            if happens(faults.duplicate, random):
                self._delayed(message)
            if late or happens(faults.delay, random):
                self._delayed(message)
            elif happens(faults.reorder, random):
                self._hold(message)
            else:
                self._pass(message)
                self._let_go()

    def clear(self) -> None:
        """Nothing that is on its way arrives."""
        self._line.clear()
        self._held.clear()
        self._last_ns = 0
        self._let_go()

    def __len__(self) -> int:
        return len(self._line) + len(self._held)

    def _pass(self, message: M) -> None:
        if self._at_once:
            self._deliver(message)
        else:
            due_ns = self._clock.monotonic_ns() + round(self._latency.draw(self._random) * NS)
            self._last_ns = max(self._last_ns, due_ns)
            self._line.send(message, self._last_ns)

    def _delayed(self, message: M) -> None:
        later_s = self._latency.draw(self._random) + self._faults.later_s(self._random)
        self._line.send(message, self._clock.monotonic_ns() + round(later_s * NS))

    def _hold(self, message: M) -> None:
        self._held.append(message)
        if self._release is None:
            due_ns = self._clock.monotonic_ns() + round(self._faults.delay_s[1] * NS)
            self._release = self._clock.call_at(due_ns, self._let_go)

    def _let_go(self) -> None:
        """What was held back goes now."""
        if self._release is not None:
            self._release.cancel()
            self._release = None
        held, self._held = self._held, []
        for message in held:
            self._pass(message)


class FaultyVenue:
    """The faults at the venue itself: what an engine's operator, its rules and other people do at the wrong moment."""

    def __init__(self, engine: Engine, clock: Clock, random: Random, faults: Faults) -> None:
        self._engine, self._clock, self._random, self._faults = engine, clock, random, faults
        self._later: Line[Callable[[], None]] = Line(clock, engine.in_turn)
        self._seen: set[tuple[str, ExecutionKey]] = set()  # a query tells executions again

    def submit(self, account: str, ticket: Ticket) -> None:
        """To the engine, or turned down."""
        now_ns = self._clock.now_ns()
        if happens(self._faults.reject, self._random):
            self._engine.refuse(account, ticket, "not today", now_ns)
        else:
            self._engine.submit(account, ticket, now_ns)

    def cancel(self, account: str, client_id: str) -> None:
        """To the engine, it may be just after somebody took of the order."""
        now_ns = self._clock.now_ns()
        if happens(self._faults.cross, self._random):
            order = self._engine.orders(account).get(client_id)
            if order is not None and order.resting:
                quantity = self._random.randint(1, order.remaining_increments)
                self._engine.hit(account, client_id, quantity, now_ns)
        self._engine.cancel(account, client_id, now_ns)

    def on_report(self, account: str, report: Report) -> None:
        """To be told each report of the engine: executions among them may be busted or corrected."""
        execution = report.execution
        if execution is None or report.kind is not ReportKind.FILL or not (self._faults.bust or self._faults.correct):
            return
        key = account, (execution.trading_day, execution.id)
        if key in self._seen:
            return
        self._seen.add(key)
        if happens(self._faults.bust, self._random):
            self._after(lambda: self._engine.bust(account, execution.id, self._clock.now_ns()))
        elif happens(self._faults.correct, self._random):
            self._after(partial(self._correct, account, execution))

    def stop(self) -> None:
        """Nothing goes wrong any more."""
        self._later.clear()

    def _after(self, do: Callable[[], None]) -> None:
        due_ns = self._clock.monotonic_ns() + round(self._faults.later_s(self._random) * NS)
        self._later.send(do, due_ns)

    def _correct(self, account: str, execution: VenueExecution) -> None:
        """To less, or to a price beside."""
        quantity = self._random.randint(1, execution.quantity_increments)
        price = max(1, execution.price_increments + self._random.choice((-1, 0, 1)))
        self._engine.correct(account, execution.id, quantity, price, self._clock.now_ns())
