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

    def of_feed(self, feed: str) -> bool:
        """Whether this selects anything of that feed."""
        return bool(_pattern(self.feed).fullmatch(feed))

    def __str__(self) -> str:
        return f"{self.feed}/{self.instrument}/{self.kind}"


@lru_cache(1024)
def _pattern(part: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, re.split(r"\*+", part))))
