"""One line an event, whoever's words are in it; for people and for machines."""

import io
import json
import logging
import sys
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from ticktree import logs
from ticktree.logs import MOST_A_SECOND, RUN, Human, Json


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def event(message: str = "x: live", level: int = logging.INFO, room: str = "ticktree.feeds", *args: object) -> str:
    return Human().format(record(message, level, room, *args))


def record(message: str, level: int = logging.INFO, room: str = "ticktree.feeds", *args: object) -> logging.LogRecord:
    return logging.LogRecord(room, level, "f.py", 1, message, args, None)


def failure(error: Exception) -> logging.LogRecord:
    try:
        raise error
    except Exception:
        return logging.LogRecord("ticktree.actors", logging.ERROR, "f.py", 1, "a failed", (), sys.exc_info())


@contextmanager
def bare() -> Generator[logging.Logger]:
    """The root logger as a program has it that has set up nothing: pytest puts its own handlers there."""
    root, ours = logging.getLogger(), logging.getLogger("ticktree")
    handlers, level, ours_level = root.handlers[:], root.level, ours.level
    root.handlers.clear()
    try:
        yield root
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        ours.setLevel(ours_level)


def test_a_line_has_time_room_and_message_and_the_level_when_it_is_not_info() -> None:
    when, room, *message = event("%s: connected", logging.INFO, "ticktree.feeds", "x").split()
    assert (len(when), when[2], when[5], when[8]) == (12, ":", ":", ".")
    assert (room, " ".join(message)) == ("feeds", "x: connected")
    assert event("late", logging.WARNING).split()[1:] == ["WARNING", "feeds", "late"]


def test_what_others_say_cannot_break_a_line_or_move_the_cursor() -> None:
    said = event("rejected: %s", logging.INFO, "ticktree.routing", "a\nERROR b\x1b[2J\r\u2028\udcff")
    assert said.isprintable()
    assert said.endswith(r"rejected: a\nERROR b\x1b[2J\r\u2028\udcff")
    made = Json().format(record("a\nb\x1b[2J"))
    assert made.isprintable()
    assert json.loads(made)["message"] == "a\nb\x1b[2J"


def test_a_failure_is_one_line_that_says_where_and_more_with_tracebacks_only() -> None:
    failed = failure(ZeroDivisionError("by 0"))
    line = Human().format(failed)
    assert "\n" not in line
    assert "a failed: ZeroDivisionError: by 0 (test_logs.py:" in line
    full = Human(tracebacks=True).format(failed)
    assert full.startswith(line)
    assert "Traceback (most recent call last):" in full


def test_json_is_an_object_a_line_with_the_error_and_its_traceback() -> None:
    told = json.loads(Json().format(failure(ValueError("no"))))
    assert list(told) == ["time", "level", "room", "message", "error", "traceback"]
    assert (told["level"], told["room"], told["message"]) == ("ERROR", "actors", "a failed")
    assert told["error"] == {"type": "ValueError", "message": "no"}
    assert "Traceback" in told["traceback"]
    plain = json.loads(Json().format(record("hello")))
    assert list(plain) == ["time", "level", "room", "message"]
    assert plain["time"].endswith("Z")


@pytest.mark.parametrize(
    ("stream", "variables", "coloured"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"NO_COLOR": ""}, True),  # empty counts as not there
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
    ],
)
def test_colours_are_for_terminals_whose_user_wants_them(
    stream: io.StringIO, variables: dict[str, str], coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with bare():
        logs.set_up(stream=stream)
        logging.getLogger("ticktree.feeds").error("broken")
    assert ("\x1b[31mERROR\x1b[0m" in stream.getvalue()) is coloured


def test_of_other_libraries_only_warnings_are_shown() -> None:
    out = io.StringIO()
    with bare():
        logs.set_up(level=logging.DEBUG, stream=out)
        logging.getLogger("aiohttp.access").info("GET /metrics")
        logging.getLogger("aiohttp").warning("odd")
        logging.getLogger("ticktree.routing").debug("a leg")
    assert [line.split()[1:] for line in out.getvalue().splitlines()] == [
        ["WARNING", "aiohttp", "odd"],
        ["DEBUG", "routing", "a", "leg"],
    ]


def test_quiet_is_for_warnings_of_ours_too() -> None:
    out = io.StringIO()
    with bare():
        logs.set_up("json", level=logging.WARNING, stream=out)
        logging.getLogger("ticktree.feeds").info("live")
        logging.getLogger("ticktree.feeds").warning("late")
    assert [json.loads(line)["message"] for line in out.getvalue().splitlines()] == ["late"]


def test_who_set_logging_up_already_keeps_it() -> None:
    mine = logging.NullHandler()
    with bare() as root:
        root.addHandler(mine)
        logs.set_up()
        assert root.handlers == [mine]


def test_a_flood_of_lines_of_one_kind_is_counted_and_others_are_not_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr("logging.time.time", lambda: 1_000.5)
    monkeypatch.setattr("logging.time.time_ns", lambda: 1_000_500_000_000)
    with bare():
        logs.set_up(stream=out)
        log = logging.getLogger("ticktree.routing")
        for number in range(1_000):
            log.warning("order %d refused", number)
        log.warning("late")
        logs.catch_up()
        logs.catch_up()
    lines = out.getvalue().splitlines()
    assert len(lines) == MOST_A_SECOND + 2
    assert lines[-2].endswith("WARNING  routing      late")
    assert lines[-1].endswith("WARNING  routing      900 more like this: order 999 refused")


def test_what_a_command_says_of_its_run_is_never_too_much() -> None:
    out = io.StringIO()
    with bare():
        logs.set_up(stream=out)
        for number in range(MOST_A_SECOND + 50):
            logging.getLogger(RUN).info("%s", number)
    assert len(out.getvalue().splitlines()) == MOST_A_SECOND + 50


def test_in_the_next_second_what_was_left_out_is_told_first() -> None:
    out = io.StringIO()
    with bare():
        logs.set_up("json", stream=out)
        (handler,) = logging.getLogger().handlers
        for number in range(150):
            one = record("order %d refused", logging.INFO, "ticktree.routing", number)
            one.created = 1_000.0 if number < 140 else 1_001.0
            handler.handle(one)
    said = [json.loads(line)["message"] for line in out.getvalue().splitlines()]
    assert said[MOST_A_SECOND - 1 :][:3] == [
        "order 99 refused",
        "40 more like this: order 139 refused",
        "order 140 refused",
    ]
    assert len(said) == MOST_A_SECOND + 1 + 10


class Disk(io.StringIO):
    """Takes lines unless it is full."""

    full = True

    def write(self, text: str) -> int:
        if self.full:
            raise OSError(28, "No space left on device")
        return super().write(text)


def test_a_log_that_cannot_be_written_is_said_once_and_no_traceback_comes(capsys: pytest.CaptureFixture[str]) -> None:
    disk = Disk()
    handler = logs.Handler(disk)
    handler.setFormatter(Human())
    for number in range(3):
        handler.handle(record(f"line {number}"))
    said = "Error: the log cannot be written, and lines are lost until it can: No space left on device\n"
    assert capsys.readouterr().err == said
    disk.full = False
    handler.handle(record("back again"))
    handler.handle(record("and on"))
    assert capsys.readouterr().err == "Error: the log can be written again; up to 3 lines were lost\n"
    assert [line.split()[-1] for line in disk.getvalue().splitlines()] == ["again", "on"]
