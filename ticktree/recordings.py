"""Which recordings lie in a folder, and what each is of: told by what is in them, not by their names."""

import logging
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import attrs

from ticktree.feeds.exchanges.played import EXCHANGES, named
from ticktree.feeds.plugins import FEEDS
from ticktree.feeds.recording import EmptyRecording, Entry, Reading

from .config.maker import Maker

log = logging.getLogger("ticktree.rehearsal")

SUFFIXES = (".recording", ".jsonl", ".jsonl.gz")


@attrs.frozen
class Recorded:
    """The recording at `path`, of an `exchange` (empty: of none that is known), made by the feed `feed`, if ours."""

    path: Path
    exchange: str
    feed: str = ""


def recorded_in(folder: Path) -> list[Recorded]:
    """All of the folder itself, by name; those that are empty are left out. Raises `RecordingError`."""
    return list(_looked_at(path for path in sorted(folder.iterdir()) if path.name.endswith(SUFFIXES)))


def _looked_at(paths: Iterator[Path]) -> Iterator[Recorded]:
    for path in paths:
        try:
            yield recorded_at(path)
        except EmptyRecording as error:
            log.warning("left out: %s", error)


def recorded_at(path: Path) -> Recorded:
    """What the file is of; it is read up to the first address that tells. Raises `RecordingError`."""
    reading = Reading(path)
    try:
        entries: Iterator[Entry] = reading.entries()
        exchange = named(entries) or _exchange_of_type(reading.title.type)
        return Recorded(path, exchange, reading.title.feed)
    finally:
        reading.close()


def exchange_of(make: Any) -> str:
    """Which of the exchanges that can be played a feed class is of, or what makes one; empty: of none."""
    while isinstance(make, partial | Maker):
        make = make.func if isinstance(make, partial) else make.kind
    if not isinstance(make, type):
        return ""
    return next((name for name in EXCHANGES if issubclass(make, FEEDS.load(name))), "")


def _exchange_of_type(type: str) -> str:
    """The same, of a class by the name that recordings have it by. It is looked up, and never imported."""
    types = {f"{feed.__module__}:{feed.__qualname__}": name for name in EXCHANGES for feed in (FEEDS.load(name),)}
    return types.get(type, "")
