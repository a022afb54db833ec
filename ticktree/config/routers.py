"""`[routers.NAME]`."""

import re
from collections.abc import Iterable
from typing import cast

from ticktree.actors import PluginError
from ticktree.routing import BadPolicy, Policy, Timeout, policy_from
from ticktree.routing.policies.plugins import POLICIES

from .. import parts
from . import sections
from .problems import Place, is_list, is_table, unknown
from .reading import convert, only, section
from .secrets import is_secret
from .values import Secret


def router(name: str, table: dict[str, object], place: Place, venues: Iterable[str]) -> parts.RouterPart | None:
    """A router, or None where something is wrong with it."""
    section(sections.Router, only(table, ("policy",)), place)
    if place.is_wrong:
        return None
    policy, known = _policy(table, place), tuple(venues)
    for venue in _named(table) if policy is None else policy.venues:
        if venue not in known:
            _told(table, place, venue).wrong(unknown("venue", venue, known))
    return None if policy is None or place.is_wrong else parts.RouterPart(name, policy)


def _named(table: dict[str, object]) -> list[str]:
    """The venues that a policy plainly names, whatever else is wrong with it."""
    given = table.get("venues"), [table.get("venue")]
    return [venue for one in given if is_list(one) for venue in one if isinstance(venue, str)]


def _policy(table: dict[str, object], place: Place) -> Policy | None:
    try:
        POLICIES.load(cast(str, table["policy"]))
    except PluginError as error:
        place.at("policy").wrong(str(error))
        return None
    options = _plain(table, place)
    if place.is_wrong:
        return None
    try:
        return policy_from(options)
    except BadPolicy as error:
        for path, why in error.faults:
            place.at(*path).wrong(why)
        if not error.faults:
            _blamed(str(error), table, place).wrong(str(error))
    except Exception as error:  # a `from_config` of somebody's
        place.wrong(f"{type(error).__name__}: {error}")
    return None


def _plain(table: dict[str, object], place: Place) -> dict[str, object]:
    """`venues = ["a"]` is `venue = "a"` for who works one venue, so that all policies can be written alike. Secrets are
    looked up."""
    plain = {key: _inner(value, place.at(key)) for key, value in table.items()}
    venues = plain.get("venues")
    if not is_list(venues) or len(venues) != 1 or "venue" in plain:
        return plain
    name = plain.get("policy")
    try:
        takes_one = isinstance(name, str) and POLICIES.load(name) is Timeout
    except PluginError:
        takes_one = False  # `policy_from` says so
    if takes_one:
        del plain["venues"]
        plain["venue"] = venues[0]
    return plain


def _inner(value: object, place: Place) -> object:
    if is_table(value):
        return _plain(value, place)
    if is_list(value):
        return [_inner(one, place.at(number)) for number, one in enumerate(value)]
    return convert(Secret, value, place) if is_secret(str(place.path[-1])) else value


def _blamed(message: str, table: dict[str, object], place: Place) -> Place:
    """The key that a policy complains of, if it does by name."""
    for key in table:
        if key != "policy" and re.search(rf"(?<![\w']){re.escape(key)}(_s)?(?![\w'])", message.partition(": ")[2]):
            return place.at(key)
    return next((place.at(key) for key in table if f"option {key!r}" in message), place)


def _told(table: dict[str, object], place: Place, venue: str) -> Place:
    """Where `venue` is named."""
    for key, value in table.items():
        if value == venue and key != "policy":
            return place.at(key)
        if is_list(value) and venue in value:
            return place.at(key, value.index(venue))
    return place
