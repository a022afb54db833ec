"""Which rows of files a feed brings: of its instruments and kinds, each by the id it has in this process."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import attrs

from ticktree.market import Instrument, TickKind, Topic

from .errors import NoDefinition, NoInstrument

KIND_NAMES = {int(kind): kind.name.lower() for kind in TickKind}
_PLAIN = re.compile(r"[^A-Z0-9]+")


@attrs.frozen(eq=False)
class Wanted:
    """What `feed` brings: rows that its `topics` select.

    instruments  those that are defined, by name
    checked      rows are looked through: finite values, sizes from 0 on, kinds and ids that there are
    """

    feed: str
    topics: tuple[Topic, ...]
    instruments: Mapping[str, Instrument]
    checked: bool = True

    def wants(self, name: str, kind: int) -> bool:
        """Whether it brings rows of that kind, of the instrument of that name."""
        kind_name = KIND_NAMES[kind]
        return any(topic.matches(self.feed, name, kind_name) for topic in self.topics)

    @property
    def names(self) -> list[str]:
        """Instruments that it brings, in order: those that topics name, and those defined which topics select."""
        named = [topic.instrument for topic in self.topics if "*" not in topic.instrument]
        selected = [name for name in self.instruments if any(topic.matches_instrument(name) for topic in self.topics)]
        return list(dict.fromkeys(named + selected))

    def defined(self, path: Path, names: Iterable[str]) -> None:
        """Raise `NoDefinition` unless each of `names` is defined."""
        if missing := [name for name in names if name not in self.instruments]:
            raise NoDefinition(path, missing)


class Names:
    """What a file calls instruments: as we do, or so but for case and punctuation, where that can be one only."""

    def __init__(self, names: Iterable[str]) -> None:
        self._exact = list(names)
        self._plain: dict[str, list[str]] = {}
        for name in self._exact:
            self._plain.setdefault(plain_name(name), []).append(name)

    def find(self, symbol: str) -> str | None:
        """Our name of `symbol`; None where it is none of these, or might be several."""
        if symbol in self._exact:
            return symbol
        found = self._plain.get(plain_name(symbol), [])
        return found[0] if len(found) == 1 else None

    def of_file(self, path: Path) -> str:
        """The only one there is, or the one that the file's name tells. Raises `NoInstrument`."""
        if len(self._exact) == 1:
            return self._exact[0]
        parts = [part for part in _PLAIN.split(path.name.upper()) if part]
        runs = {"".join(parts[start:end]) for start in range(len(parts)) for end in range(start + 1, start + 4)}
        found = [name for name in self._exact if plain_name(name) in runs]
        if len(found) == 1:
            return found[0]
        why = f"its name tells of {' and '.join(found)}" if found else "it has no column `instrument` or `symbol`"
        raise NoInstrument(path, f"{why}: name one in the file's name, as in BTC-USDT-trades.csv", self._exact)


def plain_name(name: str) -> str:
    """Without punctuation and case: BTCUSDT for BTC-USDT, btc_usdt and BTC/USDT."""
    return _PLAIN.sub("", name.upper())
