"""What a subscriber asks for: `feed/instrument/kind`, with `*` for any run of characters within a part."""

import re
from enum import StrEnum
from functools import lru_cache

import attrs

from .errors import BadTopic

_PART = re.compile(r"[A-Za-z0-9_.:*-]{1,64}")


class EventKind(StrEnum):
    """The kinds of market data that a topic can name."""

    QUOTE = "quote"
    TRADE = "trade"
    BOOK = "book"
    BAR = "bar"
    STATUS = "status"


@attrs.frozen
class Topic:
    """A selection of the market's stream."""

    feed: str
    instrument: str
    kind: str

    @classmethod
    def parse(cls, text: str) -> "Topic":
        """Read `feed/instrument/kind`. Raises `BadTopic`."""
        parts = text.split("/")
        if len(parts) != 3:
            raise BadTopic(text, f"it has {len(parts)} parts")
        for part in parts:
            if not _PART.fullmatch(part):
                raise BadTopic(text, f"{part!r} is not 1 to 64 letters, digits and _ . : - *")
        topic = cls(*parts)
        if not any(_pattern(topic.kind).fullmatch(kind) for kind in EventKind):
            raise BadTopic(text, f"there is no kind {topic.kind!r}, only {', '.join(EventKind)}")
        return topic

    def matches(self, feed: str, instrument: str, kind: str) -> bool:
        """Whether this selects the stream of that feed, instrument and kind."""
        return self.of_feed(feed) and bool(
            _pattern(self.instrument).fullmatch(instrument) and _pattern(self.kind).fullmatch(kind)
        )

    def matches_kind(self, kind: str) -> bool:
        """Whether this selects anything of that kind."""
        return bool(_pattern(self.kind).fullmatch(kind))

    def matches_instrument(self, instrument: str) -> bool:
        """Whether this selects anything of that instrument."""
        return bool(_pattern(self.instrument).fullmatch(instrument))

    def of_feed(self, feed: str) -> bool:
        """Whether this selects anything of that feed."""
        return bool(_pattern(self.feed).fullmatch(feed))

    def overlaps(self, other: "Topic") -> bool:
        """Whether some stream is selected by both."""
        return (
            _overlap(self.feed, other.feed)
            and _overlap(self.instrument, other.instrument)
            and any(self.matches_kind(kind) and other.matches_kind(kind) for kind in EventKind)
        )

    def __str__(self) -> str:
        return f"{self.feed}/{self.instrument}/{self.kind}"


@lru_cache(1024)
def _pattern(part: str) -> re.Pattern[str]:
    """What is between two `*` is taken where it first comes, for good (atomic groups): what a stranger may write
    without end, as in `*a*a*a*a`, is otherwise tried in every way there is."""
    first, *rest = map(re.escape, re.split(r"\*+", part))
    if not rest:
        return re.compile(first)
    *between, last = rest
    return re.compile(first + "".join(f"(?>.*?{piece})" for piece in between) + f".*{last}")


@lru_cache(4096)
def _overlap(one: str, other: str) -> bool:
    """Whether some text matches both, each of which may have `*`."""
    if "*" not in one or "*" not in other:
        return bool(_pattern(one).fullmatch(other) if "*" not in other else _pattern(other).fullmatch(one))
    # Both have: what stands before the first `*` must agree, and what stands after the last; between, all is possible.
    heads, tails = (one.partition("*")[0], other.partition("*")[0]), (one.rpartition("*")[2], other.rpartition("*")[2])
    least = min(map(len, heads)), min(map(len, tails))
    return heads[0][: least[0]] == heads[1][: least[0]] and (
        not least[1] or tails[0][-least[1] :] == tails[1][-least[1] :]
    )
