"""One life: every way it begins and ends by itself."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.actors.harness import (
    Stopping,
    Swallower,
    cell_of,
    child,
    clock_here,
    do,
    last,
    restarted,
    running,
    settle,
    tree,
)
from ticktree.actors import (
    KILLED,
    NORMAL,
    Actor,
    Exit,
    Ignore,
    NotRunning,
    Reason,
    Restart,
    Shutdown,
    StartFailed,
    StartTimeout,
    System,
    VirtualClock,
    failed,
)
from ticktree.actors.life import KILL_GRACE_NS

GRACE_S = KILL_GRACE_NS / 1e9


def _cancelled() -> None:
    raise asyncio.CancelledError


# --- beginning -------------------------------------------------------------------------------------------------------


async def test_messages_told_before_and_during_the_start_are_handled_after_it(clock: VirtualClock) -> None:
    seen: list[Any] = []

    class Late(Actor[Any]):
        async def on_start(self) -> None:
            self.ref.tell("told by itself")
            await self.clock.sleep(1.0)
            seen.append("started")

        def on_message(self, message: Any) -> None:
            seen.append(message)

    system = System(tree([child("a", Late)]), clock)
    system.ref("a").tell("before the system")
    async with system:
        assert system.ref("a").stats().received == 2
        await settle()
    assert seen == ["started", "before the system", "told by itself"]


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (lambda: 3, "start returned 3, not an Actor"),
        (lambda: None, "start returned None, not an Actor"),
        (lambda: 1 / 0, "ZeroDivisionError: division by zero"),
    ],
)
async def test_a_factory_that_makes_no_actor_fails_the_start(made: Callable[[], Any], why: str) -> None:
    system = System(tree([child("a", made)]), clock_here())
    with pytest.raises(StartFailed, match=why) as raised:
        await system.start()
    assert raised.value.path == "a"
    assert raised.value.__cause__ is not None


async def test_an_actor_lives_in_one_place_only() -> None:
    one = Actor[Any]()
    system = System(tree([child("a", lambda: one), child("b", lambda: one)]), clock_here())
    with pytest.raises(StartFailed, match="already lives at a: make a new one each time"):
        await system.start()


async def test_an_on_start_that_returns_junk_fails_the_start() -> None:
    class Junk(Actor[Any]):
        def on_start(self) -> Any:
            return 3

    with pytest.raises(StartFailed, match="a handler of a returned 3"):
        await System(tree([child("a", Junk)]), clock_here()).start()


@pytest.mark.parametrize("error", [ValueError("x"), asyncio.CancelledError()])
@pytest.mark.parametrize("is_async", [False, True])
async def test_an_on_start_that_raises_fails_the_start(error: BaseException, is_async: bool) -> None:
    class Raises(Actor[Any]):
        def on_start(self) -> Any:
            if is_async:
                return self._later()
            raise error

        async def _later(self) -> None:
            await self.clock.sleep(1.0)
            raise error

    with pytest.raises(StartFailed, match=f"a did not start: {type(error).__name__}"):
        await System(tree([child("a", Raises)]), clock_here()).start()


async def test_an_on_start_that_hangs_is_given_up_and_told_where_it_waits(clock: VirtualClock) -> None:
    class Hangs(Actor[Any]):
        async def on_start(self) -> None:
            await asyncio.sleep(3600.0)

    system = System(tree([child("a", Hangs, start_timeout_s=2.0)]), clock)
    with pytest.raises(StartTimeout, match=r"a did not start: on_start was still running after 2 s, .*in sleep"):
        await system.start()
    assert clock.monotonic_ns() == pytest.approx(2e9, rel=0.01)


async def test_an_on_start_that_swallows_its_cancellation_is_given_up_too(clock: VirtualClock) -> None:
    swallower = Swallower()

    class Hangs(Actor[Any]):
        async def on_start(self) -> None:
            await swallower.swallow()

    system = System(tree([child("a", Hangs, start_timeout_s=2.0)]), clock)
    with pytest.raises(StartTimeout):
        await system.start()
    assert clock.monotonic_ns() == pytest.approx((2.0 + GRACE_S) * 1e9, rel=0.01)
    assert [(leak.path, leak.life) for leak in system.leaks] == [("a", 1)]
    await swallower.release()


async def test_an_ignored_actor_leaves_its_place_closed() -> None:
    class Unneeded(Actor[Any]):
        async def on_start(self) -> None:
            raise Ignore

    async with running(child("a", Unneeded), child("b", Actor)) as system:
        assert (last(system, "a"), cell_of(system, "a").lives) == (NORMAL, 1)
        assert system.ref("b").stats().received == 0


async def test_an_actor_that_stops_itself_while_it_starts_ends_after_its_start() -> None:
    seen: list[Any] = []

    class Brief(Stopping):
        def on_start(self) -> None:
            self.stop()

    async with running(child("a", lambda: Brief(seen), restart=Restart.TRANSIENT)) as system:
        assert (last(system, "a"), seen) == (NORMAL, [NORMAL])


USES: list[Callable[[Actor[Any]], object]] = [
    lambda actor: actor.ref,
    lambda actor: actor.path,
    lambda actor: actor.clock,
    lambda actor: actor.reads,
    lambda actor: actor.find("a"),
    lambda actor: actor.after(1.0, 0),
    lambda actor: actor.every(1.0, 0),
    lambda actor: actor.stop(),
]


@pytest.mark.parametrize("use", USES)
def test_an_actor_that_does_not_run_has_no_place(use: Callable[[Actor[Any]], object]) -> None:
    with pytest.raises(NotRunning, match="this Stopping does not run"):
        use(Stopping([]))


async def test_an_actor_whose_life_ended_can_do_nothing_more() -> None:
    lives: list[Actor[Any]] = []

    class Kept(Actor[Any]):
        def on_start(self) -> None:
            lives.append(self)

    async with running(child("a", Kept)) as system:
        await restarted(system, "a")
        with pytest.raises(NotRunning):
            lives[0].after(1.0, "message")
        assert lives[1].path == "a"


# --- on_stop ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (do(lambda actor: actor.stop()), NORMAL),
        (do(lambda actor: actor.stop(Reason(Exit.SHUTDOWN))), Reason(Exit.SHUTDOWN)),
        (do(lambda actor: actor.stop(failed(KeyError("mine")))), failed(KeyError("mine"))),
        (ValueError("bad"), failed(ValueError("bad"))),
    ],
)
async def test_on_stop_hears_why_and_the_place_remembers_it(message: Any, reason: Reason) -> None:
    seen: list[Any] = []
    async with running(child("a", lambda: Stopping(seen), restart=Restart.TEMPORARY)) as system:
        cell = cell_of(system, "a")
        system.ref("a").tell(message)
        await settle()
        assert (seen, cell.last_reason) == ([reason], reason)


async def test_on_stop_is_not_called_for_a_kill() -> None:
    seen: list[Any] = []
    async with running(child("a", lambda: Stopping(seen), shutdown=Shutdown.BRUTAL_KILL)) as system:
        await system.supervisor().terminate_child("a")
        assert (last(system, "a"), seen) == (KILLED, [])


async def test_an_on_stop_that_waits_is_waited_for(clock: VirtualClock) -> None:
    seen: list[Any] = []
    async with running(child("a", lambda: Stopping(seen, lambda: clock.sleep(3.0)))) as system:
        await system.supervisor().terminate_child("a")
        assert clock.monotonic_ns() == pytest.approx(3e9, rel=0.01)
        assert last(system, "a").kind is Exit.SHUTDOWN


async def test_an_on_stop_beyond_its_deadline_is_cancelled(
    clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(child("a", lambda: Stopping([], lambda: clock.sleep(30.0)), shutdown=2.0)) as system:
        await system.supervisor().terminate_child("a")
        assert clock.monotonic_ns() == pytest.approx(2e9, rel=0.01)
        assert (last(system, "a"), cell_of(system, "a").overran) == (KILLED, True)
    assert "a did not stop in time (shutdown: 2.0; stopping, waiting on " in caplog.text


async def test_a_handler_beyond_the_deadline_is_cancelled_without_on_stop(clock: VirtualClock) -> None:
    seen: list[Any] = []
    async with running(child("a", lambda: Stopping(seen), shutdown=2.0)) as system:
        system.ref("a").tell(do(lambda actor: clock.sleep(30.0)))
        await settle()
        await system.supervisor().terminate_child("a")
        assert clock.monotonic_ns() == pytest.approx(2e9, rel=0.01)
        assert (seen, system.ref("a").stats().dropped.cancel) == ([], 1)


async def test_a_handler_within_the_deadline_is_waited_for(clock: VirtualClock) -> None:
    seen: list[Any] = []
    async with running(child("a", lambda: Stopping(seen), shutdown=2.0)) as system:
        system.ref("a").tell(do(lambda actor: clock.sleep(1.0)))
        await settle()
        await system.supervisor().terminate_child("a")
        assert (len(seen), system.ref("a").stats().delivered) == (1, 1)


async def test_an_on_stop_after_a_failure_has_a_deadline_too(clock: VirtualClock) -> None:
    async with running(child("a", lambda: Stopping([], lambda: clock.sleep(30.0)), shutdown=2.0)) as system:
        system.ref("a").tell(ValueError("true reason"))
        await clock.sleep(3.0)
        assert str(last(system, "a")) == "error: ValueError: true reason"
        assert cell_of(system, "a").lives == 2
        cell_of(system, "a").kill()
        await settle()


@pytest.mark.parametrize("is_async", [False, True])
async def test_an_on_stop_that_raises_is_the_reason_unless_there_was_one(
    is_async: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def raise_later() -> None:
        await asyncio.sleep(0.1)
        raise KeyError("in on_stop")

    def raise_now() -> None:
        raise KeyError("in on_stop")

    stopping: Callable[[], Awaitable[None] | None] = raise_later if is_async else raise_now
    async with running(child("a", lambda: Stopping([], stopping))) as system:
        system.ref("a").tell(ValueError("before"))
        await asyncio.sleep(1.0)
        assert str(last(system, "a")) == "error: ValueError: before"
        await system.supervisor().terminate_child("a")
        assert str(last(system, "a")) == "error: KeyError: 'in on_stop'"
    assert "a: on_stop raised after its life had failed" in caplog.text


@pytest.mark.parametrize("stopping", [lambda: 3, _cancelled])
async def test_an_on_stop_that_returns_junk_or_raises_cancelled_still_ends(stopping: Callable[[], Any]) -> None:
    async with running(child("a", lambda: Stopping([], stopping))) as system:
        await system.supervisor().terminate_child("a")
        assert last(system, "a").kind is Exit.ERROR


async def test_a_life_that_stops_takes_no_turn() -> None:
    seen: list[Any] = []
    async with running(child("a", lambda: Stopping(seen, lambda: asyncio.sleep(1.0)))) as system:
        ref = system.ref("a")
        ref.tell(do(lambda actor: actor.stop()))
        await settle()
        ref.tell(do(lambda actor: seen.append("handled")))
        ref.tell_control(do(lambda actor: seen.append("control")))
        await asyncio.sleep(0.5)
        assert len(seen) == 1
        await asyncio.sleep(1.0)
        assert seen[1:] == ["control", "handled"]  # by the next life
