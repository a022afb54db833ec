"""One file of market data: what is known of it at once, and its rows in chunks, for who brings some of them."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from ticktree.market import Instrument, Ticks

from .errors import NoFile
from .wanted import Wanted

Format = Literal["ticks", "csv", "parquet"]


class FileReading(ABC):
    """Reads the file at `path` once.

    size_bytes  of the file
    done_bytes  read of them, as far as that is known
    rows        read
    left_out    of these, of instruments or kinds that the feed does not bring
    torn_bytes  behind the last whole row, or the last whole book update; known from the start
    """

    format: Format

    def __init__(self, path: Path) -> None:
        self.path = path
        self.done_bytes: int = 0
        self.rows: int = 0
        self.left_out: int = 0
        self.torn_bytes: int = 0
        try:
            self.size_bytes = path.stat().st_size
        except OSError as error:
            raise NoFile(path, f"it cannot be opened ({error.strerror})") from None

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """Those that the file itself defines."""
        return ()

    @property
    @abstractmethod
    def layout(self) -> str:
        """What it has, in words."""

    @abstractmethod
    def first_time_ns(self) -> int:
        """When its first row was received, whoever's that is. Raises as `chunks`."""

    @abstractmethod
    def chunks(self, wanted: Wanted) -> Iterator[Ticks]:
        """Its wanted rows, read-only, in chunks of whole instants. Raises `FileError` where it cannot go on."""

    @property
    def note(self) -> str:
        """What was wrong with it, as far as it was read; empty if nothing."""
        notes = list[str]()
        if self.torn_bytes:
            notes.append(f"its last {self.torn_bytes:,} bytes were cut off, and are left out")
        if self.left_out:
            notes.append(f"{self.left_out:,} of {self.rows:,} rows are of what the feed does not bring, and left out")
        return "; ".join(notes)
