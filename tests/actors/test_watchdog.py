"""A blocked loop is noticed while it is blocked, dumped with the actor's name, and counted."""

import asyncio
import logging
import re
import time
from typing import Any

import pytest

from tests.actors.harness import clock_here, plain, program, running
from ticktree.actors import Actor, Supervisor, System, VirtualClock
from ticktree.actors.dumper import Dumper
from ticktree.actors.watchdog import Watchdog

pytestmark = pytest.mark.live

BLOCKING = """
BLOCK = {{
    "sleep": lambda: time.sleep(0.6),
    "sum": lambda: sum(range(30_000_000)),
    "loop": lambda: [None for _ in range(10_000_000)],
}}

class Blocks(Actor[Any]):
    def on_message(self, message: Any) -> Any:
        if {is_async}:
            return self.later(message)
        self.block(message)

    async def later(self, message: Any) -> None:
        await self.clock.sleep(0.01)
        self.block(message)

    def block(self, message: Any) -> None:
        sys.stderr.write("BLOCKS NOW\\n")
        BLOCK[message]()
        sys.stderr.write("LET GO\\n")

async def main() -> None:
    group = Supervisor((ChildSpec("heavy", Blocks, ROOM),), id="strategies")
    async with System(Supervisor((group,)), watchdog_s=0.05) as system:
        system.ref("strategies/heavy").tell("{how}")
        await asyncio.sleep(0.2)
        tree = system.snapshot()
        say(f"{{tree.blocked_count}} {{tree.blocked_longest_ns}}")

asyncio.Runner(loop_factory=new_loop("{loop}")).run(main())
"""


@pytest.mark.parametrize(
    ("how", "is_async", "loop"),
    [("sleep", False, "uvloop"), ("sum", False, "uvloop"), ("loop", False, "asyncio"), ("sum", True, "uvloop")],
)
def test_a_blocked_loop_is_dumped_while_it_is_blocked_and_counted(how: str, is_async: bool, loop: str) -> None:
    out, err = program(BLOCKING.format(how=how, is_async=is_async, loop=loop)).communicate(timeout=60)
    count, longest_ns = map(int, out.split())
    assert count >= 1
    assert longest_ns > 50_000_000
    during = err[err.index("BLOCKS NOW") : err.index("LET GO")]
    # By our own thread; where C code lets nobody else run, by a C thread later.
    assert ("Timeout (0:00:00.15" if how == "sum" else "Timeout (0:00:00.05") in during
    assert re.search(r'File ".*", line \d+ in \[strategies/heavy\]', during)
    assert " in block\n" in during
    after = err[err.index("LET GO") :]
    assert re.search(r"ERROR .*blocked the event loop for \d\.\d+ s \(bound 0\.05 s\)", after)
    if not is_async:
        assert "ERROR strategies/heavy blocked the event loop" in after


def test_a_handler_that_blocks_a_hand_off_is_named_beside_its_sender() -> None:
    body = """
class Sender(Actor[Any]):
    def on_message(self, message: Any) -> None:
        self.reads.begin_read(False)
        self.find("heavy").tell(message)
        self.reads.end_read()

class Blocks(Actor[Any]):
    def on_message(self, message: Any) -> None:
        sys.stderr.write("BLOCKS NOW\\n")
        time.sleep(0.5)
        sys.stderr.write("LET GO\\n")

async def main() -> None:
    children = ChildSpec("sender", Sender, ROOM), ChildSpec("heavy", Blocks, ROOM, hand_off=True)
    async with System(Supervisor(children), watchdog_s=0.05) as system:
        system.ref("sender").tell("message")
        await asyncio.sleep(0.2)

asyncio.Runner(loop_factory=new_loop()).run(main())
"""
    _, err = program(body).communicate(timeout=60)
    during = err[err.index("BLOCKS NOW") : err.index("LET GO")]
    assert re.search(r" in \[heavy\]\n(.*\n)+.* in \[sender\]\n", during)


async def test_a_loop_that_is_not_blocked_is_not_counted(capfd: pytest.CaptureFixture[str]) -> None:
    seen: list[Any] = []
    async with running(plain("a", lambda actor, message: seen.append(message)), watchdog_s=0.5) as system:
        for n in range(100):
            system.ref("a").tell(n)
            await clock_here().sleep(0.004)
        assert (system.snapshot().blocked_count, len(seen)) == (0, 100)
    assert "Timeout" not in capfd.readouterr().err


async def test_the_watchdog_may_be_off(caplog: pytest.LogCaptureFixture) -> None:
    async with running(plain("a", lambda actor, message: time.sleep(0.02)), watchdog_s=0) as system:
        system.ref("a").tell(0)
        await clock_here().sleep(0.1)
        assert system.snapshot().blocked_count == 0


class Dumps:
    """What is asked of the dumper, in place of the real one."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.armed: list[tuple[float, bool]] = []
        self.cancelled = 0

        def set(_: Dumper, delay_s: float, exits: bool = False) -> None:
            self.armed.append((delay_s, exits))

        def cancel(_: Dumper) -> None:
            self.cancelled += 1

        patch.setattr(Dumper, "set", set)
        patch.setattr(Dumper, "cancel", cancel)


@pytest.fixture
def dumps(monkeypatch: pytest.MonkeyPatch) -> Dumps:
    return Dumps(monkeypatch)


async def test_it_is_armed_anew_three_times_a_bound(dumps: Dumps) -> None:
    clock = clock_here()
    watchdog = Watchdog(clock, 0.06)
    watchdog.start()
    await clock.sleep(0.2)
    watchdog.stop()
    watchdog.stop()
    assert 4 <= len(dumps.armed) <= 12
    assert set(dumps.armed) == {(0.06, False)}
    assert dumps.cancelled == 1
    armed = len(dumps.armed)
    await clock.sleep(0.1)
    assert len(dumps.armed) == armed


async def test_an_end_of_the_process_is_set_once_and_taken_back_when_all_has_stopped(dumps: Dumps) -> None:
    clock = clock_here()
    for bound_s in (0.0, 5.0):
        watchdog = Watchdog(clock, bound_s)
        watchdog.start()
        before = dumps.cancelled
        watchdog.exit_at(clock.monotonic_ns() + 10**9)
        left_s, exits = dumps.armed[-1]
        assert exits
        assert 0.9 < left_s <= 1.0
        watchdog.stop()
        assert dumps.cancelled == before + 1  # a process that lives on must not be ended


async def test_an_end_in_the_past_is_as_soon_as_can_be(dumps: Dumps) -> None:
    clock = clock_here()
    watchdog = Watchdog(clock, 0.0)
    watchdog.exit_at(clock.monotonic_ns() - 10**9)
    assert dumps.armed == [(0.001, True)]
    watchdog.stop()


async def test_what_blocks_elsewhere_than_in_a_turn_is_counted_too(
    dumps: Dumps, caplog: pytest.LogCaptureFixture
) -> None:
    clock = clock_here()
    watchdog = Watchdog(clock, 0.2)
    watchdog.start()
    await clock.sleep(0.02)
    asyncio.get_running_loop().call_soon(time.sleep, 0.4)
    await clock.sleep(0.02)
    watchdog.stop()
    assert watchdog.blocked_count == 1
    assert watchdog.longest_ns > 300_000_000
    assert "blocked the event loop" in caplog.text


async def test_what_a_turn_has_named_is_not_counted_twice(dumps: Dumps, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)

    def block(actor: Actor[Any], message: Any) -> None:
        time.sleep(0.4)

    async with running(plain("a", block), watchdog_s=0.2) as system:
        await clock_here().sleep(0.1)  # the collection at the start may have taken long
        caplog.clear()
        before = system.snapshot().blocked_count
        system.ref("a").tell(0)
        await clock_here().sleep(0.2)
        assert system.snapshot().blocked_count == before + 1
    assert [record.message.split(" blocked")[0] for record in caplog.records] == ["a"]


async def test_nothing_is_guarded_in_virtual_time(dumps: Dumps) -> None:
    system = System(Supervisor(()), VirtualClock())
    system.watchdog.start()
    assert dumps.armed == []
