"""Policies by name, and from a configuration.

Entry points of group `ticktree.policies` give short names, ours and those of other packages; any other class is written
`package.module:Class`. Nothing is imported but what is asked for.
"""

import inspect
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import Any, cast

import attrs

from ..errors import BadPolicy
from .policy import Policy

GROUP = "ticktree.policies"

_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)
_DURATION = re.compile(r"(\d+(?:\.\d+)?) ?(us|ms|s|m|h)", re.ASCII)
_UNITS = {"us": Decimal("1e-6"), "ms": Decimal("1e-3"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600)}


def policy_named(name: str) -> type[Policy]:
    """The policy class that `name` stands for: announced by a package, or written `package.module:Class`.

    A dotted name imports that module, so take it only from where a plug-in is meant. Raises `BadPolicy`.
    """
    if ":" in name:
        if not _DOTTED.fullmatch(name):
            raise _unknown(name)
        return _loaded(name, name)
    claims = sorted({point.value for point in entry_points(group=GROUP, name=name)})
    if not claims:
        raise _unknown(name)
    if len(claims) > 1:
        raise BadPolicy(f"policy {name!r}: several claim it: {'; '.join(claims)}; write package.module:Class instead")
    return _loaded(name, claims[0])


def known_policies() -> dict[str, str]:
    """Where each name leads, sorted by name: "module:Class". Imports nothing."""
    return {point.name: point.value for point in sorted(entry_points(group=GROUP))}


def policy_from(config: Mapping[str, Any]) -> Policy:
    """A policy as a configuration writes it: `policy` is its name, the other keys are its options.

        {"policy": "any", "venues": ["a", {"policy": "timeout", "venue": "b", "deadline": "50ms"}], "deadline": "250ms"}

    A class is asked by its classmethod `from_config(options)`, if it has one. Else its fields are its options: a field
    `deadline_s` is the option `deadline`, a number of seconds or a text such as "250ms", "1.5s", "2m"; mappings with
    a key `policy` are nested policies; lists become tuples. Raises `BadPolicy`.
    """
    name = config.get("policy")
    if not isinstance(name, str):
        raise BadPolicy(
            f'a policy is written with its name, as in {{"policy": "timeout", ...}}; not {dict(config)!r:.80}'
        )
    kind = policy_named(name)
    options = {key: value for key, value in config.items() if key != "policy"}
    own = getattr(kind, "from_config", None)
    if own is None:
        return cast(Policy, built(f"policy {name!r}", kind, options))
    return cast(Policy, own(options))


def built(what: str, kind: type, options: Mapping[str, Any]) -> object:
    """A `kind` of `options`; `what` is its name in errors. Raises `BadPolicy`."""
    fields = _fields(kind)
    for option in options:
        if option not in fields:
            near = get_close_matches(option, fields, 1)
            meant = f" (did you mean {near[0]!r}?)" if near else ""
            raise BadPolicy(f"{what} has no option {option!r}{meant}; it has {', '.join(fields) or 'none'}")
    lacking = [option for option, field in fields.items() if field.default is field.empty and option not in options]
    if lacking:
        raise BadPolicy(f"{what} needs {' and '.join(map(repr, lacking))}")
    metadata = _metadata(kind)
    values = {
        fields[option].name: _read(f"{what}: {option}", fields[option].name, metadata, value)
        for option, value in options.items()
    }
    try:
        return kind(**values)
    except BadPolicy:
        raise
    except (TypeError, ValueError) as error:
        raise BadPolicy(f"{what}: {error}") from error


def seconds_of(what: str, value: object) -> float:
    """A duration in seconds: a number of them, or a text such as "250ms", "1.5s", "2m". Raises `BadPolicy`."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise BadPolicy(f'{what} is a duration, as in "250ms", "1.5s", "2m", or a number of seconds; not {value!r:.80}')
    return float(Decimal(match[1]) * _UNITS[match[2]])


def _fields(kind: type) -> dict[str, inspect.Parameter]:
    """What a class is made of, by the names that a configuration uses."""
    metadata = _metadata(kind)
    parameters = inspect.signature(kind).parameters.values()
    named = [one for one in parameters if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
    return {metadata.get(one.name, {}).get("key", one.name.removesuffix("_s")): one for one in named}


def _metadata(kind: type) -> dict[str, Mapping[str, Any]]:
    return {field.alias or field.name: field.metadata for field in attrs.fields(kind)} if attrs.has(kind) else {}


def _read(what: str, name: str, metadata: Mapping[str, Mapping[str, Any]], value: object) -> object:
    if name.endswith("_s"):
        return None if value is None else seconds_of(what, value)
    field = metadata.get(name, {})
    if "kinds" in field:
        return _kind(what, field["kinds"], value)
    return _value(what, value, field.get("of"))


def _kind(what: str, kinds: Mapping[str, type], value: object) -> object:
    """One of several: its name alone, or a mapping with its name as `kind`, and its options."""
    options = {"kind": value} if isinstance(value, str) else value
    name = cast(Mapping[str, Any], options).get("kind") if isinstance(options, Mapping) else None
    if not isinstance(name, str) or name not in kinds:
        raise BadPolicy(
            f'{what} is one of {", ".join(kinds)}, as in {{"kind": "{next(iter(kinds))}"}}; not {value!r:.80}'
        )
    rest = {key: one for key, one in cast(Mapping[str, Any], options).items() if key != "kind"}
    return built(f"{what} {name!r}", kinds[name], rest)


def _value(what: str, value: object, of: type | None) -> object:
    if isinstance(value, Mapping):
        options = cast(Mapping[str, Any], value)
        if "policy" in options:
            return policy_from(options)
        return options if of is None else built(what, of, options)
    if isinstance(value, list | tuple):
        return tuple(_value(what, one, of) for one in cast(Iterable[object], value))
    return value


def _unknown(name: str) -> BadPolicy:
    known = known_policies()
    near = get_close_matches(name, known, 1)
    meant = f" (did you mean {near[0]!r}?)" if near else ""
    return BadPolicy(f"policy {name!r} is not known{meant}; known: {', '.join(known)}; or write package.module:Class")


def _loaded(name: str, origin: str) -> type[Policy]:
    try:
        found: object = EntryPoint(name, origin, GROUP).load()
    except Exception as error:  # whatever the plug-in's module does
        why = f"{type(error).__name__}: {error}"
        raise BadPolicy(f"policy {name!r}: {origin} cannot be imported: {why}") from error
    # `venues` may be a field, which a class with slots has as a descriptor, and one without only in its objects.
    if not isinstance(found, type) or not callable(getattr(found, "execute", None)):
        raise BadPolicy(f"policy {name!r}: {origin} is no policy: a class with `venues` and `execute(order, legs)`")
    return cast(type[Policy], found)
