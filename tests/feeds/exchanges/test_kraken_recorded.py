"""The feed against the exchange as it was recorded: every checksum is right, also after connections were cut."""

import asyncio
import json
from functools import partial
from typing import Any

import pytest

from ticktree.feeds.exchanges.kraken import KrakenFeed
from ticktree.feeds.playback import Cuts
from ticktree.market import BookUpdate, Live, Quote, Trade

from ...recordings import recording
from .playing import DEADLINE_S, Wanted, playing

# As we write them: the exchange's XBT is BTC.
NAMES = (
    *("WAVES-EUR", "XMR-USD", "KSM-BTC", "GRT-ETH", "SC-EUR"),
    *("ETH-CHF", "OCEAN-BTC", "OMG-USD", "BTC-CHF", "ADA-BTC"),
)
BOOKS = "book-1000"
TOPICS = tuple(f"kraken/{name}/{kind}" for name in NAMES for kind in ("trade", "quote", "book"))
WANTED = Wanted("kraken", KrakenFeed, TOPICS, streams=len(TOPICS))


def messages() -> list[list[Any]]:
    """What was recorded, but events."""
    received = (json.loads(line.data) for line in recording("kraken") if line.kind == "received")
    return [message for message in received if isinstance(message, list)]


def told_in(channel: str) -> list[list[Any]]:
    return [message for message in messages() if message[-2] == channel]


async def test_every_checksum_is_verified_and_everything_that_was_recorded_is_told() -> None:
    async with playing(WANTED) as run:
        await run.ended()
        account, checksums = run.account, [part["c"] for each in told_in(BOOKS) for part in each[1:-2] if "c" in part]
        assert (account.checksums_verified, account.checksums_failed) == (len(checksums), 0) == (4_269, 0)
        assert (account.skipped, account.crossed, account.gaps, account.errors) == (0, 0, 0, {})
    told = run.sink.counted(BookUpdate, Quote, Trade)
    trades = sum(len(message[1]) for message in told_in("trade"))
    assert told == {BookUpdate: len(told_in(BOOKS)), Quote: len(told_in("ticker")), Trade: trades}
    assert {each.instrument.name for each in run.sink.of(Live)} == set(NAMES)


async def test_a_feed_of_status_alone_keeps_its_connection() -> None:
    class Quick(KrakenFeed):
        heartbeat_s = 0.05

    async with playing(Wanted("kraken", Quick, ("kraken/XMR-USD/status",), streams=1)) as run:
        await run.sink.until(lambda: run.account.live)
        async with asyncio.timeout(DEADLINE_S):
            while run.account.messages < 10:  # noqa: ASYNC110  # pongs wake nobody; so many take four silences
                await asyncio.sleep(0)
        assert (run.account.connections, run.account.errors) == (1, {})


async def check_cuts(seed: int, count: int) -> None:
    async with playing(WANTED, Cuts(count, seed, missed=100)) as run:
        await run.ended()
        assert run.exchange.cuts == count
        assert run.account.connections == count + 1
        assert run.account.checksums_verified > 100
        assert (run.account.checksums_failed, run.account.crossed) == (0, 0)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_checksums_stay_right_and_books_end_the_same_however_connections_are_cut(seed: int) -> None:
    await check_cuts(seed, 5)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(20))
async def test_checksums_stay_right_after_many_cuts(seed: int) -> None:
    await check_cuts(seed, 30)


async def test_a_depth_that_was_not_recorded_is_refused_in_words_of_the_exchange() -> None:
    shallow = Wanted("kraken", partial(KrakenFeed, depth=10), TOPICS[:3], streams=1)
    async with playing(shallow) as run:
        await run.sink.until(lambda: run.account.errors["Refused"] > 0)
