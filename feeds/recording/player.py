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

from ticktree.actors import Clock
from ticktree.net import Peer, PeerLost

from ..rest import Rest, RestLimits
from .answers import Answers, RecordedRest
from .blocks import Block
from .clock import RecordedClock
from .connection import PlayedConnection
from .entries import EntryKind, Hole
from .errors import BadReplay, RecordingEnded, RecordingError, RecordingHole
from .reading import Progress, Reading

log = logging.getLogger("ticktree.feeds")

NS = 1_000_000_000
TURN_NS, TURN_BLOCKS = 1_000_000, 256  # played before others have their turn
SETTLE_TURNS = 10  # of the loop, in which work beside reading comes to where it waits for the recording
STOP_S = 1.0


def is_recording(url: str) -> bool:
    """Whether `url` names a recording."""
    return url.startswith("file:")


def located(url: str) -> tuple[Path, float | None]:
    """Which file `url` names, and how fast to play it; None: as fast as it is taken. Raises `BadReplay`."""
    parts = urlsplit(url)
    path, query = Path(unquote(parts.path)), dict(parse_qsl(parts.query, keep_blank_values=True))
    speed = query.pop("speed", "max")
    if parts.netloc not in ("", "localhost") or not path.is_absolute() or parts.fragment:
        raise BadReplay(url, "the path is to be absolute, after three slashes")
    if query:
        raise BadReplay(url, f"it asks for {', '.join(query)}, and there is only speed")
    try:
        return path, None if speed == "max" else _positive(float(speed))
    except ValueError:
        raise BadReplay(url, f"{speed[:20]!r} is no speed") from None


def _positive(number: float) -> float:
    if not 0 < number < 1e9:
        raise ValueError
    return number


@attrs.define(eq=False)
class Replay:
    """What becomes of a replay: whether it has `ended`, and why before the recording did, if so (`error`)."""

    reading: Reading
    ended: bool = False
    skipped: int = 0  # messages of connections that the feed had given up
    missing: Hole = attrs.field(factory=lambda: Hole(0, 0))
    error: RecordingError | None = None
    _over: asyncio.Event = attrs.field(factory=asyncio.Event)

    def progress(self) -> Progress:
        """How far it is."""
        return self.reading.progress()

    async def over(self) -> None:
        """Wait until it has ended, or the feed's life has."""
        await self._over.wait()

    def end(self, error: RecordingError | None) -> None:
        """All was played."""
        self.ended, self.error = True, error
        self._over.set()

    def stop(self) -> None:
        """Nothing more is played."""
        self._over.set()


class Player:
    """In the place of a session: `start`, `stop` and the `connection` there is.

    `define` comes before the first connection, as it did. `busy`: work beside reading is under way; what it raises ends
    the replay. Raises `BadReplay` and what `Reading` raises.
    """

    def __init__(
        self, peer: Peer, url: str, clock: Clock, define: Callable[[], Awaitable[None]], busy: Callable[[], bool]
    ) -> None:
        path, self._speed = located(url)
        self._peer, self._real, self._define, self._busy = peer, clock, define, busy
        self.replay = Replay(Reading(path))
        self._blocks = self.replay.reading.blocks()
        self._first = next(self._blocks, None)
        self.clock = RecordedClock(self._first.time_ns if self._first else self.replay.reading.title.began_ns)
        self.connection: PlayedConnection | None = None
        self._answers = Answers(path)
        self._open: dict[int, str] = {}  # connections of the recording, and where to
        self._task: asyncio.Task[None] | None = None
        self._began_ns = self._turn_ns = self._turn_blocks = 0

    def rest(self, url: str, limits: RestLimits) -> Rest:
        """Questions over HTTP, answered from the recording."""
        rest = RecordedRest(self.clock, url, limits)
        rest.answers = self._answers
        return rest

    def every(self, interval_s: float, call: Callable[[], None]) -> None:
        """Call again and again, in the recording's time."""
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
        self.replay.reading.close()
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
        self._began_ns = self._turn_ns = self._real.monotonic_ns()
        error: RecordingError | None = None
        try:
            if self._first is not None:
                await self._take(self._first)
            for block in self._blocks:
                await self._take(block)
        except RecordingError as damage:
            log.error("the replay of %s ends: %s", self.replay.reading.path, damage)
            error = damage
        self._lose(RecordingEnded(str(error or "the recording has ended")))
        self._answers.end()
        self.replay.end(error)

    async def _take(self, block: Block) -> None:
        while (due_ns := self.clock.next_ns) is not None and due_ns < block.time_ns:
            await self._reach(due_ns)
            self.clock.go_to(due_ns)
            await self._settle()
            await self._breathe()
        await self._reach(block.time_ns)
        self.clock.go_to(block.time_ns)
        await self._play(block)
        await self._settle()
        await self._breathe()

    async def _reach(self, time_ns: int) -> None:
        """Wait until it is time for what was recorded at `time_ns`."""
        if self._speed is None or self._first is None:
            return
        due_ns = self._began_ns + (time_ns - self._first.time_ns) / self._speed
        left_ns = due_ns - self._real.monotonic_ns()
        if left_ns > TURN_NS:
            await self._real.sleep(left_ns / NS)

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
