"""Programs of ours in processes of their own: they start, are heard, and end with us, however we end."""

import logging
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from inspect import iscoroutinefunction
from pathlib import Path

import pytest

from ticktree import companion
from ticktree.actors import ChildSpec, Fail, Mailbox, Supervisor, System
from ticktree.companion import Companion, CompanionFailed, Ended, Said, Watching, company, watching

from .probe import DEADLINE_S

WAITS = "import signal; signal.pause()"
IN_ORDER = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
print("tcp://127.0.0.1:1  one thing")
print("tcp://127.0.0.1:2  another, with  spaces")
signal.pause()
"""
WARNS = """
import logging, sys
from ticktree import logs
logs.set_up(stream=sys.stderr)
logging.getLogger("ticktree.feeds").warning("a gap")
print("a line of somebody's", file=sys.stderr)
print("x  y")
"""
Write = Callable[[str, str], None]


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Makes a module that companions can be started of."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def write(name: str, code: str) -> None:
        (tmp_path / f"{name}.py").write_text(code)

    return write


@pytest.fixture(autouse=True)
def nothing_left(request: pytest.FixtureRequest) -> Generator[None]:
    """No pipe, no thread and no process is left behind."""
    before, threads = descriptors(), threading.active_count()
    yield
    if not iscoroutinefunction(request.function):  # what a system has for its watchdog stays
        assert descriptors() == before
    assert threading.active_count() == threads
    with pytest.raises(ChildProcessError):  # not even a zombie
        os.waitpid(-1, os.WNOHANG)


def descriptors() -> int:
    """How many pipes are open; a loop that an async test has is made of other things."""
    return sum(stat.S_ISFIFO(os.stat(fd).st_mode) for fd in range(3, 256) if is_open(fd))


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def test_it_says_where_it_listens_and_ends_when_it_is_told(module: Write) -> None:
    module("in_order", IN_ORDER)
    with Companion("both", "in_order") as both:
        found = both.addresses(2)
        assert both.code is None
    assert found == {"one thing": "tcp://127.0.0.1:1", "another, with  spaces": "tcp://127.0.0.1:2"}
    assert both.code == both.end() == 7


def test_the_simulated_exchange_is_one(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "ticktree.companion")
    with Companion("market", "ticktree", "exchange", "--ws", "") as market:
        url = market.addresses(1)["wire protocol"]
        assert url.startswith("tcp://127.0.0.1:")
        until(lambda: caplog.records)
    assert market.code == 0
    # What it logs is in our log, without its own clock; that it stops because we want it to is no news.
    assert caplog.messages == [f"market: simulated exchange: listens at {url}"]


def test_what_it_warns_of_is_a_warning_of_ours(module: Write, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "ticktree.companion")
    module("warning", WARNS)
    with Companion("market", "warning") as market:
        market.addresses(1)
        until(lambda: len(caplog.records) == 2)
    assert [(each.levelname, each.message) for each in caplog.records] == [
        ("WARNING", "market: a gap"),
        ("INFO", "market: a line of somebody's"),
    ]


def test_one_that_cannot_start_is_an_error_with_what_it_said_last(module: Write) -> None:
    module("failing", "import sys; print('some line', file=sys.stderr); raise SystemExit('the port is taken')")
    with Companion("market", "failing") as market, pytest.raises(CompanionFailed) as caught:
        market.addresses(1)
    assert str(caught.value) == (
        "market: ended with code 1 before it said where it listens; it said last:\n  some line\n  the port is taken"
    )
    assert caught.value.lines == ("some line", "the port is taken")


def test_one_that_does_not_exist_is_an_error_that_names_it() -> None:
    with Companion("market", "no_such_module") as market, pytest.raises(CompanionFailed, match="no_such_module"):
        market.addresses(1)


def test_one_that_says_nothing_is_waited_for_no_longer_than_told(module: Write) -> None:
    module("silent", WAITS)
    with (
        Companion("market", "silent") as market,
        pytest.raises(CompanionFailed, match=r"^market: did not say in time where it listens$"),
    ):
        market.addresses(1, within_s=0.01)
    assert market.code == -signal.SIGTERM


def test_one_that_does_not_end_is_killed(module: Write, caplog: pytest.LogCaptureFixture) -> None:
    ignores = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('x  y')\nwhile True: signal.pause()"
    module("stubborn", ignores)
    with Companion("market", "stubborn") as market:
        market.addresses(1)
        assert market.end(within_s=0.1) == -signal.SIGKILL
    assert "market did not end within 0.1 s, and is killed" in caplog.messages


OWNER = """
import sys, time
from ticktree.companion import Companion
child = Companion("child", "in_order")
child.addresses(2)
print(child.pid, flush=True)
time.sleep(60)
"""


def test_it_ends_when_its_owner_is_killed(module: Write) -> None:
    module("in_order", IN_ORDER)
    owner = subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True)
    assert owner.stdout
    with owner, owner.stdout:
        pid = int(owner.stdout.readline())
        assert os.getpgid(pid) != os.getpgid(owner.pid)  # Ctrl-C is not for it
        owner.kill()
        owner.wait()
        until(lambda: not alive(pid))


def until(condition: Callable[[], object]) -> None:
    """Wait for what another process does."""
    due_s = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < due_s
        time.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether it runs. Whoever reaps orphans on this machine may take its time."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.startswith("Z")


def test_the_current_folder_is_not_where_its_modules_come_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "uvloop.py").write_text("raise RuntimeError('a file of the user')")
    monkeypatch.chdir(tmp_path)
    with Companion("market", "ticktree", "exchange", "--ws", "") as market:
        assert market.addresses(1)


class Heard:
    """What was heard, in the loop, and the end of the system once all have ended."""

    def __init__(self, ends: int) -> None:
        self.all = list[Said | Ended]()
        self.system: System | None = None
        self._ends = ends

    def __call__(self, what: Said | Ended) -> None:
        assert threading.current_thread() is threading.main_thread()
        self.all.append(what)
        self._ends -= isinstance(what, Ended)
        if self.system is not None and not self._ends:
            self.system.begin_stop()


async def test_what_it_says_and_that_it_ended_is_heard_in_the_loop(module: Write) -> None:
    module("brief", "print('x  y'); print('and'); print('more'); raise SystemExit(3)")
    heard = Heard(ends=2)
    with company() as companions:
        companions += [Companion("one", "brief"), Companion("two", "brief")]
        for each in companions:
            assert each.addresses(1) == {"y": "x"}
        heard.system = System(Supervisor((watching(companions, heard),)))
        await heard.system.start()
        report = await heard.system.wait()
    assert report.exit_code == 0
    for name in ("one", "two"):
        words = [Said(name, "and"), Said(name, "more"), Ended(name, 3)]
        assert [each for each in heard.all if each.companion == name] == words


async def test_one_that_is_killed_is_heard_to_have_ended(module: Write) -> None:
    module("in_order", IN_ORDER)
    heard = Heard(ends=1)
    with Companion("both", "in_order") as both:
        both.addresses(2)
        spec = ChildSpec("watching", lambda: Watching([both], heard), Mailbox(16, Fail()))
        heard.system = System(Supervisor((spec,)))
        await heard.system.start()
        os.kill(both.pid, signal.SIGKILL)
        await heard.system.wait()
    assert heard.all == [Ended("both", -signal.SIGKILL)]


def test_what_is_said_while_nobody_listens_is_bounded(module: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(companion, "MOST_UNHEARD", 3)
    module("talking", "print('x  y')\nfor n in range(100): print(n)")
    with Companion("one", "talking") as one:
        heard = list[Said | Ended]()
        until(lambda: one.code is not None)
        one.hear(heard.append)
        until(lambda: isinstance(heard[-1], Ended))
    unheard = [Said("one", "97"), Said("one", "98"), Said("one", "99"), Ended("one", 0)]
    assert heard in (unheard[-3:], unheard)  # its end may have come to word after it was listened to


def test_those_of_a_company_end_together_whatever_is_raised(module: Write) -> None:
    module("in_order", IN_ORDER)
    with pytest.raises(KeyboardInterrupt), company() as companions:
        companions += [Companion("one", "in_order"), Companion("two", "in_order")]
        for each in companions:
            each.addresses(2)
        raise KeyboardInterrupt
    assert [each.code for each in companions] == [7, 7]
