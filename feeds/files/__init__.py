"""Market data from files, for back-tests: `.ticks`, CSV and Parquet, told in their own time (docs/data.md).

Looking    `looked_at(path, instruments, definitions)`: what a file is, or why it cannot be used
Telling    `FilesFeed(source, files, definitions)`; `source.account.replay` tells how far it is
Writing    `write_ticks(path, feed, instruments, chunks)`
"""

from .errors import (
    BadRow as BadRow,
    BarsFile as BarsFile,
    DamagedFile as DamagedFile,
    EmptyFile as EmptyFile,
    FileError as FileError,
    FileTaken as FileTaken,
    ForeignFile as ForeignFile,
    NewerFile as NewerFile,
    NoDefinition as NoDefinition,
    NoFile as NoFile,
    NoInstrument as NoInstrument,
    Unsorted as Unsorted,
    WrongClock as WrongClock,
)
from .feed import FilesFeed as FilesFeed
from .looking import (
    FORMATS as FORMATS,
    Looked as Looked,
    first_time_ns as first_time_ns,
    format_of as format_of,
    instruments_of as instruments_of,
    looked_at as looked_at,
)
from .merging import Run as Run, merged as merged
from .replay import FilesReplay as FilesReplay
from .ticks import write_ticks as write_ticks
