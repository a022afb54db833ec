"""With `fsync`, whoever waits waits for the disk, and many share one wait."""

import asyncio
import errno
import gc
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import attrs
import pytest

from ticktree.actors import VirtualClock, simulate
from ticktree.routing.errors import JournalFailed
from ticktree.routing.journal import Durability, Journal, commits, writer

from .some import doubts, held, opened, story

FACTS = story(10)
PATIENCE_S = 30


@attrs.define
class Disk:
    """In the place of the disk: counts its syncs, holds each back until it is let through, fails from then on."""

    syncs: int = 0
    error: OSError | None = None
    asked: threading.Semaphore = attrs.field(factory=lambda: threading.Semaphore(0))
    through: threading.Semaphore | None = None
    threads: set[str] = attrs.field(factory=set[str])
    blocked_signals: set[int] = attrs.field(factory=set[int])

    def sync(self, fd: int) -> None:
        self.syncs += 1
        self.threads.add(threading.current_thread().name)
        self.blocked_signals = set(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
        self.asked.release()
        if self.through is not None:
            assert self.through.acquire(timeout=PATIENCE_S)
        if self.error is not None:
            raise self.error

    def hold(self) -> None:
        self.through = threading.Semaphore(0)

    def let(self) -> None:
        assert self.through is not None
        self.through.release()

    async def begun(self) -> None:
        """A sync is under way."""
        assert await asyncio.to_thread(self.asked.acquire, timeout=PATIENCE_S)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "main.journal"


@pytest.fixture
def heard() -> list[JournalFailed]:
    return []


@pytest.fixture
def journal(path: Path, heard: list[JournalFailed]) -> Iterator[Journal]:
    journal, _, _ = opened(path, durability=Durability.FSYNC, on_failure=heard.append)
    yield journal
    journal.close()


@pytest.fixture
def disk(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> Generator[Disk]:
    """From after the opening on, and until after the end."""
    disk = Disk()
    monkeypatch.setattr(commits, "sync", disk.sync)
    yield disk
    if disk.through is not None:
        disk.through.release(1_000)
    journal.close()


def waiting(journal: Journal) -> "asyncio.Future[None]":
    future = journal.committed()
    assert future is not None
    return future


async def done(*futures: "asyncio.Future[None]") -> None:
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.wait(futures)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110  # another thread makes it true
            await asyncio.sleep(0.001)


async def test_a_send_waits_for_its_commit(journal: Journal, disk: Disk) -> None:
    disk.hold()
    assert journal.committed() is None
    journal.append(FACTS[0])
    commit = waiting(journal)
    await disk.begun()
    assert not commit.done()
    disk.let()
    await done(commit)
    assert commit.result() is None
    assert journal.committed() is None
    assert (disk.syncs, disk.threads) == (1, {"journal"})


async def test_all_that_is_appended_in_one_turn_shares_one_sync(journal: Journal, disk: Disk) -> None:
    futures = list[asyncio.Future[None]]()
    for fact in FACTS:
        journal.append(fact)
        futures.append(waiting(journal))
    await done(*futures)
    assert disk.syncs == 1


async def test_all_that_is_appended_during_a_sync_shares_the_next(journal: Journal, disk: Disk) -> None:
    disk.hold()
    journal.append(FACTS[0])
    first = waiting(journal)
    await disk.begun()
    others = list[asyncio.Future[None]]()
    for fact in FACTS[1:]:
        journal.append(fact)
        others.append(waiting(journal))
        await asyncio.sleep(0)
    disk.let()
    await done(first)
    await disk.begun()
    assert not any(future.done() for future in others)
    disk.let()
    await done(*others)
    assert disk.syncs == 2


async def test_what_nobody_waits_for_is_committed_as_well(journal: Journal, disk: Disk) -> None:
    journal.append(FACTS[0])
    await disk.begun()
    await until(lambda: journal.committed() is None)
    assert disk.syncs == 1


async def test_who_gives_up_waiting_takes_nothing_from_the_others(journal: Journal, disk: Disk) -> None:
    journal.append(FACTS[0])
    gone, stays = waiting(journal), waiting(journal)
    gone.cancel()
    await done(stays)
    assert stays.result() is None


async def test_an_error_of_the_disk_fails_all_who_wait_and_everything_after(
    journal: Journal, disk: Disk, heard: list[JournalFailed]
) -> None:
    disk.hold()
    journal.append(FACTS[0])
    first = waiting(journal)
    await disk.begun()
    journal.append(FACTS[1])
    second, disk.error = waiting(journal), OSError(errno.EIO, "Input/output error")
    disk.let()
    await done(first, second)
    for future in (first, second, waiting(journal)):
        with pytest.raises(JournalFailed, match="it cannot be written any more: Input/output error"):
            await future
    disk.error = None  # the disk would say that all is well: it has dropped what it could not write
    with pytest.raises(JournalFailed, match="Input/output error"):
        journal.append(FACTS[2])
    assert heard == [journal.failed]
    journal.close()
    assert disk.syncs == 1


async def test_who_no_longer_waits_is_not_missed_when_the_disk_fails(journal: Journal, disk: Disk) -> None:
    disk.error = OSError(errno.EIO, "Input/output error")
    journal.append(FACTS[0])
    assert journal.committed() is not None
    await until(lambda: journal.failed is not None)
    journal.close()
    gc.collect()  # else the loop would hear of an exception that nobody asked for, which fails the test


async def test_an_error_that_nobody_waits_for_is_told(journal: Journal, disk: Disk, heard: list[JournalFailed]) -> None:
    disk.error = OSError(errno.ENOSPC, "No space left on device")
    journal.append(FACTS[0])
    await disk.begun()
    await until(lambda: bool(heard))
    assert heard == [journal.failed]


async def test_what_was_committed_before_an_error_was_committed(journal: Journal, disk: Disk) -> None:
    disk.hold()
    journal.append(FACTS[0])
    first = waiting(journal)
    await disk.begun()
    disk.let()
    journal.append(FACTS[1])
    second = waiting(journal)
    await disk.begun()
    disk.error = OSError(errno.EIO, "Input/output error")
    disk.let()
    await done(first, second)
    assert first.exception() is None
    assert isinstance(second.exception(), JournalFailed)


async def test_a_full_disk_leaves_those_who_wait_for_earlier_facts_their_commit(
    journal: Journal, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk.hold()
    journal.append(FACTS[0])
    first = waiting(journal)

    def fails(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", fails)
        with pytest.raises(JournalFailed):
            journal.append(FACTS[1])
    await disk.begun()
    disk.let()
    await done(first)
    assert first.exception() is None


async def test_closing_commits_what_is_there_and_tells_who_waits(journal: Journal, disk: Disk, path: Path) -> None:
    journal.append(FACTS[0])
    commit = waiting(journal)
    journal.close()
    assert commit.done()
    assert commit.exception() is None
    assert disk.syncs == 1
    assert "journal" not in {thread.name for thread in threading.enumerate()}
    assert held(path) == FACTS[:1]


async def test_closing_does_not_wait_for_ever(
    journal: Journal, disk: Disk, heard: list[JournalFailed], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "END_S", 0.01)
    disk.hold()
    journal.append(FACTS[0])
    commit = waiting(journal)
    await disk.begun()
    journal.close()
    assert isinstance(commit.exception(), JournalFailed)
    assert heard == [journal.failed]
    assert "the disk did not answer within 0.01 s" in str(journal.failed)
    disk.let()


def test_facts_are_committed_without_a_loop_as_well(journal: Journal, disk: Disk) -> None:
    journal.append(FACTS[0])
    assert disk.asked.acquire(timeout=PATIENCE_S)
    assert disk.blocked_signals >= {signal.SIGINT, signal.SIGTERM}


def test_an_error_without_a_loop_is_told_with_the_next_append(
    journal: Journal, disk: Disk, heard: list[JournalFailed]
) -> None:
    disk.error = OSError(errno.EIO, "Input/output error")
    journal.append(FACTS[0])
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "journal"]
    thread.join(PATIENCE_S)
    with pytest.raises(JournalFailed, match="Input/output error"):
        journal.append(FACTS[1])
    assert heard == [journal.failed]


def test_one_loop_may_follow_another(journal: Journal, disk: Disk) -> None:
    async def one() -> None:
        journal.append(FACTS[0])
        await done(waiting(journal))

    for _ in range(3):
        loop = asyncio.new_event_loop()
        last = loop.create_task(one())
        last.add_done_callback(lambda _: journal.append(FACTS[1]))  # its commit is due in a turn that never comes
        loop.run_until_complete(last)
        loop.close()
    journal.close()
    assert journal.failed is None


def test_commits_come_in_virtual_time(journal: Journal, disk: Disk) -> None:
    async def main(clock: VirtualClock) -> int:
        for fact in FACTS:
            journal.append(fact)
            await waiting(journal)
        return clock.now_ns()

    assert simulate(main) == 0  # the disk's time is none
    assert disk.syncs == len(FACTS)


def test_without_fsync_nothing_is_waited_for_and_there_is_no_thread(path: Path) -> None:
    journal, _, _ = opened(path)
    journal.append(FACTS[0])
    assert journal.committed() is None
    assert "journal" not in {thread.name for thread in threading.enumerate()}
    journal.close()


async def test_the_real_disk_commits(path: Path) -> None:
    journal, _, _ = opened(path, durability="fsync")
    for fact in doubts(100):
        journal.append(fact)
        await done(waiting(journal))
    journal.close()
    assert held(path) == doubts(100)
