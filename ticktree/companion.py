"""A program of ours in a process of its own: started, heard, and ended with us, however we end.

    with Companion("market", "ticktree", "exchange", "--ws", "") as market:
        urls = market.addresses(1)              # what it says where: {"wire protocol": "tcp://127.0.0.1:40519"}
        run_assembly(assembly, watching([market], heard))

It is started and spoken with before our own loop runs, for its addresses are what an application is made of. Its
standard input is a pipe that only we hold: when that closes, by `end` or because we died, it ends as by SIGTERM. That
is seen to on its side by this module run as a program, whatever program it is.
"""

import asyncio
import logging
import os
import re
import runpy
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import IO

import attrs

from ticktree.actors import Actor, ChildSpec, Fail, Mailbox, Reason

log = logging.getLogger("ticktree.companion")

STARTS_WITHIN_S = 30.0
ENDS_WITHIN_S = 5.0
GRACE_S = 12.0  # what one whose parent died has for its own stop
DIES_WITHIN_S = 2.0
LAST_WORDS = 10  # lines, for the error of one that did not start
MOST_UNHEARD = 10_000  # lines said before anybody listens

# How its own log begins a line (logs.py): ours has a clock and rooms of its own, and takes over the level.
_LOGGED = re.compile(r"\d\d:\d\d:\d\d\.\d{3}  (?:(WARNING|ERROR|CRITICAL)  )?\S+ +")


class CompanionFailed(RuntimeError):
    """It ended, or said nothing, before it said where it listens. `lines` are the last ones of its log."""

    def __init__(self, name: str, why: str, lines: Sequence[str]) -> None:
        last = "".join(f"\n  {line}" for line in lines)
        super().__init__(f"{name}: {why}" + (f"; it said last:{last}" if last else ""))
        self.name, self.why, self.lines = name, why, tuple(lines)


@attrs.frozen
class Said:
    """A line that it printed after its addresses."""

    companion: str
    line: str


@attrs.frozen
class Ended:
    """It is gone. `code`: its exit code, or minus the signal that killed it."""

    companion: str
    code: int


Hear = Callable[[Said | Ended], None]


class Companion:
    """`python -m MODULE ARGUMENTS` from now until `end`. `name`: what our log calls it.

    What it prints is for who hears it; what it logs (its standard error) is passed on to our log.
    """

    def __init__(self, name: str, module: str, *arguments: str) -> None:
        self.name = name
        self.code: int | None = None  # None: it runs
        self._asked = False
        self._changed = threading.Condition()
        self._unheard = deque[Said | Ended](maxlen=MOST_UNHEARD)
        self._hear: Hear | None = None
        self._logged = deque[str](maxlen=LAST_WORDS)
        # -P: what lies in the current folder is not to be taken for the modules that it imports.
        # A group of its own: Ctrl-C is for us, and we end it when our own stop has no more need of it.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "ticktree.companion", module, *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, errors="replace", process_group=0, env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        # Threads, because it has to be read from while no loop runs, and while the loop is busy; they reap it, too.
        self._log_reader = self._thread(self._read_log)
        self._reader = self._thread(self._read)

    def __enter__(self) -> "Companion":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def addresses(self, count: int, within_s: float = STARTS_WITHIN_S) -> dict[str, str]:
        """Wait for the next `count` lines, `URL  words` that it begins with: from words to URL.

        Raises `CompanionFailed`.
        """
        due_s = time.monotonic() + within_s
        lines = [self._first_line(due_s) for _ in range(count)]
        return {words: url for url, _, words in (line.partition("  ") for line in lines)}

    def hear(self, hear: Hear | None) -> None:
        """From now on `hear` gets what it says, and that it has ended, beginning with what nobody heard so far.

        It is called by a thread. None: listen no more.
        """
        with self._changed:
            self._hear = hear
            while hear is not None and self._unheard:
                hear(self._unheard.popleft())

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def ask_to_end(self) -> None:
        """Have it end, and do not wait."""
        self._asked = True
        self._close(self._process.stdin)

    def end(self, within_s: float = ENDS_WITHIN_S) -> int:
        """Have it end, and wait; after `within_s` it is killed. Its exit code. May be called again."""
        self.ask_to_end()
        self._reader.join(within_s)
        if self._reader.is_alive():
            log.error("%s did not end within %g s, and is killed", self.name, within_s)
            self._process.kill()
            self._reader.join(DIES_WITHIN_S)
        return self._process.wait()

    # --- what it says ----------------------------------------------------------------------------------------------

    def _thread(self, target: Callable[[], None]) -> threading.Thread:
        thread = threading.Thread(target=target, name=f"companion {self.name}", daemon=True)
        thread.start()
        return thread

    def _first_line(self, due_s: float) -> str:
        with self._changed:
            if not self._changed.wait_for(lambda: self._unheard, due_s - time.monotonic()):
                raise self._failed("did not say in time where it listens")
            first = self._unheard.popleft()
            if isinstance(first, Said):
                return first.line
            raise self._failed(f"ended with code {first.code} before it said where it listens")

    def _failed(self, why: str) -> CompanionFailed:
        return CompanionFailed(self.name, why, tuple(self._logged))

    def _read_log(self) -> None:
        assert self._process.stderr
        for line in self._process.stderr:
            self._pass_on(line.rstrip())
        self._close(self._process.stderr)

    def _pass_on(self, line: str) -> None:
        found = _LOGGED.match(line)
        words = line[found.end() :] if found else line
        level = logging.getLevelNamesMapping()[found[1] or "INFO"] if found else logging.INFO
        if self._asked and level <= logging.WARNING:  # that it ends is what was wanted
            level = logging.DEBUG
        self._logged.append(words)
        log.log(level, "%s: %s", self.name, words)

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._tell(Said(self.name, line.rstrip()))
        self._log_reader.join()
        self.code = self._process.wait()
        self._close(self._process.stdout)
        self._tell(Ended(self.name, self.code))

    def _tell(self, what: Said | Ended) -> None:
        with self._changed:
            if self._hear is not None:
                self._hear(what)
            else:
                self._unheard.append(what)
                self._changed.notify_all()

    @staticmethod
    def _close(pipe: IO[str] | None) -> None:
        if pipe is not None:
            pipe.close()


@contextmanager
def company() -> Generator[list[Companion]]:
    """A list to put companions in; they end, all at once, when the context does."""
    companions = list[Companion]()
    try:
        yield companions
    finally:
        for companion in companions:
            companion.ask_to_end()
        for companion in companions:
            companion.end()


def hear_in_loop(companions: Sequence[Companion], heard: Callable[[Said | Ended], object]) -> None:
    """Have `heard` called in the running loop with all that they say, until they are told to `hear` something else."""
    loop = asyncio.get_running_loop()

    def hear(what: Said | Ended) -> None:
        try:
            loop.call_soon_threadsafe(heard, what)
        except RuntimeError:  # the loop has ended, and nobody wants to know any more
            pass

    for companion in companions:
        companion.hear(hear)


class Watching(Actor[Said | Ended]):
    """Hears companions, in our loop: `heard` gets all that they say, and their ends."""

    def __init__(self, companions: Sequence[Companion], heard: Hear) -> None:
        self._companions, self._heard = companions, heard

    def on_start(self) -> None:
        hear_in_loop(self._companions, self.ref.tell)

    def on_message(self, message: Said | Ended) -> None:
        self._heard(message)

    def on_stop(self, reason: Reason) -> None:
        for companion in self._companions:
            companion.hear(None)


def watching(companions: Sequence[Companion], heard: Hear) -> ChildSpec:
    """For the audience of an assembly: `heard` is called in its loop."""
    return ChildSpec("companions", lambda: Watching(companions, heard), Mailbox(65_536, Fail()))


# --- on its own side -------------------------------------------------------------------------------------------------


def _end_with_stdin() -> None:
    while os.read(0, 4_096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_S)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_stdin, name="until stdin ends", daemon=True).start()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
