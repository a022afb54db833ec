"""When a feed reads no more because somebody has no room, and when silence is a loss, or makes an instrument stale."""

import asyncio
from typing import Any

import pytest

from ticktree.market import Live, Stale, Trade
from ticktree.net import PeerLost

from .json_feed import RuledFeed, book, trade
from .rig import running

# --- pausing -------------------------------------------------------------------------------------------------------


async def test_it_reads_no_more_until_the_last_holder_lets_go() -> None:
    async with running(RuledFeed, "test/BTC-USDT/trade") as rig:
        client = await rig.accept()
        client.say(trade(1))
        await rig.until(lambda: len(rig.sink.of(Trade)) == 1)
        for holder in ("a", "b", "b"):
            rig.feed.pause(holder)
        client.say(trade(2))
        rig.feed.resume("b")
        rig.feed.resume("unknown")
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(rig.sink.of(Trade)) == 1
        rig.feed.resume("a")
        await rig.until(lambda: len(rig.sink.of(Trade)) == 2)
        assert rig.account.pauses == 1


@pytest.mark.parametrize("scheme", ["tcp", "ws"])
async def test_a_pause_holds_over_a_reconnect(scheme: Any) -> None:
    async with running(RuledFeed, "test/BTC-USDT/trade", scheme=scheme) as rig:
        first = await rig.accept()
        first.say(trade(1))
        await rig.until(lambda: len(rig.sink.of(Trade)) == 1)
        rig.feed.pause("a")
        rig.feed._connection().abort(PeerLost("cut"))
        second = await rig.accept()
        await rig.until(lambda: rig.account.connections == 2)
        second.say(trade(1))
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(rig.sink.of(Trade)) == 1
        rig.feed.resume("a")
        await rig.until(lambda: len(rig.sink.of(Trade)) == 2)


@pytest.mark.parametrize("scheme", ["tcp", "ws"])
async def test_it_reads_no_more_once_the_system_stops(scheme: Any) -> None:
    async with running(RuledFeed, "test/BTC-USDT/trade", scheme=scheme) as rig:
        first = await rig.accept()
        first.say(trade(1))
        await rig.until(lambda: len(rig.sink.of(Trade)) == 1)
        rig.feed.on_drain()
        first.say(trade(2))
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(rig.sink.of(Trade)) == 1
        assert rig.account.pauses == 0  # which counts full mailboxes


async def test_it_can_be_paused_before_there_is_a_connection() -> None:
    async with running(RuledFeed, "test/BTC-USDT/trade") as rig:
        rig.feed.pause("a")
        client = await rig.accept()
        client.say(trade(1))
        await client.hear(b"subscribe")
        assert rig.sink.told == []
        rig.feed.resume("a")
        await rig.until(lambda: bool(rig.sink.of(Trade)))


# --- silence -------------------------------------------------------------------------------------------------------


class Beating(RuledFeed):
    heartbeat_s = 0.05

    def beat(self) -> bytes:
        return b"beat\n"


class Quick(RuledFeed):
    heartbeat_s = 0.05
    pongs_suffice = True


@pytest.mark.parametrize("scheme", ["tcp", "ws"])
async def test_a_peer_that_went_without_a_word_is_noticed_within_two_heartbeats(scheme: Any) -> None:
    """Nobody reads at the other end, so that a WebSocket's pings are not answered either."""
    async with running(Quick, scheme=scheme) as rig:
        loop = asyncio.get_running_loop()
        client = await rig.accept()
        await rig.until(lambda: rig.account.connections == 1)
        client.say(trade(1))
        await rig.until(lambda: rig.account.live)
        began_s = loop.time()
        await rig.until(lambda: not rig.account.live)
        assert 0.05 < loop.time() - began_s < 0.5  # 0.1, and what the machine was late; test_pulse.py is exact
        assert rig.account.errors == {"Silent": 1}


async def test_it_beats_itself_also_while_it_does_not_read_and_then_no_silence_counts() -> None:
    async with running(Beating) as rig:
        client = await rig.accept()
        client.say(trade(1))
        await rig.until(lambda: rig.account.live)
        rig.feed.pause("a")
        await client.hear(b"beat\nbeat\nbeat\nbeat\n")  # four heartbeats
        assert rig.account.connections == 1
        client.say(trade(2))
        rig.feed.resume("a")
        await rig.until(lambda: len(rig.sink.of(Trade)) == 2)
        assert rig.account.connections == 1


async def test_a_websocket_that_promises_messages_is_lost_though_it_answers_pings() -> None:
    class Promising(RuledFeed):
        heartbeat_s = 0.05

    async with running(Promising, scheme="ws") as rig:
        await rig.accept()
        await rig.until(lambda: rig.account.errors["Silent"] == 1)


async def test_an_instrument_is_stale_after_a_deadline_that_was_asked_for() -> None:
    async with running(RuledFeed, "test/BTC-USDT/trade", "test/ETH-USDT/trade", stale_after_s=0.05) as rig:
        client = await rig.accept()
        client.say(trade(1), trade(1, "ETH-USDT"))
        await rig.until(lambda: len(rig.sink.of(Stale)) == 2)
        assert "nothing came for 0.05 s" in rig.sink.of(Stale)[0].reason
        client.say(trade(2))
        await rig.until(lambda: bool(rig.sink.of(Live)))
        assert rig.sink.told.index(rig.sink.of(Live)[0]) == rig.sink.told.index(rig.sink.of(Trade)[-1]) + 1
        assert [mark.instrument.name for mark in rig.sink.of(Live)] == ["BTC-USDT"]


async def test_silence_is_normal_unless_somebody_says_otherwise_and_while_nobody_reads() -> None:
    async with running(RuledFeed, "test/BTC-USDT/trade", stale_after_s=0.05) as rig:
        client = await rig.accept()
        client.say(trade(1))
        await rig.until(lambda: rig.account.live)
        rig.feed.pause("a")
        began_s = asyncio.get_running_loop().time()
        await turns_after(began_s + 0.1)
        assert rig.sink.of(Stale) == []
        rig.feed.resume("a")
        rig.feed._look()
        assert rig.sink.of(Stale) == []
        await rig.until(lambda: bool(rig.sink.of(Stale)))


async def turns_after(due_s: float) -> None:
    """Real time has to pass here, because it is real time that must not count."""
    done = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_at(due_s, done.set_result, None)
    await done


async def test_a_gap_that_is_open_outlasts_the_end_of_a_silence() -> None:
    async with running(RuledFeed, stale_after_s=0.05) as rig:
        client = await rig.accept()
        client.say(book(1, snapshot=True))
        await rig.until(lambda: len(rig.sink.of(Live)) == 1)
        rig.feed._books._books["BTC-USDT"].reset()  # as if a gap were being repaired
        await rig.until(lambda: len(rig.sink.of(Stale)) == 2)
        client.say(trade(1), trade(1, "ETH-USDT"))
        await rig.until(lambda: len(rig.sink.of(Trade)) == 2)
        assert len(rig.sink.of(Live)) == 1
