"""Which files are whose: what was given on the command line, or in a notebook, to the feeds of an application.

A recording goes to the feed that it was made by, or to one of its exchange; a table, which does not tell, to the feed
that it was given for (`feed=file`), or that its name has in it, or that is the only one.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import attrs

from ticktree.feeds.exchanges.played import EXCHANGES
from ticktree.feeds.files import FORMATS, FilesFeed, Looked, format_of, looked_at
from ticktree.feeds.recording import Reading
from ticktree.market import Instrument

from ..parts import App, FeedPart, SimulatedPart, class_name
from ..recordings import exchange_of, recorded_at
from .errors import BadData
from .result import DataUsed

RECORDING = "recording"
SUFFIXES = (".recording", ".jsonl", ".jsonl.gz", *FORMATS)
PACKED = (".zip", ".7z", ".tar", ".tar.gz", ".tgz", ".rar")
Part = FeedPart | SimulatedPart


@attrs.frozen
class Datum:
    """One file, of a feed. `first_ns`: when it begins. It may be gone when the back-test is over."""

    path: Path
    feed: str
    format: str
    first_ns: int
    size_bytes: int

    def used(self, note: str = "") -> DataUsed:
        """As it is told."""
        return DataUsed(str(self.path), self.feed, self.format, self.size_bytes, note)


@attrs.frozen
class Given:
    """A file, and the feed that it was given for, if that was said."""

    path: Path
    feed: str = ""


def given(data: Iterable[str | Path], feeds: Iterable[str]) -> list[Given]:
    """Files, folders of files, and `feed=file`, as files. Raises `BadData`."""
    try:
        return _given(data, tuple(feeds))
    except OSError as error:  # it may not be looked at, or no file can have that name
        raise BadData(f"{error.filename}: it cannot be opened ({error.strerror})") from None


def _given(data: Iterable[str | Path], known: Sequence[str]) -> list[Given]:
    found = list[Given]()
    for one in data:
        feed, mark, rest = str(one).partition("=")
        named = bool(mark) and not Path(one).exists()
        if named and feed not in known:
            raise BadData(f"{one} is for the feed {feed!r}, and the feeds are {', '.join(known)}")
        found += [Given(each, feed if named else "") for each in _files(rest if named else str(one))]
    if not found:
        raise BadData("no data were given: name files, or folders of them")
    return found


def _files(text: str) -> list[Path]:
    """That file, or those in that folder."""
    path = Path(text)
    if not text:
        raise BadData("a name of a file is empty: name files, or folders of them")
    if path.is_dir():
        return _inside(path)
    if not path.exists():
        raise BadData(f"{path} is not there")
    if not path.is_file():  # it can be read once, and only by who waits for it
        raise BadData(f"{path} is no file but a pipe, or a device: save what comes from it as a file first")
    if path.name.lower().endswith(PACKED):
        raise BadData(f"{path} is an archive: unpack it first")
    return [path]


def _inside(folder: Path) -> list[Path]:
    files = sorted(path for path in folder.iterdir() if path.name.endswith(SUFFIXES))
    if not files:
        raise BadData(f"there is nothing in {folder} that ends with {', '.join(SUFFIXES)}")
    return files


def assigned(app: App, data: Iterable[str | Path]) -> dict[str, list[Datum]]:
    """The files of each feed, in the order of their beginnings. Raises `BadData`, and what is wrong with a file."""
    parts = {part.name: part for part in app.feeds}
    found: dict[str, list[Datum]] = {name: [] for name in parts}
    known = definitions(app)
    for one in given(data, parts):
        datum = _table(one, parts, known) if format_of(one.path) else _recording(one, parts)
        found[datum.feed].append(datum)
    for name, files in found.items():
        _check(name, parts[name], files)
        files.sort(key=lambda file: file.first_ns)
    return found


def definitions(app: App) -> dict[str, Instrument]:
    """What the configuration itself says of instruments."""
    simulated = [one for part in app.feeds if isinstance(part, SimulatedPart) for one in part.market.instruments]
    return {one.name: one for one in (*simulated, *app.instruments)}


def _check(name: str, part: Part, files: Sequence[Datum]) -> None:
    if not files:
        wanted = exchange_of(part.make) if isinstance(part, FeedPart) else ""
        hint = f"a recording of {wanted}, or {name}=FILE" if wanted else f"{name}=FILE"
        raise BadData(f"nothing is given for the feed {name}: {hint}; or leave it out of the configuration")
    places = Counter(file.path.resolve() for file in files)
    for place, times in places.items():
        if times > 1:
            raise BadData(f"{place} is given {times} times: each of its rows would come as often")
    if len({file.format == RECORDING for file in files}) > 1:
        listed = ", ".join(file.path.name for file in files)
        raise BadData(f"the feed {name} takes recordings or tables, not both: {listed}")


def _recording(one: Given, parts: Mapping[str, Part]) -> Datum:
    reading = Reading(one.path)
    try:
        block = next(reading.blocks(), None)
        title, first_ns = reading.title, reading.title.began_ns if block is None else block.time_ns
    finally:
        reading.close()
    live = {name: part for name, part in parts.items() if isinstance(part, FeedPart)}
    if one.feed:
        fitting, what = [one.feed] if one.feed in live else [], "an exchange"
    elif fitting := [name for name, part in live.items() if title.type and class_name(part.make) == title.type]:
        what = title.type
    else:  # by the addresses in it, for which all of it may have to be read
        exchange = recorded_at(one.path).exchange
        fitting, what = [name for name, part in live.items() if _plays(part, exchange)], exchange or title.type
    if not one.feed and title.feed in fitting:
        fitting = [title.feed]
    if len(fitting) != 1:
        whose = f"several feeds could take it: {', '.join(fitting)}" if fitting else "no feed here reads that"
        which = "" if fitting else ", or leave it out"
        raise BadData(
            f"{one.path} is a recording of {what or 'no exchange that is known'}, and {whose}; "
            f"say whose it is: FEED={one.path.name}{which}"
        )
    return Datum(one.path, fitting[0], RECORDING, first_ns, one.path.stat().st_size)


def _plays(part: FeedPart, exchange: str) -> bool:
    return bool(exchange) and (part.type if part.type in EXCHANGES else exchange_of(part.make)) == exchange


def _table(one: Given, parts: Mapping[str, Part], known: Mapping[str, Instrument]) -> Datum:
    feed = one.feed or _feed_of_table(one.path, parts)
    looked: Looked = looked_at(one.path, parts[feed].instruments, known)
    return Datum(one.path, feed, looked.format, looked.first_ns, looked.size_bytes)


def _feed_of_table(path: Path, parts: Mapping[str, Part]) -> str:
    if len(parts) == 1:
        return next(iter(parts))
    words = set(re.split(r"[^a-z0-9]+", path.name.lower()))
    named = [name for name in parts if name.lower() in words]
    if len(named) != 1:
        raise BadData(f"{path} does not tell whose data it has; say it: {next(iter(parts))}={path.name}")
    return named[0]


# --- the feeds -------------------------------------------------------------------------------------------------------


def fed(
    part: Part, files: Sequence[Datum], begins_ns: int, known: Mapping[str, Instrument], window_s: float
) -> FeedPart:
    """`part` with these files in place of its exchange. Recordings begin at `begins_ns`."""
    paths = tuple(file.path.absolute() for file in files)
    if files[0].format == RECORDING:
        assert isinstance(part, FeedPart)
        query = urlencode([("begins", str(begins_ns)), *(("then", str(path)) for path in paths[1:])])
        make: Any = part.make
        return attrs.evolve(part, make=partial(make, url=f"{paths[0].as_uri()}?{query}"), record=None)
    tables: Any = partial(FilesFeed, files=paths, definitions=dict(known), batch_window_s=window_s)
    return FeedPart(part.name, tables, part.instruments, part.kinds)
