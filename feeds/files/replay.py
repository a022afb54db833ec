"""What becomes of files that a feed tells: how far it is, what was wrong with them, and whether all was told."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import attrs

from ticktree.market import Ticks

from ..replay import Progress, Replay
from .looking import reading_of
from .merging import Run, merged
from .reading import FileReading
from .wanted import Wanted


class Files:
    """Several files, read as one. Raises `FileError` at once for those whose head is wrong, and while they are read."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.readings: list[FileReading] = [reading_of(path) for path in paths]

    def chunks(self, wanted: Wanted) -> Iterator[Ticks]:
        """All rows that are wanted, by time."""
        return merged([Run(one.first_time_ns(), partial(one.chunks, wanted)) for one in self.readings])


@attrs.define(eq=False)
class FilesReplay(Replay):
    """Of a feed's files, over all its lives.

    rows     that were told
    time_ns  when the last of them was received; 0 before the first
    """

    rows: int = 0
    first_ns: int = 0
    time_ns: int = 0
    files: Files | None = None

    def progress(self) -> Progress:
        """How far it is; its `blocks` are rows."""
        readings = self.files.readings if self.files is not None else []
        return Progress(
            sum(one.done_bytes for one in readings), sum(one.size_bytes for one in readings),
            self.rows, self.first_ns, self.time_ns, sum(one.torn_bytes for one in readings),
        )  # fmt: skip

    @property
    def notes(self) -> Mapping[Path, str]:
        """What was wrong with files, and could be borne."""
        readings = self.files.readings if self.files is not None else []
        return {one.path: one.note for one in readings if one.note}
