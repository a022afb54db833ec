"""How far back-tests are, and what they log, on standard error: a bar before somebody's eyes, lines into a file."""

import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Literal

import click

from ..backtesting.figures import time as told_time
from ..backtesting.running import Running
from ..logs import ROOT, Handler, Human, Json, one_line, set_up, takes_colours
from ..tables import lasting

OFTEN_S, SELDOM_S = 0.2, 15.0
BAR = 10  # columns, which leaves 70 for the rest
NS = 1_000_000_000

Tell = Callable[[float, str], None]  # which part of it all is done, and what else there is to say


# --- how far it is ---------------------------------------------------------------------------------------------------


@contextmanager
def meter(shown: bool) -> Generator[Tell]:
    """What is told how far it is, and shows it; nothing, unless `shown`."""
    if not shown:
        yield lambda part, text: None
    elif sys.stderr.isatty():
        with _bar() as tell:
            yield tell
    else:
        yield _Lines().tell


class _Lines:
    """A line every `SELDOM_S`."""

    def __init__(self) -> None:
        self._began_s = self._last_s = time.monotonic()

    def tell(self, part: float, text: str) -> None:
        now_s = time.monotonic()
        if now_s - self._last_s >= SELDOM_S:
            self._last_s = now_s
            click.echo(f"{part:.0%}  {text}{_left(part, now_s - self._began_s)}", err=True)


@contextmanager
def _bar() -> Generator[Tell]:
    """It is gone when it is done; what is logged meanwhile stands above it."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn
    from rich.table import Column

    one_row = Column(no_wrap=True, overflow="ellipsis")
    said = TextColumn("{task.description}", markup=False, table_column=one_row)
    columns = BarColumn(BAR), TextColumn("{task.percentage:>3.0f} %"), said
    began_s = time.monotonic()
    with Progress(*columns, console=Console(stderr=True), transient=True, auto_refresh=False) as progress:
        task = progress.add_task("", total=1.0)

        def tell(part: float, text: str) -> None:
            left = _left(part, time.monotonic() - began_s)
            progress.update(task, completed=part, description=f"{text}{left}", refresh=True)

        with _logged_to(sys.stderr):
            yield tell


def _left(part: float, passed_s: float) -> str:
    """How long it will take yet, if it goes on as it went."""
    return f", {lasting((1 - part) / part * passed_s)} left" if 0 < part < 1 else ""


@contextmanager
def watched(running: Running, shown: bool) -> Generator[None]:
    """`running` runs within; another thread looks how far it is."""
    over, began_s = threading.Event(), time.monotonic()

    def look(tell: Tell) -> None:
        while not over.wait(OFTEN_S):
            with suppress(OSError):  # nobody reads it
                tell(running.bytes_done / max(running.bytes_total, 1), _course(running, time.monotonic() - began_s))

    with meter(shown) as tell:
        thread = threading.Thread(target=look, args=(tell,), name="progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def _course(running: Running, passed_s: float) -> str:
    ticks, at = running.ticks, told_time(running.now_ns).removesuffix(" UTC")
    return f"{ticks:,} ticks, {ticks / passed_s:,.0f}/s, at {at}"


# --- what is logged --------------------------------------------------------------------------------------------------


class _Recorded(logging.Formatter):
    """As the log is elsewhere, with the time of the data in place of that of the day."""

    def __init__(self, running: Running, kind: Literal["human", "json"]) -> None:
        super().__init__()
        self._running = running
        self._inner = Json() if kind == "json" else Human(colours=takes_colours(sys.stderr))
        self._is_json = kind == "json"

    def format(self, record: logging.LogRecord) -> str:
        now_ns = self._running.now_ns
        if self._is_json:
            record = logging.makeLogRecord({**vars(record), "created": now_ns / NS})
            return self._inner.format(record)
        _, _, rest = self._inner.format(record).partition("  ")  # the time of day
        when, zone = told_time(now_ns).rsplit(" ", 1)
        return f"{when}.{now_ns % NS // 1_000_000:03} {zone}  {rest}"


@contextmanager
def logged(kind: Literal["human", "json"], level: int) -> Generator[Callable[[Running], None]]:
    """The log goes to standard error within; what is yielded is told of the back-test whose time it is to have."""
    loggers = logging.getLogger(), logging.getLogger(ROOT)
    before, levels = list(loggers[0].handlers), [logger.level for logger in loggers]
    set_up(kind, level=level, stream=sys.stderr)
    ours = [one for one in logging.getLogger().handlers if isinstance(one, Handler) and one not in before]

    def tell(running: Running) -> None:
        for handler in ours:
            handler.setFormatter(_Recorded(running, kind))

    try:
        yield tell
    finally:
        for handler in ours:
            handler.catch_up()
            loggers[0].removeHandler(handler)
        for logger, former in zip(loggers, levels, strict=True):
            logger.setLevel(former)


@contextmanager
def _logged_to(stream: object) -> Generator[None]:
    handlers = [one for one in logging.getLogger().handlers if isinstance(one, Handler)]
    former = [handler.setStream(stream) for handler in handlers]  # type: ignore[arg-type]  # rich's, in its place
    try:
        yield
    finally:
        for handler, one in zip(handlers, former, strict=True):
            if one is not None:
                handler.setStream(one)


# --- its end ---------------------------------------------------------------------------------------------------------


@contextmanager
def terminable() -> Generator[None]:
    """SIGTERM is as Ctrl-C."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        signal.raise_signal(signal.SIGINT)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)


def lines(text: str) -> str:
    """`text` without what could move a cursor; its lines stay."""
    return "\n".join(map(one_line, text.splitlines()))
