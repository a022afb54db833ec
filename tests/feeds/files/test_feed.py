"""Files through a real hub and mailboxes, in virtual time: each row once, at its time, and in its turn."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from ticktree.actors import (
    Actor,
    ActorRef,
    Block,
    ChildSpec,
    DropOldest,
    Mailbox,
    Supervisor,
    System,
    VirtualClock,
    simulate,
)
from ticktree.distribution import Hub
from ticktree.feeds import FeedAccount, Source
from ticktree.feeds.files import BadRow, FilesFeed, FilesReplay, NoFile, WrongClock, write_ticks
from ticktree.feeds.files.order import joined
from ticktree.market import Batch, BookUpdate, FeedState, FeedStatus, Live, Stale, Ticks, Topic, Trade

from ...actors.harness import cell_of, running, without_collector
from .made import BEGAN_NS, BOOK, BTC, BUY, ETH, KNOWN, LAST, SELL, SNAPSHOT, TRADE, csv, row, ticks, trades

ROOM = Mailbox(100_000, DropOldest())
ALL = tuple(map(Topic.parse, ("f/BTC-USDT/*", "f/ETH-USDT/*")))
Seen = list[tuple[int, Any]]  # when it was handled, after `BEGAN_NS`, and what


def nothing(taker: "Taker", message: Any) -> None:
    pass


class Taker(Actor[Any]):
    """Subscribes to all, and writes down what it gets and when; `handle` is what it does beside that."""

    def __init__(self, hub: Hub, seen: Seen, handle: Callable[["Taker", Any], Any] = nothing) -> None:
        self.hub, self.seen, self.handle = hub, seen, handle

    def on_start(self) -> None:
        self.subscribe()

    def subscribe(self) -> None:
        self.hub.subscribe(self.ref, [Topic.parse("*/*/*")])

    def on_message(self, message: Any) -> Any:
        self.seen.append((self.clock.now_ns() - BEGAN_NS, message))
        return self.handle(self, message)


@attrs.define(eq=False)
class Stage:
    """A taker, and feeds that begin after it."""

    hub: Hub = attrs.field(factory=Hub)
    seen: Seen = attrs.field(factory=Seen)
    account: FeedAccount = attrs.field(factory=FeedAccount)
    feeds: list[FilesFeed] = attrs.field(factory=list[FilesFeed])
    more: list[ChildSpec] = attrs.field(factory=list[ChildSpec])
    system: System | None = None

    @property
    def replay(self) -> FilesReplay:
        assert isinstance(self.account.replay, FilesReplay)
        return self.account.replay

    @property
    def batches(self) -> list[tuple[int, Batch]]:
        return [(at, message) for at, message in self.seen if isinstance(message, Batch)]

    @property
    def sizes(self) -> list[tuple[int, list[float]]]:
        """When each batch came, and the sizes in it, which tell rows apart."""
        return [(at, batch.ticks["b"].tolist()) for at, batch in self.batches]

    @property
    def marks(self) -> list[Any]:
        return [message for _, message in self.seen if not isinstance(message, Batch | str)]

    def feed(self, files: Sequence[Path], window_s: float = 0.0, **source: Any) -> ChildSpec:
        settings: dict[str, Any] = {"ids": self.hub.ids, "account": self.account, **source}
        value = Source(settings.pop("name", "f"), settings.pop("topics", ALL), self.hub, **settings)

        def start() -> FilesFeed:
            self.feeds.append(FilesFeed(value, files, KNOWN, window_s))
            return self.feeds[-1]

        return ChildSpec("feed" if value.name == "f" else value.name, start, ROOM)

    def play(
        self,
        *feeds: ChildSpec,
        taker: ChildSpec | None = None,
        during: Callable[[VirtualClock], Any] | None = None,
        rest_s: float = 0.0,
    ) -> "Stage":
        """Until the first of `feeds` has told all."""
        first = taker or ChildSpec("taker", lambda: Taker(self.hub, self.seen), ROOM)
        root = Supervisor((first, *self.more, *feeds), intensity=10, period_s=1.0)

        async def main(clock: VirtualClock) -> None:
            self.system = System(root, clock)
            await self.system.start()
            if during is not None:
                during(clock)
            await self.replay.over()
            await clock.sleep(rest_s or 1e-9)
            await self.system.stop()
            assert all(cell.stats().unaccounted == 0 for cell in self.system.cells())

        with without_collector():
            simulate(main, BEGAN_NS)
        return self


def written(folder: Path, *chunks: Ticks, name: str = "a.ticks") -> Path:
    path = folder / name
    path.unlink(missing_ok=True)
    write_ticks(path, "f", [BTC, ETH], chunks)
    return path


def at(*after_ns: int, id: int = 0) -> Ticks:
    return trades(*(BEGAN_NS + ns for ns in after_ns), id=id)


# --- batches -------------------------------------------------------------------------------------------------------


def test_each_instant_is_one_batch_at_its_time(tmp_path: Path) -> None:
    stage = Stage()
    stage.play(stage.feed([written(tmp_path, at(10, 10, 11, 50, 50, 50))]))
    assert stage.sizes == [(10, [0, 1]), (11, [2]), (50, [3, 4, 5])]
    assert all(not batch.ticks.flags.writeable for _, batch in stage.batches)
    (live,) = stage.marks
    assert (live.state, live.received_time_ns) == (FeedState.LIVE, BEGAN_NS + 10)
    assert stage.account.kinds == {"trade": 6, "FeedStatus": 1}
    assert stage.replay.ended
    assert stage.replay.error is None


def test_progress_is_told_in_bytes_rows_and_time(tmp_path: Path) -> None:
    stage, path = Stage(), written(tmp_path, at(10, 20, 30))
    stage.play(stage.feed([path]))
    progress, size = stage.replay.progress(), path.stat().st_size
    assert (progress.bytes_done, progress.bytes_total, progress.blocks) == (size, size, 3)
    assert (progress.first_ns, progress.time_ns) == (BEGAN_NS + 10, BEGAN_NS + 30)


def test_with_a_window_a_batch_is_told_at_the_time_of_its_last_row(tmp_path: Path) -> None:
    stage = Stage()
    stage.play(stage.feed([written(tmp_path, at(0, 5, 9, 10, 14, 40, 49, 50))], window_s=10e-9))
    assert stage.sizes == [(9, [0, 1, 2]), (14, [3, 4]), (49, [5, 6]), (50, [7])]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=30).map(sorted),
    st.integers(0, 12),
    st.lists(st.integers(0, 40), max_size=6),
)
def test_no_batch_crosses_an_alarm_and_all_rows_are_told(
    tmp_path: Path, times: list[int], window_ns: int, alarms: list[int]
) -> None:
    stage = Stage()

    def ring(taker: Taker, message: Any) -> None:
        if isinstance(message, FeedStatus):  # the first data are at hand: an alarm at once, and one for later
            taker.clock.call_at(taker.clock.monotonic_ns() + 7, lambda: stage.seen.append((-1, "late alarm")))

    def set_alarms(clock: VirtualClock) -> None:
        for due in alarms:
            clock.call_at(due, lambda: stage.seen.append((clock.now_ns() - BEGAN_NS, "alarm")))

    path = written(tmp_path, at(*times))
    taker = ChildSpec("taker", lambda: Taker(stage.hub, stage.seen, ring), ROOM)
    stage.play(stage.feed([path], window_s=window_ns * 1e-9), taker=taker, during=set_alarms, rest_s=1e-6)

    assert joined([batch.ticks for _, batch in stage.batches]).tobytes() == at(*times).tobytes()
    told = 0
    for when, message in stage.seen:
        if isinstance(message, Batch):
            rows = [ns - BEGAN_NS for ns in message.ticks["received_time_ns"].tolist()]
            assert when == rows[-1]
            assert rows[-1] - rows[0] <= max(0, window_ns - 1)
            told += len(rows)
        elif message == "alarm":
            assert told == sum(time <= when for time in times)
    assert sum(message == "alarm" for _, message in stage.seen) == len(alarms)


def test_feeds_of_one_instant_come_by_rank_and_windows_do_not_reorder_them(tmp_path: Path) -> None:
    stage = Stage()
    one = stage.feed([written(tmp_path, at(0, 3, 6, 9), name="a.ticks")], window_s=1e-6, rank=1)
    path = written(tmp_path, at(0, 4, 6), name="b.ticks")
    other = FeedAccount()
    topics = tuple(map(Topic.parse, ("g/BTC-USDT/*",)))
    two = stage.feed([path], window_s=1e-6, rank=0, name="g", topics=topics, account=other)
    stage.play(one, two, rest_s=1e-6)
    found = [(message.feed, when, len(message)) for when, message in stage.batches]
    assert found == [
        ("g", 0, 1), ("f", 3, 2), ("g", 4, 1), ("g", 6, 1), ("f", 9, 2),
    ]  # fmt: skip


# --- files ---------------------------------------------------------------------------------------------------------


def test_files_of_one_feed_are_told_by_time(tmp_path: Path) -> None:
    lines = [f"{BEGAN_NS + ns},BTCUSDT,100,{size}" for ns, size in ((5, 70), (20, 71), (20, 72))]
    table = csv(tmp_path / "b.csv", "received_time_ns,symbol,price,size", *lines)
    stage = Stage()
    stage.play(stage.feed([written(tmp_path, at(0, 20, 30)), table]))
    assert stage.sizes == [(0, [0]), (5, [70]), (20, [1, 71, 72]), (30, [2])]


def test_a_bad_row_ends_the_replay_after_what_came_before(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [f"{BEGAN_NS + number},1,{number}" for number in range(100_000)] + [f"{BEGAN_NS + 100_000},1,-1"]
    stage = Stage()
    stage.play(stage.feed([csv(tmp_path / "BTCUSDT.csv", "received_time_ns,price,size", *rows)], window_s=1.0))
    assert isinstance(stage.replay.error, BadRow)
    assert stage.replay.ended
    assert "row 100,001: a size is negative" in str(stage.replay.error)
    told = stage.account.kinds["trade"]
    assert told == sum(len(batch) for _, batch in stage.batches) == stage.replay.rows > 0
    assert [record.levelname for record in caplog.records if "the replay ends" in record.message] == ["ERROR"]
    assert len(stage.feeds) == 1


def test_a_file_that_is_not_there_ends_it_at_once(tmp_path: Path) -> None:
    stage = Stage()
    stage.play(stage.feed([tmp_path / "none.ticks"]))
    assert isinstance(stage.replay.error, NoFile)
    assert stage.seen == []


def test_what_was_left_out_is_noted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = written(tmp_path, at(0, 1), at(2, id=1))
    path.write_bytes(path.read_bytes() + b"torn")
    stage = Stage()
    stage.play(stage.feed([path], topics=(Topic.parse("f/ETH-USDT/trade"),)))
    assert [len(batch) for _, batch in stage.batches] == [1]
    torn = "its last 4 bytes were cut off, and are left out"
    note = f"{torn}; 2 of 3 rows are of what the feed does not bring, and left out"
    assert stage.replay.notes == {path: note}
    assert note in caplog.text


def test_without_rows_of_its_own_it_ends_untold(tmp_path: Path) -> None:
    stage = Stage()
    stage.play(stage.feed([written(tmp_path, at(0, 1))], topics=(Topic.parse("f/BTC-USDT/quote"), ALL[1])))
    assert stage.seen == []
    assert stage.replay.error is None


async def test_files_need_a_virtual_clock(tmp_path: Path) -> None:
    path, hub = written(tmp_path, at(0)), Hub()
    feed = FilesFeed(Source("f", ALL, hub), [path], {})

    def start(actor: Actor[Any], _: Any) -> None:
        with pytest.raises(WrongClock, match="this system's clock is no such one"):
            FilesFeed.on_start(feed)

    async with running(ChildSpec("holder", partial(Holder, feed, start), ROOM)) as system:
        assert system.snapshot() is not None


class Holder(Actor[Any]):
    """Lends its life to a feed that the test asks itself."""

    def __init__(self, feed: FilesFeed, do: Callable[[Actor[Any], Any], None]) -> None:
        self.feed, self.do = feed, do

    def on_start(self) -> None:
        self.feed._ticktree_life = self._ticktree_life  # pyright: ignore[reportPrivateUsage]  # as a supervisor does
        self.do(self, None)


# --- lives, pauses, books ------------------------------------------------------------------------------------------


def test_a_later_life_goes_on_where_the_first_one_was_killed(tmp_path: Path) -> None:
    stage = Stage()

    def kill(clock: VirtualClock) -> None:
        assert stage.system is not None
        clock.call_at(25, cell_of(stage.system, "feed").kill)

    stage.play(stage.feed([written(tmp_path, at(10, 20, 20, 30, 40))]), during=kill)
    assert len(stage.feeds) == 2
    assert [sizes for _, sizes in stage.sizes] == [[0], [1, 2], [3], [4]]
    assert stage.account.kinds == {"trade": 5, "FeedStatus": 1}


def test_a_full_mailbox_holds_the_feed_up_and_loses_nothing(tmp_path: Path) -> None:
    stage = Stage()

    class Slow(Taker):
        def subscribe(self) -> None:
            self.hub.subscribe(self.ref, [Topic.parse("f/*/*")], pauses_feed=True)

    async def linger(taker: Taker, message: Any) -> None:
        await taker.clock.sleep(100e-9)

    taker = ChildSpec("taker", lambda: Slow(stage.hub, stage.seen, linger), Mailbox(2, Block()))
    times = range(0, 50, 5)
    stage.play(stage.feed([written(tmp_path, at(*times))]), taker=taker, rest_s=1e-5)
    assert [size for _, sizes in stage.sizes for size in sizes] == list(range(10))
    assert stage.account.pauses > 0
    assert stage.replay.error is None


def subscribe(hub: Hub, ref: ActorRef[Any]) -> None:
    hub.subscribe(ref, [Topic.parse("f/*/book")])


def book(time_ns: int, price: float, size: float, side: int = BUY, snapshot: int = 0) -> tuple[Any, ...]:
    return row(BOOK, BEGAN_NS + time_ns, price, size, flags=side | snapshot | LAST)


def test_who_comes_late_is_told_the_book_and_what_follows(tmp_path: Path) -> None:
    stage = Stage()
    rows = [
        book(0, 5.0, 1.0),  # of a book that nobody knows yet
        row(BOOK, BEGAN_NS + 10, 99.0, 1.0, flags=BUY | SNAPSHOT),
        row(BOOK, BEGAN_NS + 10, 101.0, 2.0, flags=SELL | SNAPSHOT | LAST),
        row(TRADE, BEGAN_NS + 15, 100.0, 1.0),
        book(20, 99.0, 0.0),
        book(20, 98.0, 4.0),
        book(40, 97.0, 3.0),
    ]
    late = Seen()
    port = list[Any]()

    def join(clock: VirtualClock) -> None:
        assert stage.system is not None
        assert list(stage.feeds[0].books()) == []
        assert stage.feeds[0].book("BTC-USDT") is None
        ref = stage.system.ref("late")
        clock.call_at(5, lambda: port.append(stage.feeds[0].book("BTC-USDT")))
        clock.call_at(30, partial(subscribe, stage.hub, ref))
        clock.call_at(50, lambda: port.append(stage.feeds[0].book("BTC-USDT")))

    class Late(Taker):
        def subscribe(self) -> None:
            """When the test says so."""

    stage.more = [ChildSpec("late", lambda: Late(stage.hub, late), ROOM)]
    stage.play(stage.feed([written(tmp_path, ticks(rows))]), during=join, rest_s=1e-6)
    snapshot, update = [event for _, message in late if isinstance(message, Batch) for event in message.events]
    assert isinstance(snapshot, BookUpdate)
    assert (snapshot.snapshot, snapshot.bids, snapshot.asks) == (True, ((98.0, 4.0),), ((101.0, 2.0),))
    assert isinstance(update, BookUpdate)
    assert (update.snapshot, update.bids) == (False, ((97.0, 3.0),))
    before, after = port
    assert before is None
    assert after.bids == ((98.0, 4.0), (97.0, 3.0))
    assert list(stage.feeds[0].books()) == [after]


def test_an_instrument_that_nothing_is_heard_of_is_stale_until_it_is(tmp_path: Path) -> None:
    stage = Stage()
    path = written(tmp_path, at(0, 1_000_000_000, 9_000_000_000))
    stage.play(stage.feed([path], topics=ALL[:1], stale_after_s=2.0))
    stale, live = [mark for mark in stage.marks if isinstance(mark, Stale | Live)]
    assert isinstance(stale, Stale)
    assert 3e9 < stale.received_time_ns - BEGAN_NS <= 3.5e9
    assert isinstance(live, Live)
    assert live.received_time_ns == BEGAN_NS + 9_000_000_000


def test_events_come_as_they_would_from_any_feed(tmp_path: Path) -> None:
    stage = Stage()
    stage.play(stage.feed([written(tmp_path, at(0, 1))]))
    events = [event for _, batch in stage.batches for event in batch.events]
    assert events == [
        Trade("f", BTC, 100.0, float(number), None, 0, BEGAN_NS + number, BEGAN_NS + number) for number in (0, 1)
    ]


def test_what_it_does_not_understand_is_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage()

    def tell(clock: VirtualClock) -> None:
        assert stage.system is not None
        stage.system.ref("feed").tell("nonsense")

    stage.play(stage.feed([written(tmp_path, at(10, 20))]), during=tell)
    assert "UnknownMessage: feed was told 'nonsense', which it does not understand" in caplog.text
    assert len(stage.feeds) == 2
    assert [sizes for _, sizes in stage.sizes] == [[0], [1]]


def test_a_later_life_leaves_out_whole_chunks_that_were_told(tmp_path: Path) -> None:
    stage = Stage()

    def kill(clock: VirtualClock) -> None:
        assert stage.system is not None
        for due in (25, 35):
            clock.call_at(due, cell_of(stage.system, "feed").kill)

    days = [written(tmp_path, at(10, 20), name="1.ticks"), written(tmp_path, at(30, 40, 50), name="2.ticks")]
    stage.play(stage.feed(days), during=kill)
    assert len(stage.feeds) == 3
    assert [when for when, _ in stage.batches] == [10, 20, 30, 40, 50]
    assert stage.replay.error is None


def test_while_it_is_held_up_nothing_is_told_and_then_all_that_was_due(tmp_path: Path) -> None:
    stage = Stage()

    def hold(clock: VirtualClock) -> None:
        feed = stage.feeds[0]
        clock.call_at(15, partial(feed.pause, "one"))
        clock.call_at(16, partial(feed.pause, "another"))
        clock.call_at(60, partial(feed.resume, "one"))
        clock.call_at(100, partial(feed.resume, "another"))

    stage.play(stage.feed([written(tmp_path, at(10, 20, 30, 150))]), during=hold)
    assert stage.sizes == [(10, [0]), (100, [1]), (100, [2]), (150, [3])]
    assert stage.account.pauses == 1
