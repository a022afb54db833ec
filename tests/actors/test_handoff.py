"""Hand-off within a read callback: who is handed what, when, and what becomes of it."""

import asyncio
import gc
import weakref
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from tests.actors.batches import Lasts, Skipped, rows
from tests.actors.harness import cell_of, child, plain, running, settle
from ticktree.actors import Actor, Block, Delivery, DropNewest, DropOldest, Mailbox, System, VirtualClock
from ticktree.actors.mailbox import Plain

DEEPEST = 4  # as docs/guarantees.md says


def reader(filled: bool = False) -> Any:
    return reader_of("reader", filled)


def reader_of(id: str, filled: bool) -> Any:
    return plain(id, lambda actor, message: _read(actor, message, filled))


def _read(actor: Actor[Any], message: Callable[[Actor[Any]], None], filled: bool) -> None:
    actor.reads.begin_read(filled)
    try:
        message(actor)
    finally:
        actor.reads.end_read()


async def read(system: System, callback: Callable[[Actor[Any]], None]) -> None:
    """Run `callback` in a read callback of the actor `reader`."""
    system.ref("reader").tell(callback)
    await settle()


def tell(path: str, message: Any) -> Callable[[Actor[Any]], None]:
    def callback(actor: Actor[Any]) -> None:
        actor.find(path).tell(message)

    return callback


def recording(seen: list[Any]) -> Callable[[Actor[Any], Any], None]:
    return lambda actor, message: seen.append(message)


async def test_a_message_is_handled_within_the_senders_call() -> None:
    seen: list[Any] = []

    def callback(actor: Actor[Any]) -> None:
        assert actor.find("b").tell("message") is Delivery.ACCEPTED
        seen.append("told")

    async with running(reader(), plain("b", recording(seen), hand_off=True)) as system:
        await read(system, callback)
        stats = system.ref("b").stats()
        assert (stats.delivered, stats.in_handler, stats.queued) == (1, 0, 0)
    assert seen == ["message", "told"]


async def test_only_who_opted_in_is_handed_anything() -> None:
    seen: list[Any] = []

    def callback(actor: Actor[Any]) -> None:
        actor.find("b").tell("message")
        seen.append("told")

    async with running(reader(), plain("b", recording(seen))) as system:
        await read(system, callback)
    assert seen == ["told", "message"]


async def test_nothing_is_handed_off_outside_of_a_read_callback() -> None:
    seen: list[Any] = []

    def tell(actor: Actor[Any], message: Any) -> None:
        actor.find("b").tell("message")
        seen.append("told")

    async with running(plain("a", tell), plain("b", recording(seen), hand_off=True)) as system:
        system.ref("a").tell(0)
        await settle()
    assert seen == ["told", "message"]


async def test_nothing_is_handed_off_after_a_read_callback_has_ended() -> None:
    seen: list[Any] = []

    def callback(actor: Actor[Any]) -> None:
        actor.reads.end_read()
        actor.find("b").tell("message")
        seen.append("told")

    async with running(reader(), plain("b", recording(seen), hand_off=True)) as system:
        await read(system, callback)
    assert seen == ["told", "message"]


async def test_nothing_is_handed_off_when_the_read_filled_its_buffer() -> None:
    seen: list[Any] = []

    def callback(actor: Actor[Any]) -> None:
        actor.find("b").tell("message")
        seen.append("told")

    async with running(reader(filled=True), plain("b", recording(seen), hand_off=True)) as system:
        await read(system, callback)
    assert seen == ["told", "message"]


async def test_one_message_a_receiver_and_read_callback_the_rest_queues_in_order() -> None:
    seen: list[Any] = []

    def callback(actor: Actor[Any]) -> None:
        for n in range(3):
            actor.find("b").tell(f"b{n}")
            actor.find("c").tell(f"c{n}")
        seen.append("told")

    async with running(
        reader(), plain("b", recording(seen), hand_off=True), plain("c", recording(seen), hand_off=True)
    ) as system:
        await read(system, callback)
        await read(system, callback)
    assert seen == ["b0", "c0", "told", "b1", "b2", "c1", "c2"] * 2


async def test_nothing_overtakes_what_is_queued() -> None:
    seen: list[Any] = []

    def callback(actor: Actor[Any]) -> None:
        actor.find("b").tell("second")
        seen.append("told")

    async with running(reader(), plain("b", recording(seen), hand_off=True)) as system:
        system.ref("reader").tell(callback)
        system.ref("b").tell("first")
        await settle()
    assert seen == ["told", "first", "second"]


async def test_a_control_message_that_waits_goes_first() -> None:
    seen: list[Any] = []

    def callback(actor: Actor[Any]) -> None:
        actor.find("b").tell_control("control")
        actor.find("b").tell("data")
        seen.append("told")

    async with running(reader(), plain("b", recording(seen), hand_off=True)) as system:
        await read(system, callback)
    assert seen == ["told", "control", "data"]


async def test_hand_offs_nest_four_deep_at_most() -> None:
    seen: list[Any] = []

    def on_to(n: int) -> Callable[[Actor[Any], Any], None]:
        def handle(actor: Actor[Any], message: Any) -> None:
            seen.append(f"begin {n}")
            if n < 7:
                actor.find(f"a{n + 1}").tell("on")
            seen.append(f"end {n}")

        return handle

    chain = [plain(f"a{n}", on_to(n), hand_off=True) for n in range(8)]
    async with running(reader(), *chain) as system:
        await read(system, tell("a0", "on"))
    nested = [f"begin {n}" for n in range(DEEPEST)]
    assert seen[: 2 * DEEPEST] == nested + [f"end {n}" for n in reversed(range(DEEPEST))]
    assert seen[2 * DEEPEST :] == [f"{what} {n}" for n in range(DEEPEST, 8) for what in ("begin", "end")]


async def test_a_read_callback_hands_off_for_a_millisecond(clock: VirtualClock) -> None:
    seen: list[Any] = []

    def slow(actor: Actor[Any], message: Any) -> None:
        clock.advance(0.000_6)
        seen.append(message)

    def callback(actor: Actor[Any]) -> None:
        for n in range(4):
            actor.find(f"a{n}").tell(n)
        seen.append("told")

    chain = [plain(f"a{n}", slow, hand_off=True) for n in range(4)]
    async with running(reader(), *chain) as system:
        await read(system, callback)
    assert seen == [0, 1, "told", 2, 3]


async def test_what_a_handed_off_handler_tells_itself_is_handled_in_its_turn() -> None:
    seen: list[Any] = []

    def handle(actor: Actor[Any], message: Any) -> None:
        seen.append(message)
        if message == "first":
            actor.ref.tell("second")
            actor.ref.tell_control("control")

    def callback(actor: Actor[Any]) -> None:
        actor.find("b").tell("first")
        seen.append("told")

    async with running(reader(), plain("b", handle, hand_off=True)) as system:
        await read(system, callback)
    assert seen == ["first", "told", "control", "second"]


async def test_control_that_comes_during_a_hand_off_has_a_turn() -> None:
    seen: list[Any] = []

    def handle(actor: Actor[Any], message: Any) -> None:
        seen.append(message)
        if message == "data":
            actor.ref.tell_control("control")

    async with running(reader(), plain("b", handle, hand_off=True)) as system:
        await read(system, tell("b", "data"))
        assert seen == ["data", "control"]


async def test_nothing_is_handed_to_who_waits_in_a_handler_of_a_control_message(clock: VirtualClock) -> None:
    seen: list[Any] = []

    class Waits(Actor[Any]):
        def on_message(self, message: Any) -> Any:
            seen.append(f"{message} begins")
            return self._wait() if message == "control" else None

        async def _wait(self) -> None:
            await clock.sleep(1.0)
            seen.append("control ends")

    async with running(reader(), child("b", Waits, hand_off=True)) as system:
        system.ref("b").tell_control("control")
        await settle()
        await read(system, tell("b", "data"))
        await clock.sleep(2.0)
    assert seen == ["control begins", "control ends", "data begins"]


async def test_an_exception_of_a_handed_off_handler_never_reaches_the_sender() -> None:
    seen: list[Any] = []

    def fail(actor: Actor[Any], message: Any) -> None:
        raise ValueError("the receiver's own")

    def callback(actor: Actor[Any]) -> None:
        for _ in range(2):
            seen.append(actor.find("b").tell("message", 3))

    async with running(reader(), plain("b", fail, hand_off=True)) as system:
        await read(system, callback)
        stats, cell = system.ref("b").stats(), cell_of(system, "b")
        assert (cell.lives, cell_of(system, "reader").lives, stats.dropped.crash) == (3, 1, 6)
    assert seen == [Delivery.ACCEPTED, Delivery.ACCEPTED]


async def test_a_handed_off_handler_that_returns_an_awaitable_suspends_only_itself(clock: VirtualClock) -> None:
    seen: list[Any] = []

    class Sometimes(Actor[Any]):
        def on_message(self, message: Any) -> Any:
            return self._later() if message == "later" else None

        async def _later(self) -> None:
            await clock.sleep(1.0)
            seen.append("later")

    def callback(actor: Actor[Any]) -> None:
        actor.find("b").tell("later", 2)
        actor.find("b").tell("next")
        seen.append(actor.find("b").stats().in_handler)

    async with running(reader(), child("b", Sometimes, hand_off=True)) as system:
        await read(system, callback)
        assert system.ref("b").stats().delivered == 0
        await clock.sleep(2.0)
        assert system.ref("b").stats().delivered == 3
    assert seen == [2, "later"]


async def test_a_life_that_is_over_is_not_kept_for_what_might_be_handed_to_it() -> None:
    actors: list[weakref.ref[Actor[Any]]] = []

    class Seen(Actor[Any]):
        def on_start(self) -> None:
            actors.append(weakref.ref(self))

    async with running(child("b", Seen, hand_off=True)) as system:
        await system.supervisor().terminate_child("b")
        gc.collect()
        assert actors[0]() is None


async def test_a_handed_off_handler_that_returns_junk_ends_its_life() -> None:
    class Junk(Actor[Any]):
        def on_message(self, message: Any) -> Any:
            return 3

    async with running(reader(), child("b", Junk, hand_off=True)) as system:
        await read(system, tell("b", "message"))
        assert (system.ref("b").stats().dropped.crash, cell_of(system, "b").lives) == (1, 2)


async def test_a_waiting_sender_is_let_in_after_a_hand_off() -> None:
    seen: list[Any] = []
    async with running(reader(), plain("b", recording(seen), Mailbox(1, Block()), hand_off=True)) as system:
        ref = system.ref("b")

        def callback(actor: Actor[Any]) -> None:
            ref.tell("handed")
            ref.tell("queued")
            tasks.append(asyncio.get_running_loop().create_task(ref.put("waits")))

        tasks: list[asyncio.Task[Delivery]] = []
        await read(system, callback)
        assert await tasks[0] is Delivery.ACCEPTED
        await settle()
    assert seen == ["handed", "queued", "waits"]


async def test_a_mark_is_handed_off_like_any_message() -> None:
    seen: list[Any] = []

    def callback(actor: Actor[Any]) -> None:
        assert actor.find("b").tell("mark", 0) is Delivery.ACCEPTED
        seen.append("told")

    async with running(reader(), plain("b", recording(seen), hand_off=True)) as system:
        await read(system, callback)
        assert system.ref("b").stats().received == 0
    assert seen == ["mark", "told"]


async def test_a_mark_for_lost_rows_is_handed_off_and_the_rest_is_queued() -> None:
    seen: list[Any] = []

    def callback(actor: Actor[Any]) -> None:
        actor.find("b").offer(rows("a. b. c. d."), 4)
        seen.append("told")

    mailbox = Mailbox(3, DropOldest(), rows=Lasts())
    async with running(reader(), plain("b", recording(seen), mailbox, hand_off=True)) as system:
        await read(system, callback)
        stats = system.ref("b").stats()
        assert (stats.received, stats.delivered, stats.dropped.overflow) == (4, 3, 1)
    assert seen == [Skipped(1), "told", rows("b. c. d.")]


async def test_what_is_queued_behind_a_suspended_hand_off_is_not_older_than_that(clock: VirtualClock) -> None:
    def callback(actor: Actor[Any]) -> None:
        actor.find("b").tell("in hand")
        actor.find("b").tell("queued")

    class Waits(Actor[Any]):
        def on_message(self, message: Any) -> Any:
            return clock.sleep(1.0)

    async with running(reader(), child("b", Waits, hand_off=True)) as system:
        await clock.sleep(100.0)
        await read(system, callback)
        await clock.sleep(0.5)
        assert 0.5e9 <= system.ref("b").stats().oldest_age_ns < 1e9
        await clock.sleep(2.0)


@pytest.mark.parametrize("overflow", [Block(), DropOldest(), DropNewest()])
@pytest.mark.parametrize("seed", range(5))
async def test_the_books_are_exact_at_every_instant(clock: VirtualClock, overflow: Plain, seed: int) -> None:
    """Weights, marks, crashes, suspended handlers and messages to oneself, within read callbacks and without."""
    random, handled, told, handed = Random(seed), list[int](), list[int](), list[int]()

    class Receiver(Actor[Any]):
        def on_message(self, message: int) -> Any:
            assert self.ref.stats().unaccounted == 0
            handled.append(message)
            if message % 11 == 0:
                raise ValueError(message)
            if message % 7 == 0:
                return clock.sleep(0.01)
            if message % 5 == 0 and message < 2_000:
                self.ref.tell(10_000 + message, 2)
            return None

    def callback(actor: Actor[Any]) -> None:
        for _ in range(random.randrange(3)):
            ref, message = actor.find(f"r{random.randrange(2)}"), len(told)
            told.append(message)
            ref.tell(message, random.randrange(4))
            handed.extend(handled[-1:] if message in handled else [])
            assert ref.stats().unaccounted == 0

    receivers = [child(f"r{n}", Receiver, Mailbox(5, overflow), hand_off=True) for n in range(2)]
    async with running(reader(), reader_of("late", filled=True), *receivers) as system:
        for _ in range(400):
            system.ref(random.choice(("reader", "reader", "late"))).tell(callback)
            if random.random() < 0.7:
                await clock.sleep(0.02) if random.random() < 0.5 else await asyncio.sleep(0)
        await clock.sleep(10.0)
        for n in range(2):
            stats = system.ref(f"r{n}").stats()
            assert (stats.unaccounted, stats.queued, stats.in_handler) == (0, 0, 0)
    assert len(set(handled)) == len(handled) > 200
    assert len(handed) > 100
