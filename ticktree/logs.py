"""What is logged, one line an event: for people, or a JSON object for machines."""

import json
import logging
import os
import sys
import traceback
from collections import Counter
from contextlib import nullcontext, suppress
from copy import copy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal, TextIO

Format = Literal["human", "json"]

ROOT: Final = "ticktree"
RUN: Final = "ticktree.run"  # what a command says of its run: never too much
MOST_A_SECOND: Final = 100
DIM: Final = "2"
COLOURS: Final = ((logging.ERROR, "31"), (logging.WARNING, "33"))  # red, yellow


class Human(logging.Formatter):
    """The time of day, the level unless it is INFO, the room, the message, and a failure's cause in the same line."""

    def __init__(self, tracebacks: bool = False, colours: bool = False) -> None:
        super().__init__()
        self._tracebacks, self._colours = tracebacks, colours

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).astimezone()
        when = self._in(DIM, f"{at:%H:%M:%S}.{at.microsecond // 1000:03}")
        level = "" if record.levelno == logging.INFO else f"{self._in(_colour(record), record.levelname)}  "
        message = one_line(f"{brief(record.getMessage())}{_cause(record)}")
        line = f"{when}  {level}{_room(record):<12} {message}"
        if self._tracebacks and record.exc_info:
            return f"{line}\n{self.formatException(record.exc_info)}"
        return line

    def _in(self, colour: str, text: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colours and colour else text


class Json(logging.Formatter):
    """An object a line: `time` (UTC), `level`, `room`, `message`; where something failed, `error` and `traceback`."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC)
        said: dict[str, Any] = {
            "time": f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond:06}Z",
            "level": record.levelname,
            "room": _room(record),
            "message": record.getMessage(),
        }
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            said["error"] = {"type": type(error).__name__, "message": str(error)}
            said["traceback"] = "".join(traceback.format_exception(error))
        return json.dumps(said)  # ASCII: nothing in it can end a line or move a cursor


class Handler(logging.StreamHandler[TextIO]):
    """Writes at most `MOST_A_SECOND` lines a second of one kind, and tells how many it left out: whoever orders a
    thousand times, or is refused as often, is not to block the loop with lines about it."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._second = 0
        self._counts: Counter[object] = Counter()  # in that second, by template
        self._left_out: dict[object, logging.LogRecord] = {}  # the latest of each
        self.lost = 0  # lines that could not be written, since one could

    def emit(self, record: logging.LogRecord) -> None:
        second = int(record.created)
        if second != self._second:
            self.catch_up()
            self._second = second
        template = record.msg if isinstance(record.msg, str) else None
        self._counts[template] += 1
        if self._counts[template] <= MOST_A_SECOND or record.name == RUN:
            self._write(record)
        else:
            self._left_out[template] = record

    def _write(self, record: logging.LogRecord) -> None:
        lost = self.lost
        super().emit(record)
        if lost and self.lost == lost:
            self.lost = 0
            complain(f"the log can be written again; up to {lost:,} lines were lost")

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # the name that logging calls it by
        error = sys.exc_info()[1]
        if isinstance(error, BrokenPipeError):
            unread(self.stream)
        elif isinstance(error, OSError):
            self._lose(error)
        else:
            super().handleError(record)

    def _lose(self, error: OSError) -> None:
        """A full disk, say: lines are lost and counted until it takes some again; that is told once, elsewhere."""
        self.lost += 1
        if self.lost == 1 and self.stream is not sys.stderr:
            complain(f"the log cannot be written, and lines are lost until it can: {error.strerror}")

    def catch_up(self) -> None:
        """Tell what was left out so far."""
        counts, self._counts = self._counts, Counter()
        left_out, self._left_out = self._left_out, {}
        for template, latest in left_out.items():
            told = copy(latest)
            told.msg, told.args = f"{counts[template] - MOST_A_SECOND} more like this: {latest.getMessage()}", ()
            self._write(told)


def unread(stream: TextIO) -> None:
    """Who read `stream` is gone (`ticktree run ... | head`): the run goes on, and what it says from now on is lost."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def printed() -> bool:
    """Have all that was printed and logged written; False where it cannot be, and what comes from now on is lost."""
    try:
        sys.stdout.flush()
    except OSError:
        unread(sys.stdout)  # else the interpreter's end would try again, and say so in its own words
        return False
    return not any(isinstance(handler, Handler) and handler.lost for handler in logging.getLogger().handlers)


def complain(text: str) -> None:
    """Say it on standard error, where the place of everything else cannot be written to."""
    with suppress(OSError, AttributeError):  # nor can that, or there is none
        print(f"Error: {one_line(text)}", file=sys.stderr, flush=True)


def catch_up() -> None:
    """Before the last words of a run: tell what was left out so far."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, Handler):
            with handler.lock or nullcontext():
                handler.catch_up()


def set_up(
    kind: Format = "human", *, level: int = logging.INFO, tracebacks: bool = False, stream: TextIO | None = None
) -> None:
    """Print what ticktree logs from `level` on, and of other libraries from WARNING on, to `stream` (stdout by
    default), unless logging is set up already."""
    out: TextIO = stream if stream is not None else sys.stdout
    handler = Handler(out)
    handler.setFormatter(Json() if kind == "json" else Human(tracebacks, takes_colours(out)))
    root = logging.getLogger()
    if root.handlers:
        return
    root.addHandler(handler)
    root.setLevel(max(level, logging.WARNING))
    logging.getLogger(ROOT).setLevel(level)


def takes_colours(stream: TextIO) -> bool:
    """Whether it is a terminal that shows them, and nobody said NO_COLOR (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def one_line(text: str) -> str:
    """`text` without what would end the line or move the cursor: others' words are in it."""
    return text if text.isprintable() else "".join(map(_printable, text))


def brief(text: str) -> str:
    """`text` with the latest entry alone of the history that errors of supervisors carry, a line each."""
    said, *history = text.split("\n    ")
    return f"{said}; the latest: {history[-1]}" if history else said


def _printable(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()


def _room(record: logging.LogRecord) -> str:
    return record.name.removeprefix(f"{ROOT}.")


def _cause(record: logging.LogRecord) -> str:
    error = record.exc_info[1] if record.exc_info else None
    return "" if error is None else f": {type(error).__name__}: {error}{_place(error)}"


def _place(error: BaseException) -> str:
    """Where it was raised: the last line of the user's own code on the way there, if there is one."""
    frames = list(traceback.walk_tb(error.__traceback__))
    own = [frame for frame in frames if not frame[0].f_globals.get("__name__", "").startswith(f"{ROOT}.")]
    if not frames:
        return ""
    frame, line = (own or frames)[-1]
    return f" ({Path(frame.f_code.co_filename).name}:{line})"


def _colour(record: logging.LogRecord) -> str:
    return next((colour for level, colour in COLOURS if record.levelno >= level), DIM)
