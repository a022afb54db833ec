"""What can be known of a file before anything runs: its format, when it begins, and what is wrong at its head."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import attrs

from ticktree.market import Instrument, Topic

from .errors import ForeignFile, NoFile
from .reading import FileReading, Format
from .tables import PACKED, CsvReading, ParquetReading
from .ticks import MAGIC, SUFFIX, TicksReading
from .wanted import Wanted

PARQUET_MAGIC = b"PAR1"
FORMATS: Mapping[str, Format] = {
    SUFFIX: "ticks",
    ".csv": "csv",
    **{f".csv{packed}": "csv" for packed in PACKED},
    ".parquet": "parquet",
    ".pq": "parquet",
}
_READINGS: Mapping[Format, type[FileReading]] = {"ticks": TicksReading, "csv": CsvReading, "parquet": ParquetReading}


@attrs.frozen
class Looked:
    """What was found. `layout`: what it has, in words; `first_ns`: when its first row was received, of whichever
    instrument; `instruments`: those that it defines itself; `note`: what is wrong with it and can be borne."""

    path: Path
    format: Format
    size_bytes: int
    first_ns: int
    layout: str
    instruments: tuple[Instrument, ...] = ()
    note: str = ""


def format_of(path: Path) -> Format | None:
    """By its first bytes, or by its name; None: something else, as a recording. Raises `NoFile`."""
    try:
        with path.open("rb") as file:
            head = file.read(len(MAGIC))
    except OSError as error:
        raise NoFile(path, f"it cannot be opened ({error.strerror})") from None
    if head == MAGIC:
        return "ticks"
    if head.startswith(PARQUET_MAGIC):
        return "parquet"
    name = path.name.lower()
    return next((format for suffix, format in FORMATS.items() if name.endswith(suffix)), None)


def reading_of(path: Path) -> FileReading:
    """What reads it. Raises `NoFile`, `ForeignFile`, and what the format has at once."""
    format = format_of(path)
    if format is None:
        hint = ": unpack it first" if path.suffix.lower() in (".zip", ".7z", ".tar") else ""
        raise ForeignFile(path, f"it is none of {', '.join(FORMATS)}{hint}")
    return _READINGS[format](path)


def first_time_ns(path: Path) -> int:
    """When its first row was received. Raises `FileError`."""
    return reading_of(path).first_time_ns()


def instruments_of(path: Path) -> tuple[Instrument, ...]:
    """Those that the file itself defines; none, where it is a table. Raises `FileError`."""
    return reading_of(path).instruments


def looked_at(path: Path, instruments: Iterable[str], definitions: Mapping[str, Instrument]) -> Looked:
    """What is known of a file for a feed that brings `instruments`, which may have `*`, once its first rows were read.

    Raises `FileError` for all that can be wrong there.
    """
    reading = reading_of(path)
    first_ns = reading.first_time_ns()
    wanted = wanted_of("file", [Topic("file", name, "*") for name in instruments], definitions, reading.instruments)
    next(reading.chunks(wanted), None)
    note = f"its last {reading.torn_bytes:,} bytes were cut off, and are left out" if reading.torn_bytes else ""
    return Looked(path, reading.format, reading.size_bytes, first_ns, reading.layout, reading.instruments, note)


def wanted_of(
    feed: str,
    topics: Iterable[Topic],
    definitions: Mapping[str, Instrument],
    instruments: Iterable[Instrument],
    checked: bool = True,
) -> Wanted:
    """What a feed of those topics brings, as its configuration has `definitions`, and its files `instruments`: the
    configuration's are those that count."""
    known = {one.name: one for one in instruments} | dict(definitions)
    topics = tuple(topics)
    brought = {name: one for name, one in known.items() if any(topic.matches_instrument(name) for topic in topics)}
    return Wanted(feed, topics, brought, checked)
