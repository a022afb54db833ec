"""Records what arrives, as it arrived, beside the live path: a file a life, whose prefix stays readable after any end.

The live path copies what a read brought and puts it into a bounded queue; a thread writes. Where the disk does not keep
up, what the queue has no room for becomes a hole in the file, counted: the live path never waits. An error of the disk
ends the recording of that life, and the feed goes on.

A process that is killed loses what waited in the queue, and no more: what was written is the kernel's. After a loss of
power nothing is promised without `sync_s`; with it, what is older than that.

Recorded are messages and answers over HTTP, and what is asked for. Headers of HTTP, what `login` says, and what looks
as if it would tell a secret are not.
"""

import asyncio
import logging
import os
import re
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from errno import ENOSPC
from pathlib import Path
from typing import Final

import attrs

from .blocks import MORE, Title, first_line
from .entries import EntryKind, Hole
from .errors import RecorderTaken
from .secrets import may_be_recorded, without_secrets
from .writer import Item, Write, Writer

log = logging.getLogger("ticktree.feeds")

QUEUE_BYTES: Final = 64 << 20
CLOSE_S: Final = 5.0
SUFFIX: Final = ".recording"
_ITEM_BYTES: Final = 200  # of memory, beside the messages

Frames = Sequence[memoryview | bytes]


@attrs.frozen
class RecorderStats:
    """What became of everything that arrived while the latest life recorded.

    At rest `arrived == recorded + missed`, in messages and in bytes; `missed` is what the file has as holes. `error`
    says why recording ended before its life; `files` counts all lives'.
    """

    path: Path | None = None
    files: int = 0
    arrived_messages: int = 0
    arrived_bytes: int = 0
    recorded_messages: int = 0
    recorded_bytes: int = 0
    missed_messages: int = 0
    missed_bytes: int = 0
    holes: int = 0
    queued_bytes: int = 0  # of memory
    error: str = ""


class Recorder:
    """Records one feed, over all its lives, into files in `folder`: `Source(..., tap=Recorder(folder))`.

    They are named by the feed and by when each life began (UTC), so that they sort by time. `queue_bytes` bounds the
    memory of what waits to be written. With `sync_s` the file is synchronised with the disk so often.
    """

    def __init__(
        self,
        folder: Path,
        queue_bytes: int = QUEUE_BYTES,
        sync_s: float | None = None,
        write: Write = os.writev,
    ) -> None:
        self.folder, self.queue_bytes, self.sync_s = folder, queue_bytes, sync_s
        self.definitions: list[tuple[str, bytes]] = []  # what the exchange answered when it was asked for them
        self._write = write
        self._tape: Tape | None = None
        self._feed = ""
        self._files = 0
        self._error = ""  # why there is no file

    def begin(self, title: Title, failed: Callable[[], None]) -> "Tape | None":
        """A new life's recording; None where no file can be made, which is said. `failed`: the disk has an error.

        Raises `RecorderTaken`.
        """
        if self._feed not in ("", title.feed):
            raise RecorderTaken(self.folder, self._feed, title.feed)
        self._feed = title.feed
        if self._tape is not None:
            self._tape.end()  # a life that was killed did not
        self._tape = None
        try:
            file = self._create(title)
        except OSError as error:
            self._error = str(error)
            log.error("%s: is not recorded: %s", title.feed, self._error)
            failed()
            return None
        self._files += 1
        self._tape = Tape(self, file, title.feed, failed)
        log.info("%s: is recorded to %s", title.feed, self._tape.path)
        for url, data in self.definitions:
            self._tape.answered(url, data, title.began_ns)
        return self._tape

    def stats(self) -> RecorderStats:
        """What became of what arrived, as of now."""
        if self._tape is None:
            return RecorderStats(files=self._files, error=self._error)
        return attrs.evolve(self._tape.stats(), files=self._files)

    @property
    def write(self) -> Write:
        """What gives bytes to the kernel."""
        return self._write

    def _create(self, title: Title) -> tuple[Path, int, int]:
        """The file, open, with its first line: path, descriptor, size."""
        self.folder.mkdir(parents=True, exist_ok=True)
        began = datetime.fromtimestamp(title.began_ns // 10**9, UTC)
        feed = re.sub(r"[^A-Za-z0-9._-]", "_", title.feed)
        stem = f"{feed}-{began:%Y%m%dT%H%M%S}.{title.began_ns % 10**9:09}Z"
        for number in range(1, 1_000):  # a clock that stands still, or was put back
            path = self.folder / (f"{stem}{SUFFIX}" if number == 1 else f"{stem}-{number}{SUFFIX}")
            try:
                fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o644)
            except FileExistsError:
                continue
            return path, fd, _begun(path, fd, first_line(title))
        raise FileExistsError(0, "too many recordings began at that time", str(self.folder))


def _begun(path: Path, fd: int, line: bytes) -> int:
    """The size of the file at `path` once `line` is in it; the file is gone if that fails."""
    try:
        if os.write(fd, line) < len(line):
            raise OSError(ENOSPC, os.strerror(ENOSPC), str(path))
    except OSError:
        os.close(fd)
        path.unlink()
        raise
    return len(line)


class Tape:
    """One life's recording. Its methods are called by the loop's thread; they neither wait nor raise."""

    def __init__(self, recorder: Recorder, file: tuple[Path, int, int], feed: str, failed: Callable[[], None]) -> None:
        self.path, fd, size = file
        self._recorder, self._feed, self._told_failed = recorder, feed, failed
        self._loop = asyncio.get_running_loop()
        self._connection = 0
        self._defining = False
        self._entered_bytes = 0  # of memory, into the queue
        self._arrived = self._missed = self._untold = Hole(0, 0)
        self._untold_ns = self._holes = 0
        self._writer = Writer(fd, size, self._failed, recorder.write, recorder.sync_s)
        self._writer.start()

    # --- what arrives ------------------------------------------------------------------------------------------

    def connected(self, url: str, time_ns: int) -> None:
        """A connection to `url`, which is without secrets, stands."""
        self._connection += 1
        self._put(EntryKind.CONNECT, time_ns, (url.encode(),))

    def sent(self, frame: bytes, time_ns: int) -> None:
        """We said `frame`; it is left out where it looks as if it told a secret."""
        self._put(EntryKind.SENT, time_ns, (frame if may_be_recorded(frame) else b"",))

    def received(self, frames: Frames, more: bool, time_ns: int, stream_bytes: int) -> None:
        """One read brought `frames`, which may be written to once this returns."""
        self._put(EntryKind.RECEIVED, time_ns, frames, len(frames), (stream_bytes, MORE if more else 0))

    def closed(self, reason: str, time_ns: int) -> None:
        """The connection is gone."""
        self._put(EntryKind.CLOSED, time_ns, (reason.encode(errors="replace"),))

    def answered(self, url: str, data: bytes, time_ns: int) -> None:
        """The question `url` was answered over HTTP."""
        url = without_secrets(url)
        if self._defining:
            self._recorder.definitions.append((url, data))
        self._put(EntryKind.HTTP, time_ns, (url.encode(), data))

    @contextmanager
    def defining(self) -> Generator[None]:
        """What is answered meanwhile defines instruments: a feed asks once, and every life's file is to have it."""
        self._recorder.definitions.clear()
        self._defining = True
        try:
            yield
        finally:
            self._defining = False

    # --- its end -----------------------------------------------------------------------------------------------

    def end(self) -> None:
        """Record no more; what waits is written by and by."""
        self._tell_hole()
        self._writer.end()

    async def close(self) -> None:
        """Record no more, and wait until all is written; bounded."""
        self.end()
        await asyncio.get_running_loop().run_in_executor(None, self._writer.join, CLOSE_S)
        if self._writer.is_alive():
            log.error("%s: %s is still written to, after %.0f s", self._feed, self.path, CLOSE_S)

    def stats(self) -> RecorderStats:
        """What became of what arrived in this life."""
        arrived, missed, writer = self._arrived, self._missed, self._writer
        return RecorderStats(
            path=self.path,
            arrived_messages=arrived.messages,
            arrived_bytes=arrived.size,
            recorded_messages=writer.recorded_messages,
            recorded_bytes=writer.recorded_bytes,
            missed_messages=missed.messages + writer.lost_messages,
            missed_bytes=missed.size + writer.lost_bytes,
            holes=writer.holes,
            queued_bytes=self._entered_bytes - writer.left_bytes,
            error=str(writer.error or ""),
        )

    # --- the queue ---------------------------------------------------------------------------------------------

    def _put(
        self, kind: EntryKind, time_ns: int, parts: Frames, messages: int = 1, stream: tuple[int, int] = (0, 0)
    ) -> None:
        lengths = tuple(map(len, parts))
        size = sum(lengths)
        cost = size + _ITEM_BYTES + 36 * len(lengths)
        self._arrived = self._arrived.plus(messages, size)
        waiting = self._entered_bytes - self._writer.left_bytes
        if waiting + cost > self._recorder.queue_bytes or self._writer.error is not None:
            self._missed = self._missed.plus(messages, size)
            self._untold = self._untold.plus(messages, size)
            self._untold_ns = self._untold_ns or time_ns
            return
        self._tell_hole()
        self._enter(Item(kind, time_ns, self._connection, lengths, b"".join(parts), stream, messages, cost))

    def _tell_hole(self) -> None:
        untold, self._untold = self._untold, Hole(0, 0)
        if untold.messages:
            level = logging.DEBUG if self._holes else logging.WARNING  # the first; then they are counted
            self._holes += 1
            log.log(level, "%s: %d messages of %d bytes are not recorded", self._feed, untold.messages, untold.size)
            data = untold.encoded()
            cost = len(data) + _ITEM_BYTES
            self._enter(Item(EntryKind.HOLE, self._untold_ns, self._connection, (len(data),), data, (0, 0), 0, cost))
            self._untold_ns = 0

    def _enter(self, item: Item) -> None:
        self._entered_bytes += item.cost_bytes
        self._writer.put(item)

    def _failed(self, error: OSError) -> None:
        """Called by the writer's thread."""
        log.error("%s: recording to %s ended: %s; the feed goes on", self._feed, self.path, error)
        try:
            self._loop.call_soon_threadsafe(self._told_failed)
        except RuntimeError:  # the loop has ended
            pass
