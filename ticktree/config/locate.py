"""On which line of a TOML document each of its keys stands.

`tomllib` says what a document holds, and nothing of where. This follows the same grammar, over a text that `tomllib`
has accepted, and keeps the places only. https://toml.io/en/v1.0.0
"""

import re
import tomllib
from collections import defaultdict
from typing import Final

Path = tuple[str | int, ...]

_SPACE: Final = re.compile(r"[ \t]*")
_BLANK: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY: Final = re.compile(r"""[A-Za-z0-9_-]+|"(?:\\.|[^"\\])*"|'[^']*'""")
# Of quotes at the end of a text of several lines, up to two belong to it.
_TEXT: Final = re.compile(r'''"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\])*"|\'[^\']*\'''', re.DOTALL)
_BARE: Final = re.compile(r"[^,\]}#\n]*")


def locate(text: str) -> dict[Path, int]:
    """The line, from 1 on, of every key and of every element of a list, by its path: `("feeds", "a", "kinds", 0)`.

    A table that several lines bring (`[a.b]`, then `[a.c]`) stands where it is named first; a list, and an element,
    where it begins.
    """
    return _Locator(text).lines


class _Locator:
    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0
        self._counted, self._line = 0, 1  # up to where lines are counted, and how many
        self._lengths = defaultdict[Path, int](int)  # of lists of tables: [[a]]
        self.lines = dict[Path, int]()
        table: Path = ()
        while (char := self._next()) != "":
            if char == "[":
                table = self._header()
            else:
                self._pair(table)

    def _next(self) -> str:
        """The next character that means anything; empty at the end."""
        self._skip(_BLANK)
        return self._text[self._at : self._at + 1]

    def _skip(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        assert match is not None, f"TOML at {self._at}"  # tomllib has read it
        self._at = match.end()
        return match[0]

    def _mark(self, path: Path) -> None:
        """`path` stands here, unless it stood somewhere before."""
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        self.lines.setdefault(path, self._line)

    def _keys(self) -> list[str]:
        """`a . "b.c" . d`, and where each stands is marked by `_enter`."""
        keys = list[str]()
        while True:
            self._skip(_SPACE)
            keys.append(_plain(self._skip(_KEY)))
            self._skip(_SPACE)
            if self._text[self._at : self._at + 1] != ".":
                return keys
            self._at += 1

    def _enter(self, path: Path, keys: list[str]) -> Path:
        """The path that `keys` name from `path` on: in a list of tables, its last one."""
        for key in keys:
            path = (*path, key)
            self._mark(path)
            if self._lengths.get(path):
                path = (*path, self._lengths[path] - 1)
        return path

    def _header(self) -> Path:
        """`[a.b]` or `[[a.b]]`: the table it names."""
        brackets = 2 if self._text.startswith("[[", self._at) else 1
        self._at += brackets
        keys = self._keys()
        if brackets == 1:
            table = self._enter((), keys)
        else:
            table = (*self._enter((), keys[:-1]), keys[-1])
            self._mark(table)
            self._lengths[table] += 1
            table = (*table, self._lengths[table] - 1)
            self._mark(table)
        self._at += brackets
        return table

    def _pair(self, table: Path) -> None:
        path = self._enter(table, self._keys())
        self._at += 1  # the =
        self._skip(_SPACE)
        self._value(path)

    def _value(self, path: Path) -> None:
        char = self._text[self._at]
        if char == "[":
            self._list(path)
        elif char == "{":
            self._inline(path)
        else:
            self._skip(_TEXT if char in "\"'" else _BARE)

    def _list(self, path: Path) -> None:
        self._at += 1
        number = 0
        while (char := self._next()) != "]":
            if char == ",":
                self._at += 1
                continue
            self._mark((*path, number))
            self._value((*path, number))
            number += 1
        self._at += 1

    def _inline(self, path: Path) -> None:
        self._at += 1
        while (char := self._next()) != "}":
            if char == ",":
                self._at += 1
                continue
            self._pair(path)
        self._at += 1


def _plain(key: str) -> str:
    """A key as it is meant: without its quotes."""
    return next(iter(tomllib.loads(f"{key} = 0"))) if key[0] in "\"'" else key
