"""A class by its name: announced by an installed package, or written `package.module:Class`.

A package announces its classes by entry points of a group, as ours does in pyproject.toml. Nothing is imported but the
one that is asked for.
"""

import importlib
import os
import re
import sys
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .errors import ActorsError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

T_co = TypeVar("T_co", covariant=True)

_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)


class PluginError(ActorsError, ValueError):
    """No class could be had by `name`; `what` says what it was to be."""

    def __init__(self, what: str, name: str, why: str) -> None:
        super().__init__(f"{what} {name!r}: {why}")
        self.what, self.name = what, name


class UnknownPlugin(PluginError):
    """No installed package announces it; `known` are those that some package does, `near` the likeliest of them."""

    def __init__(self, what: str, name: str, known: Iterable[str]) -> None:
        self.known = tuple(known)
        self.near = tuple(get_close_matches(name, self.known, 1))
        meant = f" (did you mean {self.near[0]!r}?)" if self.near else ""
        listed = ", ".join(self.known) or "none"
        why = f"no installed package has it{meant}; known: {listed}; or write package.module:Class"
        super().__init__(what, name, why)


class AmbiguousPlugin(PluginError):
    """Several packages claim the name; `claims` says where each one's leads."""

    def __init__(self, what: str, name: str, claims: tuple[str, ...]) -> None:
        why = f"several packages claim it: {'; '.join(claims)}; write package.module:Class instead"
        super().__init__(what, name, why)
        self.claims = claims


class BrokenPlugin(PluginError):
    """What `origin` announces cannot be imported. The error that says why is its `__cause__`."""

    def __init__(self, what: str, name: str, origin: str, error: BaseException) -> None:
        why = ": ".join(filter(None, (type(error).__name__, str(error))))
        super().__init__(what, name, f"{origin} cannot be imported: {why}")
        self.origin = origin


class NotAPlugin(PluginError):
    """What `origin` names is there, and is not what was asked for."""

    def __init__(self, what: str, name: str, origin: str, why: str) -> None:
        super().__init__(what, name, f"{origin} is {why}")
        self.origin = origin


class Plugins(Generic[T_co]):
    """The classes of one kind that a name can stand for.

    group  the entry points that announce them
    what   what such a name is called, in errors: "feed type"
    fits   what is wrong with what was found under a name ("a str, and no class"); empty when it is one of them
    """

    def __init__(self, group: str, what: str, fits: Callable[[object], str]) -> None:
        self.group, self.what, self._fits = group, what, fits
        self._found: tuple[object, tuple[EntryPoint, ...]] = None, ()  # as of when
        self._origins = dict[int, str]()  # of those, by `id`: to look one up reads its package's metadata, 1 ms

    def load(self, name: str) -> type[T_co]:
        """The class that `name` stands for.

        A dotted name imports that module, so take it only from where a plug-in is meant. Raises `UnknownPlugin`,
        `AmbiguousPlugin`, `BrokenPlugin`, `NotAPlugin`, which are `PluginError`s.
        """
        if ":" in name:
            if not _DOTTED.fullmatch(name):
                raise UnknownPlugin(self.what, name, self.known())
            return self._loaded(name, name, name)
        points = [point for point in self._points() if point.name == name]
        if not points:
            raise UnknownPlugin(self.what, name, self.known())
        if len({point.value for point in points}) > 1:
            raise AmbiguousPlugin(self.what, name, tuple(sorted(map(self._origin, points))))
        return self._loaded(name, points[0].value, self._origin(points[0]))

    def known(self) -> dict[str, str]:
        """Where each announced name leads, sorted by name: "module:Class of package version". Imports nothing."""
        found = dict[str, str]()
        for point in sorted(self._points(), key=lambda point: (point.name, point.value)):
            also = found.get(point.name)
            origin = self._origin(point)
            found[point.name] = origin if also in (None, origin) else f"{also}; {origin}"
        return found

    def _points(self) -> "tuple[EntryPoint, ...]":
        """Looked for again once something was installed: a look reads a file of each package, 5 ms in all."""
        from importlib.metadata import entry_points  # noqa: PLC0415  # 20 ms, and most programs never ask

        now = tuple((folder, _changed_ns(folder)) for folder in sys.path)
        if self._found[0] != now:
            self._found, self._origins = (now, tuple(entry_points(group=self.group))), {}
        return self._found[1]

    def _origin(self, point: "EntryPoint") -> str:
        origin = self._origins.get(id(point))
        if origin is None:
            origin = self._origins[id(point)] = _origin(point)
        return origin

    def _loaded(self, name: str, value: str, origin: str) -> type[T_co]:
        module, _, attribute = value.partition(":")
        try:
            found: Any = importlib.import_module(module.strip())
            for part in filter(None, attribute.split("[")[0].strip().split(".")):
                found = getattr(found, part)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # whatever the plug-in's module does, sys.exit() included
            raise BrokenPlugin(self.what, name, origin, error) from error
        if why := self._fits(found):
            raise NotAPlugin(self.what, name, origin, why)
        plugin: type[T_co] = found
        return plugin


def _changed_ns(folder: str) -> int:
    try:
        return os.stat(folder or ".").st_mtime_ns
    except OSError:
        return 0


def _origin(point: "EntryPoint") -> str:
    package = point.dist
    return point.value if package is None else f"{point.value} of {package.name} {package.version}"
