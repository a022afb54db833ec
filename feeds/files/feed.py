"""Ticks from files: a feed that tells them at their time on a virtual clock, to the same hub as any other.

Without a window a batch is one instant: all rows that were received at the same nanosecond. With one it is all rows of
so much time, told at the time of the last of them; it ends before anything else is due, other feeds' data, alarms and
timers, so that nothing is told out of turn. That is known when its first row's time has come: the clock rings for data
only when nothing else is left to do, and until it moves on nobody can ask for anything new. A batch also ends where a
chunk of the files does.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import attrs

from ticktree.actors import Exit, Reason, VirtualClock
from ticktree.market import BookUpdate, Instrument, Ticks
from ticktree.net.pulse import LOOKS

from ..errors import UnknownMessage
from ..outlet import Outlet
from ..source import Source
from .books import Books
from .chunk import Chunk
from .errors import FileError, WrongClock
from .looking import wanted_of
from .replay import Files, FilesReplay
from .wanted import Wanted

log = logging.getLogger("ticktree.feeds")

NS = 1_000_000_000


@attrs.frozen
class Look:
    """Time to see whether each instrument was heard of."""


class FilesFeed(Outlet[Look]):
    """Tells `files`, which are opened when it starts; `source.account.replay` tells how far it is.

    definitions     instruments by name; those that a file itself defines need none
    batch_window_s  0: a batch an instant

    A later life goes on after what was told: no row is lost or comes twice. What is wrong with a file ends the replay,
    not the feed.
    """

    def __init__(
        self, source: Source, files: Sequence[Path], definitions: Mapping[str, Instrument], batch_window_s: float = 0.0
    ) -> None:
        super().__init__(source)
        self._files, self._definitions = tuple(files), definitions
        self._window_ns, self._rank = round(batch_window_s * NS), source.rank
        self._replay = FilesReplay()
        self._books = Books(source.name, source.ids, self._told)
        self._holders: set[object] = set()
        self._stopped = self._held_up = False
        self._wanted: Wanted | None = None
        self._chunks: Iterator[Ticks] = iter(())
        self._clock: VirtualClock
        self._offset_ns = 0  # wall time minus monotonic time
        self._chunk: Chunk
        self._instant = self._row = 0  # of the chunk: what comes next

    # --- the port ----------------------------------------------------------------------------------------------

    def books(self) -> Iterable[BookUpdate]:
        """A snapshot of every book that was told."""
        return self._books.all() if self._replay.rows else ()

    def book(self, instrument: str) -> BookUpdate | None:
        """A snapshot of the book of that name; None while none was told."""
        return self._books.one(instrument) if self._replay.rows else None

    def pause(self, holder: object) -> None:
        """Tell no more until `resume`; each holder counts once. What is due meanwhile is told late."""
        self.source.account.pauses += not self._holders
        self._holders.add(holder)

    def resume(self, holder: object) -> None:
        """`holder` has room again."""
        self._holders.discard(holder)
        if self._held_up and not self._holders:
            self._held_up = False
            self._arm()

    # --- the actor ---------------------------------------------------------------------------------------------

    def on_start(self) -> None:
        source, clock = self.source, self.clock
        if not isinstance(clock, VirtualClock):
            raise WrongClock(self._files[0] if self._files else Path())
        self._clock, self.now_ns = clock, clock.now_ns
        self._offset_ns = clock.now_ns() - clock.monotonic_ns()
        former = source.account.replay
        if isinstance(former, FilesReplay):
            self._replay = former
            former.go_on()
        else:
            source.account.replay = self._replay
        source.sink.attach(self)
        if self._replay.ended:
            return
        try:
            self._open(self._replay)
            self._next_chunk(skip=self._replay.rows)
        except FileError as error:
            self._end(error)
            return
        if self._deadlines is not None and not self._replay.ended:
            assert self._wanted is not None
            self._deadlines.restart(self._wanted.instruments.values(), clock.monotonic_ns())
            self.every(self._deadlines.deadline_s / LOOKS, Look())

    def on_message(self, message: Look) -> None:
        if not isinstance(message, Look):  # pyright: ignore[reportUnnecessaryIsInstance]  # refs found by path take anything
            raise UnknownMessage(self.path, message)
        if self._deadlines is not None and not self._replay.ended:
            self._look_for_stale(self._deadlines)

    def on_stop(self, reason: Reason) -> None:
        self._stopped = True
        if reason.kind is not Exit.ERROR:  # else another life follows, or the supervisor fails as well
            self._replay.stop()

    # --- the files ---------------------------------------------------------------------------------------------

    def _open(self, replay: FilesReplay) -> None:
        source, files = self.source, Files(self._files)
        defined = [one for reading in files.readings for one in reading.instruments]
        wanted = wanted_of(source.name, source.topics, self._definitions, defined, source.checked)
        known = {name: source.ids.adopt(one) for name, one in wanted.instruments.items()}
        self._wanted = attrs.evolve(wanted, instruments=known)
        self._chunks = files.chunks(self._wanted)
        replay.files = files

    def _told(self) -> Iterator[Ticks]:
        """What was told, once more."""
        left = self._replay.rows
        if self._wanted is None:
            return
        for ticks in Files(self._files).chunks(self._wanted):
            yield ticks[:left]
            left -= min(left, len(ticks))
            if not left:
                return

    def _next_chunk(self, skip: int = 0) -> None:
        """Go on with the next rows, but for the first `skip` of them."""
        for ticks in self._chunks:
            if skip >= len(ticks):
                skip -= len(ticks)
                continue
            self._chunk = Chunk(self.name, self.source.ids, ticks[skip:])
            self._instant = self._row = 0
            self._arm()
            return
        self._end(None)

    def _end(self, error: Exception | None) -> None:
        if isinstance(error, FileError):
            log.error("%s: the replay ends: %s", self.name, error)
        elif error is not None:
            log.error("%s: the replay ends", self.name, exc_info=error)
        for path, note in self._replay.notes.items():
            log.warning("%s: %s: %s", self.name, path, note)
        self._replay.end(error)

    # --- telling: the clock's calls ------------------------------------------------------------------------------

    def _arm(self) -> None:
        self._clock.bring_at(self._chunk.times_ns[self._instant] - self._offset_ns, self._rank, self._ring)

    def _is_quiet(self) -> bool:
        """Whether nothing is to be told now."""
        if self._stopped or self._ticktree_life is None:  # it was killed: the next life goes on
            return True
        self._held_up = bool(self._holders)
        return self._held_up

    def _ring(self) -> None:
        """The time of the next row has come."""
        if self._is_quiet():
            return
        until = self._instant + 1
        if self._window_ns:
            until = self._gathered(until)
            due_ns = self._chunk.times_ns[until - 1] - self._offset_ns
            if due_ns > self._clock.monotonic_ns():
                self._clock.bring_at(due_ns, self._rank, partial(self._tell_gathered, until))
                return
        self._tell(until)

    def _tell_gathered(self, until: int) -> None:
        """The time of the batch's last row has come."""
        if not self._is_quiet():
            self._tell(until)

    def _gathered(self, at_least: int) -> int:
        """Before which instant the batch ends: its window's end, and whatever else is due."""
        chunk, next_ns = self._chunk, self._clock.next_due_ns()
        limit_ns = chunk.times_ns[self._instant] + self._window_ns
        if next_ns is not None:
            limit_ns = min(limit_ns, next_ns + self._offset_ns)
        return max(at_least, chunk.before(limit_ns, at_least))

    def _tell(self, until: int) -> None:
        """The rows up to that instant, as one batch."""
        chunk, start, end, replay = self._chunk, self._row, self._chunk.ends[until - 1], self._replay
        try:
            self._instant, self._row = until, end
            replay.time_ns = self.received_ns = chunk.times_ns[until - 1]
            replay.first_ns = replay.first_ns or chunk.times_ns[0]
            if self._books.following and chunk.has_books(start, end):
                self._books.follow(chunk.ticks[start:end])
            replay.rows += end - start
            chunk.count(self.source.account.kinds, start, end)
            self._publish(chunk.batch(start, end))
            if until < len(chunk.ends):
                self._arm()
            else:
                self._next_chunk()
        except Exception as error:  # in the loop's call: there is nobody to raise it to
            self._end(error)
