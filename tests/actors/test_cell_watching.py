"""Who monitors a place hears when lives end there."""

from collections.abc import Awaitable
from typing import Any

import pytest

from tests.actors.harness import Recorder, cell_of, child, plain, raises, restarted, running, settle
from ticktree.actors import (
    Actor,
    Delivery,
    Down,
    Exit,
    Misuse,
    Restart,
    VirtualClock,
)


async def test_who_monitors_hears_of_every_life_that_ends() -> None:
    seen: list[Any] = []
    async with running(child("watcher", lambda: Recorder(seen)), plain("a", raises)) as system:
        watch = system.ref("a").monitor(system.ref("watcher"))
        for _ in range(2):
            system.ref("a").tell("bad")
            await settle()
        await restarted(system, "a")
        watch.cancel()
        watch.cancel()
        await restarted(system, "a")
    assert [(down.path, down.life, down.reason.kind) for down in seen] == [
        ("a", 1, Exit.ERROR),
        ("a", 2, Exit.ERROR),
        ("a", 3, Exit.KILLED),
    ]
    assert isinstance(seen[0].reason.error, ValueError)


async def test_who_monitors_a_place_where_nobody_lives_hears_so_at_once() -> None:
    seen: list[Any] = []
    async with running(
        child("watcher", lambda: Recorder(seen)), child("a", Actor, restart=Restart.TRANSIENT)
    ) as system:
        await system.supervisor().terminate_child("a")
        system.ref("a").monitor(system.ref("watcher"))
        await settle()
    assert [(down.life, down.reason.kind) for down in seen] == [(1, Exit.SHUTDOWN)]


async def test_a_watcher_that_is_gone_for_good_is_forgotten() -> None:
    async with running(child("watcher", Actor, restart=Restart.TEMPORARY), plain("a", raises)) as system:
        watcher = system.ref("watcher")
        system.ref("a").monitor(watcher)
        await system.supervisor().terminate_child("watcher")
        system.ref("a").tell("bad")
        await settle()
        assert not cell_of(system, "a").watches


async def test_a_watch_cancelled_while_its_down_waits_is_not_told(clock: VirtualClock) -> None:
    seen: list[Any] = []

    class Watcher(Actor[Any]):
        def on_message(self, message: Any) -> Awaitable[None] | None:
            seen.append(message)
            return clock.sleep(1.0) if message == "wait" else None

    async with running(child("watcher", Watcher), plain("a", raises)) as system:
        watcher = system.ref("watcher")
        watch = system.ref("a").monitor(watcher)
        watcher.tell("wait")
        await settle()
        while watcher.tell_control("flood") is Delivery.ACCEPTED:
            pass
        system.ref("a").tell("bad")
        await clock.sleep(0.5)
        watch.cancel()
        await clock.sleep(2.0)
    assert not any(isinstance(message, Down) for message in seen)


async def test_misuse_of_weights_through_a_ref_changes_nothing() -> None:
    async with running(child("a", Actor)) as system:
        with pytest.raises(Misuse, match="a number of ticks"):
            system.ref("a").tell("message", -1)
        assert system.ref("a").stats().received == 0
