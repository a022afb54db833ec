"""As much of JSON Schema 2020-12 as the schema of configurations uses; what it does not know fails loudly."""

import re
from collections.abc import Iterator
from typing import Any

from ticktree.config.problems import is_list

Error = tuple[str, str]  # where, and which keyword
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "boolean": (bool,),
    "integer": (int,), "number": (int, float),
}  # fmt: skip
SILENT = {"$schema", "$defs", "title", "description", "examples", "default", "then", "else"}


def errors(value: Any, schema: Any) -> list[Error]:
    """What is wrong with `value`, each place and keyword once."""
    return sorted(set(_errors(value, schema, schema["$defs"], "")))


def _errors(value: Any, schema: dict[str, Any], defs: dict[str, Any], path: str) -> Iterator[Error]:
    here = path or "/"
    for keyword, given in schema.items():
        match keyword:
            case "$ref":
                yield from _errors(value, defs[given.removeprefix("#/$defs/")], defs, path)
            case "allOf":
                for one in given:
                    yield from _errors(value, one, defs, path)
            case "anyOf":
                if all(any(_errors(value, one, defs, path)) for one in given):
                    yield here, keyword
            case "not":
                if not any(_errors(value, given, defs, path)):
                    yield here, keyword
            case "if":
                branch = "else" if any(_errors(value, given, defs, path)) else "then"
                yield from _errors(value, schema.get(branch, {}), defs, path)
            case "type":
                kinds: list[str] = given if is_list(given) else [given]
                if not any(_is(value, kind) for kind in kinds):
                    yield here, keyword
            case "properties" | "additionalProperties" | "required" if isinstance(value, dict):
                yield from _members(value, schema, keyword, defs, path)
            case "items" | "prefixItems" | "minItems" | "maxItems" if isinstance(value, list):
                yield from _items(value, schema, keyword, defs, path)
            case "properties" | "additionalProperties" | "required" | "items" | "prefixItems" | "minItems" | "maxItems":
                pass
            case _ if keyword not in SILENT:
                if not _fits(value, keyword, given):
                    yield here, keyword
            case _:
                pass


def _is(value: Any, kind: str) -> bool:
    return isinstance(value, TYPES[kind]) and (not isinstance(value, bool) or kind == "boolean")


def _members(value: Any, schema: dict[str, Any], keyword: str, defs: dict[str, Any], path: str) -> Iterator[Error]:
    known = schema.get("properties", {})
    if keyword == "required":
        yield from ((path or "/", keyword) for key in schema[keyword] if key not in value)
        return
    for key, one in value.items():
        if keyword == "properties" and key in known:
            yield from _errors(one, known[key], defs, f"{path}/{key}")
        if keyword == "additionalProperties" and key not in known:
            if schema[keyword] is False:
                yield path or "/", keyword
            else:
                yield from _errors(one, schema[keyword], defs, f"{path}/{key}")


def _items(value: Any, schema: dict[str, Any], keyword: str, defs: dict[str, Any], path: str) -> Iterator[Error]:
    given = schema[keyword]
    if keyword in ("minItems", "maxItems"):
        if len(value) < given if keyword == "minItems" else len(value) > given:
            yield path or "/", keyword
        return
    kinds = given if keyword == "prefixItems" else [given] * len(value)
    for number, (one, kind) in enumerate(zip(value, kinds, strict=False)):
        yield from _errors(one, kind, defs, f"{path}/{number}")


def _fits(value: Any, keyword: str, given: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    match keyword:
        case "const":
            return bool(value == given)
        case "enum":
            return value in given
        case "pattern":
            return not isinstance(value, str) or re.search(given, value) is not None
        case "minLength":
            return not isinstance(value, str) or len(value) >= given
        case "minimum":
            return not number or value >= given
        case "exclusiveMinimum":
            return not number or value > given
        case "maximum":
            return not number or value <= given
        case "exclusiveMaximum":
            return not number or value < given
        case _:
            raise NotImplementedError(keyword)
