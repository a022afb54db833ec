"""What a plug-in's class may be given by a configuration: the parameters of its constructor, as keys of a section.

A parameter `timeout_s` is the key `timeout`, a duration; `buffer_bytes` is `buffer`, a size. Where the shorter name is
taken by another parameter, the key keeps the whole one. What a configuration cannot write is no key. A parameter whose
type is an attrs class is a table of that class's fields.
"""

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import NoneType
from typing import Any, TypeVar, cast, get_type_hints

import attrs
import msgspec
from msgspec import Struct

from .secrets import is_secret
from .sections import Section
from .values import Delay, Secret, Size, Type, inner, members, origin

S = TypeVar("S", bound=Section)

# What a made section makes, and the parameters of its keys: a cache, like that of `options`.
_MADE: dict[type[Struct], tuple[Callable[..., object], Mapping[str, str]]] = {}
_LISTS = (Iterable, Sequence, Collection, list, tuple, set, frozenset)


def options(kind: Callable[..., object], base: type[S], leave_out: int = 0) -> type[S]:
    """The keys of `base` with those of the constructor of `kind`, after its first `leave_out` parameters."""
    return cast("type[S]", _options(kind, base, leave_out))


@lru_cache(256)
def _options(kind: Callable[..., object], base: type[Section], leave_out: int) -> type[Section]:
    own = _parameters(kind, leave_out)
    taken = {field.encode_name for field in msgspec.structs.fields(base)}
    fields, parameters = list[Any](), dict[str, str]()
    for name, parameter in own.items():
        key = _key(name, own, taken)
        type_ = None if key in taken or not key.isidentifier() else _type(name, *parameter)
        if type_ is not None:
            fields.append(_field(key, type_, parameter[1]))
            parameters[key] = name
    made: type[Any] = msgspec.defstruct(
        getattr(kind, "__name__", "Options"), fields, bases=(base,), kw_only=True, frozen=True,
        forbid_unknown_fields=True, namespace={"__doc__": base.__doc__},
    )  # fmt: skip
    _MADE[made] = kind, parameters
    return made


def given(section: Struct, table: Mapping[str, object]) -> dict[str, object]:
    """What `table`, which `section` was read from, gives to the constructor, by parameter."""
    _, parameters = _MADE[type(section)]
    return {name: _plain(getattr(section, key)) for key, name in parameters.items() if key in table}


def _plain(value: object) -> object:
    """As the constructor takes it. Raises what the constructor of an inner value does."""
    match value:
        case Struct() if type(value) in _MADE:
            kind, parameters = _MADE[type(value)]
            fields = {field.name: field for field in msgspec.structs.fields(value)}
            found = {key: getattr(value, key) for key in parameters}
            return kind(
                **{parameters[key]: _plain(one) for key, one in found.items() if one is not fields[key].default}
            )
        case tuple():
            return tuple(map(_plain, cast("tuple[object, ...]", value)))
        case list():
            return list(map(_plain, cast("list[object]", value)))
        case _:
            return value


# --- parameters ----------------------------------------------------------------------------------------------------

Parameter = tuple[Type, object]  # its type and its default


def _parameters(kind: Callable[..., object], leave_out: int) -> dict[str, Parameter]:
    try:
        signature = inspect.signature(kind)
    except (TypeError, ValueError):  # of a class written in C, it may be
        return {}
    hints = _hints(kind)
    usual = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY
    found = [one for one in signature.parameters.values() if one.kind in usual]
    return {one.name: (hints.get(one.name, _guessed(one.default)), one.default) for one in found[leave_out:]}


def _hints(kind: Callable[..., object]) -> dict[str, Type]:
    """By parameter. Hints that cannot be understood are none."""
    try:
        if isinstance(kind, type) and attrs.has(kind):
            hints = get_type_hints(kind, include_extras=True)
            return {field.alias or field.name: hints.get(field.name, Any) for field in attrs.fields(kind)}
        return get_type_hints(getattr(kind, "__init__", kind), include_extras=True)
    except Exception:  # names that are there for type checkers only, and whatever else
        return {}


def _guessed(default: object) -> Type:
    return type(default) if isinstance(default, bool | int | float | str) else Any


def _key(name: str, own: Collection[str], taken: Collection[str]) -> str:
    short = name.removesuffix("_s").removesuffix("_bytes")
    return name if not short or short in own or short in taken else short


def _type(name: str, kind: Type, default: object) -> Type | None:
    """What its key takes; None for what cannot be written."""
    optional = NoneType in inner(kind)
    if kind is Any and is_secret(name):
        kind = Secret
    elif name.endswith("_s"):
        kind = tuple[Delay, Delay] if origin(kind) is tuple else Delay
    elif name.endswith("_bytes"):
        kind = Size
    else:
        parts = [_writable(one) for one in members(kind)]
        kinds = [one for one in parts if one is not None]
        if not kinds:
            return None
        kind = kinds[0]
        for one in kinds[1:]:
            kind |= one
    return kind | None if optional or default is None else kind


def _writable(kind: Type) -> Type | None:
    kinds = inner(kind)
    if isinstance(kind, type) and attrs.has(kind):
        return options(kind, Section)
    if origin(kind) in _LISTS and (not kinds or len(kinds) == 1 or kinds[1] is ...):
        of = _writable(kinds[0]) if kinds else Any
        if of is None:
            return None
        return made(list, of) if origin(kind) is list else made(tuple, of, ...)
    if origin(kind) is Mapping and kinds:
        return made(dict, *kinds)
    return kind if _is_known(kind) else None


def made(generic: Any, *kinds: Any) -> Type:
    """`tuple[int, ...]`, of what is known only now."""
    return generic[kinds]


def _is_known(kind: Type) -> bool:
    """Whether TOML has values of this type."""
    try:
        info = msgspec.inspect.type_info(kind)
    except Exception:  # whatever may stand in a hint
        return False
    return not isinstance(info, msgspec.inspect.CustomType) or kind in (Path, Secret, Size, Delay)


def _field(key: str, kind: Type, default: object) -> Any:
    if default is inspect.Parameter.empty:
        return (key, kind)
    return (key, kind, msgspec.field(default_factory=lambda: default))
