"""Small actors and systems that the tests of the runtime share."""

import asyncio
import os
import subprocess
import sys
import textwrap
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import attrs
import pytest

from ticktree.actors import (
    Actor,
    ActorRef,
    Block,
    ChildSpec,
    Clock,
    LiveClock,
    Mailbox,
    Reason,
    Request,
    Supervisor,
    System,
    VirtualClock,
    VirtualLoop,
)
from ticktree.actors.cell import ActorCell
from ticktree.actors.collector import Collector

ROOM = Mailbox(1_000, Block())


class Recorder(Actor[Any]):
    """Writes down what it handles."""

    def __init__(self, seen: list[Any]) -> None:
        self.seen = seen

    def on_message(self, message: Any) -> None:
        self.seen.append(message)


class Plain(Actor[Any]):
    """Handles each message with a function: `handle(actor, message)`."""

    def __init__(self, handle: Callable[[Actor[Any], Any], object]) -> None:
        self.handle = handle

    def on_message(self, message: Any) -> None:
        self.handle(self, message)


class Awaiting(Actor[Any]):
    """Handles each message with a coroutine function."""

    def __init__(self, handle: Callable[[Actor[Any], Any], Awaitable[object]]) -> None:
        self.handle = handle

    async def on_message(self, message: Any) -> None:
        await self.handle(self, message)


def raises(actor: Actor[Any], message: Any) -> None:
    raise ValueError(f"cannot handle {message}")


async def wait_a_second(actor: Actor[Any], message: Any) -> None:
    await actor.clock.sleep(1.0)


@attrs.frozen(eq=False)
class Question(Request[str]):
    """A request with a number to tell it by."""

    number: int = 0


def child(id: str, start: Callable[..., Actor[Any]], mailbox: Mailbox = ROOM, **more: Any) -> ChildSpec:
    return ChildSpec(id, start, mailbox, **more)


def plain(id: str, handle: Callable[[Actor[Any], Any], object], mailbox: Mailbox = ROOM, **more: Any) -> ChildSpec:
    return child(id, lambda: Plain(handle), mailbox, **more)


def awaiting(
    id: str, handle: Callable[[Actor[Any], Any], Awaitable[object]], mailbox: Mailbox = ROOM, **more: Any
) -> ChildSpec:
    return child(id, lambda: Awaiting(handle), mailbox, **more)


def tree(children: Sequence[ChildSpec | Supervisor]) -> Supervisor:
    """A root that restarts as often as a test likes."""
    return Supervisor(tuple(children), intensity=1_000_000, period_s=1.0)


@asynccontextmanager
async def running(*children: ChildSpec | Supervisor, **more: Any) -> AsyncGenerator[System, None]:
    """A system of these children, on the clock of the running loop, stopped at the end."""
    system = System(tree(children), clock_here(), **more)
    await system.start()
    await settle()
    try:
        yield system
    finally:
        await system.stop()
    assert all(cell.stats().unaccounted == 0 for cell in system.cells())


def _nothing(_: Collector) -> None:
    pass


def do(what: Callable[[Any], Any]) -> Any:
    """A message that says itself what is to be done."""
    return what


@contextmanager
def without_collector() -> Generator[None, None, None]:
    """Many systems in a row, without a full garbage collection at the start of each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Collector, "start", _nothing)
        yield


def clock_here() -> Clock:
    loop = asyncio.get_running_loop()
    return loop.clock if isinstance(loop, VirtualLoop) else LiveClock()


def virtual_clock() -> VirtualClock:
    clock = clock_here()
    assert isinstance(clock, VirtualClock)
    return clock


async def settle() -> None:
    """Let everything that can run do so: in virtual time a timer rings only when nothing else is left."""
    await asyncio.sleep(1e-9)


def cell_of(system: System, path: str) -> ActorCell:
    """The runtime's own view of one place."""
    return next(cell for cell in system.cells() if cell.path == path)


async def restarted(system: System, path: str) -> None:
    """Kill the life at `path` and wait for the next one."""
    cell_of(system, path).kill()
    await settle()


def ref_of(system: System, path: str) -> ActorRef[Any]:
    return system.ref(path)


class Stopping(Actor[Any]):
    """Reports its end; `stopping` is what `on_stop` does."""

    def __init__(self, seen: list[Any], stopping: Callable[[], Any] = lambda: None) -> None:
        self.seen, self.stopping = seen, stopping

    def on_message(self, message: Any) -> Any:
        if isinstance(message, BaseException):
            raise message
        return message(self) if callable(message) else None

    def on_stop(self, reason: Reason) -> Any:
        self.seen.append(reason)
        return self.stopping()


class Swallower:
    """A handler that cannot be cancelled; it ends when it is released."""

    def __init__(self) -> None:
        self.released = asyncio.Event()

    async def swallow(self, _: Actor[Any] | None = None) -> None:
        while not self.released.is_set():
            try:
                await self.released.wait()
            except asyncio.CancelledError:
                pass

    async def release(self) -> None:
        self.released.set()
        await settle()


def last(system: System, path: str) -> Reason:
    reason = cell_of(system, path).last_reason
    assert reason is not None
    return reason


PRELUDE = """
import asyncio, faulthandler, logging, os, signal, sys, time
from typing import Any
from ticktree.actors import *

logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(message)s")
ROOM = Mailbox(1000, Block())

def say(text: str) -> None:
    print(text, flush=True)
"""


def program(body: str) -> subprocess.Popen[str]:
    """Run `body` after `PRELUDE` in a Python of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(body)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
