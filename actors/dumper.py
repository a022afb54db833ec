"""Dumps all stacks at a deadline that nobody puts off: from a thread of ours, or where that gets no turn, a C thread.

`faulthandler.dump_traceback_later` alone would do, and once in a while end the process: its C thread holds no lock, and
walking frames that change under it is a segmentation fault (CPython 3.11, seen three times in a day of tests). So a
Python thread goes first; while it dumps it holds the interpreter's lock, and all frames stand still. The C thread comes
some time later, if ours had no turn until then: so C code holds the lock, and the frames stand still, too.
"""

import faulthandler
import os
import signal
import sys
import threading
import time
from datetime import timedelta
from typing import Any, TextIO

NS = 1_000_000_000
GRACE, GRACE_S = 2, 0.1  # so many deadlines later, and this at least: Python code hands the lock over within 5 ms


class Dumper:
    """One deadline. Call it from one thread only."""

    def __init__(self, file: TextIO | None) -> None:
        self._file = file
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._delay_s, self._due_ns, self._exits = 0.0, 0, False  # due 0: never
        self._nudge: signal.Signals | None = None

    def set(self, delay_s: float, exits: bool = False) -> None:
        """Dump in `delay_s` seconds from now, not when it was due; with `exits` end the process, too (code 1)."""
        with self._changed:
            self._delay_s, self._exits = delay_s, exits
            before, self._due_ns = self._due_ns, time.monotonic_ns() + round(delay_s * NS)
            if self._thread is None:
                self._start()
            elif not before or self._due_ns < before:
                self._changed.notify()
        faulthandler.dump_traceback_later(delay_s + max(delay_s * GRACE, GRACE_S), exit=exits, **self._to())

    def nudge_with(self, number: signal.Signals | None) -> None:
        """Send this, whose handler does nothing, to the main thread after a dump. Once this returns, nothing else is
        sent: with its handler gone, the signal would end the process."""
        with self._changed:
            self._nudge = number

    def cancel(self) -> None:
        """Dump nothing any more. Harmless when nothing is due."""
        with self._changed:
            thread, self._thread, self._due_ns = self._thread, None, 0
            self._changed.notify()
        if thread is not None:
            thread.join()
            faulthandler.cancel_dump_traceback_later()

    def _start(self) -> None:
        # A signal that reached this thread would not wake a main thread that is blocked in C, and so never be served.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
            self._thread.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def _run(self) -> None:
        with self._changed:
            while self._thread is threading.current_thread():
                left_ns = self._due_ns - time.monotonic_ns()
                if self._due_ns and left_ns <= 0:
                    self._due_ns = 0
                    self._dump()
                else:
                    self._changed.wait(left_ns / NS if self._due_ns else None)

    def _dump(self) -> None:
        faulthandler.cancel_dump_traceback_later()
        file = self._to().get("file") or sys.stderr
        try:
            file.write(f"Timeout ({timedelta(seconds=self._delay_s)})!\n")
            file.flush()
            faulthandler.dump_traceback(file)
        except (OSError, ValueError):  # nobody to read it
            pass
        if self._exits:
            os._exit(1)
        # A signal that comes between the interpreter's last look and a call that blocks in C is served only when that
        # call is interrupted: so it is, once.
        if self._nudge is not None and (main := threading.main_thread().ident) is not None:
            signal.pthread_kill(main, self._nudge)

    def _to(self) -> dict[str, Any]:
        file = self._file or sys.__stderr__
        try:
            return {"file": file} if file is not None and file.fileno() >= 0 else {}
        except (OSError, ValueError):  # a captured stderr has no descriptor: faulthandler falls back to sys.stderr
            return {}
