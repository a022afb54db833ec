"""Feed classes by name: `FEEDS.load("kraken")`, or of any other package (docs/add-a-feed.md)."""

import inspect

from ticktree.actors import Plugins

from .feed import Feed


def _misfit(found: object) -> str:
    if not isinstance(found, type):
        return f"a {type(found).__name__}, and no class"
    if not issubclass(found, Feed):
        return "a class, but none that inherits from ticktree.feeds.Feed"
    lacking = ", ".join(sorted(found.__abstractmethods__)) if inspect.isabstract(found) else ""
    return lacking and f"a feed without {lacking}"


FEEDS: Plugins[Feed] = Plugins("ticktree.feeds", "feed type", _misfit)
