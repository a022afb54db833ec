"""Real feeds on the simulated exchange: what goes wrong there is noticed here, and in the end the books are right."""

from typing import Any

import attrs
import pytest

from ticktree.feeds.simulated import FaultKind, Faults, Halt, Stats
from ticktree.market import BookUpdate, FeedState, FeedStatus, Gap, InstrumentStatus, Quote, Trade

from .follower import Rig, following
from .raw import BOTH, FAST

K = FaultKind


def is_state(event: Any, state: FeedState) -> bool:
    return isinstance(event, FeedStatus) and event.state is state


@pytest.mark.parametrize("scheme", BOTH)
async def test_data_follow_the_word_that_the_feed_is_live(scheme: str) -> None:
    async with following(scheme) as rig:
        await rig.until_step(50)
        rig.check()
    first, *_, last = rig.follower.told
    assert is_state(first, FeedState.LIVE)
    assert is_state(last, FeedState.LOST)
    quote = rig.follower.of(Quote)[-1]
    assert quote.received_time_ns >= quote.venue_time_ns > 0
    assert (rig.account.connections, rig.account.gaps, rig.account.errors.total()) == (1, 0, 0)


@pytest.mark.parametrize("scheme", BOTH)
async def test_without_faults_everything_comes_once(scheme: str) -> None:
    async with following(scheme) as rig:
        await rig.until_step(200)
        rig.check()
    for kind in (Quote, BookUpdate):
        for name in ("BTC-USDT", "ETH-USDT"):
            numbers = [one.sequence for one in rig.follower.of(kind) if one.instrument.name == name]
            assert numbers == list(range(numbers[0], numbers[-1] + 1))
    for trade in rig.follower.of(Trade):
        told = [one for one in rig.truth.step(trade.sequence) if isinstance(one, Trade)]
        assert (trade.price, trade.size, trade.aggressor) in [(one.price, one.size, one.aggressor) for one in told]


@pytest.mark.parametrize("scheme", BOTH)
async def test_only_what_was_asked_for_comes(scheme: str) -> None:
    async with following(scheme, topics=("sim/ETH-*/trade",)) as rig:
        await rig.follower.until(lambda: len(rig.follower.of(Trade)) >= 10)
    data: list[Any] = [event for event in rig.follower.told if not isinstance(event, FeedStatus)]
    assert {(type(event).__name__, event.instrument.name) for event in data} == {("Trade", "ETH-USDT")}


@pytest.mark.parametrize("scheme", BOTH)
async def test_a_halt_is_passed_on(scheme: str) -> None:
    market = attrs.evolve(FAST, halts=(Halt("BTC-USDT", 100, 10),))
    async with following(scheme, market=market) as rig:
        await rig.follower.until(lambda: len(rig.follower.of(InstrumentStatus)) == 2)
    assert [mark.status.value for mark in rig.follower.of(InstrumentStatus)] == ["halted", "trading"]


@pytest.mark.parametrize("scheme", BOTH)
async def test_a_feed_that_fails_is_restarted_and_data_flow_again(scheme: str) -> None:
    async with following(scheme) as rig:
        await rig.until_step(20)
        rig.system.ref("feed").tell("nonsense")
        await rig.follower.until(lambda: len(rig.feeds) == 2)
        at = rig.stats().steps
        await rig.until_step(at + 20)
        await rig.until_whole()
        rig.check()
        node = rig.system.snapshot().actors()[1]
        assert (node.life, node.mailbox.dropped.crash) == (2, 1)


@pytest.mark.parametrize("scheme", BOTH)
async def test_an_exchange_that_restarts_is_found_again_at_its_new_address(scheme: str) -> None:
    async with following(scheme) as rig:
        await rig.until_step(50)
        rig.system.ref("exchange").tell("nonsense")
        await rig.follower.until(lambda: is_state(rig.follower.told[-1], FeedState.LOST))
        assert "the exchange closes" in rig.follower.told[-1].reason
        await rig.until_whole()
        rig.check()
        assert len(rig.feeds) == 1
        assert len(rig.exchanges) == 2


async def test_a_feed_whose_language_is_not_spoken_says_so_and_keeps_trying(caplog: pytest.LogCaptureFixture) -> None:
    async with following("tcp", listen=("ws://127.0.0.1:0/",)) as rig:
        while rig.account.errors["Unreachable"] < 2:
            await rig.system.ref("exchange").ask(Stats(), 5.0)
        assert rig.system.snapshot().actors()[1].restarts == 0
    assert "and not at tcp or unix" in caplog.text


# --- one fault at a time -------------------------------------------------------------------------------------------

STRUCK = (60, 160, 260)  # a fifth of a second apart: what one does is over when the next one comes
END = 360


async def settled(rig: Rig, step: int = END) -> None:
    await rig.until_step(step)
    await rig.until_whole()
    rig.check()


@pytest.mark.parametrize("scheme", BOTH)
async def test_each_cut_is_a_loss_after_which_the_books_are_right_again(scheme: str) -> None:
    async with following(scheme, Faults(disconnects=STRUCK)) as rig:
        await settled(rig)
        assert rig.did(K.DISCONNECTS) == 3
        assert rig.account.connections == 4
        assert rig.account.errors == {"PeerLost": 3}
        assert rig.account.gaps == 0


async def test_each_gap_in_frames_costs_the_connection() -> None:
    async with following("tcp", Faults(gaps=STRUCK)) as rig:
        await settled(rig)
        assert rig.did(K.GAPS) == rig.account.errors["SequenceGap"] == 3
        assert rig.account.connections == 4
        assert rig.stats().lost > 0


async def test_each_gap_in_a_book_is_repaired_alone() -> None:
    async with following("ws", Faults(gaps=STRUCK)) as rig:
        await settled(rig)
        account = rig.account
        assert rig.did(K.GAPS) == account.gaps == account.snapshots == len(rig.follower.of(Gap)) == 3
        assert account.repairs == 2 + 3
        assert account.connections == 1
        assert not account.errors


async def test_each_frame_that_comes_twice_costs_the_connection() -> None:
    async with following("tcp", Faults(duplicates=STRUCK)) as rig:
        await settled(rig)
        assert rig.did(K.DUPLICATES) == rig.account.errors["SequenceGap"] == 3
        assert rig.account.connections == 4


async def test_each_update_that_comes_twice_is_dropped_and_counted() -> None:
    async with following("ws", Faults(duplicates=STRUCK)) as rig:
        await settled(rig)
        assert rig.did(K.DUPLICATES) == rig.account.duplicates == 3
        assert (rig.account.connections, rig.account.gaps) == (1, 0)


async def test_garbage_in_a_stream_costs_the_connection() -> None:
    async with following("tcp", Faults(garbage=STRUCK)) as rig:
        await settled(rig)
        assert rig.did(K.GARBAGE) == rig.account.broken == 3
        assert rig.account.connections == 4
        assert rig.account.skipped > 0


async def test_garbage_among_texts_costs_that_text_alone() -> None:
    async with following("ws", Faults(garbage=range(60, 260, 10))) as rig:
        await settled(rig)
        assert rig.did(K.GARBAGE) == rig.account.errors["BadPayload"] == 20
        assert (rig.account.connections, rig.account.gaps) == (1, 0)
        assert rig.account.skipped > 0


async def test_garbage_among_texts_costs_the_connection_where_the_policy_says_so() -> None:
    async with following("ws", Faults(garbage=STRUCK), on_bad="reconnect") as rig:
        await settled(rig)
        assert rig.did(K.GARBAGE) == rig.account.broken == 3
        assert rig.account.connections == 4


@pytest.mark.parametrize("scheme", BOTH)
async def test_a_short_silence_costs_nothing(scheme: str) -> None:
    async with following(scheme, Faults(silence=STRUCK, silence_s=0.1)) as rig:
        await settled(rig)
        assert rig.did(K.SILENCE) == 3
        assert (rig.account.connections, rig.account.gaps) == (1, 0)


@pytest.mark.parametrize("scheme", BOTH)
async def test_silence_beyond_two_heartbeats_is_a_loss(scheme: str) -> None:
    async with following(scheme, Faults(silence=[60], silence_s=60.0)) as rig:
        await rig.follower.until(lambda: rig.account.connections == 2)
        await settled(rig, rig.stats().steps + 20)
        assert rig.account.errors == {"Silent": 1}


@pytest.mark.parametrize("scheme", BOTH)
async def test_an_exchange_that_reads_slowly_is_heard_all_the_same(scheme: str) -> None:
    async with following(scheme, Faults(slow_reads=STRUCK, slow_reads_s=0.1)) as rig:
        await settled(rig)
        assert rig.did(K.SLOW_READS) == 3
        assert rig.account.connections == 1


@pytest.mark.parametrize("scheme", BOTH)
async def test_what_comes_late_comes_in_order(scheme: str) -> None:
    async with following(scheme, Faults(latency_s=0.02, jitter_s=0.02)) as rig:
        await settled(rig, 150)
        assert (rig.account.connections, rig.account.gaps, rig.account.duplicates) == (1, 0, 0)
    news = [one for one in rig.follower.of(Quote) if one.sequence > 30]
    assert min(one.received_time_ns - one.venue_time_ns for one in news) >= 20_000_000


# --- all at once ---------------------------------------------------------------------------------------------------

ALL = Faults(
    disconnects=0.005, gaps=0.01, duplicates=0.01, silence=0.005, garbage=0.01, slow_reads=0.005,
    silence_s=0.02, slow_reads_s=0.02, latency_s=0.001, jitter_s=0.003, seed=4,
)  # fmt: skip


@pytest.mark.parametrize("scheme", BOTH)
async def test_all_faults_together_leave_true_books_and_exact_accounts(scheme: str) -> None:
    async with following(scheme, ALL) as rig:
        for step in range(100, 1_001, 100):
            await settled(rig, step)
        injected = rig.stats().injected
        assert set(injected) == set(FaultKind)
        losses = rig.account.connections - 1
        fatal = [K.DISCONNECTS] if scheme == "ws" else [K.DISCONNECTS, K.GAPS, K.DUPLICATES, K.GARBAGE]
        # What was under way when a connection was lost is never seen.
        assert 0 < losses <= sum(injected[kind] for kind in fatal)
        if scheme == "ws":
            assert 0 < rig.account.gaps <= injected[K.GAPS]
            assert 0 < rig.account.errors["BadPayload"] <= injected[K.GARBAGE]
            assert rig.account.duplicates > 0
