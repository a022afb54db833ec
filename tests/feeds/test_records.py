"""A feed of bare 64-byte records over real sockets."""

from typing import Any

import numpy as np
import pytest

from ticktree.feeds import RecordFeed, Source
from ticktree.market import BookUpdate, Instrument, Live, Trade
from ticktree.market.ticks import encoded

from .json_feed import BTC, ETH, Hand
from .rig import running
from .test_wire_feed import book_ticks, changed, trades


def make(source: Source, url: str, hand: Hand) -> RecordFeed:
    return RecordFeed(source, url, (BTC, ETH))


@pytest.mark.parametrize("scheme", ["tcp", "unix"])
async def test_records_come_as_ticks_wherever_reads_cut_them(scheme: Any) -> None:
    async with running(make, scheme=scheme) as rig:
        client = await rig.accept()
        data = encoded(trades(9)).tobytes()
        for start in range(0, len(data), 100):
            client.send(data[start : start + 100])
            await rig.read(client)
        await rig.until(lambda: len(rig.sink.of(Trade)) == 9)
        assert [trade.sequence for trade in rig.sink.of(Trade)] == list(range(1, 10))
        assert rig.account.decoded == client.sent


async def test_a_book_update_that_a_read_cuts_is_told_once_it_is_whole() -> None:
    async with running(make) as rig:
        client = await rig.accept()
        data = np.concatenate([encoded(trades(1)), book_ticks(4, snapshot=True), encoded(trades(1, 2))]).tobytes()
        client.send(data[: 64 * 3])
        await rig.until(lambda: len(rig.sink.of(Trade)) == 1)
        client.send(data[64 * 3 : 64 * 4])
        await rig.read(client)
        assert rig.sink.of(BookUpdate) == []
        client.send(data[64 * 4 :])
        await rig.until(lambda: len(rig.sink.of(Trade)) == 2)
        (update,) = rig.sink.of(BookUpdate)
        assert len(update.bids) == 4
        assert rig.feed.book("BTC-USDT").bids == update.bids
        assert len(rig.sink.of(Live)) == 1


async def test_half_an_update_is_forgotten_with_its_connection() -> None:
    async with running(make) as rig:
        first = await rig.accept()
        first.send(book_ticks(4, snapshot=True)[:3].tobytes())
        await rig.read(first)
        first.cut()
        second = await rig.accept()
        second.send(book_ticks(2, snapshot=True).tobytes())
        await rig.until(lambda: bool(rig.sink.of(BookUpdate)))
        assert len(rig.sink.of(BookUpdate)[0].bids) == 2


@pytest.mark.parametrize("checked", [True, False])
async def test_ids_are_translated_where_another_feed_has_taken_them(checked: bool) -> None:
    async with running(make, checked=checked) as rig:
        rig.feed.source.ids.adopt(Instrument("DOGE-USDT", BTC.id, BTC.price_increment, BTC.size_increment))
        client = await rig.accept()
        client.send(encoded(trades(3)).tobytes())
        await rig.until(lambda: len(rig.sink.of(Trade)) == 3)
        assert {trade.instrument.name for trade in rig.sink.of(Trade)} == {"BTC-USDT"}


async def test_a_record_that_cannot_be_costs_the_connection() -> None:
    async with running(make) as rig:
        for number, wrong in enumerate(
            (changed(encoded(trades(2)), kind=0), changed(encoded(trades(2)), instrument=9)), 1
        ):
            client = await rig.accept()
            client.send(wrong.tobytes())
            await rig.until_broken(number)
        assert rig.account.errors == {"BadTick": 2}
        assert rig.sink.of(Trade) == []
