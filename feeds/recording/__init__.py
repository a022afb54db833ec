"""What arrived, kept as it arrived: recorded beside a live feed, read again, replayed as a feed.

Recording   `Source(..., tap=Recorder(folder))`
Reading     `read(path)`, or `Reading(path)` for its progress
Replaying   a feed's url `file:///path/to/recording?speed=1`; `source.account.replay` tells how far it is
"""

from ..replay import Progress as Progress
from .entries import Entry as Entry, EntryKind as EntryKind, Hole as Hole
from .errors import (
    BadReplay as BadReplay,
    DamagedRecording as DamagedRecording,
    EmptyRecording as EmptyRecording,
    NewerRecording as NewerRecording,
    NoRecording as NoRecording,
    NotRecorded as NotRecorded,
    RecorderTaken as RecorderTaken,
    RecordingEnded as RecordingEnded,
    RecordingError as RecordingError,
    RecordingHole as RecordingHole,
)
from .player import RecordingReplay as RecordingReplay
from .reading import Reading as Reading, read as read
from .recorder import Recorder as Recorder, RecorderStats as RecorderStats
