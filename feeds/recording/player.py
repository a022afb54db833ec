"""Plays a recording to a feed, in place of a connection and of HTTP: every read as it came, at the time it came.

The feed's time is the recording's: it stands still between two entries, so what a replay tells is the same at any
speed. Connections that were open at the same time are played as one; a feed that gives its connection up hears nothing
more until the recording has the next one, as it was.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import assert_never
from urllib.parse import parse_qsl, unquote, urlsplit

import attrs

from ticktree.actors import Clock, VirtualClock
from ticktree.net import Peer, PeerLost

from ..replay import Progress, Replay
from ..rest import Rest, RestLimits
from .answers import Answers, RecordedRest
from .blocks import Block
from .connection import PlayedConnection
from .entries import EntryKind, Hole
from .errors import BadReplay, RecordingEnded, RecordingError, RecordingHole
from .pace import OwnTime, Pace, Timetable
from .reading import Readings

log = logging.getLogger("ticktree.feeds")

NS = 1_000_000_000
TURN_NS, TURN_BLOCKS = 1_000_000, 256  # played before others have their turn
SETTLE_TURNS = 10  # of the loop, in which work beside reading comes to where it waits for the recording
STOP_S = 1.0


def is_recording(url: str) -> bool:
    """Whether `url` names a recording."""
    return url.startswith("file:")


@attrs.frozen
class Located:
    """What a url names: recordings, one after the other, and how to play them.

    speed   how many times as fast as they were recorded; None: as fast as they are taken
    begins  of back-tests: when the first of them begins on the system's virtual clock, nanoseconds since 1970, and all
            else at its distance from that; None: in a time of its own
    """

    paths: tuple[Path, ...]
    speed: float | None = None
    begins_ns: int | None = None


def located(url: str) -> Located:
    """`file:///path?speed=10`, or `&begins=NS`, and `&then=/path` for each further file. Raises `BadReplay`."""
    parts = urlsplit(url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    paths = [Path(unquote(parts.path)), *(Path(value) for key, value in query if key == "then")]
    asked = {key: value for key, value in query if key != "then"}
    speed, begins = asked.pop("speed", "max"), asked.pop("begins", None)
    if parts.netloc not in ("", "localhost") or not all(path.is_absolute() for path in paths) or parts.fragment:
        raise BadReplay(url, "the path is to be absolute, after three slashes")
    if asked:
        raise BadReplay(url, f"it asks for {', '.join(asked)}, and there is only speed")
    if begins is not None:
        return Located(tuple(paths), None, _nanoseconds(url, begins))
    try:
        return Located(tuple(paths), None if speed == "max" else _positive(float(speed)))
    except ValueError:
        raise BadReplay(url, f"{speed[:20]!r} is no speed") from None


def _positive(number: float) -> float:
    if not 0 < number < 1e9:
        raise ValueError
    return number


def _nanoseconds(url: str, text: str) -> int:
    if not text.isdecimal() or len(text) > 19:
        raise BadReplay(url, f"{text[:20]!r} are no nanoseconds since 1970")
    return int(text)


@attrs.define(eq=False, kw_only=True)
class RecordingReplay(Replay):
    """What becomes of a recording."""

    readings: Readings
    skipped: int = 0  # messages of connections that the feed had given up
    missing: Hole = attrs.field(factory=lambda: Hole(0, 0))

    def progress(self) -> Progress:
        """How far it is."""
        return self.readings.progress()


class Player:
    """In the place of a session: `start`, `stop` and the `connection` there is.

    `define` comes before the first connection, as it did. `busy`: work beside reading is under way; what it raises ends
    the replay. `rank`: its place among feeds, where several bring data at the same instant of a virtual clock. Raises
    `BadReplay` and what `Readings` raises.
    """

    def __init__(
        self,
        peer: Peer,
        url: str,
        clock: Clock,
        define: Callable[[], Awaitable[None]],
        busy: Callable[[], bool],
        rank: int = 0,
    ) -> None:
        where = located(url)
        self._peer, self._real, self._define, self._busy = peer, clock, define, busy
        self.replay = RecordingReplay(readings=Readings(where.paths))
        self._blocks = self.replay.readings.blocks()
        self._first = next(self._blocks, None)
        first_ns = self._first.time_ns if self._first else self.replay.readings.title.began_ns
        self._pace: Pace
        if where.begins_ns is None:
            self._pace = OwnTime(clock, first_ns, where.speed)
        elif isinstance(clock, VirtualClock):
            self._pace = Timetable(clock, first_ns, where.begins_ns, rank)
        else:
            raise BadReplay(url, "it says when it begins, which is for back-tests")
        self.clock = self._pace.clock
        self.connection: PlayedConnection | None = None
        self._answers = Answers(where.paths)
        self._open: dict[int, str] = {}  # connections of the recording, and where to
        self._task: asyncio.Task[None] | None = None
        self._turn_ns = self._turn_blocks = 0

    def rest(self, url: str, limits: RestLimits) -> Rest:
        """Questions over HTTP, answered from the recording."""
        rest = RecordedRest(self.clock, url, limits)
        rest.answers = self._answers
        return rest

    @property
    def own_time(self) -> bool:
        """Whether its clock is not the system's, so that an actor's timers are none of its own."""
        return isinstance(self._pace, OwnTime)

    def every(self, interval_s: float, call: Callable[[], None]) -> None:
        """Call again and again, in the recording's own time."""
        interval_ns = round(interval_s * NS)

        def ring() -> None:
            self.clock.call_at(self.clock.monotonic_ns() + interval_ns, ring)
            call()

        self.clock.call_at(self.clock.monotonic_ns() + interval_ns, ring)

    # --- in the place of a session -----------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to play."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="replay")
        self._task.add_done_callback(self._ended)

    async def stop(self) -> None:
        """Play no more, and close the connection there is."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task], timeout=STOP_S)
        self.replay.readings.close()
        if self.connection is not None:
            await self.connection.close()

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self.replay.stop()
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):
            self._peer.on_fault(error)

    # --- playing -----------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        await self._define()
        self._answers.playing = True
        self._turn_ns = self._real.monotonic_ns()
        error: RecordingError | None = None
        try:
            if self._first is not None:
                await self._take(self._first)
            for block in self._blocks:
                if block is not None:
                    await self._take(block)
                else:
                    self._open.clear()
                    self._lose(RecordingEnded("the recording goes on in another file"))
        except RecordingError as damage:
            log.error("the replay of %s ends: %s", damage.path, damage)
            error = damage
        self._lose(RecordingEnded(str(error or "the recording has ended")))
        self._answers.end()
        self.replay.end(error)

    async def _take(self, block: Block) -> None:
        while (due_ns := self._pace.due_before(block.time_ns)) is not None:
            await self._pace.reach(due_ns)
            await self._settle()
            await self._breathe()
        await self._pace.reach(block.time_ns)
        await self._play(block)
        await self._settle()
        await self._breathe()

    async def _settle(self) -> None:
        turns = 0
        while turns < SETTLE_TURNS and self._busy():
            turns += 1
            await asyncio.sleep(0)

    async def _breathe(self) -> None:
        """Let others have their turn, now and then."""
        self._turn_blocks += 1
        now_ns = self._real.monotonic_ns()
        if self._turn_blocks >= TURN_BLOCKS or now_ns - self._turn_ns >= TURN_NS:
            await asyncio.sleep(0)
            self._turn_blocks, self._turn_ns = 0, self._real.monotonic_ns()
        if self._answers.look.locked():  # somebody asked something: the recording is looked through first
            async with self._answers.look:
                pass

    async def _play(self, block: Block) -> None:
        match block.kind:
            case EntryKind.HTTP:
                url, data = block.parts()
                self._answers.passed(url.decode(errors="replace"), data)
            case EntryKind.CONNECT:
                self._begin(block.connection, block.parts()[0].decode(errors="replace"))
            case EntryKind.SENT:
                pass
            case EntryKind.RECEIVED:
                await self._hand_over(block)
            case EntryKind.CLOSED:
                self._open.pop(block.connection, None)
                if not self._open:
                    self._lose(PeerLost(block.parts()[0].decode(errors="replace")))
            case EntryKind.HOLE:
                hole = Hole.parse(block.body)
                self.replay.missing = self.replay.missing.plus(hole.messages, hole.size)
                self._lose(RecordingHole(hole.messages, hole.size))
            case _:
                assert_never(block.kind)

    async def _hand_over(self, block: Block) -> None:
        if block.connection not in self._open:
            self._open[block.connection] = ""  # it was open before the recording began, or that is in a hole
        url = self._open[block.connection]
        connection = self.connection
        if connection is None:
            connection = self._begin(block.connection, url)
            await self._settle()
        if not await connection.readable():  # the feed gave it up: the rest of it is for nobody
            self.replay.skipped += len(block.ends)
            return
        frames = block.parts() if url.startswith("ws") else block.views()
        if not connection.deliver(frames, block.more, block.stream_bytes):
            await asyncio.wait([connection.gone])

    def _begin(self, number: int, url: str) -> PlayedConnection:
        self._open[number] = url
        if self.connection is None or self.connection.ending:
            self.connection = PlayedConnection(self._peer, url)
            self.connection.stand()
        return self.connection

    def _lose(self, error: Exception) -> None:
        connection = self.connection
        if connection is not None and not connection.ending:
            connection.lose(error)
            self.connection = None
