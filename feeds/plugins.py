"""Feed classes by name: those that installed packages announce, and any other by `package.module:Class`.

A package announces its feeds by entry points of group `ticktree.feeds`, as ours does in pyproject.toml. Nothing is
imported but the one that is asked for.
"""

import importlib
import inspect
import re
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import Any, cast

from .errors import FeedError
from .feed import Feed

GROUP = "ticktree.feeds"

_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)


class PluginError(FeedError, ValueError):
    """No feed class could be had by `name`."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"feed type {name!r}: {why}")
        self.name = name


class UnknownFeed(PluginError):
    """No installed package announces it; `known` are those that some package does."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        near = get_close_matches(name, known, 1)
        meant = f" (did you mean {near[0]!r}?)" if near else ""
        listed = ", ".join(known) or "none"
        super().__init__(name, f"no installed package has it{meant}; known: {listed}; or write package.module:Class")
        self.known, self.near = known, tuple(near)


class AmbiguousFeed(PluginError):
    """Several packages claim the name; `claims` says where each one's leads."""

    def __init__(self, name: str, claims: tuple[str, ...]) -> None:
        super().__init__(name, f"several packages claim it: {'; '.join(claims)}; write package.module:Class instead")
        self.claims = claims


class BrokenPlugin(PluginError):
    """What `origin` announces cannot be imported. The error that says why is its `__cause__`."""

    def __init__(self, name: str, origin: str, error: Exception) -> None:
        super().__init__(name, f"{origin} cannot be imported: {type(error).__name__}: {error}")
        self.origin = origin


class NoFeed(PluginError):
    """What `origin` names is no feed that could be made."""

    def __init__(self, name: str, origin: str, found: object) -> None:
        super().__init__(name, f"{origin} is {_told(found)}")
        self.origin = origin


def feed_class(name: str) -> type[Feed]:
    """The feed class that `name` stands for: announced under that name, or written `package.module:Class`.

    A dotted name imports that module, so take it only from where a plug-in is meant. Raises `UnknownFeed`,
    `AmbiguousFeed`, `BrokenPlugin`, `NoFeed`, which are `PluginError`s.
    """
    if ":" in name:
        if not _DOTTED.fullmatch(name):
            raise UnknownFeed(name, tuple(known()))
        return _loaded(name, EntryPoint(name, name, GROUP), name)
    points = _points(name)
    if not points:
        raise UnknownFeed(name, tuple(known()))
    if len({point.value for point in points}) > 1:
        raise AmbiguousFeed(name, tuple(sorted(map(_origin, points))))
    return _loaded(name, points[0], _origin(points[0]))


def known() -> dict[str, str]:
    """Where each announced name leads, sorted by name: "module:Class of package version". Imports nothing."""
    found = dict[str, str]()
    for point in sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value)):
        also = found.get(point.name)
        origin = _origin(point)
        found[point.name] = origin if also in (None, origin) else f"{also}; {origin}"
    return found


def _points(name: str) -> list[EntryPoint]:
    return list(entry_points(group=GROUP, name=name))


def _origin(point: EntryPoint) -> str:
    package = point.dist
    return point.value if package is None else f"{point.value} of {package.name} {package.version}"


def _loaded(name: str, point: EntryPoint, origin: str) -> type[Feed]:
    module, _, attribute = point.value.partition(":")
    try:
        found: Any = importlib.import_module(module.strip())
        for part in filter(None, attribute.split("[")[0].strip().split(".")):
            found = getattr(found, part)
    except Exception as error:  # whatever the plug-in's module does
        raise BrokenPlugin(name, origin, error) from error
    if not (isinstance(found, type) and issubclass(found, Feed)) or inspect.isabstract(found):
        raise NoFeed(name, origin, cast(object, found))
    return found


def _told(found: object) -> str:
    if not isinstance(found, type):
        return f"a {type(found).__name__}, and no class"
    if not issubclass(found, Feed):
        return "a class, but none that inherits from ticktree.feeds.Feed"
    return f"a feed without {', '.join(sorted(found.__abstractmethods__))}"
