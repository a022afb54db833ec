"""What is wrong with a configuration: all of it, each with its line and what to write instead."""

import datetime
import json
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from heapq import nlargest
from pathlib import Path
from typing import Any, Final, TypeGuard

import attrs

from . import locate

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_MOST_COMPARED: Final = 40  # names
_MOST_LISTED: Final = 30
_MOST: Final = 60  # characters of a value that a message shows
HIDDEN: Final = "***"


def is_table(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether TOML would call it a table."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Whether TOML would call it an array."""
    return isinstance(value, list)


@attrs.frozen
class Problem:
    """One thing that is wrong. `line` from 1 on, 0 where it is of the file as a whole; `key` as in `feeds.a.type`.
    `option`: what said it in place of the file, as in `--set feeds.a.type=5`."""

    path: Path
    line: int
    key: str
    message: str
    option: str = ""

    def __str__(self) -> str:
        if self.option:
            key = "" if f" {self.key}=" in f" {self.option}" else self.key
            return ": ".join(filter(None, (self.option, key, self.message)))
        where = f"{self.path}:{self.line}" if self.line else str(self.path)
        return ": ".join(filter(None, (where, self.key, self.message)))


class BadConfig(ValueError):
    """A configuration that cannot be run; `problems` are all that were found, by line."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.line))
        super().__init__("\n".join(map(str, self.problems)))

    @property
    def count(self) -> str:
        """How many, in words."""
        return "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"


@attrs.define(eq=False)
class Document:
    """One file under examination: where its keys stand, what was found wrong, and what must not be shown."""

    path: Path
    lines: Mapping[locate.Path, int] = attrs.field(factory=dict[locate.Path, int], repr=False)
    said: dict[locate.Path, str] = attrs.field(factory=dict[locate.Path, str], repr=False)  # by options, and which
    secrets: set[str] = attrs.field(factory=set[str], repr=False)
    _problems: dict[Problem, None] = attrs.field(factory=dict[Problem, None])  # each once, in order
    _at: set[locate.Path] = attrs.field(factory=set[locate.Path])  # and all above

    @property
    def folder(self) -> Path:
        """What relative paths are relative to."""
        return self.path.absolute().parent

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What was found wrong so far."""
        return tuple(self._problems)

    @property
    def top(self) -> "Place":
        """The whole of it."""
        return Place(self, ())

    def add(self, path: locate.Path, message: str) -> None:
        """Something is wrong at `path`."""
        line, option = self._where(path)
        within = [] if option or len(path) < 2 else self._said_within(path)
        message += f" (with {', '.join(within)})" if within else ""
        self._problems[Problem(self.path, line, key_text(path), self._clean(message), self._clean(option))] = None
        self.spare(path)

    def say(self, path: locate.Path, option: str) -> None:
        """What stands at `path`, and below it, is what `option` said, and not the file."""
        self.lines = {one: line for one, line in self.lines.items() if one[: len(path)] != path}
        self.said[path] = option

    def spare(self, path: locate.Path) -> None:
        """What is wrong at `path` is told: nothing more need be said of it."""
        self._at.update(path[:length] for length in range(len(path) + 1))

    def wrong_within(self, path: locate.Path) -> bool:
        """Whether anything was found wrong at `path` or below it."""
        return path in self._at

    def _where(self, path: locate.Path) -> tuple[int, str]:
        """The line, or the option; of what holds it, where it is not there itself."""
        while path and path not in self.lines and path not in self.said:
            path = path[:-1]
        return (0, self.said[path]) if path in self.said else (self.lines.get(path, 1), "")

    def _said_within(self, path: locate.Path) -> list[str]:
        """What options said below it."""
        return [option for one, option in self.said.items() if one[: len(path)] == path]

    def _clean(self, message: str) -> str:
        """One line, without secrets: a plug-in's own words may be anything."""
        for secret in sorted(self.secrets, key=len, reverse=True):
            message = message.replace(secret, HIDDEN)
        line = " ".join(message.split())
        return line if line.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)


@attrs.frozen
class Place:
    """A place in a document, where something may be wrong."""

    document: Document
    path: locate.Path

    def at(self, *keys: str | int) -> "Place":
        """A place further down."""
        return Place(self.document, (*self.path, *keys))

    def wrong(self, message: str) -> None:
        """What is wrong here, and what to write instead."""
        self.document.add(self.path, message)

    def is_told(self) -> None:
        """What is wrong here was told elsewhere."""
        self.document.spare(self.path)

    @property
    def is_wrong(self) -> bool:
        """Whether something here, or further down, is."""
        return self.document.wrong_within(self.path)


def key_text(path: locate.Path) -> str:
    """A path as TOML writes it: `feeds.binance.kinds[0]`, `risk.max_position."BTC-USDT"`."""
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        else:
            text += ("." if text else "") + (key if _BARE.fullmatch(key) else _quoted(key))
    return text


def shown(value: object) -> str:
    """A value as TOML writes it, or what it is where that would be long."""
    if is_table(value):
        return "a table"
    if is_list(value):
        if any(is_table(one) or is_list(one) for one in value):
            return "a list"
        text = f"[{', '.join(map(shown, value))}]"
    elif isinstance(value, datetime.date | datetime.time):
        text = value.isoformat()
    else:
        text = _quoted(value) if isinstance(value, bool | str | int | float) else repr(value)
    return text if len(text) <= _MOST else f"{text[: _MOST - 3]}..."


def _quoted(value: object) -> str:
    if isinstance(value, int) and abs(value) > 1 << 64:
        return "a number of many digits"  # Python refuses to write out those of thousands
    return json.dumps(value, ensure_ascii=not str(value).isprintable())


def near(name: str, known: Iterable[str]) -> list[str]:
    """The name that was probably meant, if one is like it."""
    names = list(known)
    if len(names) > _MOST_COMPARED:  # each takes 20 us, and of thousands of names thousands may be wrong
        letters, length = set(name), len(name)
        names = nlargest(_MOST_COMPARED, names, key=lambda one: len(letters.intersection(one)) - abs(len(one) - length))
    return get_close_matches(name, names, 1) or get_close_matches(name.lower(), names, 1)


def listed(names: Iterable[str]) -> str:
    """The first of them, and how many more there are."""
    first = list(names)
    more = len(first) - _MOST_LISTED
    return f"{', '.join(first[:_MOST_LISTED])} and {more:,} more" if more > 1 else ", ".join(first)


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """`there is no key "instrments"; did you mean "instruments"?`, or else what is known."""
    names = list(known)
    likely = near(name, names)
    hint = f"did you mean {shown(likely[0])}?" if likely else f"known: {listed(names) or 'none'}"
    return f"there is no {what} {shown(name)}; {hint}"
