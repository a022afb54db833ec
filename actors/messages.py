"""What the runtime itself sends and is sent: requests and their answers, `Down`, timers."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import attrs

from .errors import AskLost, AskRefused
from .mailbox import Delivery
from .reason import Reason

if TYPE_CHECKING:
    from .life import Life

R = TypeVar("R")


class Request(Generic[R]):
    """A message that wants an answer of type R. Subclass it (`@attrs.frozen class Total(Request[int])`).

    Who handles it calls `reply` or `fail`, now or later in its life; the first call counts, an answer that comes after
    the asker's timeout is dropped. A request object is asked once.
    """

    __slots__ = ("_answer",)
    _answer: "asyncio.Future[R]"

    def reply(self, value: R) -> None:
        """Answer."""
        future = self._future()
        if not future.done():
            future.set_result(value)

    def fail(self, error: Exception) -> None:
        """Answer with an error, which `ask` raises at the asker."""
        future = self._future()
        if not future.done():
            future.set_exception(error)

    def lose(self, path: str, why: str) -> None:
        """Answer that there will be none, if anybody asked (the runtime's)."""
        if getattr(self, "_answer", None) is not None:
            self.fail(AskLost(path, describe(self), why))

    def _future(self) -> "asyncio.Future[R]":
        future: asyncio.Future[R] | None = getattr(self, "_answer", None)
        if future is None:
            raise AskRefused(f"{describe(self)} was not asked, so nobody waits for its answer")
        return future

    def _expect(self, future: "asyncio.Future[R]") -> None:
        if getattr(self, "_answer", None) is not None:
            raise AskRefused(f"{describe(self)} was asked before: make a new request for each ask")
        object.__setattr__(self, "_answer", future)  # subclasses may be frozen


def describe(message: object) -> str:
    """A message in a log or an error: its type, which is telling, and never its content, which may be secret."""
    return type(message).__qualname__


def lose(message: object, path: str, why: str) -> None:
    """Tell who asked that `message` will not be answered, if it is a request."""
    if isinstance(message, Request):
        message.lose(path, why)


@attrs.frozen
class Down:
    """A life at `path` ended; sent to who monitors it, by the control lane. `life` counts from 1."""

    path: str
    life: int
    reason: Reason


class Timer:
    """A message to come. Ends with the life that set it; once `cancel` returned it will not arrive."""

    __slots__ = ("_alarm", "_due_ns", "_interval_ns", "_life", "_message", "_queued", "active", "missed")

    def __init__(self, life: "Life", delay_ns: int, interval_ns: int, message: Any) -> None:
        clock = life.cell.clock
        self._life = life
        self._message = message
        self._interval_ns = interval_ns  # 0: once
        self._due_ns = clock.monotonic_ns() + delay_ns
        self._queued = False
        self.active = True
        self.missed = 0  # ticks of `every` that came while the former one was still waiting to be handled
        self._alarm = clock.call_at(self._due_ns, self._ring)

    def cancel(self) -> None:
        """Forget it."""
        self.active = False
        self._alarm.cancel()
        self._life.timers.discard(self)

    def _ring(self) -> None:
        clock = self._life.cell.clock
        if self._queued:
            self.missed += 1
        elif self._life.cell.tell_control(self) is Delivery.FULL:  # a timer waits, it is not lost
            self._alarm = clock.call_at(clock.monotonic_ns() + _RETRY_NS, self._ring)
            return
        else:
            self._queued = True
        if self._interval_ns:
            behind = (clock.monotonic_ns() - self._due_ns) // self._interval_ns
            self.missed += behind
            self._due_ns += (behind + 1) * self._interval_ns  # on the grid: no drift, no burst after a stall
            self._alarm = clock.call_at(self._due_ns, self._ring)

    def take(self, handle: Callable[[Any], Any]) -> Any:
        """Hand the message to `handle` if it is still wanted (the runtime's, when it leaves the control lane)."""
        self._queued = False
        if not self.active:
            return None
        if not self._interval_ns:
            self.active = False
            self._life.timers.discard(self)
        return handle(self._message)


_RETRY_NS = 1_000_000
