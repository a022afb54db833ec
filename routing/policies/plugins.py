"""Policies by name, and from a configuration: `POLICIES.load("timeout")`, `policy_from({"policy": "timeout", ...})`."""

import inspect
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, cast

import attrs

from ticktree.actors import PluginError, Plugins
from ticktree.market import BadUnit, seconds

from ..errors import BadPolicy, OptionPath
from .policy import Policy


def _misfit(found: object) -> str:
    # `venues` may be a field, which a class with slots has as a descriptor, and one without only in its objects.
    fits = isinstance(found, type) and callable(getattr(found, "execute", None))
    return "" if fits else "no policy: that is a class with `venues` and `execute(order, legs)`"


POLICIES: Plugins[Policy] = Plugins("ticktree.policies", "policy", _misfit)


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
    try:
        kind = POLICIES.load(name)
    except PluginError as error:
        raise BadPolicy(str(error)) from error
    options = {key: value for key, value in config.items() if key != "policy"}
    own = getattr(kind, "from_config", None)
    if own is None:
        return cast(Policy, built(f"policy {name!r}", kind, options))
    return cast(Policy, own(options))


def built(what: str, kind: type, options: Mapping[str, Any]) -> object:
    """A `kind` of `options`; `what` is its name in errors. Raises `BadPolicy`."""
    fields = _fields(kind)
    faults = list(_misnamed(what, fields, options))
    metadata, values = _metadata(kind), dict[str, object]()
    for option in filter(fields.__contains__, options):
        name = fields[option].name
        try:
            values[name] = _read(f"{what}: {option}", name, metadata, options[option])
            _check_field(kind, name, values[name])
        except BadPolicy as error:
            faults += error.within(option)
    if faults:
        order = {option: place for place, option in enumerate(options)}
        raise BadPolicy.of(sorted(faults, key=lambda fault: order.get(str(next(iter(fault[0]), "")), len(order))))
    try:
        return kind(**values)
    except BadPolicy:
        raise
    except (TypeError, ValueError) as error:
        raise BadPolicy(f"{what}: {error}") from error


def _check_field(kind: type, name: str, value: object) -> None:
    """Whether a field of an attrs class takes `value`, as far as it can be told without the others: of a constructor
    only the first error would be heard. Raises `BadPolicy`."""
    field = (
        next((one for one in attrs.fields(kind) if (one.alias or one.name) == name), None) if attrs.has(kind) else None
    )
    if field is None or field.validator is None:
        return
    try:
        converted = value if field.converter is None else field.converter(value)
        field.validator(object.__new__(kind), field, converted)
    except BadPolicy:
        raise
    except Exception:  # it looks at the others, too: the constructor says what is wrong
        return


def _misnamed(
    what: str, fields: Mapping[str, inspect.Parameter], options: Mapping[str, Any]
) -> Iterable[tuple[OptionPath, str]]:
    """Options that there are not, and those that are needed and not there under any name like theirs."""
    meant = set[str]()
    for option in options:
        if option not in fields:
            near = get_close_matches(option, fields, 1)
            meant.update(near)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            yield (option,), f"{what} has no option {option!r}{hint}; it has {', '.join(fields) or 'none'}"
    needed = [option for option, field in fields.items() if field.default is field.empty]
    lacking = [option for option in needed if option not in options and option not in meant]
    if lacking:
        yield (), f"{what} needs {' and '.join(map(repr, lacking))}"


def seconds_of(what: str, value: object) -> float:
    """A duration in seconds: a number of them, or a text such as "250ms", "1.5s", "2m". Raises `BadPolicy`."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    try:
        return seconds(cast(str, value))
    except BadUnit as error:
        meant = f"; did you mean {error.near!r}?" if error.near else ""
        raise BadPolicy(
            f'{what} is a duration, as in "250ms", "1.5s", "2m", or a number of seconds; not {value!r:.80}{meant}'
        ) from error


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
        return _values(what, cast(Iterable[object], value), of)
    return value


def _values(what: str, values: Iterable[object], of: type | None) -> tuple[object, ...]:
    found, faults = list[object](), list[tuple[OptionPath, str]]()
    for number, value in enumerate(values):
        try:
            found.append(_value(what, value, of))
        except BadPolicy as error:
            faults += error.within(number)
    if faults:
        raise BadPolicy.of(faults)
    return tuple(found)
