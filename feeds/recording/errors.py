"""What can be wrong with a recording, and with the wish to have one played; each names the file and the place in it.

RecordingError (FeedError)
├── NoRecording (ValueError)      yours: the file cannot be opened, or is something else
├── EmptyRecording (ValueError)   yours: nothing is in it, not even a whole first line
├── NewerRecording (ValueError)   yours: a later ticktree wrote it
├── DamagedRecording              theirs: bytes in the middle are not what was written
├── BadReplay (ValueError)        yours: an address that says neither which file nor how fast
└── RecorderTaken (ValueError)    yours: one recorder for two feeds

RestError
└── NotRecorded                   theirs: a question that the recording has no answer to

PeerLost (ticktree.net), how connections of a replay end
├── RecordingEnded                there is no more
└── RecordingHole                 messages are missing: whoever recorded could not keep up
"""

from pathlib import Path

from ticktree.net import PeerLost

from ..errors import FeedError
from ..rest import RestError


class RecordingError(FeedError):
    """`path` cannot be read on at byte `offset` (of what a compressed capture unpacks to)."""

    def __init__(self, path: Path, offset: int, why: str) -> None:
        super().__init__(f"{path}, at byte {offset}: {why}")
        self.path, self.offset, self.why = path, offset, why


class NoRecording(RecordingError, ValueError):
    """The file cannot be opened, or is something else."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(path, 0, f"{why}; a recording is a file of ticktree's own, or a capture (.jsonl, .jsonl.gz)")


class EmptyRecording(RecordingError, ValueError):
    """Nothing is in it."""

    def __init__(self, path: Path, size: int) -> None:
        super().__init__(path, size, "nothing was recorded here: the file ends within its first line")


class NewerRecording(RecordingError, ValueError):
    """It has a `version` that is not known here."""

    def __init__(self, path: Path, version: int, known: int) -> None:
        super().__init__(path, 0, f"it is of version {version}, and {known} is the latest known: use a later ticktree")
        self.version = version


class DamagedRecording(RecordingError):
    """Bytes in the middle are not what was written; what comes before them has been read."""

    def __init__(self, path: Path, offset: int, why: str) -> None:
        super().__init__(path, offset, f"{why}; what comes before is good, and nothing behind it can be trusted")


class BadReplay(RecordingError, ValueError):
    """An address that says neither which file nor how fast."""

    def __init__(self, url: str, why: str) -> None:
        super().__init__(Path(url), 0, f"{why}; a replay is file:///path, with ?speed=1, 10 or max behind it")


class RecorderTaken(RecordingError, ValueError):
    """One recorder was given to two feeds."""

    def __init__(self, folder: Path, feed: str, other: str) -> None:
        super().__init__(
            folder, 0, f"its recorder records {feed}, and was given to {other} as well: each needs its own"
        )
        self.feed, self.other = feed, other


class NotRecorded(RestError):
    """The recording has no answer to this question, or none from here on."""

    def __init__(self, what: str) -> None:
        super().__init__(what, "the recording has no answer to this: was it made by another kind of feed?")


class RecordingEnded(PeerLost):
    """There is no more to replay."""


class RecordingHole(PeerLost):
    """So many messages are missing in the recording."""

    def __init__(self, messages: int, size: int) -> None:
        super().__init__(f"the recording lacks {messages} messages of {size} bytes: the recorder could not write them")
        self.messages, self.size = messages, size
