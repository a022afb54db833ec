"""Books against a model: random streams with losses, doubles and snapshots of any age, over a real socket."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from ticktree.market import BookUpdate, Gap, Live, Trade

from .json_feed import BTC, FetchingFeed, InBandFeed, book, trade
from .rig import Client, Reader, Rig, running

pytestmark = pytest.mark.usefixtures("many_systems")
BOOK = "test/BTC-USDT/book"
PRICES = [float(price) for price in range(90, 111)]


def truth(number: int) -> dict[float, float]:
    """The exchange's book after update `number`: update n sets a price to n, or where n % 3 == 0 deletes it."""
    found: dict[float, float] = {}
    for n in range(1, number + 1):
        price, size = change(n)
        found.pop(price, None)
        if size:
            found[price] = size
    return found


def change(number: int) -> tuple[float, float]:
    return PRICES[number * 5 % len(PRICES)], float(number % 3 and number)


class Player:
    """Plays the exchange as `script` says: losses, doubles, and snapshots that come late or are too old."""

    def __init__(self, rig: Rig, client: Client, script: list[str]) -> None:
        self.rig, self.client, self.script = rig, client, script
        self.number = 0
        self.texts: list[Any] = []

    def play(self) -> None:
        for step in self.script:
            if step.startswith("snapshot"):
                self.snapshot(int(step.partition("-")[2] or 0))
            else:
                getattr(self, step)()
        self.flush()

    def next(self) -> None:
        self.number += 1
        self.texts.append(book(self.number, bids=[change(self.number)]))

    def range(self) -> None:
        first = self.number + 1
        self.number += 3
        self.texts.append(book(first, self.number, bids=[change(n) for n in range(first, self.number + 1)]))

    def lose(self) -> None:
        self.number += 1

    def double(self) -> None:
        if self.texts:
            self.texts.append(self.texts[-1])

    def empty(self) -> None:
        self.number += 1
        price, size = change(self.number)
        present = truth(self.number - 1).get(price, 0.0)
        self.texts.append(book(self.number, bids=[] if present == size else [(price, size)]))

    def snapshot(self, age: int) -> None:
        as_of = max(0, self.number - age)
        self.texts.append(book(as_of, bids=truth(as_of).items(), snapshot=True))

    def flush(self) -> None:
        if self.texts:
            self.client.say(*self.texts)
            self.texts = []


STEPS = st.lists(
    st.sampled_from(
        ["next"] * 6 + ["range", "double", "lose", "empty", "flush", "snapshot", "snapshot-1", "snapshot-5"]
    ),
    max_size=60,
)


@settings(max_examples=12, deadline=None)
@given(STEPS)
def test_whenever_a_book_is_called_live_what_was_told_of_it_is_the_truth(script: list[str]) -> None:
    """Checked at every event, by a reader that has nothing but what was told. In the end all is repaired."""
    asyncio.run(follow_in_band(script))


@settings(max_examples=12, deadline=None)
@given(STEPS, st.integers(0, 6))
def test_the_same_holds_where_snapshots_are_fetched_however_old_they_are(script: list[str], age: int) -> None:
    asyncio.run(follow_fetching(script, age))


@pytest.mark.soak
@settings(max_examples=300, deadline=None)
@given(STEPS, st.integers(0, 6))
def test_both_hold_for_hundreds_of_streams(script: list[str], age: int) -> None:
    asyncio.run(follow_in_band(script))
    asyncio.run(follow_fetching(script, age))


async def follow_in_band(script: list[str]) -> None:
    async with running(InBandFeed, BOOK) as rig:
        client = await rig.accept()
        player = Player(rig, client, script)
        player.play()
        await rig.read(client)
        client.say(book(player.number, bids=truth(player.number).items(), snapshot=True), trade(1))
        await rig.until_told(1, Trade)
        check(rig, player.number)
        found = rig.feed.book("BTC-USDT")
        assert (dict(found.bids) if found else {}) == truth(player.number)


async def follow_fetching(script: list[str], age: int) -> None:
    script = [step for step in script if not step.startswith("snapshot")]
    async with running(FetchingFeed, BOOK) as rig:
        client = await rig.accept()
        player = Player(rig, client, script)
        answering = asyncio.ensure_future(answer(rig, player, age))
        player.play()
        await rig.read(client)
        await rig.until(lambda: bool(rig.sink.of(Live)))
        player.lose()  # so that the end is a repair in any case
        player.next()
        player.flush()
        await rig.until(lambda: bool((found := rig.feed.book("BTC-USDT")) and found.sequence == player.number))
        answering.cancel()
        check(rig, player.number)


async def answer(rig: Rig, player: Player, age: int) -> None:
    """Snapshots, the first of them `age` updates old, each next one younger."""
    while True:
        _, question = await rig.hand.questions.get()
        as_of = max(0, player.number - age)
        age = max(0, age - 1)
        question.set_result(BookUpdate("test", BTC, tuple(truth(as_of).items()), (), True, as_of, as_of, 0, 0))


def check(rig: Rig, number: int) -> None:
    reader, last = Reader(), 0
    for event in rig.sink.told:
        reader.take(event)
        if isinstance(event, BookUpdate):
            last = event.sequence
        if "BTC-USDT" in reader.live and not isinstance(event, Gap):  # a gap says by itself that something is wrong
            assert reader.levels("BTC-USDT")[0] == truth(last), (rig.sink.told, event)
    assert reader.live
    assert reader.levels("BTC-USDT")[0] == truth(number)
