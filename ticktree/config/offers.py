"""What the feeds bring, and what of a topic it is that none does."""

from collections.abc import Iterable

import attrs

from ticktree.market import EventKind, Topic

from ..parts import FeedPart, SimulatedPart
from .problems import listed, near, shown, unknown


@attrs.frozen
class Offers:
    """Of each feed the instruments and the kinds."""

    feeds: tuple[FeedPart | SimulatedPart, ...]

    @property
    def instruments(self) -> tuple[str, ...]:
        """Of all feeds, each once."""
        return tuple(dict.fromkeys(name for feed in self.feeds for name in feed.instruments))

    @property
    def currencies(self) -> tuple[str, ...]:
        """That instruments are quoted in, each once."""
        return tuple(dict.fromkeys(name.partition("-")[2] for name in self.instruments))

    def lack(self, topic: Topic) -> str:
        """Why `topic` selects nothing, and what to do about it; empty where it selects something."""
        feeds = [feed for feed in self.feeds if topic.of_feed(feed.name)]
        if not feeds:
            return unknown("feed", topic.feed, [feed.name for feed in self.feeds])
        having = [feed for feed in feeds if any(map(topic.matches_instrument, feed.instruments))]
        if not having:
            return _lacks_instrument(topic, feeds)
        if not any(topic.matches_kind(kind) for feed in having for kind in feed.kinds):
            return _lacks_kind(topic, having)
        return ""


def _lacks_instrument(topic: Topic, feeds: Iterable[FeedPart | SimulatedPart]) -> str:
    having = list(feeds)
    names = list(dict.fromkeys(name for feed in having for name in feed.instruments))
    likely = near(topic.instrument, names)
    who = "no feed brings" if len(having) > 1 else f"{having[0].name} does not bring"
    hint = f"did you mean {likely[0]}?" if likely else f"known: {listed(names)}"
    return f"{who} the instrument {topic.instrument}; {hint}"


def _lacks_kind(topic: Topic, feeds: list[FeedPart | SimulatedPart]) -> str:
    wanted = [kind for kind in EventKind if topic.matches_kind(kind)]
    kinds = dict.fromkeys(kind for feed in feeds for kind in feed.kinds)
    names = listed(feed.name for feed in feeds)
    there = [*kinds, *wanted[:1]]
    more = f"kinds = [{', '.join(shown(str(kind)) for kind in there)}]"
    return f"of {topic.instrument} {names} brings {', '.join(kinds)}, and no {wanted[0]}: {more}"
