"""Who runs next: the run queue, the length of a turn, and what hand-off may take of a read callback.

One callback of the loop serves many actors. Each drains at most `ITEMS_A_TURN` messages or 1 ms before the others get
theirs, and after about 1 ms in all the loop looks at its sockets. With a seed the next actor is drawn at random, so
that a simulation tries orders which a loop allows but seldom shows; the loop's own callbacks stay first-in-first-out.
"""

import asyncio
from collections import deque
from contextvars import Context, copy_context
from random import Random
from typing import TYPE_CHECKING, Protocol

from .clock import Clock

if TYPE_CHECKING:
    from .cell import ActorCell

ITEMS_A_TURN = 256
TURN_NS = 1_000_000
TURNS = range(64)  # in one callback of the loop, as far as time allows; a bound for virtual time, which stands still


class ReadTurns(Protocol):
    """What a socket's read callback wraps itself in."""

    def begin_read(self, filled: bool) -> None:
        """A read callback begins. `filled`: the read filled its buffer, more is waiting, so nothing is handed off."""
        ...

    def end_read(self) -> None:
        """It ends."""
        ...


class Scheduler:
    """The run queue of one system."""

    __slots__ = (
        "_loop",
        "_random",
        "burst",
        "burst_began_ns",
        "context",
        "depth",
        "epoch",
        "handed",
        "monotonic_ns",
        "now_ns",
        "ready",
        "scheduled",
        "woken_ns",
    )

    def __init__(self, clock: Clock, random: Random | None) -> None:
        self.monotonic_ns = clock.monotonic_ns
        self.ready: deque[ActorCell] = deque()
        self.scheduled = False  # the run queue is being served, or will be
        self.now_ns = 0  # the clock, as last read in a turn: where the next turn of the same round begins
        self.woken_ns = 0  # when the run queue last began to fill
        self.epoch = 1  # counts read callbacks that handed something off
        self.burst = 0  # the epoch while hand-off is allowed, else 0
        self.burst_began_ns = 0  # with the first hand-off in it
        self.depth = 0  # of hand-offs within hand-offs
        self.handed: ActorCell | None = None  # the last one in this read callback
        self._random = random
        self._loop: asyncio.AbstractEventLoop | None = None
        self.context: Context | None = None  # of plain handlers: nobody's, whoever set the run queue going

    def start(self) -> None:
        """Begin on the running loop."""
        self._loop, self.context = asyncio.get_running_loop(), copy_context()
        if self.ready:
            self._loop.call_soon(self._turn, context=self.context)

    def schedule(self) -> None:
        """The run queue begins to fill: have it served."""
        self.scheduled = True
        self.woken_ns = self.monotonic_ns()
        if self._loop is not None:
            self._loop.call_soon(self._turn, context=self.context)

    def _turn(self) -> None:
        ready = self.ready
        self.now_ns = began_ns = self.monotonic_ns()
        try:
            for _ in TURNS if len(ready) <= len(TURNS) else range(len(ready)):
                cell = ready.popleft() if self._random is None else self._draw(self._random)
                if cell.run():  # which brings `now_ns` up to date
                    ready.append(cell)
                if not ready or self.now_ns - began_ns >= TURN_NS:
                    break
        finally:
            self.woken_ns = self.now_ns
            if not ready:
                self.scheduled = False
            elif self._loop is not None:
                self._loop.call_soon(self._turn, context=self.context)

    def _draw(self, random: Random) -> "ActorCell":
        ready = self.ready
        ready.rotate(-random.randrange(len(ready)))
        return ready.popleft()

    def begin_read(self, filled: bool) -> None:
        """A read callback begins; hand-off is allowed in it unless the read filled its buffer."""
        self.burst = 0 if filled else self.epoch

    def end_read(self) -> None:
        """The read callback ends."""
        self.burst = 0
        if self.handed is not None:
            # Nobody is handed anything after 1 ms, so who blocked the loop is the last one that was.
            elapsed_ns = self.monotonic_ns() - self.burst_began_ns
            if elapsed_ns >= TURN_NS:
                self.handed.check_blocked(elapsed_ns)
            self.handed = None
            self.epoch += 1
