"""Values in place of what the file of a configuration says: `strategies.momentum.params.fast=5`.

A key is written as TOML writes it, dotted, with quotes around what is more than letters, digits, _ and -. A value is
TOML, too; a bare word that is none is a text, so that "2ms" needs no quotes.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any, Final, cast

import attrs

from .problems import HIDDEN, Document, is_list, is_table, key_text, shown, unknown
from .secrets import is_secret

Table = dict[str, object]

_PART: Final = r"""(?:[A-Za-z0-9_-]+|"(?:\\.|[^"\\\n])*"|'[^'\n]*')"""
_KEY: Final = re.compile(rf"\s*{_PART}(?:\s*\.\s*{_PART})*\s*")
_KEY_AND_VALUE: Final = re.compile(rf"({_KEY.pattern})=(.*)", re.DOTALL)
_HOW: Final = "a key of the configuration and its value, as in strategies.momentum.params.fast=5"
# What has names in a section, and the key that one is not without.
_NAMED: Final = {
    "feeds": ("feed", "type"), "venues": ("venue", "type"), "routers": ("router", "policy"),
    "strategies": ("strategy", "type"),
}  # fmt: skip


class BadChange(ValueError):
    """What names no key of a configuration, or no value."""


@attrs.frozen
class Change:
    """`value` at `path`. `option`: where that was said, as in "--set"."""

    path: tuple[str, ...]
    value: Any
    option: str = ""

    @property
    def key(self) -> str:
        """Its path as TOML writes it."""
        return key_text(self.path)

    @property
    def said(self) -> str:
        """Its value as it may have been written; no secret, and nothing long."""
        value = self.value
        if any(map(is_secret, self.path)):
            return HIDDEN
        if is_table(value) or (is_list(value) and any(is_table(one) for one in value)):
            return "..."
        bare = isinstance(value, str) and _is_bare(value)
        return shown(value)[1:-1] if bare else shown(value)

    def __str__(self) -> str:
        return f"{self.option} {self.key}={self.said}".lstrip()


def _is_bare(text: str) -> bool:
    try:
        return bool(value_of(text) == text)
    except BadChange:
        return False


def key_and_text(text: str) -> tuple[tuple[str, ...], str]:
    """`a.b=c` as its path and what stands after it. Raises `BadChange`."""
    match = _KEY_AND_VALUE.fullmatch(text)
    if match is None:
        raise BadChange(f"{_HOW}; not {shown(text)}")
    return path_of(match[1]), match[2].strip()


def path_of(key: str) -> tuple[str, ...]:
    """`a."b.c"` as what it names. Raises `BadChange`."""
    try:
        found: Any = tomllib.loads(f"{key} = 0") if _KEY.fullmatch(key) else 0
    except ValueError:  # an escape in quotes that TOML has not
        found = 0
    path = list[str]()
    while is_table(found):
        ((part, found),) = found.items()
        path.append(part)
    if not path:
        raise BadChange(f"a key of the configuration, as in strategies.momentum.params.fast; not {shown(key)}")
    return tuple(path)


def value_of(text: str) -> Any:
    """What `text` is in TOML, or itself where it is a bare word. Raises `BadChange`."""
    try:
        found = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError) as error:
        if not text:
            raise BadChange('a value stands after the =, as in =5; an empty text is ""') from None
        if text[0] in "[{\"'":
            raise BadChange(f"no value as TOML writes it: {shown(text)}; {str(error).partition(' (at')[0]}") from None
        return text
    return found["value"] if len(found) == 1 else text


def change(text: str, option: str = "") -> Change:
    """`a.b=c`, as `option` has it. Raises `BadChange`."""
    path, value = key_and_text(text)
    try:
        return Change(path, value_of(value), option)
    except BadChange as error:
        raise BadChange(f"{option} {key_text(path)}: {error}".lstrip()) from None


def changes_of(given: Mapping[str, object] | Iterable[Change]) -> tuple[Change, ...]:
    """As `load` takes them. Raises `BadChange`."""
    if isinstance(given, Mapping):
        found = cast("Mapping[str, object]", given)
        return tuple(Change(path_of(key), value) for key, value in found.items())
    return tuple(given)


# --- into the tables of a file ---------------------------------------------------------------------------------------


def apply(changes: Iterable[Change], table: Table, document: Document) -> None:
    """Change `table`; what is wrong with it then is told of the changes, and no longer of lines of the file."""
    before = {section: list(_table(table, section)) for section in _NAMED}
    for one in changes:
        _put(one, table, document)
    for section, (what, needed) in _NAMED.items():
        known = before[section]
        for name, made in list(_table(table, section).items()):
            if name not in known and is_table(made) and needed not in made:
                document.top.at(section, name).wrong(unknown(what, name, known))
                del _table(table, section)[name]


def _table(table: Table, name: str) -> Table:
    found = table.get(name)
    return found if is_table(found) else {}


def _put(one: Change, table: Table, document: Document) -> None:
    here: Any = table
    for depth, key in enumerate(one.path[:-1], 1):
        if key not in here:
            here[key] = {}
            document.said[one.path[:depth]] = str(one)
        here = here[key]
        if not is_table(here):
            document.said[one.path] = str(one)
            document.top.at(*one.path).wrong(f"{key_text(one.path[:depth])} is {shown(here)}, and no table")
            return
    here[one.path[-1]] = deepcopy(one.value)
    document.say(one.path, str(one))
