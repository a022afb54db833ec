"""Gateway classes by name: `VENUES.load("tcp")`, or of any other package."""

import inspect

from ticktree.actors import Plugins

from ..gateway import Gateway

_METHODS = sorted(name for name, value in vars(Gateway).items() if inspect.isfunction(value) and name[0] != "_")


def _misfit(found: object) -> str:
    if not isinstance(found, type):
        return f"a {type(found).__name__}, and no class"
    # `rules` and `account` may be fields, which some classes have only in their objects.
    lacking = [name for name in _METHODS if not callable(getattr(found, name, None))]
    lacking += sorted(getattr(found, "__abstractmethods__", ()))
    if lacking:
        return f"no gateway (ticktree.routing.Gateway): it lacks {', '.join(dict.fromkeys(lacking))}"
    return ""


VENUES: Plugins[Gateway] = Plugins("ticktree.venues", "venue type", _misfit)
