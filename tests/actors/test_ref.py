"""What others may do with an actor: above all, ask it."""

import asyncio
import gc
from typing import Any

import pytest

from tests.actors.harness import Question, awaiting, cell_of, child, plain, restarted, running, settle
from ticktree.actors import (
    Actor,
    ActorRef,
    AskLost,
    AskRefused,
    AskTimeout,
    Block,
    Closed,
    Delivery,
    DropNewest,
    DropOldest,
    Fail,
    Mailbox,
    MailboxFull,
    Misuse,
    Outcome,
    Restart,
    TooHeavy,
    VirtualClock,
)


def reply(actor: Actor[Any], message: Any) -> None:
    message.reply(f"reply {message.number}")


def keep(actor: Actor[Any], message: Any) -> None:
    """Neither reply nor fail."""


class Ways:
    """Actors that ask one another; each handles a `Question` with the function of its own."""

    def __init__(self) -> None:
        self.errors: list[BaseException] = []
        self.replies: list[str] = []

    async def ask(self, actor: Actor[Any], path: str, timeout_s: float = 5.0, request: Question | None = None) -> None:
        try:
            self.replies.append(await actor.find(path).ask(request or Question(), timeout_s))
        except Exception as error:
            self.errors.append(error)


# --- answers ---------------------------------------------------------------------------------------------------------


async def test_a_reply_reaches_who_asked() -> None:
    async with running(plain("a", reply)) as system:
        assert await system.ref("a").ask(Question(7), 1.0) == "reply 7"
        assert not cell_of(system, "a").asked
        assert repr(system.ref("a")) == "<ActorRef a>"


async def test_an_error_given_as_the_answer_is_raised_at_who_asked_and_harms_nobody_else() -> None:
    async with running(plain("a", lambda actor, message: message.fail(ValueError("no such thing")))) as system:
        with pytest.raises(ValueError, match="no such thing"):
            await system.ref("a").ask(Question(), 1.0)
        assert cell_of(system, "a").lives == 1


async def test_a_timeout_error_given_as_the_answer_is_not_taken_for_ours() -> None:
    async with running(plain("a", lambda actor, message: message.fail(TimeoutError("of a venue")))) as system:
        with pytest.raises(TimeoutError, match="of a venue") as raised:
            await system.ref("a").ask(Question(), 1.0)
        assert not isinstance(raised.value, AskTimeout)


async def test_an_answer_may_come_later_in_the_life(clock: VirtualClock) -> None:
    kept: list[Any] = []

    def handle(actor: Actor[Any], message: Any) -> None:
        if message == "now":
            kept.pop().reply("deferred")
        else:
            kept.append(message)
            actor.after(0.5, "now")

    async with running(plain("a", handle)) as system:
        assert await system.ref("a").ask(Question(), 1.0) == "deferred"
        assert clock.monotonic_ns() == pytest.approx(0.5e9, rel=0.01)


async def test_a_late_answer_is_dropped(clock: VirtualClock) -> None:
    async def handle(actor: Actor[Any], message: Any) -> None:
        await actor.clock.sleep(2.0)
        message.reply("too late")
        message.fail(ValueError("later still"))

    async with running(awaiting("a", handle)) as system:
        with pytest.raises(AskTimeout):
            await system.ref("a").ask(Question(), 1.0)
        await clock.sleep(5.0)
        assert system.ref("a").stats().delivered == 1


async def test_a_timeout_says_whom_what_how_long_and_what_goes_on_there(clock: VirtualClock) -> None:
    async def handle(actor: Actor[Any], message: Any) -> None:
        await actor.clock.sleep(10.0)

    async with running(awaiting("a", handle), plain("b", keep)) as system:
        pattern = r"a did not answer Question within 1.5 s; it is running, waiting on .*clock\.py:\d+ in sleep"
        with pytest.raises(AskTimeout, match=pattern) as raised:
            await system.ref("a").ask(Question(), 1.5)
        assert (raised.value.path, raised.value.request, raised.value.timeout_s) == ("a", "Question", 1.5)
        assert clock.monotonic_ns() == pytest.approx(1.5e9, rel=0.01)
        with pytest.raises(AskTimeout, match="b did not answer Question within 2 s; it is running, with 0 ticks"):
            await system.ref("b").ask(Question(), 2.0)


@pytest.mark.parametrize("timeout_s", [0.0, -1.0, float("nan")])
async def test_an_ask_without_a_positive_timeout_is_refused(timeout_s: float) -> None:
    async with running(plain("a", reply)) as system:
        with pytest.raises(Misuse, match="a timeout above 0 s"):
            await system.ref("a").ask(Question(), timeout_s)


# --- answers that will not come --------------------------------------------------------------------------------------


async def test_an_ask_whose_handler_fails_is_lost_and_says_why() -> None:
    async with running(plain("a", lambda actor, message: 1 / 0)) as system:
        with pytest.raises(AskLost, match=r"a will not answer Question: it failed handling it \(ZeroDivisionError"):
            await system.ref("a").ask(Question(), 1.0)


async def test_an_ask_kept_for_later_is_lost_when_the_life_ends() -> None:
    async with running(plain("a", keep)) as system:
        ask = asyncio.ensure_future(system.ref("a").ask(Question(), 1.0))
        await settle()
        await restarted(system, "a")
        with pytest.raises(AskLost, match="it ended without answering"):
            await ask


async def test_an_ask_in_hand_is_lost_when_the_actor_is_killed(clock: VirtualClock) -> None:
    async def handle(actor: Actor[Any], message: Any) -> None:
        await actor.clock.sleep(10.0)

    async with running(awaiting("a", handle)) as system:
        ask = asyncio.ensure_future(system.ref("a").ask(Question(), 1.0))
        await settle()
        await restarted(system, "a")
        with pytest.raises(AskLost, match="it was killed"):
            await ask


async def test_an_ask_that_is_queued_or_waits_is_answered_by_the_next_life(clock: VirtualClock) -> None:
    async def handle(actor: Actor[Any], message: Any) -> None:
        if message == "hang":
            await actor.clock.sleep(10.0)
        else:
            message.reply("next life")

    async with running(awaiting("a", handle, Mailbox(1, Block()))) as system:
        ref = system.ref("a")
        ref.tell("hang")
        await settle()
        asks = [asyncio.ensure_future(ref.ask(Question(), 1.0)) for _ in range(3)]
        await settle()
        await restarted(system, "a")
        assert await asyncio.gather(*asks) == ["next life"] * 3


@pytest.mark.parametrize("policy", [DropOldest(), DropNewest()])
async def test_an_ask_dropped_by_the_mailbox_is_lost_at_once(clock: VirtualClock, policy: Any) -> None:
    async def handle(actor: Actor[Any], message: Any) -> None:
        await actor.clock.sleep(1.0)
        if isinstance(message, Question):
            message.reply("kept")

    async with running(awaiting("a", handle, Mailbox(1, policy))) as system:
        ref = system.ref("a")
        ref.tell("in hand")
        await settle()
        asks = [asyncio.ensure_future(ref.ask(Question(), 5.0)) for _ in range(2)]
        await settle()
        lost, kept = asks if isinstance(policy, DropOldest) else reversed(asks)
        assert lost.done()
        with pytest.raises(AskLost, match="its mailbox dropped it"):
            await lost
        assert await kept == "kept"


async def test_an_ask_of_a_full_mailbox_that_fails_is_told_so(clock: VirtualClock) -> None:
    async with running(awaiting("a", lambda actor, message: clock.sleep(1.0), Mailbox(1, Fail()))) as system:
        system.ref("a").tell("in hand")
        await settle()
        system.ref("a").tell("queued")
        with pytest.raises(MailboxFull):
            await system.ref("a").ask(Question(), 1.0)
        assert not cell_of(system, "a").asked


async def test_an_ask_waits_for_room_within_its_timeout(clock: VirtualClock) -> None:
    async with running(awaiting("a", lambda actor, message: clock.sleep(10.0), Mailbox(1, Block()))) as system:
        ref = system.ref("a")
        ref.tell("in hand")
        await settle()
        ref.tell("queued")
        for _ in range(50):
            with pytest.raises(AskTimeout):
                await ref.ask(Question(), 0.1)
        cell = cell_of(system, "a")
        assert (len(cell.lane.waiting), len(cell.asked), ref.stats().received) == (0, 0, 2)


async def test_an_ask_of_a_place_that_is_closed_says_so() -> None:
    async with running(plain("a", keep, restart=Restart.TEMPORARY)) as system:
        ref = system.ref("a")
        ask = asyncio.ensure_future(ref.ask(Question(), 1.0))
        await settle()
        await system.supervisor().terminate_child("a")
        with pytest.raises(AskLost):
            await ask
        with pytest.raises(Closed, match="a is closed"):
            await ref.ask(Question(), 1.0)


async def test_nobody_is_left_with_an_exception_that_was_never_looked_at(clock: VirtualClock) -> None:
    async with running(plain("a", lambda actor, message: actor.after(0.5, 1 / 0))) as system:
        asks = [asyncio.ensure_future(system.ref("a").ask(Question(), 1.0)) for _ in range(5)]
        await asyncio.sleep(0)
        for ask in asks[:4]:
            ask.cancel()
        results = await asyncio.gather(*asks, return_exceptions=True)
        assert [type(result) for result in results] == [asyncio.CancelledError] * 4 + [AskLost]
    del asks, results
    gc.collect()  # the fixture of conftest.py sees what the loop was told


# --- circles ---------------------------------------------------------------------------------------------------------


async def test_asking_oneself_is_refused() -> None:
    ways = Ways()
    async with running(awaiting("a", lambda actor, message: ways.ask(actor, "a"))) as system:
        system.ref("a").tell("begin")
        await settle()
    assert [str(error) for error in ways.errors] == ["a asked itself for Question: it could not answer while it waits"]


async def test_asking_in_a_circle_is_refused_at_once_and_names_it(clock: VirtualClock) -> None:
    ways = Ways()

    def on_to(path: str) -> Any:
        async def handle(actor: Actor[Any], message: Any) -> None:
            await ways.ask(actor, path)
            if isinstance(message, Question):
                message.reply(f"from {actor.path}")

        return handle

    async with running(awaiting("a", on_to("b")), awaiting("b", on_to("c")), awaiting("c", on_to("a"))) as system:
        system.ref("a").tell("begin")
        await settle()
        assert clock.monotonic_ns() < 1e6
    assert [type(error) for error in ways.errors] == [AskRefused]
    assert str(ways.errors[0]) == "c asked a for Question, but b already waits for an answer of c: a circle"
    assert ways.replies == ["from c", "from b"]


async def test_asking_back_after_the_reply_is_allowed() -> None:
    ways = Ways()

    async def ask_b(actor: Actor[Any], message: Any) -> None:
        if isinstance(message, Question):
            message.reply("from a")
        else:
            await ways.ask(actor, "b")

    async def reply_then_ask(actor: Actor[Any], message: Any) -> None:
        message.reply("from b")
        await ways.ask(actor, "a")

    async with running(awaiting("a", ask_b), awaiting("b", reply_then_ask)) as system:
        system.ref("a").tell("begin")
        await settle()
    assert (ways.errors, ways.replies) == ([], ["from b", "from a"])


async def test_an_actor_may_ask_several_at_once_without_a_circle() -> None:
    ways = Ways()

    async def ask_both(actor: Actor[Any], message: Any) -> None:
        await asyncio.gather(ways.ask(actor, "b"), ways.ask(actor, "c"))

    async with running(awaiting("a", ask_both), plain("b", reply), plain("c", reply)) as system:
        system.ref("a").tell("begin")
        await settle()
    assert (ways.errors, len(ways.replies)) == ([], 2)


async def test_what_a_plain_handler_begins_is_not_taken_for_somebody_elses_ask(clock: VirtualClock) -> None:
    """`a` sets the run queue going from its coroutine; what `b` starts then must not count as an ask of `a`."""
    ways, tasks = Ways(), list[asyncio.Task[None]]()

    async def tell_b(actor: Actor[Any], message: Any) -> None:
        if isinstance(message, Question):
            message.reply("from a")
            return
        await actor.clock.sleep(1.0)
        actor.find("b").tell("go")

    def start_a_task(actor: Actor[Any], message: Any) -> None:
        tasks.append(asyncio.get_running_loop().create_task(ways.ask(actor, "a")))

    async with running(awaiting("a", tell_b), plain("b", start_a_task)) as system:
        system.ref("a").tell("begin")
        await clock.sleep(2.0)
        await asyncio.gather(*tasks)
    assert (ways.errors, ways.replies) == ([], ["from a"])


async def test_a_request_is_asked_once() -> None:
    request = Question(1)
    async with running(plain("a", reply)) as system:
        assert await system.ref("a").ask(request, 1.0) == "reply 1"
        with pytest.raises(AskRefused, match="Question was asked before: make a new request for each ask"):
            await system.ref("a").ask(request, 1.0)
        assert system.ref("a").stats().received == 1


# --- the rest of a ref -----------------------------------------------------------------------------------------------


async def test_put_waits_while_a_block_mailbox_is_full(clock: VirtualClock) -> None:
    async with running(awaiting("a", lambda actor, message: clock.sleep(1.0), Mailbox(2, Block()))) as system:
        ref: ActorRef[Any] = system.ref("a")
        took_ns: list[int] = []
        for _ in range(5):
            before_ns = clock.monotonic_ns()
            assert await ref.put("message") is Delivery.ACCEPTED
            took_ns.append(clock.monotonic_ns() - before_ns)
            await settle()
        assert [round(took / 1e9) for took in took_ns] == [0, 0, 0, 1, 1]
        with pytest.raises(TooHeavy):
            await ref.put("message", 3)
        await ref.drain(10.0)
        assert ref.stats().delivered == 5


async def test_enter_never_waits_and_a_ref_says_whether_anybody_does(clock: VirtualClock) -> None:
    async with running(awaiting("a", lambda actor, message: clock.sleep(1.0), Mailbox(2, Block()))) as system:
        ref: ActorRef[Any] = system.ref("a")
        assert (ref.enter("in hand", 2), ref.waits) == (Delivery.ACCEPTED, False)
        await settle()
        assert (ref.enter("queued", 2), ref.waits, ref.room) == (Delivery.ACCEPTED, False, 0)
        waits = ref.enter("waits")
        assert isinstance(waits, asyncio.Future)
        assert ref.waits
        await ref.drain(10.0)
        assert (await waits, ref.waits) == (Delivery.ACCEPTED, False)
        await ref.drain(10.0)
        assert ref.stats().delivered == 5


async def test_a_ref_knows_its_mailbox_and_its_room() -> None:
    mailbox = Mailbox(3, DropNewest())
    async with running(child("a", Actor, mailbox)) as system:
        ref = system.ref("a")
        assert ref.mailbox is mailbox
        ref.tell("message", 2)
        assert ref.room == 1
    assert ref.room < 0


async def test_offer_answers_in_ticks() -> None:
    async with running(child("a", Actor, Mailbox(3, DropNewest()))) as system:
        assert system.ref("a").offer("batch", 3) == Outcome(accepted=3)
        assert system.ref("a").offer("batch", 2) == Outcome(dropped=2)


async def test_a_ref_survives_restarts() -> None:
    async with running(plain("a", reply)) as system:
        ref = system.ref("a")
        for number in range(3):
            assert await ref.ask(Question(number), 1.0) == f"reply {number}"
            await restarted(system, "a")
        assert ref is system.ref("a")
