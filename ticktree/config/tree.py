"""`[supervision]`."""

from collections.abc import Mapping
from typing import Final

from ticktree.actors import NoDelay, RestartStrategy

from .. import parts
from . import sections
from .feeds import backoff_of
from .problems import Place, shown, unknown
from .reading import section

ROOMS: Final = ("venues", "routers", "strategies", "feeds")


def supervision(table: dict[str, object], place: Place, names: Mapping[str, tuple[str, ...]]) -> parts.SupervisionPart:
    """The tree; `names` are what stands in each room."""
    found = section(sections.Supervision, table, place)
    rooms = {room: getattr(found, room) for room in ROOMS if room in table}
    groups = {room: _groups(given.groups, place.at(room, "groups"), names[room]) for room, given in rooms.items()}
    return parts.SupervisionPart(
        _part(found, place),
        {room: _part(given, place.at(room)) for room, given in rooms.items()},
        {room: given for room, given in groups.items() if given},
    )


def _part(given: sections.Supervisor, place: Place, members: tuple[str, ...] = ()) -> parts.GroupPart:
    delay = backoff_of(given.delay, place.at("delay")) if isinstance(given.delay, sections.Backoff) else None
    return parts.GroupPart(
        RestartStrategy(given.strategy), given.intensity, float(given.period), delay or NoDelay(), members
    )


def _groups(given: Mapping[str, sections.Group], place: Place, names: tuple[str, ...]) -> dict[str, parts.GroupPart]:
    placed = dict[str, str]()
    for name, group in given.items():
        if not parts.NAME.fullmatch(name):
            place.at(name).wrong(parts.A_NAME)
        elif name in names:
            place.at(name).wrong(f"one of its {place.path[-2]} is called {shown(name)}: give the group another name")
        here = place.at(name, "members")
        if not group.members and not here.is_wrong:
            here.wrong("names one member or more")
        for number, member in enumerate(group.members):
            if member not in names:
                here.at(number).wrong(unknown("member", member, names))
            elif member in placed:
                here.at(number).wrong(f"{shown(member)} stands in the group {placed[member]} already; once is enough")
            placed.setdefault(member, name)
    return {name: _part(group, place.at(name), group.members) for name, group in given.items()}
