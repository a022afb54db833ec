"""A program run as a user would, watched line by line, with a deadline."""

import logging
import signal
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from click.testing import CliRunner

from ticktree import logs
from ticktree.cli import main

ROOT = Path(__file__).parents[2]
DEADLINE_S = 30.0
ENDINGS = signal.SIGINT, signal.SIGTERM


def in_process(*arguments: str) -> tuple[int, str]:
    """`ticktree ARGUMENTS` without a process of its own, which costs a second: the exit code, and all it printed."""
    with _nobody_else_listening():
        result = CliRunner().invoke(main, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    return result.exit_code, result.output


@contextmanager
def _nobody_else_listening() -> Generator[None]:
    """What hears signals and logs is the program's own, as in a process that has just begun; and later as it was."""
    endings = {number: signal.getsignal(number) for number in ENDINGS}
    root, ours = logging.getLogger(), logging.getLogger(logs.ROOT)
    handlers, levels = root.handlers, (root.level, ours.level)
    root.handlers = []
    try:
        yield
    finally:
        root.handlers = handlers
        for logger, level in zip((root, ours), levels, strict=True):
            logger.setLevel(level)
        for number, handler in endings.items():
            signal.signal(number, handler)


class Program:
    """`python ARGUMENTS`, killed at the deadline whatever happens."""

    def __init__(self, *arguments: str) -> None:
        self.lines: list[str] = []
        self._process = subprocess.Popen(
            [sys.executable, *arguments], cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self._killer = threading.Timer(DEADLINE_S, self._process.kill)

    def __enter__(self) -> "Program":
        self._killer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._killer.cancel()
        self._process.kill()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()

    def until(self, text: str) -> str:
        """Read on to the line that holds `text`."""
        assert self._process.stdout
        for line in self._process.stdout:
            self.lines.append(line.rstrip())
            if text in line:
                return line
        raise AssertionError(f"{text!r} never came:\n" + "\n".join(self.lines))

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.tell(signal.SIGINT)

    def terminate(self) -> None:
        """What a service manager says."""
        self.tell(signal.SIGTERM)

    def tell(self, what: signal.Signals) -> None:
        """Any signal."""
        self._process.send_signal(what)

    def kill(self) -> None:
        """It ends where it stands."""
        self._process.kill()

    def end(self) -> tuple[int, str]:
        """The exit code, and all it printed."""
        assert self._process.stdout
        for line in self._process.stdout:
            self.lines.append(line.rstrip())
        return self._process.wait(), "\n".join(self.lines)
