"""What a configuration writes in ways of its own: durations, sizes, amounts, paths, secrets; and how they are told."""

from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from functools import partial
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, cast, get_args, get_origin

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import FieldInfo

from ticktree.market import exact, units

from .problems import HIDDEN, is_list, is_table, key_text, shown


class Duration(float):
    """In seconds, above 0. Written "250ms"."""


class Delay(float):
    """In seconds, 0 or more. Written "250ms"."""


class Size(int):
    """In bytes. Written "64KiB"."""


class Secret(str):
    """What must not be shown. Written "env:NAME" or "file:PATH"."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(HIDDEN)


class Amount(str):
    """An exact number, in digits. Written as a number, or as a text of one."""

    __slots__ = ()


class OutOfBounds(ValueError):
    """A duration that nobody can mean; says what it has to be."""


LONGEST_S: Final = 3600.0 * 10_000  # timers take no more than 1e9 s, and no event loop years
SHORTEST_S: Final = 1e-6
LISTS: Final = (tuple, list, set, frozenset)
Type = Any  # a type, or what `typing` has in the place of one


def duration(text: str) -> Any:
    """A default."""
    return msgspec.field(default_factory=partial(Duration, units.seconds(text)))


def delay(text: str) -> Any:
    """A default."""
    return msgspec.field(default_factory=partial(Delay, units.seconds(text)))


def hook(kind: type, value: object) -> object:
    """What `msgspec.convert` asks for the types above. Raises `ValueError`."""
    match value:
        case str() if issubclass(kind, Duration | Delay):
            found = kind(units.seconds(value))
            if isinstance(found, Duration) and found < SHORTEST_S:
                raise OutOfBounds(f"at least {units.written(SHORTEST_S)}" if found else "above 0")
            if found > LONGEST_S:
                raise OutOfBounds(f"at most {units.written(LONGEST_S)}")
            return found
        case str() | int() if kind is Size and not isinstance(value, bool):
            return Size(units.size_bytes(value))
        case str() | int() | float() if kind is Amount and not isinstance(value, bool):
            return Amount(exact(value))
        case str() if kind is Path and value and "\0" not in value:
            return _path(value)
        case _ if isinstance(value, kind):
            return value
        case _:
            raise ValueError(f"no {kind.__name__}")


def _path(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError as error:  # the home of somebody who is not there
        raise ValueError(str(error)) from error


# --- in words ------------------------------------------------------------------------------------------------------

_NAMES: Final[Mapping[type, tuple[str, str]]] = {
    str: ("a text", "texts"),
    bool: ("true or false", "true or false"),
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    Decimal: ("a number, or a text of one", "numbers, or texts of them"),
    Amount: ("a number, or a text of one", "numbers, or texts of them"),
    Duration: ("a duration", "durations"),
    Delay: ("a duration", "durations"),
    Size: ("a size", "sizes"),
    Path: ("a path", "paths"),
    Secret: ('"env:NAME" or "file:PATH"', '"env:NAME" or "file:PATH"'),
    NoneType: ("nothing", "nothing"),
}
_EXAMPLES: Final[Mapping[type, object]] = {
    Duration: "250ms", Delay: "5ms", Size: "64KiB", Secret: "env:NAME", Path: "some/where",
}  # fmt: skip


def origin(kind: Type) -> Any:
    """`dict` of `dict[str, int]`; of a plain type, itself."""
    found: Any = get_origin(kind)
    return kind if found is None else found


def inner(kind: Type) -> tuple[Any, ...]:
    """`str` and `int` of `dict[str, int]`."""
    return get_args(kind)


def bare(kind: Type) -> tuple[Type, Meta | None]:
    """A type without what `Annotated` adds, and that."""
    if origin(kind) is Annotated:
        kind, *added = inner(kind)
        return kind, next((one for one in added if isinstance(one, Meta)), None)
    return kind, None


def members(kind: Type) -> tuple[Type, ...]:
    """What it may be: the parts of a union, without None."""
    if origin(kind) in (Union, UnionType):
        return tuple(one for one in inner(kind) if one is not NoneType)
    return (kind,)


def words(kind: Type, plural: bool = False) -> str:
    """What a value of this type is, as in "a list of texts"."""
    kind, meta = bare(kind)
    of = origin(kind)
    if of is Literal:
        return _choice([shown(one) for one in inner(kind)], plural)
    if of in (Union, UnionType):
        return " or ".join(dict.fromkeys(words(one, plural) for one in members(kind)))
    if of in LISTS:
        return _list(inner(kind), plural)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _choice([shown(one.value) for one in kind], plural)
    if kind in _NAMES:
        return _NAMES[kind][plural] + _bounds(meta)
    if of is dict or (isinstance(kind, type) and issubclass(kind, Struct)):
        return "tables" if plural else "a table"
    return "values" if plural else "a value"


def _list(kinds: tuple[Type, ...], plural: bool) -> str:
    start = "lists" if plural else "a list"
    if len(kinds) > 1 and kinds[1] is not ...:
        return f"{start} of {len(kinds)}: {', '.join(map(words, kinds))}"
    of = words(kinds[0], plural=True) if kinds else "values"
    return f"{start} of {of}"


def _choice(texts: list[str], plural: bool) -> str:
    *others, last = texts
    listed = f"{', '.join(others)} or {last}" if others else last
    return f"any of {listed}" if plural and others else listed


def choices(kind: Type) -> list[str]:
    """The texts that it may be, where it may only be some."""
    kind, _ = bare(kind)
    if origin(kind) is Literal:
        return [one for one in inner(kind) if isinstance(one, str)]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return [str(one.value) for one in kind]
    return [text for one in members(kind) if one is not kind for text in choices(one)]


def _bounds(meta: Meta | None) -> str:
    if meta is None:
        return ""
    least, above = meta.ge, meta.gt
    most, below = meta.le, meta.lt
    text = f" from {least}" if least is not None else f" above {above}" if above is not None else ""
    if most is not None or below is not None:
        return text + (f" to {most}" if most is not None else f" below {below}")
    return f"{text} on" if least is not None else text


def expected(kind: Type) -> str:
    """What stands there, with an example: `a duration, as in "250ms"`."""
    plain_kind, _ = bare(kind)
    text = words(kind)
    found = example(kind)
    if found is None or origin(plain_kind) is Literal or plain_kind is bool:
        return text
    return f"{text}, as in {found}"


def example(kind: Type) -> str | None:
    """One of its values as TOML writes it."""
    kind, meta = bare(kind)
    if meta is not None and meta.examples:
        return written(meta.examples[0])
    if origin(kind) is Literal:
        return written(inner(kind)[0])
    return next((written(_EXAMPLES[one]) for one in members(kind) if one in _EXAMPLES), None)


def plain(value: object) -> Any:
    """A value as JSON has it, and TOML: durations as texts, structs without what is at its default."""
    match value:
        case Duration() | Delay():
            return units.written(value)
        case Struct():
            fields = msgspec.structs.fields(value)
            changed = {one.encode_name: getattr(value, one.name) for one in fields}
            defaults = {one.encode_name: default_of(one) for one in fields}
            return {key: plain(one) for key, one in changed.items() if one != defaults[key]}
        case _ if is_table(value):
            return {key: plain(one) for key, one in value.items()}
        case list() | tuple():
            return [plain(one) for one in cast("list[object]", value)]
        case Path() | Decimal() | Enum() | str():
            return str(value.value if isinstance(value, Enum) else value)
        case _:
            return value


def default_of(field: FieldInfo) -> Any:
    """A field's default; `msgspec.NODEFAULT` where it has none."""
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()


def written(value: object) -> str:
    """A value as TOML writes it; empty for none."""
    found = plain(value)
    if is_table(found):
        pairs = ", ".join(f"{key_text((key,))} = {written(one)}" for key, one in found.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    if is_list(found):
        return f"[{', '.join(map(written, found))}]"
    return "" if found is None else shown(found)
