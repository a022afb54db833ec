"""The feed against the exchange as it was recorded: everything told, and books that are right, also after cuts."""

import json
from collections import Counter
from typing import Any

import pytest

from ticktree.feeds.exchanges.coinbase import CoinbaseFeed
from ticktree.feeds.playback import Cuts
from ticktree.market import BookUpdate, Live, Quote, Trade

from ...recordings import recording
from .collector import Sides, sides
from .playing import Wanted, playing

NAMES = ("BAND-BTC", "BAND-GBP", "CRV-EUR", "DASH-BTC", "NMR-EUR", "NU-GBP", "SKL-BTC", "SKL-GBP", "SKL-USD", "YFI-BTC")
TOPICS = tuple(f"coinbase/{name}/{kind}" for name in NAMES for kind in ("trade", "quote", "book"))
WANTED = Wanted("coinbase", CoinbaseFeed, TOPICS, streams=len(TOPICS))
TOLD = {"snapshot": BookUpdate, "l2update": BookUpdate, "ticker": Quote, "match": Trade}


def messages() -> list[dict[str, Any]]:
    return [json.loads(line.data) for line in recording("coinbase") if line.kind == "received"]


async def test_everything_that_was_recorded_is_told_and_the_books_end_as_the_exchange_has_them() -> None:
    async with playing(WANTED) as run:
        await run.ended()
        assert run.account.messages == len(messages()) - 2  # one acknowledgement: it subscribes in one message
        assert (run.account.skipped, run.account.crossed, run.account.errors) == (0, 0, {})
        assert (run.account.gaps, run.account.duplicates) == (0, 0)
    told = run.sink.counted(BookUpdate, Quote, Trade)
    wanted = Counter(TOLD[each["type"]] for each in messages() if each["type"] in TOLD)
    assert told == wanted
    assert {each.instrument.name for each in run.sink.of(Live)} == set(NAMES)


async def test_a_feed_of_status_alone_is_live() -> None:
    async with playing(Wanted("coinbase", CoinbaseFeed, ("coinbase/BAND-BTC/status",), streams=1)) as run:
        await run.sink.until(lambda: run.account.live)
        await run.exchange.ended()
        assert run.sink.counted(BookUpdate, Quote, Trade) == {}
        assert (run.account.live, run.account.connections, run.account.errors) == (True, 1, {})


async def test_what_is_told_of_a_book_leads_to_the_same_book() -> None:
    async with playing(WANTED) as run:
        await run.ended()
        right = run.right()
    books: dict[str, Sides] = {}
    for update in run.sink.of(BookUpdate):
        if update.snapshot:
            books[update.instrument.name] = sides(update)
            continue
        for side, levels in zip(books[update.instrument.name], (update.bids, update.asks), strict=True):
            for price, size in levels:
                side.pop(price, None)
                if size:
                    side[price] = size
    assert books == right


async def check_cuts(seed: int, count: int) -> None:
    async with playing(WANTED, Cuts(count, seed, missed=200)) as run:
        await run.ended()
        assert run.exchange.cuts == count
        assert run.account.connections == count + 1
        assert run.account.crossed == 0


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_books_end_the_same_however_connections_are_cut(seed: int) -> None:
    await check_cuts(seed, 5)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(20))
async def test_books_end_the_same_after_many_cuts(seed: int) -> None:
    await check_cuts(seed, 40)
