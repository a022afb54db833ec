"""A feed that replays a recording under a system, and a sink that keeps what it tells."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import attrs
import msgspec

from ticktree.actors import Backoff, ChildSpec, Clock, Supervisor, System
from ticktree.feeds import Feed, FeedAccount, Source
from ticktree.feeds.recording import Entry, EntryKind, RecordingReplay
from ticktree.feeds.recording.blocks import Title, encoded, first_line
from ticktree.feeds.recording.recorder import SUFFIX
from ticktree.market import FeedStatus, Gap, Mark, Skipped, Topic

from ...probe import BOX
from ..rig import Collector

NS = 1_000_000_000
BEGAN_NS = 1_700_000_000 * NS


@attrs.frozen
class Rig:
    sink: Collector
    account: FeedAccount
    feeds: list[Any]
    system: System

    @property
    def replay(self) -> RecordingReplay:
        assert isinstance(self.account.replay, RecordingReplay)
        return self.account.replay


@asynccontextmanager
async def replaying(
    make: Callable[[Source, str], Feed],
    url: str,
    *topics: str,
    clock: Clock | None = None,
    lives: int = 1,
    **source: Any,
) -> AsyncGenerator[Rig]:
    """A feed of `make`, which is given the source and the url of the recording."""
    sink, account, feeds = Collector(), FeedAccount(), list[Feed]()
    settings: dict[str, Any] = {"backoff": Backoff(base_s=0.001, ceiling_s=0.002), "random": Random(1), **source}
    value = Source(topics[0].partition("/")[0], tuple(map(Topic.parse, topics)), sink, account=account, **settings)

    def feed() -> Feed:
        feeds.append(make(value, url))
        return feeds[-1]

    tree = Supervisor((ChildSpec("feed", feed, BOX),), intensity=lives - 1)
    async with System(tree) if clock is None else System(tree, clock) as system:
        yield Rig(sink, account, feeds, system)
    assert account.bytes_in == account.decoded + account.skipped


async def replayed(make: Callable[[Source, str], Feed], url: str, *topics: str, **settings: Any) -> Rig:
    """The same, once all was played."""
    async with replaying(make, url, *topics, **settings) as rig:
        await rig.replay.over()
        return rig


def recorded_in(folder: Path) -> list[Path]:
    """The recordings in a folder, the oldest first."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def timeless(told: list[Any]) -> list[Any]:
    """What was told, marks without the time they were told at (a live feed's clock goes on while it works)."""
    return [
        undated(event) if isinstance(event, Mark.__args__) and not isinstance(event, Gap | Skipped) else event
        for event in told
        if not (isinstance(event, FeedStatus) and event.reason in ENDS)
    ]


ENDS = ("closed from this side", "the recording has ended")


def undated(event: Any) -> Any:
    """The event as of the year 1970."""
    return msgspec.structs.replace(event, received_time_ns=0)


def written(path: Path, *entries: Entry, feed: str = "test") -> Path:
    """A recording of those entries, each a block of its own."""
    data = [first_line(Title(feed, "tests:Feed", BEGAN_NS))]
    for entry in entries:
        parts = (entry.url.encode(), entry.data) if entry.kind is EntryKind.HTTP else (entry.data,)
        if entry.kind is EntryKind.CONNECT:
            parts = (entry.url.encode(),)
        payload = b"".join(parts)
        stream = len(payload) if entry.kind is EntryKind.RECEIVED else 0
        lengths = tuple(map(len, parts))
        data.extend(map(bytes, encoded(entry.kind, entry.time_ns, entry.connection, lengths, payload, (stream, 0))))
    path.write_bytes(b"".join(data))
    return path
