"""The system as a process: signals, budgets, exit codes; and as a value: refs, paths, what it refuses."""

import asyncio
import os
import re
import signal
import subprocess
import time
from typing import Any

import pytest

from tests.actors.harness import (
    awaiting,
    cell_of,
    child,
    clock_here,
    plain,
    program,
    running,
    settle,
    tree,
    virtual_clock,
)
from ticktree.actors import (
    SHUTDOWN,
    Actor,
    Exit,
    LiveClock,
    NotRunning,
    Restart,
    SpecError,
    StartFailed,
    Supervisor,
    System,
    UnknownActor,
    VirtualClock,
    new_loop,
)

# --- as a process ----------------------------------------------------------------------------------------------------

ACTORS = """
class Steady(Actor[Any]):
    def __init__(self, name: str) -> None:
        self.name = name
    def on_start(self) -> None:
        say(f"{self.name} starts")
    def on_message(self, message: Any) -> None:
        pass
    def on_drain(self) -> None:
        say(f"{self.name} drains")
    def on_stop(self, reason: Any) -> None:
        say(f"{self.name} stops: {reason}")

class Slow(Steady):
    async def on_message(self, message: Any) -> None:
        say(f"{self.name} handles {message}")
        await self.clock.sleep(1000.0 if message == "long" else 0.2)

class Stuck(Steady):
    def on_message(self, message: Any) -> None:
        say(f"{self.name} blocks")
        if message == "plain":
            while True:
                pass
        time.sleep(1000.0)

class Stubborn(Steady):
    async def on_message(self, message: Any) -> None:
        say(f"{self.name} holds on")
        while True:
            try:
                await asyncio.sleep(1000.0)
            except asyncio.CancelledError:
                pass

class Waits(Steady):
    async def on_start(self) -> None:
        say(f"{self.name} waits")
        await asyncio.sleep(1000.0)

def child(name: str, kind: Any = Steady, **more: Any) -> ChildSpec:
    return ChildSpec(name, lambda: kind(name), ROOM, **more)

def run(*children: Any, tell: dict[str, list[Any]] = {}, loop: str = "uvloop", **more: Any) -> None:
    def make() -> System:
        system = System(Supervisor(children), **more)
        for path, messages in tell.items():
            for message in messages:
                system.ref(path).tell(message)
        return system
    report = run_system(make, loop)
    say(f"code {report.exit_code} overran {report.overran} dropped {report.dropped_stop} leaks {len(report.leaks)}")
    sys.exit(report.exit_code)
"""


class Process:
    """A program of `ACTORS` whose output is read line by line."""

    def __init__(self, body: str) -> None:
        self.process: subprocess.Popen[str] = program(ACTORS + body)
        self.lines: list[str] = []

    def read_until(self, line: str) -> None:
        assert self.process.stdout is not None
        while not self.lines or self.lines[-1] != line:
            read = self.process.stdout.readline()
            assert read, f"{line!r} never came: {self.lines}"
            self.lines.append(read.strip())

    def send(self, number: signal.Signals) -> float:
        os.kill(self.process.pid, number)
        return time.monotonic()

    def end(self) -> tuple[int, list[str], str]:
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out.splitlines(), err


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_drains_and_stops_in_reverse_and_the_process_ends_well(number: signal.Signals, loop: str) -> None:
    process = Process(f'run(child("a"), child("b"), loop="{loop}")')
    process.read_until("b starts")
    process.send(number)
    code, lines, err = process.end()
    assert code == 0
    assert sorted(lines[:2]) == ["a drains", "b drains"]
    assert lines[2:] == ["b stops: shutdown", "a stops: shutdown", "code 0 overran () dropped 0 leaks 0"]
    assert f"{number.name}: stopping" in err


def test_a_signal_lets_the_mailboxes_run_empty() -> None:
    process = Process('run(child("a", Slow), tell={"a": [1, 2, 3]})')
    process.read_until("a handles 1")
    process.send(signal.SIGTERM)
    code, lines, _ = process.end()
    assert (code, lines[-1]) == (0, "code 0 overran () dropped 0 leaks 0")
    assert [line for line in lines if "handles" in line] == ["a handles 2", "a handles 3"]


def test_a_second_signal_cuts_the_drain_short() -> None:
    process = Process('run(child("a", Slow), tell={"a": list(range(1000))})')
    process.read_until("a handles 0")
    process.send(signal.SIGTERM)
    process.read_until("a handles 2")
    sent = process.send(signal.SIGINT)
    code, lines, err = process.end()
    assert time.monotonic() - sent < 5.0
    assert code == 0
    assert "SIGINT: cutting the drain short" in err
    dropped = re.search(r"dropped (\d+)", lines[-1])
    assert dropped
    assert 990 <= int(dropped[1]) <= 997
    assert "a stops: shutdown" in lines


def test_sigusr1_prints_the_tree_and_all_goes_on() -> None:
    process = Process('run(child("a", Slow), child("b"), tell={"a": [1, 2]})')
    process.read_until("a handles 1")
    process.send(signal.SIGUSR1)
    process.read_until("a handles 2")
    process.send(signal.SIGTERM)
    code, _, err = process.end()
    assert code == 0
    assert re.search(r"^ticktree at \d+\.\d+ s: ", err, re.MULTILINE)
    assert re.search(r"^  a  suspended  life 1 .* queued 1/1000 .* waits on .*:\d+ in \w+$", err, re.MULTILINE)
    assert re.search(r"^  b  running  life 1 ", err, re.MULTILINE)


def test_a_signal_while_the_tree_starts_stops_what_has_started() -> None:
    process = Process('run(child("a"), child("b", Waits), child("c"))')
    process.read_until("b waits")
    sent = process.send(signal.SIGTERM)
    code, lines, _ = process.end()
    assert time.monotonic() - sent < 5.0
    assert (code, lines) == (0, ["a drains", "a stops: shutdown", "code 0 overran () dropped 0 leaks 0"])


def test_a_stop_beyond_the_budget_kills_and_names_who_overran() -> None:
    body = 'run(child("a", Slow, shutdown="infinity"), child("b"), tell={"a": ["long", "queued"]}, budget_s=0.3)'
    process = Process(body)
    process.read_until("a handles long")
    sent = process.send(signal.SIGTERM)
    code, lines, err = process.end()
    assert time.monotonic() - sent < 1.3
    assert (code, lines[-1]) == (1, "code 1 overran ('a',) dropped 1 leaks 0")
    assert "the stop took longer than its budget of 0.3 s; killed: a" in err


def test_a_handler_that_cannot_be_cancelled_is_named_and_does_not_keep_the_process() -> None:
    process = Process('run(child("b"), child("a", Stubborn, shutdown=0.1), tell={"a": ["begin"]}, budget_s=20.0)')
    process.read_until("a holds on")
    sent = process.send(signal.SIGTERM)
    code, lines, err = process.end()
    assert time.monotonic() - sent < 5.0
    assert (code, lines[-1]) == (1, "code 1 overran ('a',) dropped 0 leaks 1")
    assert "a life 1 swallowed its cancellation, waiting on" in err


def test_a_stray_task_that_cannot_be_cancelled_does_not_keep_the_process_either() -> None:
    process = Process("""
class Strays(Steady):
    def on_start(self) -> None:
        self.stray = asyncio.get_running_loop().create_task(Stubborn.on_message(self, 0))

run(child("a", Strays), budget_s=0.3)
""")
    process.read_until("a holds on")
    sent = process.send(signal.SIGTERM)
    code, _, err = process.end()
    assert time.monotonic() - sent < 3.0
    assert code == 1
    assert "Timeout" in err


@pytest.mark.parametrize("how", ["plain", "sleep"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_handler_blocked_for_ever_does_not_keep_the_process(how: str, number: signal.Signals) -> None:
    process = Process(f'run(child("a"), child("b", Stuck), tell={{"b": ["{how}"]}}, budget_s=0.5)')
    process.read_until("b blocks")
    sent = process.send(number)
    code, _, err = process.end()
    assert 1.3 < time.monotonic() - sent < 3.0
    assert code != 0
    assert " in [b]" in err


def test_a_signal_that_does_not_interrupt_the_call_that_blocks_is_served_all_the_same() -> None:
    """As one does that comes just before the call begins: its handler in C has run, and Python's waits."""
    process = Process("""
import threading

class Missed(Steady):
    def on_message(self, message: Any) -> None:
        threading.Timer(0.05, signal.raise_signal, [signal.SIGTERM]).start()
        time.sleep(1000.0)

run(child("a", Missed), tell={"a": ["now"]}, budget_s=0.2)
""")
    code, _, err = process.end()
    assert code == 1
    assert " in [a]" in err


def test_a_handler_that_blocks_for_ever_while_the_system_stops_does_not_keep_the_process() -> None:
    process = Process("""
class Late(Steady):
    def on_stop(self, reason: Any) -> None:
        say("blocks")
        while True:
            pass

run(child("a"), child("b", Late), budget_s=0.5)
""")
    process.read_until("b starts")
    sent = process.send(signal.SIGTERM)
    code, _, err = process.end()
    assert 1.3 < time.monotonic() - sent < 3.0
    assert code != 0
    assert " in [b]" in err


def test_a_process_that_lives_on_after_its_system_is_not_ended() -> None:
    process = Process("""
run_system(lambda: System(Supervisor((child("a"),)), budget_s=0.2, watchdog_s=0))
time.sleep(1.6)
say("still here")
""")
    process.read_until("a starts")
    process.send(signal.SIGTERM)
    code, lines, _ = process.end()
    assert (code, lines[-1]) == (0, "still here")


def test_a_tree_that_gives_up_ends_the_process_with_a_code() -> None:
    process = Process("""
class Fails(Steady):
    def on_message(self, message: Any) -> None:
        raise ValueError("again and again")

run(child("a", Fails), tell={"a": [1, 2, 3]})
""")
    code, lines, err = process.end()
    assert (code, lines[-1].split(" dropped")[0]) == (1, "code 1 overran ()")
    assert "root gave up: more than 1 restarts within 5 s" in err
    assert err.count("life 1 ended: error: ValueError: again and again") >= 1


def test_a_tree_that_does_not_start_raises() -> None:
    process = Process("""
class Fails(Steady):
    def on_start(self) -> None:
        raise ValueError("cannot start")

run(child("a"), child("b", Fails))
""")
    code, lines, err = process.end()
    assert (code, lines) == (1, ["a starts", "a stops: shutdown"])
    assert "StartFailed: b did not start: ValueError: cannot start" in err


# --- as a value ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("budget_s", [0, -1, float("nan"), float("inf"), 1e9])
def test_a_budget_that_cannot_work_is_refused(budget_s: float) -> None:
    with pytest.raises(SpecError, match="budget_s is a number of seconds above 0"):
        System(Supervisor(()), VirtualClock(), budget_s=budget_s)


def test_a_root_is_a_supervisor() -> None:
    root: Any = child("a", Actor)
    with pytest.raises(SpecError):
        System(root, VirtualClock())


def test_a_system_is_live_unless_told() -> None:
    assert isinstance(System(Supervisor(())).clock, LiveClock)


def test_a_loop_is_uvloop_or_asyncio() -> None:
    for kind, module in (("uvloop", "uvloop"), ("asyncio", "asyncio")):
        loop = new_loop(kind)()
        assert type(loop).__module__.split(".")[0] == module
        loop.close()
    with pytest.raises(SpecError, match="loop is uvloop or asyncio; not 'trio'"):
        new_loop("trio")


async def test_paths_lead_to_actors_and_supervisors() -> None:
    group = Supervisor((child("a", Actor), Supervisor((child("b", Actor),), id="inner")), id="group")
    async with running(group) as system:
        assert system.ref("group/inner/b").path == "group/inner/b"
        assert system.supervisor("group/inner").path == "group/inner"
        assert system.supervisor().path == "root"
        for path in ("group", "group/inner", "group/aa", "group/a/b", "", "nowhere"):
            with pytest.raises(UnknownActor, match=f"no actor at '{path}'; nearest: group/"):
                system.ref(path)
        for path in ("group/a", "nowhere"):
            with pytest.raises(UnknownActor):
                system.supervisor(path)


async def test_a_system_starts_once() -> None:
    system = System(tree([child("a", Actor)]), clock_here())
    with pytest.raises(NotRunning, match="was not started"):
        await system.wait()
    await system.start()
    with pytest.raises(NotRunning, match="starts once: make a new one"):
        await system.start()
    await settle()
    await system.stop()
    with pytest.raises(NotRunning, match="starts once"):
        await system.start()


async def test_a_stop_may_be_asked_for_at_once_often_and_too_early(clock: VirtualClock) -> None:
    system = System(tree([child("a", Actor)]), clock)
    system.begin_stop()
    await system.start()
    reports = await asyncio.gather(*[system.stop() for _ in range(3)])
    assert {report.reason for report in reports} == {SHUTDOWN}
    assert (await system.stop()).exit_code == 0
    assert system.stopping


async def test_a_report_tells_each_step_in_order_and_how_long_it_took(clock: VirtualClock) -> None:
    class Slow(Actor[Any]):
        async def on_stop(self, reason: Any) -> None:
            await clock.sleep(0.5)

    group = Supervisor((child("a", Actor), child("b", Slow)), id="group")
    system = System(tree([group, child("c", Actor)]), clock)
    await system.start()
    await settle()
    report = await system.stop()
    assert [step.path for step in report.steps] == ["c", "group/b", "group/a", "group"]
    assert [round(step.duration_s, 3) for step in report.steps] == [0.0, 0.5, 0.0, 0.5]
    assert all(step.reason == SHUTDOWN and not step.overran for step in report.steps)
    assert report.duration_s == pytest.approx(0.5, abs=0.001)


@pytest.mark.parametrize("children", [1, 5])
async def test_all_ends_in_the_budget_and_the_grace_however_many_hold_on(clock: VirtualClock, children: int) -> None:
    released = asyncio.Event()

    async def hold_on(actor: Actor[Any], message: Any) -> None:
        while not released.is_set():
            try:
                await released.wait()
            except asyncio.CancelledError:
                pass

    specs = [awaiting(f"a{n}", hold_on, shutdown=5.0) for n in range(children)]
    system = System(tree([*specs, child("b", Actor)]), clock, budget_s=2.0)
    await system.start()
    await settle()
    for n in range(children):
        system.ref(f"a{n}").tell("begin")
    await settle()
    report = await system.stop()
    assert report.duration_s < 3.0
    assert (len(report.leaks), report.exit_code) == (children, 1)
    assert sorted(report.overran) == [f"a{n}" for n in range(children)]
    released.set()
    await settle()
    assert system.leaked_tasks == ()


async def test_a_root_that_gives_up_ends_the_system_with_its_history(clock: VirtualClock) -> None:
    root = Supervisor((plain("a", lambda actor, message: 1 / 0),), intensity=0)
    system = System(root, clock)
    await system.start()
    system.ref("a").tell("fail", 2)
    system.ref("a").tell("queued", 3)
    report = await system.wait()
    assert (report.exit_code, report.reason.kind, report.dropped_stop) == (1, Exit.SHUTDOWN, 3)
    assert "ZeroDivisionError" in str(report.reason)
    assert (await system.stop()).reason == report.reason


async def test_a_start_that_fails_leaves_nothing_running() -> None:
    class Fails(Actor[Any]):
        def on_start(self) -> None:
            raise ValueError("no")

    system = System(tree([child("a", Actor), child("b", Fails)]), clock_here())
    with pytest.raises(StartFailed):
        await system.start()
    report = await system.wait()
    assert report.exit_code == 1
    assert all(cell.life is None for cell in system.cells())
    assert system.ref("a").tell("late").name == "CLOSED"
    assert len(asyncio.all_tasks()) == 1


async def test_a_child_that_ends_by_itself_is_no_failure_of_the_system() -> None:
    async with running(
        plain("a", lambda actor, message: actor.stop(), restart=Restart.TRANSIENT), child("b", Actor)
    ) as system:
        system.ref("a").tell("go")
        await settle()
        assert cell_of(system, "a").life is None
        assert (await system.stop()).exit_code == 0


async def test_a_clock_and_a_loop_of_its_own_are_kept_apart() -> None:
    async with running(child("a", Actor)) as system:
        assert system.clock is virtual_clock()


@pytest.mark.live
async def test_signals_are_heard_between_handling_and_ignoring_them(capfd: pytest.CaptureFixture[str]) -> None:
    async with running(child("a", Actor)) as system:
        system.handle_signals()
        os.kill(os.getpid(), signal.SIGUSR1)
        await clock_here().sleep(0.05)
        system.ignore_signals()
        assert "a  running  life 1" in capfd.readouterr().err
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        assert not system.stopping
