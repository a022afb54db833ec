"""The processes of a sweep: each has one run at a time, and none outlives who started it."""

import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext
from types import FrameType

import attrs

from ..config.changes import Change
from .sweeping import Ran, Sweep, ran

LOOKS_EVERY_S = 0.2
DIED = "its process ended before it did: killed, or out of memory"
NOT_RUN = "not run to its end: the sweep was interrupted"

Told = Callable[[int], None]  # how many are done


def swept(sweep: Sweep, jobs: int, told: Told = lambda done: None) -> list[Ran]:
    """What each of its runs came to, in the order of its combinations; `jobs` at a time.

    A run that fails, or whose process does, says so, and ends no other. Ctrl-C, and SIGTERM, end what runs.
    """
    combinations = sweep.combinations()
    found: dict[int, Ran] = {}
    with _interruptible() as interrupted, _Workers.of(min(jobs, len(combinations))) as workers:
        left = list(enumerate(combinations))[::-1]
        while (left or workers.busy) and not interrupted.is_set():
            while left and workers.free:
                number, combination = left.pop()
                workers.start(number, sweep, combination)
            found |= workers.ended()
            told(len(found))
    return [found.get(number, Ran(NOT_RUN)) for number in range(len(combinations))]


@contextmanager
def _interruptible() -> Generator[threading.Event]:
    """Set once somebody wants an end; a second Ctrl-C is one at once. Signals are told to main threads alone."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def ask(number: int, frame: FrameType | None) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    former = {one: signal.signal(one, ask) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for one, handler in former.items():
            signal.signal(one, handler)


# --- the processes ---------------------------------------------------------------------------------------------------


@attrs.define(eq=False)
class _Workers:
    """A pool of one process for each: of one that dies it is known which run that was, and no other is lost."""

    free: list[ProcessPoolExecutor]
    _context: SpawnContext
    _lifeline: Connection  # what the processes read their end from, when ours is closed
    busy: dict[Future[Ran], tuple[int, ProcessPoolExecutor]] = attrs.field(
        factory=dict[Future[Ran], tuple[int, ProcessPoolExecutor]]
    )

    @classmethod
    @contextmanager
    def of(cls, count: int) -> "Generator[_Workers]":
        """`count` of them, started when they are needed; none is left afterwards."""
        context = multiprocessing.get_context("spawn")  # a fork would have our threads' locks
        theirs, ours = context.Pipe(duplex=False)
        workers = cls([], context, theirs)
        workers.free += [workers._pool() for _ in range(count)]
        try:
            yield workers
        finally:
            ours.close()  # whoever still runs ends at once
            for pool in (*workers.free, *(pool for _, pool in workers.busy.values())):
                pool.shutdown(cancel_futures=True)
            theirs.close()

    def _pool(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(1, self._context, _begin, (self._lifeline,))

    def start(self, number: int, sweep: Sweep, combination: tuple[Change, ...]) -> None:
        """Have somebody free run it."""
        pool = self.free.pop()
        with _uninterrupted():
            try:
                future = pool.submit(_told, sweep, combination)
            except BrokenProcessPool:  # it died while it had nothing to do
                pool = self._renewed(pool)
                future = pool.submit(_told, sweep, combination)
        self.busy[future] = number, pool

    def ended(self) -> dict[int, Ran]:
        """What came of those that have ended since; waits a moment for one."""
        done, _ = wait(self.busy, LOOKS_EVERY_S, FIRST_COMPLETED)
        return {self.busy[future][0]: self._end(future) for future in done}

    def _end(self, future: Future[Ran]) -> Ran:
        _, pool = self.busy.pop(future)
        error = future.exception()
        self.free.append(pool if error is None else self._renewed(pool))
        return future.result() if error is None else Ran(DIED)

    def _renewed(self, pool: ProcessPoolExecutor) -> ProcessPoolExecutor:
        pool.shutdown()
        return self._pool()


def _told(sweep: Sweep, combination: tuple[Change, ...]) -> Ran:
    """In the process. What failed is told in a line: not every error can travel."""
    try:
        return ran(sweep, combination)
    except Exception as error:  # of the data, a strategy, or of ours: this run's alone
        return Ran(" ".join(f"{error}".split()) or type(error).__name__)


@contextmanager
def _uninterrupted() -> Generator[None]:
    """A process that begins within is not told of Ctrl-C while it imports, which would be a traceback of each."""
    resource_tracker.ensure_running()  # it unblocks the signal when it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin(lifeline: Connection) -> None:
    """In the process: what strategies print goes where progress does, and nothing is logged, for that would be of many
    runs at once. Ctrl-C is for who started us, and ends us."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    logging.disable()
    with suppress(OSError):  # there is no such place
        os.dup2(2, 1)
    threading.Thread(target=_end_with, args=(lifeline,), daemon=True).start()


def _end_with(lifeline: Connection) -> None:
    with suppress(EOFError, OSError):
        lifeline.recv_bytes()
    os._exit(1)
