"""What a class takes, as a configuration writes it: each option with its type, its default, and what it is about."""

import inspect
import json
import re
from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, cast, get_args, get_origin

import attrs
import msgspec
from msgspec.structs import FieldInfo

from ticktree.market import written

from ..config.options import options
from ..config.reading import known_keys
from ..config.secrets import is_secret
from ..config.sections import Section
from ..config.values import Delay, Duration, Secret, bare, example, members, words

_ROW = re.compile(r"([\w*]+(?:, [\w*]+)*)(  +)(\S.*)")
_REST = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
_NAMED = {"url": '"tcp://127.0.0.1:5005"', "name": '"BTC-USDT"', "instrument": '"BTC-USDT"'}  # by what they are called
_EXAMPLES: dict[object, str] = {
    int: "1",
    float: "1.0",
    bool: "true",
    Decimal: '"1"',
    dict: "{}",
}


@attrs.frozen
class Option:
    """One key of a configuration. `default` is written as it would be there: empty where that is nothing, or a table
    of defaults; None where it must be given. `example`: what it may be."""

    name: str
    type: str
    default: str | None
    about: str
    example: str

    def line(self, table: str) -> str:
        """It in `table` of a configuration: to be filled in where it must be given, else left out, with its default."""
        if is_secret(self.name):
            return f'{"" if self.default is None else "# "}{self.name} = "env:{table.upper()}_{self.name.upper()}"'
        if self.default is None:
            return f"{self.name} = {self.example}"
        return f"# {self.name} = {self.default or self.example}"


def taken(kind: type, base: type[Section], leave_out: int = 0) -> tuple[Option, ...]:
    """What a class is made with, but for what `base` has, and for its first `leave_out` parameters."""
    return fields(options(kind, base, leave_out), known_keys(base), told(kind))


def missing(kind: type, base: type[Section], leave_out: int = 0) -> list[str]:
    """The parameters that a class is not made without, and that a configuration does not give."""
    own = known_keys(options(kind, base, leave_out)).keys() - known_keys(base).keys()
    parameters = list(inspect.signature(kind).parameters.values())[leave_out:]
    needed = [one.name for one in parameters if one.default is one.empty and one.kind not in _REST]
    return [name for name in needed if not {name, name.removesuffix("_s"), name.removesuffix("_bytes")} & own]


def fields(
    kind: type[msgspec.Struct], besides: Collection[str] = (), about: Mapping[str, str] | None = None
) -> tuple[Option, ...]:
    """The fields of a struct: of a strategy's parameters, or of a section of configurations. `about`: what is said of
    them, if not by the struct itself."""
    about = told(kind) if about is None else about
    return tuple(_option(key, field, about) for key, field in known_keys(kind).items() if key not in besides)


def told(kind: type) -> dict[str, str]:
    """What a class says of each of its options, or a class that it inherits from."""
    found = dict[str, str]()
    for each in reversed(kind.__mro__):
        found |= _rows(each.__doc__ or "")
    return found


def _rows(docstring: str) -> dict[str, str]:
    """Lines `name  what it is`, with those that go on from there, further in."""
    found, last, edge = dict[str, str](), "", 0
    for line in inspect.cleandoc(docstring).splitlines():
        begun = _ROW.fullmatch(line)
        if begun:
            edge, last = begun.end(2), begun[1]
            found |= dict.fromkeys(last.split(", "), begun[3])
        elif last and line[:edge].isspace() and len(line) > edge:
            found |= {name: f"{found[name]} {line.strip()}" for name in last.split(", ")}
        else:
            last = ""
    return found


def is_table(paragraph: str) -> bool:
    """Whether a paragraph of a docstring is one of rows about options."""
    return _ROW.fullmatch(paragraph.partition("\n")[0]) is not None


def toml(value: object) -> str:
    """`value` as a configuration writes it; empty for what it does not write: None, and objects."""
    match value:
        case Duration() | Delay():
            return json.dumps(written(value))
        case bool():
            return str(value).lower()
        case int() | float():
            return repr(value)
        case str() | Decimal() | Path():
            return json.dumps(str(value), ensure_ascii=False)
        case tuple() | list() | set() | frozenset():
            parts = [toml(one) for one in cast(Iterable[object], value)]
            return f"[{', '.join(parts)}]" if all(parts) else ""
        case Mapping():
            pairs = {str(key): toml(one) for key, one in cast(Mapping[object, object], value).items()}
            inside = ", ".join(f"{_key(key)} = {text}" for key, text in pairs.items())
            return (f"{{ {inside} }}" if pairs else "{}") if all(pairs.values()) else ""
        case _:
            return ""


def _option(key: str, field: FieldInfo, about: Mapping[str, str]) -> Option:
    kind, meta = bare(field.type)
    said = (meta and meta.description) or _said(about, (key, f"{key}_s", f"{key}_bytes"))
    type_ = words(Secret) if is_secret(key) else words(field.type)
    return Option(key, type_, _default(field, kind), said, _example(key, field.type))


def _said(about: Mapping[str, str], names: Collection[str]) -> str:
    """What is said under one of `names`, or of all that end or begin likewise: `*_size`."""
    return next((text for row, text in about.items() for name in names if fnmatchcase(name, row)), "")


def _default(field: FieldInfo, kind: Any) -> str | None:
    if field.required:
        return None
    default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
    lasts = isinstance(default, int | float) and {Delay, Duration} & set(members(kind))
    return toml(Delay(default) if lasts else default)


def _example(key: str, hint: Any) -> str:
    """One of that type, to be replaced."""
    if found := _NAMED.get(key) or example(hint):
        return found
    of: Any = members(bare(hint)[0])[0]
    if get_origin(of) in (tuple, list, set, frozenset):
        return f"[{_example(key, get_args(of)[0])}]"
    if isinstance(of, type) and issubclass(of, msgspec.Struct):
        needed = {one: _example(one, field.type) for one, field in known_keys(of).items() if field.required}
        return f"{{ {', '.join(f'{one} = {text}' for one, text in needed.items())} }}" if needed else "{}"
    return _EXAMPLES.get(cast(object, get_origin(of) or of), json.dumps(key.upper()))


def _key(text: str) -> str:
    return text if re.fullmatch(r"[A-Za-z0-9_-]+", text) else json.dumps(text)
