"""Tables into structs: every field by itself, so that all that is wrong is told at once."""

from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from math import isfinite
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import FieldInfo

from . import secrets
from .problems import Place, is_list, is_table, near, shown, unknown
from .sections import Section
from .values import (
    LISTS,
    Delay,
    Duration,
    OutOfBounds,
    Secret,
    Type,
    bare,
    choices,
    example,
    expected,
    hook,
    inner,
    members,
    origin,
    words,
)

S = TypeVar("S", bound=Struct)

BAD: Final = object()  # what was wrong, and told


def section(kind: type[S], table: object, place: Place) -> S:
    """`table` as one of our own sections. What is wrong is told at `place`, and left at its default; where there is
    none, empty."""
    values = _fields(kind, table, place)
    for field in msgspec.structs.fields(kind):
        if field.required and field.name not in values:
            values[field.name] = () if origin(bare(field.type)[0]) is tuple else ""
    return kind(**values)


def whole(kind: type[S], table: object, place: Place) -> S | None:
    """`table` as a struct of anybody's; None if anything was wrong, which was told at `place` then."""
    values = _fields(kind, table, place)
    if place.is_wrong:
        return None
    try:
        return kind(**values)
    except Exception as error:  # whatever its `__post_init__` says
        place.wrong(f"{error or type(error).__name__}")
        return None


def known_keys(kind: type[Struct]) -> dict[str, FieldInfo]:
    """The keys of a section, and what belongs there."""
    return {field.encode_name: field for field in msgspec.structs.fields(kind)}


def only(table: object, keys: Collection[str]) -> object:
    """`table` with these of its keys alone, and what was probably meant to be one; for who does not know the others."""
    if not is_table(table):
        return table
    lacking = [key for key in keys if key not in table]
    return {key: value for key, value in table.items() if key in keys or get_close_matches(key, lacking, 1, 0.8)}


def _fields(kind: type[Struct], table: object, place: Place) -> dict[str, Any]:
    if not is_table(table):
        place.wrong(f"a table; not {shown(table)}")
        return {}
    known, found = known_keys(kind), dict[str, Any]()
    meant = set[str]()  # by keys that are misspelt
    for key in table:
        if key not in known:
            meant.update(near(key, known))
            place.at(key).wrong(unknown("key", key, known) if known else "there are no keys here")
    for key, field in known.items():
        if key in table:
            value = convert(field.type, table[key], place.at(key))
            if value is not BAD:
                found[field.name] = value
        elif field.required and key in meant:
            place.at(key).is_told()
        elif field.required:
            place.at(key).wrong(_missing(key, field))
    return found


def _missing(key: str, field: FieldInfo) -> str:
    as_in = example(field.type)
    return f"is missing: {key} = {as_in}" if as_in else f"is missing: {words(field.type)}"


def convert(kind: Type, value: object, place: Place) -> object:
    """`value` as a `kind`, or BAD. Texts of options with a secret's name are read as secrets."""
    plain, meta = bare(kind)
    names, options = [key for key in place.path if isinstance(key, str)], members(plain)
    if Secret in options or (str in options and secrets.is_secret(names[-1])):
        return _secret(value, place)
    if is_table(value):
        return _table(kind, options, value, place)
    uniform = next((one for one in options if origin(one) in LISTS and _is_uniform(one)), None)
    if is_list(value) and uniform is not None:
        return _list(uniform, value, place)
    return _leaf(kind, meta, value, place)


def _secret(value: object, place: Place) -> object:
    try:
        found = secrets.secret(value, place.document.folder)
    except secrets.BadSecret as error:
        place.wrong(str(error))
        return BAD
    place.document.secrets.add(found)
    return Secret(found)


def _table(kind: Type, options: Iterable[Type], value: dict[str, object], place: Place) -> object:
    for one in options:
        if isinstance(one, type) and issubclass(one, Struct):
            found = section(one, value, place) if issubclass(one, Section) else whole(one, value, place)
            return BAD if found is None else found
        if origin(one) in (dict, Mapping) and inner(one):
            of = inner(one)[1]
            items = {key: convert(of, item, place.at(key)) for key, item in value.items()}
            return {key: item for key, item in items.items() if item is not BAD}
    return _leaf(kind, None, value, place)


def _is_uniform(kind: Type) -> bool:
    kinds = inner(kind)
    return len(kinds) == 1 or (len(kinds) == 2 and kinds[1] is ...)


def _list(kind: Type, value: list[object], place: Place) -> object:
    """Each by itself, so that a wrong one is told on its own line."""
    of = inner(kind)[0]
    found = [convert(of, one, place.at(number)) for number, one in enumerate(value)]
    return BAD if any(one is BAD for one in found) else origin(kind)(found)


def _leaf(kind: Type, meta: Meta | None, value: object, place: Place) -> object:
    if isinstance(value, float) and not isfinite(value):
        place.wrong(f"{expected(kind)}; not {shown(value)}")
        return BAD
    options = members(bare(kind)[0])
    errors = list[Exception]()
    for one in options if len(options) > 1 else (kind,):  # msgspec has no unions with types of ours
        try:
            found = msgspec.convert(value, one, strict=True, dec_hook=hook)
        except (msgspec.ValidationError, ValueError, TypeError, OverflowError) as error:
            errors.append(error)
        else:
            return place.document.folder / found if isinstance(found, Path) else found
    place.wrong(f"{expected(kind)}; not {shown(value)}{_why(kind, meta, value, errors[0])}")
    return BAD


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _why(kind: Type, meta: Meta | None, value: object, error: Exception) -> str:
    """What the words for a type do not tell."""
    likely = getattr(error.__cause__, "near", "")
    if isinstance(error.__cause__, OutOfBounds):
        return f", for it is {error.__cause__}"
    if isinstance(value, str):
        likely = next(iter(get_close_matches(value, choices(kind), 1)), likely)
    if likely:
        return f"; did you mean {shown(likely)}?"
    if set(members(bare(kind)[0])) & {Duration, Delay} and _is_number(value):
        return f"; did you mean {shown(f'{value}s')}?"
    if meta is not None and (meta.pattern or meta.min_length or meta.max_length or meta.multiple_of):
        return f" ({error})"
    return ""
