"""What can be wrong with a file of market data, and with the wish to have it told; each names the file.

FileError (FeedError)
├── NoFile (ValueError)              yours: it cannot be opened
├── FileTaken (ValueError)           yours: there is a file of that name already, and it stays
├── ForeignFile (ValueError)         yours: no format or layout that is known here
├── BarsFile (ValueError)            yours: bars, which orders cannot be matched with
├── EmptyFile (ValueError)           yours: no rows are in it
├── NewerFile (ValueError)           yours: a later ticktree wrote it
├── NoInstrument (ValueError)        yours: nothing says which of the feed's instruments it is of
├── NoDefinition (ValueError)        yours: nothing says what the increments of an instrument are
├── Unsorted (ValueError)            yours: time goes back within it
├── BadRow                           theirs: a row that cannot be
├── DamagedFile                      theirs: bytes that cannot be read on
└── WrongClock (RuntimeError)        yours: files are told in a back-test's time only
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from ..errors import FeedError

PAGE = "docs/data.md"
MOST_SHOWN = 30  # columns
WIDTH = 40  # characters of one


class FileError(FeedError):
    """`path` cannot be used."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}")
        self.path, self.why = path, why


class NoFile(FileError, ValueError):
    """It cannot be opened, or not be written."""


class FileTaken(FileError, ValueError):
    """There is one of that name."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "this file exists, and is not written over: delete it, or choose another name")


class ForeignFile(FileError, ValueError):
    """No format or layout that is known here; `columns` are those that were found."""

    def __init__(self, path: Path, why: str, columns: Sequence[str] = ()) -> None:
        names = [name if len(name) <= WIDTH else f"{name[:WIDTH]}.." for name in columns[:MOST_SHOWN]]
        shown = ", ".join(names) + (", ..." if len(columns) > MOST_SHOWN else "")
        super().__init__(path, why + (f"; its columns are {shown}" if columns else "") + f" ({PAGE} has the layouts)")
        self.columns = tuple(columns)


class BarsFile(FileError, ValueError):
    """It has bars."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "these are bars, and orders cannot be matched with bars: give trades or quotes")


class EmptyFile(FileError, ValueError):
    """No rows are in it."""


class NewerFile(FileError, ValueError):
    """It has a `version` that is not known here."""

    def __init__(self, path: Path, version: int, known: int) -> None:
        super().__init__(path, f"it is of version {version}, and {known} is the latest known: use a later ticktree")
        self.version = version


class NoInstrument(FileError, ValueError):
    """Nothing says which of `brought`, the feed's instruments, it is of."""

    def __init__(self, path: Path, why: str, brought: Iterable[str]) -> None:
        self.brought = tuple(brought)
        super().__init__(path, f"{why}; the feed brings {', '.join(self.brought) or 'no instruments'}")


class NoDefinition(FileError, ValueError):
    """Nothing says what the increments of `names` are."""

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        self.names = tuple(names)
        example = f'[instruments.{names[0]}]\nprice_increment = "0.01"\nsize_increment = "0.0001"'
        super().__init__(
            path,
            f"it does not say what prices and sizes of {', '.join(names)} are multiples of: write it in the "
            f"configuration, as in\n{example}",
        )


class BadRow(FileError):
    """Row `row` of its data, counted from 1, cannot be."""

    def __init__(self, path: Path, row: int, why: str) -> None:
        super().__init__(path, f"row {row:,}: {why}")
        self.row = row


class Unsorted(FileError, ValueError):
    """Row `row`, counted from 1, is of `after_ns`, which is earlier than the `before_ns` of the row before it."""

    def __init__(self, path: Path, row: int, before_ns: int, after_ns: int) -> None:
        super().__init__(
            path,
            f"row {row:,} is {before_ns - after_ns:,} ns earlier than the one before ({after_ns} after {before_ns}): "
            "sort the file by the time received first",
        )
        self.row, self.before_ns, self.after_ns = row, before_ns, after_ns


class DamagedFile(FileError):
    """Its bytes cannot be read on after so many `rows`; those have been used."""

    def __init__(self, path: Path, rows: int, why: str) -> None:
        super().__init__(path, f"it cannot be read on after row {rows:,}: {why}")
        self.rows = rows


class WrongClock(FileError, RuntimeError):
    """Files are told in a back-test's time only."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "files are told in the time of a back-test, and this system's clock is no such one")
