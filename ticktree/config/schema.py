"""The JSON Schema of configurations, for editors: from the same definitions that configurations are read by."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Final, Literal

import attrs
import msgspec
from msgspec import Meta, Struct
from msgspec.structs import FieldInfo

from ticktree.actors import PluginError, Plugins
from ticktree.feeds.plugins import FEEDS
from ticktree.routing.venues.plugins import VENUES
from ticktree.strategies.plugins import STRATEGIES

from . import sections
from .options import options
from .reading import known_keys
from .secrets import is_secret
from .values import LISTS, Amount, Delay, Duration, Secret, Size, Type, bare, default_of, inner, members, origin, plain

Json = dict[str, Any]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_DURATION: Final = {"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*(us|ms|s|m|h)\s*$"}
_NUMBER: Final = {"type": ["number", "string"]}
_SECRET: Final = {"type": "string", "pattern": "^(env|file):."}
_TYPES: Final[Mapping[Any, Json]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    Decimal: _NUMBER,
    Amount: _NUMBER,
    Duration: _DURATION,
    Delay: _DURATION,
    Size: {"type": ["integer", "string"]},
    Secret: _SECRET,
    Path: {"type": "string", "minLength": 1},
}
_BOUNDS: Final = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}


def schema() -> Json:
    """Draft 2020-12. Imports the plug-ins that installed packages announce, whose options it has."""
    definitions = _Definitions()
    sections_of = {name: definitions.ref(kind) for name, kind in sections.TOP.items()}
    sections_of |= {name: {"type": "object", "additionalProperties": one} for name, one in _named(definitions).items()}
    return {
        "$schema": DIALECT,
        "title": "ticktree",
        "description": "A configuration of ticktree (docs/configuration.md).",
        "type": "object",
        "properties": {name: sections_of[name] for name in sections.ORDER},
        "required": ["feeds"],
        "additionalProperties": False,
        "$defs": dict(sorted(definitions.made.items())),
    }


@attrs.define(eq=False)
class _Definitions:
    """What is referred to, by name."""

    made: Json = attrs.field(factory=dict[str, Any])
    _names: dict[type[Struct], str] = attrs.field(factory=dict[type[Struct], str])

    def ref(self, kind: type[Struct], name: str = "", closed: bool = True) -> Json:
        """A reference to `kind`, which is defined now if it was not yet. Unless it is `closed` others may add keys."""
        known = self._names.get(kind)
        if known is None:
            known = self._names[kind] = name or self._free(kind.__name__)
            self.made[known] = {}  # its place, for what refers to itself
            self.made[known] = self._struct(kind, closed)
        return {"$ref": f"#/$defs/{known}"}

    def _free(self, name: str) -> str:
        number = 1
        while name in self.made:
            number += 1
            name = f"{name.rstrip('0123456789')}{number}"
        return name

    def _struct(self, kind: type[Struct], closed: bool) -> Json:
        keys, meanings = known_keys(kind), sections.meanings(kind)
        required = [key for key, field in keys.items() if field.required]
        return {
            "description": sections.purpose(kind),
            "type": "object",
            "properties": {key: self._field(key, field, meanings.get(key, "")) for key, field in keys.items()},
            **({"required": required} if required else {}),
            **({"additionalProperties": False} if closed else {}),
        }

    def _field(self, key: str, field: FieldInfo, meaning: str) -> Json:
        kind, _ = bare(field.type)
        secret = is_secret(key) and str in members(kind)
        found = {"description": meaning} if meaning else {}
        found |= _SECRET if secret else self.of(field.type)
        default = plain(default_of(field))
        if not field.required and default not in (None, ""):
            found["default"] = default
        return found

    def of(self, kind: Type) -> Json:
        """What a value of that type is."""
        kind, meta = bare(kind)
        return {**self._plain(kind), **_constraints(meta)}

    def _plain(self, kind: Type) -> Json:
        of, kinds, parts = origin(kind), list(inner(kind)), list(members(kind))
        if of is Literal:
            return {"enum": list(kinds)}
        if len(parts) > 1:
            return {"anyOf": [self.of(one) for one in parts]}
        if parts[0] is not kind:
            return self.of(parts[0])
        if of is tuple and len(kinds) > 1 and kinds[-1] is not ...:
            items = [self.of(one) for one in kinds]
            return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}
        if of in LISTS:
            return {"type": "array", "items": self.of(kinds[0])} if kinds else {"type": "array"}
        if of is dict:
            return {"type": "object", "additionalProperties": self.of(kinds[1])} if kinds else {"type": "object"}
        if isinstance(kind, type) and issubclass(kind, Struct):
            return self.ref(kind)
        if isinstance(kind, type) and issubclass(kind, Enum):
            return {"enum": [one.value for one in kind]}
        return dict(_TYPES.get(kind, {}))  # of anything else, nothing is known


def _constraints(meta: Meta | None) -> Json:
    if meta is None:
        return {}
    found: Json = {name: getattr(meta, own) for own, name in _BOUNDS.items() if getattr(meta, own) is not None}
    if meta.examples:
        found["examples"] = plain(meta.examples)
    return found


# --- sections with names, and plug-ins -----------------------------------------------------------------------------


def _named(definitions: _Definitions) -> Json:
    """What stands for each of `[feeds.NAME]` and so on: by its type, where that is known."""
    instrument = definitions.ref(sections.Instrument)  # before another of the name, of a feed's options
    feed = definitions.ref(sections.Feed, closed=False)
    venue = definitions.ref(sections.Venue, closed=False)
    feeds = {"simulated": definitions.ref(sections.SimulatedFeed)}
    venues = {"simulated": definitions.ref(sections.SimulatedVenue), "tcp": definitions.ref(sections.TcpVenue)}
    _add(feeds, definitions, FEEDS, lambda kind: options(kind, sections.Feed, leave_out=1))
    _add(venues, definitions, VENUES, lambda kind: options(kind, sections.Venue))
    return {
        "feeds": _by_type(feeds, feed),
        "instruments": instrument,
        "venues": _by_type(venues, venue),
        "routers": definitions.ref(sections.Router, closed=False),
        "strategies": _strategies(definitions),
    }


def _add(refs: Json, definitions: _Definitions, plugins: Plugins[Any], section: Callable[[Any], type[Struct]]) -> None:
    """The options of announced classes; broken ones have none."""
    for name in plugins.known():
        if name not in refs:
            try:
                refs[name] = definitions.ref(section(plugins.load(name)), f"{plugins.what.split()[0]}.{name}")
            except PluginError:
                continue


def _is(name: str) -> Json:
    return {"properties": {"type": {"const": name}}, "required": ["type"]}


def _by_type(refs: Json, otherwise: Json) -> Json:
    """`type` decides which keys there are; of a type that is not announced they are not known."""
    known = [{"if": _is(name), "then": ref} for name, ref in refs.items()]
    rest = {"if": {"not": {"properties": {"type": {"enum": list(refs)}}, "required": ["type"]}}, "then": otherwise}
    return {"type": "object", "required": ["type"], "allOf": [*known, rest]}


def _strategies(definitions: _Definitions) -> Json:
    """With the parameters of those that are announced."""
    known = list[Json]()
    for name in STRATEGIES.known():
        try:
            params: type[Struct] = STRATEGIES.load(name).params_type()
        except PluginError:
            continue
        ref = definitions.ref(_with_durations(params), f"params.{name}")
        known.append({"if": _is(name), "then": {"properties": {"params": ref}}})
    return {"allOf": [definitions.ref(sections.Strategy), *known]}


def _with_durations(params: type[Struct]) -> type[Struct]:
    """As strategies read them: a field `every_s` is also the key `every`, a duration."""
    keys = known_keys(params)
    extra = [(key.removesuffix("_s"), Delay | None, None) for key, one in keys.items() if _is_duration(key, one)]
    fields = [_copied(one) for one in keys.values()]
    added = [one for one in extra if one[0] not in keys]
    made = msgspec.defstruct(params.__name__, [*fields, *added], kw_only=True)
    made.__doc__ = params.__doc__
    return made


def _is_duration(key: str, field: FieldInfo) -> bool:
    return key.endswith("_s") and key != "_s" and float in members(bare(field.type)[0])


def _copied(field: FieldInfo) -> Any:
    name, kind = field.encode_name, field.type
    if field.required and not _is_duration(name, field):
        return (name, kind)
    value = None if field.required else default_of(field)
    return (name, kind, msgspec.field(default_factory=lambda: value))
