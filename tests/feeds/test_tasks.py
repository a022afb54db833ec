"""Work on behalf of a connection."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from ticktree.feeds import tasks as module
from ticktree.feeds.tasks import Tasks
from ticktree.net import PeerLost

from ..probe import turns_until


class Owner:
    def __init__(self) -> None:
        self.failed: list[Exception] = []
        self.faults: list[Exception] = []
        self.tasks = Tasks(self.failed.append, self.faults.append)

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.begin(work, "works")


async def raising(error: Exception) -> None:
    await asyncio.sleep(0)
    raise error


async def waiting(gate: asyncio.Event, error: Exception | None = None) -> None:
    try:
        await gate.wait()
    except asyncio.CancelledError:
        if error is None:
            raise
        raise error from None


async def test_theirs_and_ours_are_told_apart() -> None:
    owner, theirs, ours = Owner(), PeerLost("theirs"), ValueError("ours")
    owner.begin(raising(theirs))
    owner.begin(raising(ours))
    await turns_until(lambda: bool(owner.failed and owner.faults))
    assert (owner.failed, owner.faults) == ([theirs], [ours])


async def test_whether_work_is_under_way_is_known() -> None:
    owner, gate = Owner(), asyncio.Event()
    seen = [owner.tasks.under_way]
    owner.begin(waiting(gate))
    seen.append(owner.tasks.under_way)
    assert seen == [False, True]
    gate.set()
    await turns_until(lambda: not owner.tasks.under_way)
    await owner.tasks.stop()


async def test_what_becomes_of_dropped_work_concerns_nobody_but_for_faults_of_ours() -> None:
    owner, gate, ours = Owner(), asyncio.Event(), ValueError("ours")
    for error in (None, PeerLost("late"), ours):
        owner.begin(waiting(gate, error))
    await asyncio.sleep(0)
    owner.tasks.drop()
    await owner.tasks.stop()
    assert (owner.failed, owner.faults) == ([], [ours])


async def test_a_stop_waits_for_the_end_and_not_for_ever(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "STOP_S", 0.01)
    owner, gate = Owner(), asyncio.Event()

    async def swallow() -> None:
        while not gate.is_set():
            try:
                await gate.wait()
            except asyncio.CancelledError:
                pass

    owner.begin(swallow())
    await asyncio.sleep(0)
    await owner.tasks.stop()
    assert "works goes on although it was cancelled" in caplog.text
    gate.set()
    await owner.tasks.stop()
