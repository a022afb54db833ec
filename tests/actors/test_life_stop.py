"""One life under a stop: handlers that hold on, draining, deadlines."""

import asyncio
from typing import Any

import pytest

from tests.actors.harness import (
    Stopping,
    Swallower,
    awaiting,
    cell_of,
    child,
    clock_here,
    do,
    last,
    plain,
    restarted,
    running,
    settle,
    tree,
)
from ticktree.actors import (
    Actor,
    ActorRef,
    Delivery,
    Exit,
    Misuse,
    NotRunning,
    Reason,
    Shutdown,
    SpecError,
    StartFailed,
    Supervisor,
    System,
    VirtualClock,
)
from ticktree.actors.life import KILL_GRACE_NS

GRACE_S = KILL_GRACE_NS / 1e9


# --- handlers that swallow their cancellation ------------------------------------------------------------------------


async def test_a_swallowed_cancellation_is_quarantined_named_and_the_stop_ends_in_time(
    clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    swallower = Swallower()
    async with running(child("a", lambda: Stopping([]), shutdown=2.0), child("b", Actor)) as system:
        system.ref("a").tell(swallower.swallow, 5)
        await settle()
        report = await system.stop()
        assert clock.monotonic_ns() == pytest.approx((2.0 + GRACE_S) * 1e9, rel=0.01)
        assert (report.overran, report.exit_code) == (("a",), 1)
        assert [(leak.path, leak.life) for leak in report.leaks] == [("a", 1)]
        assert report.leaks[0].waits_on.endswith("in wait")
        assert (system.ref("a").stats().dropped.cancel, len(system.leaked_tasks)) == (5, 1)
        await swallower.release()
        assert (system.leaked_tasks, len(system.leaks)) == ((), 1)
    assert "a life 1 swallowed its cancellation, waiting on" in caplog.text


async def test_a_second_kill_does_not_lengthen_the_grace_of_the_first(clock: VirtualClock) -> None:
    swallower = Swallower()
    async with running(child("a", lambda: Stopping([]))) as system:
        system.ref("a").tell(swallower.swallow)
        await settle()
        cell = cell_of(system, "a")
        cell.kill()
        await clock.sleep(GRACE_S / 2)
        cell.kill()
        cell.stop()
        await clock.sleep(GRACE_S * 0.6)
        assert (len(system.leaks), cell.lives) == (1, 2)
        await swallower.release()


async def test_a_leaked_handler_that_ends_later_touches_nobody(
    clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    after: list[Any] = []

    async def stubborn(actor: Actor[Any]) -> None:
        try:
            await clock.sleep(1.0)
        except asyncio.CancelledError:
            await clock.sleep(5.0)
        try:
            actor.ref.tell("from the dead")
        except NotRunning as error:
            after.append(error)
        raise ValueError("too late")

    async with running(child("a", lambda: Stopping([]))) as system:
        system.ref("a").tell(stubborn)
        await settle()
        cell_of(system, "a").kill()
        await clock.sleep(1.0)
        assert (cell_of(system, "a").lives, len(system.leaked_tasks)) == (2, 1)
        await clock.sleep(10.0)
        assert (cell_of(system, "a").lives, system.leaked_tasks, len(after)) == (2, (), 1)
        assert system.ref("a").stats().dropped.cancel == 1
    assert "a leaked handler raised" in caplog.text


@pytest.mark.parametrize(("ends", "kind", "delivered"), [(None, Exit.KILLED, 1), (ValueError("own"), Exit.ERROR, 0)])
async def test_a_handler_that_ends_by_itself_while_it_is_killed_keeps_its_true_outcome(
    clock: VirtualClock, ends: Exception | None, kind: Exit, delivered: int
) -> None:
    async def handler(actor: Actor[Any]) -> None:
        try:
            await clock.sleep(10.0)
        except asyncio.CancelledError:
            if ends:
                raise ends from None

    async with running(child("a", lambda: Stopping([]))) as system:
        system.ref("a").tell(handler)
        await settle()
        await restarted(system, "a")
        stats = system.ref("a").stats()
        assert (last(system, "a").kind, stats.delivered, stats.dropped.cancel) == (kind, delivered, 1 - delivered)


# --- stopping the system ---------------------------------------------------------------------------------------------


async def test_a_stop_drains_the_mailbox_before_on_stop(clock: VirtualClock) -> None:
    seen: list[Any] = []

    class Slow(Actor[Any]):
        async def on_message(self, message: Any) -> None:
            await clock.sleep(0.1)
            seen.append(message)

        def on_drain(self) -> None:
            seen.append("drain")

        def on_stop(self, reason: Reason) -> None:
            seen.append(reason.kind)

    system = System(tree([child("a", Slow)]), clock)
    await system.start()
    await settle()
    refs: ActorRef[Any] = system.ref("a")
    for n in range(3):
        refs.tell(n)
    await settle()
    stop = asyncio.ensure_future(system.stop())
    await settle()
    assert refs.tell("late").name == "CLOSED"
    report = await stop
    assert seen == [0, "drain", 1, 2, Exit.SHUTDOWN]
    assert (report.exit_code, report.dropped_stop, refs.stats().refused) == (0, 0, 1)


@pytest.mark.parametrize("data", [[], ["data"]])
async def test_a_stop_hears_on_drain_and_handles_control_before_on_stop(clock: VirtualClock, data: list[str]) -> None:
    seen: list[Any] = []

    class Busy(Actor[Any]):
        async def on_message(self, message: Any) -> None:
            await clock.sleep(0.1)
            seen.append(message)

        def on_drain(self) -> None:
            seen.append("on_drain")

        def on_stop(self, reason: Reason) -> None:
            seen.append("on_stop")

    system = System(tree([child("a", Busy)]), clock)
    await system.start()
    system.ref("a").tell("in hand")
    await settle()
    system.ref("a").tell_control("report")
    for message in data:
        system.ref("a").tell(message)
    await system.stop()
    assert seen == ["in hand", "on_drain", "report", *data, "on_stop"]
    assert system.ref("a").stats().control_dropped == 0


async def test_a_coroutine_on_drain_is_waited_for_and_may_fail(clock: VirtualClock) -> None:
    seen: list[Any] = []

    class Drains(Stopping):
        async def on_drain(self) -> None:
            await clock.sleep(1.0)
            raise ValueError("in on_drain")

    system = System(tree([child("a", lambda: Drains(seen))]), clock)
    await system.start()
    await settle()
    system.ref("a").tell(do(lambda actor: seen.append("handled")))
    await system.stop()
    assert [str(entry) for entry in seen] == ["error: ValueError: in on_drain"]
    assert system.ref("a").stats().dropped.stop == 1


async def test_a_drain_beyond_the_deadline_drops_the_rest_as_stopped(clock: VirtualClock) -> None:
    async def slow(actor: Actor[Any], message: Any) -> None:
        await clock.sleep(0.4)

    system = System(tree([awaiting("a", slow, shutdown=1.0)]), clock)
    await system.start()
    await settle()
    for n in range(10):
        system.ref("a").tell(n)
    report = await system.stop()
    stats = system.ref("a").stats()
    assert (stats.delivered, stats.dropped.cancel, stats.dropped.stop, stats.unaccounted) == (2, 1, 7, 0)
    assert (report.dropped_stop, report.overran) == (7, ("a",))


async def test_a_second_stop_cuts_the_drain(clock: VirtualClock) -> None:
    async def slow(actor: Actor[Any], message: Any) -> None:
        await clock.sleep(0.4)

    system = System(tree([awaiting("a", slow)]), clock)
    await system.start()
    await settle()
    for n in range(10):
        system.ref("a").tell(n)
    stop = asyncio.ensure_future(system.stop())
    await clock.sleep(0.1)
    system.begin_stop()
    report = await stop
    assert (system.ref("a").stats().delivered, report.dropped_stop, report.overran) == (1, 9, ())


async def test_timers_take_sensible_delays_only() -> None:
    errors: list[Misuse] = []

    def handle(actor: Actor[Any], message: Any) -> None:
        for delay_s in (-1.0, float("nan"), float("inf"), 1e9):
            with pytest.raises(Misuse, match="a timer takes seconds, 0 or more") as raised:
                actor.after(delay_s, "never")
            errors.append(raised.value)
        for interval_s in (0.000_9, -1.0, float("nan")):
            with pytest.raises(Misuse):
                actor.every(interval_s, "never")

    async with running(plain("a", handle)) as system:
        system.ref("a").tell(0)
        await settle()
        assert system.ref("a").stats().delivered == 1
    assert len(errors) == 4


async def test_a_hand_off_to_a_coroutine_is_refused_at_the_start() -> None:
    async def handle(actor: Actor[Any], message: Any) -> None:
        raise AssertionError

    system = System(tree([awaiting("a", handle, hand_off=True)]), clock_here())
    with pytest.raises(StartFailed, match="a: hand_off needs a plain on_message") as raised:
        await system.start()
    assert isinstance(raised.value.__cause__, SpecError)


async def test_a_start_that_failed_within_a_group_names_its_history(clock: VirtualClock) -> None:
    begun: list[int] = []

    class Once(Actor[Any]):
        def on_start(self) -> None:
            begun.append(1)
            if len(begun) > 1:
                raise ValueError("not again")

    root = Supervisor((child("a", Once),), intensity=1)
    system = System(root, clock)
    await system.start()
    await settle()
    cell_of(system, "a").kill()
    report = await system.wait()
    assert "life 1 ended: killed" in str(report.reason)
    assert "not again" in str(report.reason)


async def test_a_life_that_begins_while_the_system_stops_hears_on_drain(clock: VirtualClock) -> None:
    heard: list[int] = []

    class Router(Actor[Any]):
        def on_drain(self) -> None:
            heard.append(cell_of(system, "routers/router").lives)

        def on_message(self, message: Any) -> None:
            raise ValueError("fails while the system stops")

    async def slow(*_: object) -> None:
        await clock.sleep(1.0)

    routers = Supervisor((child("router", Router),), id="routers")
    system = System(Supervisor((routers, awaiting("feed", slow))), clock)
    await system.start()
    system.ref("feed").tell("take your time")
    await settle()
    system.begin_stop()
    await settle()
    system.ref("routers/router").tell("fail")
    report = await system.wait()
    assert heard == [1, 2]
    assert report.exit_code == 0


async def test_a_brutally_killed_kind_of_child_that_ends_by_itself_has_a_moment_for_its_on_stop(
    clock: VirtualClock,
) -> None:
    seen: list[Any] = []

    async def hang() -> None:
        await clock.sleep(1_000)

    async with running(child("a", lambda: Stopping(seen, hang), shutdown=Shutdown.BRUTAL_KILL)) as system:
        system.ref("a").tell(ValueError("fails"))
        before_ns = clock.monotonic_ns()
        while cell_of(system, "a").lives < 2:
            await clock.sleep(GRACE_S / 10)
        assert clock.monotonic_ns() - before_ns <= 2 * KILL_GRACE_NS
    assert [reason.kind for reason in seen][:1] == [Exit.ERROR]


async def test_a_draining_life_still_takes_control_messages_and_timers_but_no_data(clock: VirtualClock) -> None:
    handled: list[str] = []

    async def slow(actor: Actor[Any], message: str) -> None:
        handled.append(message)
        if message.startswith("data"):
            actor.after(0.5, f"timer of {message}")
            await clock.sleep(1.0)

    system = System(Supervisor((awaiting("router", slow),)), clock)
    await system.start()
    router = system.ref("router")
    router.tell("data 1")
    router.tell("data 2")
    await settle()
    system.begin_stop()
    await settle()
    assert router.tell("data 3") is Delivery.CLOSED
    assert router.tell_control("a late fill") is Delivery.ACCEPTED
    report = await system.wait()
    assert handled == ["data 1", "a late fill", "timer of data 1", "data 2", "timer of data 2"]
    assert router.tell_control("too late") is Delivery.CLOSED
    assert report.exit_code == 0
