"""One actor's place: its lanes, and what happens to messages when a life ends."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from tests.actors.harness import (
    Recorder,
    awaiting,
    cell_of,
    child,
    plain,
    raises,
    restarted,
    running,
    settle,
    wait_a_second,
)
from ticktree.actors import (
    Actor,
    Delivery,
    Down,
    DropOldest,
    Exit,
    Mailbox,
    Reason,
    Restart,
    VirtualClock,
)
from ticktree.actors.control import CONTROL_BOUND

# --- lanes -----------------------------------------------------------------------------------------------------------


async def test_one_senders_order_is_kept() -> None:
    seen: list[int] = []
    async with running(child("a", lambda: Recorder(seen))) as system:
        ref = system.ref("a")
        for n in range(700):
            ref.tell(n)
        await settle()
    assert seen == list(range(700))


async def test_control_is_handled_before_data_and_in_order() -> None:
    seen: list[Any] = []
    async with running(child("a", lambda: Recorder(seen))) as system:
        ref = system.ref("a")
        for n in range(3):
            ref.tell(n)
            ref.tell_control(f"control {n}")
        await settle()
        stats = ref.stats()
    assert seen == ["control 0", "control 1", "control 2", 0, 1, 2]
    assert (stats.delivered, stats.control_received, stats.control_handled) == (3, 3, 3)


async def test_control_that_comes_while_data_is_handled_goes_next() -> None:
    seen: list[Any] = []

    def handle(actor: Actor[Any], message: Any) -> None:
        seen.append(message)
        if message == 1:
            actor.ref.tell_control("now")

    async with running(plain("a", handle)) as system:
        for n in range(4):
            system.ref("a").tell(n)
        await settle()
    assert seen == [0, 1, "now", 2, 3]


async def test_the_control_lane_is_bounded() -> None:
    async with running(awaiting("a", wait_a_second)) as system:
        ref = system.ref("a")
        ref.tell("first")
        await settle()
        answers = {ref.tell_control(n) for n in range(CONTROL_BOUND)}
        assert answers == {Delivery.ACCEPTED}
        assert ref.tell_control("one more") is Delivery.FULL
        assert (ref.stats().control_received, ref.stats().control_queued) == (CONTROL_BOUND, CONTROL_BOUND)
        await restarted(system, "a")
        cell_of(system, "a").control.items.clear()


async def test_a_down_and_a_timer_wait_while_the_control_lane_is_full(clock: VirtualClock) -> None:
    seen: list[Any] = []

    class Watcher(Actor[Any]):
        def on_start(self) -> None:
            self.find("b").monitor(self.ref)

        def on_message(self, message: Any) -> Awaitable[None] | None:
            seen.append(message)
            if message != "set a timer and wait":
                return None
            self.after(0.1, "timer")
            return clock.sleep(1.0)

    async with running(child("watcher", Watcher), plain("b", raises)) as system:
        watcher = system.ref("watcher")
        watcher.tell("set a timer and wait")
        await settle()
        for _ in range(CONTROL_BOUND):
            watcher.tell_control("flood")
        system.ref("b").tell("fail")
        await clock.sleep(2.0)
    others = [message for message in seen if message != "flood"]
    assert others[0] == "set a timer and wait"
    assert "timer" in others
    downs = [message for message in others if isinstance(message, Down)]
    assert downs[0].reason.kind is Exit.ERROR  # the stop of `b` may follow


# --- one at a time ---------------------------------------------------------------------------------------------------


async def test_a_message_to_oneself_is_handled_after_the_handler_at_work() -> None:
    seen: list[str] = []

    def handle(actor: Actor[Any], message: Any) -> None:
        seen.append(f"begin {message}")
        if message == "first":
            actor.ref.tell("data")
            actor.ref.tell_control("control")
        seen.append(f"end {message}")

    async with running(plain("a", handle)) as system:
        system.ref("a").tell("first")
        await settle()
    assert seen == ["begin first", "end first", "begin control", "end control", "begin data", "end data"]


async def test_a_handler_may_push_out_what_waits_behind_it() -> None:
    seen: list[Any] = []

    def handle(actor: Actor[Any], message: Any) -> None:
        seen.append(message)
        if message == 3:
            actor.ref.tell("heavy", 9)

    async with running(plain("a", handle, Mailbox(10, DropOldest()))) as system:
        for n in range(10):
            system.ref("a").tell(n)
        await settle()
        stats = system.ref("a").stats()
    assert seen == [0, 1, 2, 3, 9, "heavy"]
    assert (stats.delivered, stats.dropped.overflow) == (14, 5)


async def test_a_place_that_is_twice_in_the_run_queue_still_handles_one_message_at_a_time(clock: VirtualClock) -> None:
    at_work = list[Any]()

    async def handle(actor: Actor[Any], message: Any) -> None:
        at_work.append(message)
        assert len(at_work) == 1
        await clock.sleep(0.1)
        at_work.remove(message)

    async with running(plain("hog", lambda actor, message: clock.advance(0.002)), awaiting("a", handle)) as system:
        system.ref("hog").tell("end the first round before `a` has its turn")
        system.ref("a").tell(1)
        system.ref("a").tell(2)
        cell_of(system, "a").kill()  # and its next life is put in the queue once more
        await clock.sleep(1.0)
        assert (cell_of(system, "a").lives, system.ref("a").stats().delivered) == (2, 2)


async def test_nothing_else_of_an_actor_runs_while_its_handler_is_suspended(clock: VirtualClock) -> None:
    seen: list[str] = []

    class Suspended(Actor[Any]):
        def on_start(self) -> None:
            self.every(0.1, "tick")
            self.find("b").monitor(self.ref)

        async def on_message(self, message: Any) -> None:
            name = type(message).__name__ if isinstance(message, Down) else message
            seen.append(f"begin {name}")
            await self.clock.sleep(1.0)
            seen.append(f"end {name}")

    async with running(child("a", Suspended), plain("b", raises)) as system:
        ref = system.ref("a")
        for name in ("one", "two"):
            ref.tell(name)
        ref.tell_control("control")
        system.ref("b").tell("fail")
        await clock.sleep(10.5)  # in the middle of one
        assert cell_of(system, "a").lives == 1
        assert seen.pop().startswith("begin")  # it never ends
        await restarted(system, "a")
    begins, ends = seen[0::2], seen[1::2]
    assert [entry.removeprefix("begin ") for entry in begins][: len(ends)] == [e.removeprefix("end ") for e in ends]
    assert {"begin one", "begin control", "begin tick", "begin Down"} <= set(seen)


async def test_a_coroutine_handler_that_waits_lets_others_run(clock: VirtualClock) -> None:
    seen: list[Any] = []
    async with running(awaiting("slow", wait_a_second), child("quick", lambda: Recorder(seen))) as system:
        system.ref("slow").tell("wait")
        await settle()
        system.ref("quick").tell("run")
        await settle()
        stats = system.ref("slow").stats()
        assert (seen, stats.in_handler, stats.delivered) == (["run"], 1, 0)
        await clock.sleep(2.0)
        stats = system.ref("slow").stats()
        assert (stats.in_handler, stats.delivered) == (0, 1)


# --- a life ends under a message -------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_async", [False, True])
async def test_the_message_in_hand_of_a_crash_is_dropped_and_what_is_queued_survives(
    is_async: bool, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[Any] = []

    def handle(actor: Actor[Any], message: Any) -> None:
        seen.append((message, cell_of(system, "a").lives))
        if message == ["bad"]:
            raises(actor, "secret price")

    async def handle_later(actor: Actor[Any], message: Any) -> None:
        await actor.clock.sleep(0.1)
        handle(actor, message)

    spec = awaiting("a", handle_later) if is_async else plain("a", handle)
    async with running(spec) as system:
        ref = system.ref("a")
        for message, weight in ((["good"], 2), (["bad"], 3), (["next"], 4), ("mark", 0)):
            ref.tell(message, weight)
        ref.tell_control("control")
        await asyncio.sleep(1.0)
        stats = ref.stats()
    assert seen == [("control", 1), (["good"], 1), (["bad"], 1), (["next"], 2), ("mark", 2)]
    assert (stats.received, stats.delivered, stats.dropped.crash, stats.dropped.total) == (9, 6, 3, 3)
    failures = [record.message for record in caplog.records if "failed" in record.message]
    assert failures == ["a failed in life 1 on list"]


async def test_control_in_hand_of_a_crash_is_counted_and_what_others_sent_survives() -> None:
    seen: list[Any] = []

    def handle(actor: Actor[Any], message: Any) -> None:
        if message == "bad":
            actor.after(0.0, "timer of the life that fails")
            raise ValueError
        seen.append(message)

    async with running(plain("a", handle)) as system:
        ref = system.ref("a")
        ref.tell_control("bad")
        ref.tell_control("kept")
        ref.tell("data")
        await settle()
        stats = ref.stats()
    assert seen == ["kept", "data"]
    assert (stats.control_received, stats.control_handled, stats.control_dropped) == (2, 1, 1)
    assert stats.dropped.total == 0


async def test_a_kill_drops_what_is_in_hand_as_cancelled(clock: VirtualClock) -> None:
    async with running(awaiting("a", wait_a_second)) as system:
        ref = system.ref("a")
        ref.tell("in hand", 3)
        ref.tell("queued", 2)
        await settle()
        await restarted(system, "a")
        stats = ref.stats()
        assert (stats.dropped.cancel, stats.dropped.crash, stats.in_handler, stats.delivered) == (3, 0, 2, 0)
        await clock.sleep(1.0)
        assert ref.stats().delivered == 2


async def test_what_a_stopped_place_still_holds_is_dropped_as_stopped() -> None:
    async with running(awaiting("a", wait_a_second, restart=Restart.TEMPORARY)) as system:
        ref = system.ref("a")
        ref.tell("in hand", 3)
        ref.tell("queued", 2)
        await settle()
        ref.tell_control("queued")
        cell_of(system, "a").kill()
        await settle()
        stats = ref.stats()
        assert (stats.dropped.cancel, stats.dropped.stop, stats.queued, stats.control_dropped) == (3, 2, 0, 1)
        assert ref.tell("late") is Delivery.CLOSED
        assert ref.tell_control("late") is Delivery.CLOSED


async def test_a_handler_that_ends_its_own_life_handles_nothing_more() -> None:
    seen: list[Any] = []

    def handle(actor: Actor[Any], message: Any) -> None:
        seen.append((message, cell_of(system, "a").lives))
        if message == "last":
            actor.stop()
            actor.stop(Reason(Exit.ERROR))  # the first wish counts
            actor.ref.tell_control("control")

    async with running(plain("a", handle)) as system:
        for message in ("last", "next"):
            system.ref("a").tell(message)
        await settle()
        assert system.ref("a").stats().delivered == 2
        assert "normal" in cell_of(system, "a").history[0]
    assert seen == [("last", 1), ("control", 2), ("next", 2)]


@pytest.mark.parametrize("junk", [1, "text", [], object()])
@pytest.mark.parametrize("tell", ["tell", "tell_control"])
async def test_a_handler_that_returns_something_else_than_an_awaitable_ends_its_life(
    junk: object, tell: str, caplog: pytest.LogCaptureFixture
) -> None:
    class Junk(Actor[Any]):
        def on_message(self, message: Any) -> Any:
            return junk

    async with running(child("a", Junk)) as system:
        getattr(system.ref("a"), tell)("message")
        await settle()
        stats = system.ref("a").stats()
        assert stats.dropped.crash + stats.control_dropped == 1
        assert "it must return None, or be async" in cell_of(system, "a").history[0]


async def test_a_handler_may_return_any_awaitable() -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    class Returns(Actor[Any]):
        def on_message(self, message: Any) -> Any:
            return future

    async with running(child("a", Returns)) as system:
        system.ref("a").tell("message")
        await settle()
        assert system.ref("a").stats().in_handler == 1
        future.set_result(None)
        await settle()
        assert system.ref("a").stats().delivered == 1


async def test_an_actor_without_on_message_says_so() -> None:
    async with running(child("a", Actor)) as system:
        system.ref("a").tell("message")
        await settle()
        assert "Actor has no on_message, but was told a str" in cell_of(system, "a").history[0]


async def test_a_handler_that_raises_cancelled_ends_its_life_as_a_crash() -> None:
    def handle(actor: Actor[Any], message: Any) -> None:
        raise asyncio.CancelledError

    async with running(plain("a", handle)) as system:
        system.ref("a").tell("message")
        await settle()
        assert (system.ref("a").stats().dropped.crash, cell_of(system, "a").lives) == (1, 2)


async def test_a_keyboard_interrupt_is_not_the_actors() -> None:
    cell: list[Any] = []

    def handle(actor: Actor[Any], message: Any) -> None:
        raise KeyboardInterrupt

    async with running(plain("a", handle)) as system:
        cell.append(cell_of(system, "a"))
        system.ref("a").tell("message")
        cell[0].lane.asleep = True  # keep the run queue away, so that the test may call the turn itself
        system.scheduler.ready.clear()
        with pytest.raises(KeyboardInterrupt):
            cell[0].turn()
