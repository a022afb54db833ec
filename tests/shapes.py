"""What stands under a key of a document of JSON, in words, and which structs there are in it."""

from decimal import Decimal
from enum import IntEnum, StrEnum
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

from msgspec import Struct

PLAIN: dict[object, str] = {
    int: "whole number", float: "number", str: "text", bool: "true or false", Decimal: "decimal as text",
}  # fmt: skip


def structs(kind: Any) -> list[type[Struct]]:
    """`kind` and all that stand in it, each once, in the order of its keys."""
    found, inner = list[type[Struct]](), get_args(kind)
    if isinstance(kind, type) and issubclass(kind, Struct):
        found, inner = [kind], tuple(get_type_hints(kind).values())
    for hint in inner:
        found += [one for one in structs(hint) if one not in found]
    return found


def shape(hint: Any, suffix: str = "") -> str:
    """What stands there; a struct is a link to its heading, which ends with `suffix`."""
    inside = [one for one in get_args(hint) if one is not NoneType and one is not Ellipsis]
    if get_origin(hint) is tuple and Ellipsis not in get_args(hint):
        return f"[{', '.join(shape(one, suffix) for one in inside)}]"
    if get_origin(hint) is dict:
        return f"object of name: {shape(inside[1], suffix)}"
    if get_origin(hint) in (list, tuple):
        return f"list of {shape(inside[0], suffix)}"
    if inside:
        return f"{shape(inside[0], suffix)}, or null"
    if isinstance(hint, type) and issubclass(hint, Struct):
        return f"[{hint.__name__}](#{hint.__name__.lower()}{suffix})"
    if isinstance(hint, type) and issubclass(hint, StrEnum | IntEnum):
        return " or ".join(f"`{one.value}`" for one in hint)
    return PLAIN[hint]
