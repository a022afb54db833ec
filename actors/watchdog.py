"""Notices a blocked event loop while it is still blocked, and names the actor that blocks it.

The stack is written by `faulthandler` (see dumper.py), if need be from C, which cannot read our objects. But it prints
the names of functions; so each actor's turn runs in a frame that carries the actor's path as its name, and the dump
says `in [strategies/momentum]`.
"""

import logging
import signal
import types
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TextIO, TypeVar

from .clock import NS, Alarm, Clock
from .dumper import Dumper

log = logging.getLogger("ticktree.actors")

F = TypeVar("F", bound=Callable[..., Any])


def _renamed(function: F, path: str) -> F:
    """A copy of `function` that tracebacks call `[path]`."""
    code = function.__code__.replace(co_name=f"[{path}]", co_qualname=f"[{path}]")
    copy = types.FunctionType(code, function.__globals__, f"[{path}]", function.__defaults__, function.__closure__)
    return copy  # type: ignore[return-value]  # the same code under another name


async def _awaited(awaitable: Awaitable[None]) -> None:
    await awaitable


class Watchdog:
    """Dumps all stacks to `file` when the loop has been blocked for `bound_s`, and counts how often it was.

    `bound_s` 0 turns it off. In virtual time there is nothing to guard, so it is off there too.
    """

    def __init__(self, clock: Clock, bound_s: float, file: TextIO | None = None) -> None:
        self.bound_ns = round(bound_s * NS) if bound_s else 1 << 62
        self.blocked_count = 0
        self.longest_ns = 0
        self._clock = clock
        self._bound_s = bound_s
        self._dumper = Dumper(file)
        self._alarm: Alarm | None = None
        self._armed_ns: int | None = None
        self._named = False  # who blocked the loop since then
        self._exit_ns: int | None = None

    def start(self) -> None:
        """Guard the running loop until `stop`."""
        if self._bound_s:
            self._arm()

    def stop(self) -> None:
        """Guard it no more."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._armed_ns is not None:
            self._armed_ns = None
            self._dumper.cancel()

    def nudge_with(self, number: signal.Signals | None) -> None:
        """Interrupt the call that blocks the loop once it has been dumped, with a signal whose handler does nothing."""
        self._dumper.nudge_with(number)

    def exit_at(self, due_ns: int) -> None:
        """From now on end the process (exit code 1, all stacks dumped) if it still runs then. The first call counts."""
        self._exit_ns = self._exit_ns or due_ns
        self._arm()

    def _arm(self) -> None:
        now_ns = self._clock.monotonic_ns()
        if self._armed_ns is not None and now_ns - self._armed_ns > self.bound_ns and not self._named:
            self.blocked("a coroutine or callback, named in the dump,", now_ns - self._armed_ns)
        self._armed_ns, self._named = now_ns, False
        if self._exit_ns is not None:
            self._dumper.set(max(0.001, (self._exit_ns - now_ns) / NS), exits=True)
            return
        self._dumper.set(self._bound_s)
        self._alarm = self._clock.call_at(now_ns + self.bound_ns // 3, self._arm)

    def blocked(self, path: str, elapsed_ns: int) -> None:
        """`path` kept the loop for longer than the bound; called when it let go."""
        self._named = True
        self.blocked_count += 1
        self.longest_ns = max(self.longest_ns, elapsed_ns)
        log.error("%s blocked the event loop for %.3f s (bound %g s)", path, elapsed_ns / NS, self._bound_s)

    def turn_of(self, path: str, turn: Callable[[], Any]) -> Callable[[], Any]:
        """`turn`, run in a frame named after the actor."""
        if not self._bound_s:
            return turn

        def frame() -> Any:
            return turn()

        return _renamed(frame, path)

    def copy_of(self, path: str, function: F) -> F:
        """A copy of `function` whose own frame is named after the actor: no frame more, but memory for its code."""
        return _renamed(function, path) if self._bound_s else function

    def task_of(self, path: str, awaitable: Awaitable[None]) -> Coroutine[Any, Any, None]:
        """A coroutine that awaits `awaitable` in a frame named after the actor."""
        return _renamed(_awaited, path)(awaitable)
