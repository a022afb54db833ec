"""How a feed bears messages that are wrong, and questions that are answered wrong or not at all."""

import random
import tracemalloc
from typing import Any

import numpy as np
import pytest

from ticktree.market import BookUpdate, Data, MarketError, Quote, Trade
from ticktree.net import Lost

from ..errors import FeedError, UnknownInstruments
from ..feed import Feed
from .author import Author
from .facts import BookFact, Fact, Market, QuoteFact, TradeFact, UpdateFact, stranger
from .mutations import NOT_JSON, STRANGE, is_json, wrong_floats, wrong_texts, wrong_values
from .peers import Exchange
from .rules import Nonconforming, rule
from .running import Rig, Scripted
from .telling import DATA, consequence

MOST_GROWTH = 1 << 20  # bytes that a claim of length may cost
CHANGED = 24  # binary messages with a byte changed; each costs a connection
ANSWERS = 6  # wrong ones over HTTP: an exchange's limit of questions is the feed's, too


class HostileTests(Author):
    """Rules 2, 3, 9 and 10."""

    @rule(2)
    async def test_a_message_that_is_no_message_is_refused_and_what_follows_is_read(self) -> None:
        async with self.running(2) as (rig, _):
            client = await rig.ready()
            for wrong in (*NOT_JSON, *STRANGE) if self.scheme == "ws" else (b"\xff" * 65_536 * 2,):
                before, failed = len(rig.of(*DATA)), rig.account.errors.total()
                client = await consequence(rig, client, wrong)
                if any(isinstance(event, Trade | Quote) for event in rig.of(*DATA)[before:]):
                    raise rig.fail("garbage was told", sent=wrong)
                if wrong in NOT_JSON and rig.account.errors.total() == failed:
                    raise rig.fail("garbage was taken for a message", sent=wrong)
                await self.teller(rig, client).say(self.kinds()[0])

    @rule(2)
    async def test_a_length_beyond_all_bounds_costs_the_connection_and_no_memory(self) -> None:
        async with self.running(2) as (rig, _):
            client = await rig.ready()
            await self.teller(rig, client).say(self.kinds()[0])
            losses = rig.losses
            tracemalloc.start()
            try:
                client.send(b"\x81\x7f" + (1 << 62).to_bytes(8, "big") if self.scheme == "ws" else b"\xff" * 131_072)
                await rig.until(lambda: rig.losses > losses, "a length beyond all bounds costs the connection")
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            if peak > MOST_GROWTH:
                raise rig.fail(f"a claim of length made memory grow by {peak:,} bytes")
            await self.teller(rig, await rig.ready()).say(self.kinds()[0])

    @rule(2)
    async def test_a_message_that_is_no_json_any_more_is_refused(self) -> None:
        async with self.running(2) as (rig, _):
            await rig.ready()
            for _, message in self._json_samples(rig):
                for done, wrong in wrong_texts(message):
                    if (told := decoded(rig.feed, wrong)) is not None:
                        raise Nonconforming(2, f"{done}: that was taken for a message", sent=wrong, came=told)

    @rule(3)
    async def test_a_value_that_cannot_be_is_never_told(self) -> None:
        async with self.running(3) as (rig, _):
            await rig.ready()
            for fact, message in self._json_samples(rig):
                right = decoded(rig.feed, message)
                if not right or not all(map(sensible, right)):
                    raise Nonconforming(3, "a good message is not told", sent=message, expected=fact, came=right)
                for done, wrong in wrong_values(message, self.any_finite):
                    told = decoded(rig.feed, wrong)
                    if told and (values(told) != values(right) or not all(map(sensible, told))):
                        raise Nonconforming(3, f"{done}: that was told", sent=wrong, came=told)

    @rule(3)
    async def test_a_binary_value_that_cannot_be_is_never_told(self) -> None:
        async with self.running(3) as (rig, _):
            client, tried = await rig.ready(), 0
            for kind in self.kinds():
                teller = self.teller(rig, client)
                fact, message = teller.next(kind)
                if is_json(message):
                    continue
                for done, wrong in [(done, wrong) for done, wrong in wrong_floats(message, *numbers(fact))]:
                    before, tried = len(rig.of(Trade, Quote)), tried + 1
                    client = await consequence(rig, client, wrong)
                    if len(rig.of(Trade, Quote)) > before:
                        raise rig.fail(f"{done}: that was told", sent=wrong)
                    client = await rig.fresh()
                await self.teller(rig, client).say(kind)
            if not tried:
                pytest.skip("its messages hold no doubles")

    @rule(2)
    async def test_a_binary_message_with_a_byte_changed_is_told_sensibly_or_refused(self) -> None:
        async with self.running(2) as (rig, _):
            client, draw = await rig.ready(), random.Random(1)
            for number in range(CHANGED):
                kind = self.kinds()[number % len(self.kinds())]
                _, message = self.teller(rig, client).next(kind)
                if is_json(message):
                    pytest.skip("its messages are JSON")
                place = draw.randrange(len(message))
                client.say(message[:place] + bytes([draw.randrange(256)]) + message[place + 1 :])
                client = await rig.fresh()
                if not all(map(sensible, rig.of(*DATA))):
                    raise rig.fail(f"what cannot be was told, after byte {place} was changed", sent=message)
            await self.teller(rig, client).say(self.kinds()[0])

    @rule(9)
    async def test_data_of_an_instrument_that_was_not_asked_for_are_never_told(self) -> None:
        unknown = stranger(self.instrument)
        async with self.running(9) as (rig, _):
            client = await rig.ready()
            for name in ("trade", "quote", "update"):
                if self.has(name):
                    fact: Fact = getattr(Market(unknown), name)(1)
                    message = self.message(fact)
                    client = await consequence(rig, client, message)
                    if any(event.instrument.name == unknown.name for event in rig.of(*DATA)):
                        raise rig.fail("data of an instrument that nobody asked for were told", sent=message)
                    client = await rig.fresh()
            await self.teller(rig, client).say(self.kinds()[0])

    @rule(9)
    async def test_an_instrument_that_the_exchange_does_not_list_is_an_error_at_the_start(self) -> None:
        if not self.defines():
            pytest.skip("def definitions is not overridden: the feed knows what it is told of")
        async with self.running(9, lives=99, instrument=stranger(self.instrument)) as (rig, _):
            error = await rig.until_fault("a life that is to bring an instrument that nobody lists ends")
            if not isinstance(error, UnknownInstruments):
                raise rig.fail(f"it should have ended by UnknownInstruments, not by {error!r}")

    @rule(10)
    async def test_definitions_that_fail_at_first_are_asked_for_again(self) -> None:
        self.needs("rest")
        if not self.defines():
            pytest.skip("def definitions is not overridden: the feed knows what it is told of")

        def prepare(script: Scripted, _: Exchange) -> None:
            script.answers = [503, b"", b'{"a":', b"null"]

        async with self.running(10, prepare=prepare) as (rig, _):
            await self.teller(rig, await rig.ready()).say(self.kinds()[0])
            if rig.account.errors.total() < 4:
                raise rig.fail("four questions failed, and fewer were counted")

    @rule(10)
    async def test_a_snapshot_that_cannot_be_read_is_a_failure(self) -> None:
        if not self.fetches():
            pytest.skip("def snapshot of the feed is not overridden: its snapshots come in-band")
        async with self.running(10) as (rig, script):
            await rig.ready()
            right = await rig.feed.snapshot(self.instrument)
            good = script.last_answer
            values_wrong = [wrong for done, wrong in wrong_values(good) if "nan" in done.lower() or "-1" in done]
            for wrong in [good[: len(good) // 2], *values_wrong[:ANSWERS]]:
                script.answers = [wrong]
                try:
                    told = await rig.feed.snapshot(self.instrument)
                except (MarketError, FeedError, Lost):
                    continue
                if values([told]) != values([right]):
                    raise Nonconforming(10, "a snapshot that cannot be was taken", sent=wrong, came=told)

    # --- what they need ----------------------------------------------------------------------------------------

    def _json_samples(self, rig: Rig) -> list[tuple[Fact, bytes]]:
        samples = [(fact, rig.exchange.unframed(message)) for fact, message in self.samples(rig.market)]
        samples = [(fact, message) for fact, message in samples if is_json(message)]
        if not samples:
            pytest.skip("its messages are not JSON")
        return samples


def decoded(feed: Feed, message: bytes) -> list[Data] | None:
    """What `feed` makes of `message`; None where it refuses it."""
    try:
        made = feed.decode(message, 1)
        events: list[Any] = [] if isinstance(made, np.ndarray) else list(made)
    except (MarketError, FeedError):
        return None
    except Exception as error:
        raise Nonconforming(2, f"decode raised {error!r}, no MarketError or FeedError", sent=message) from error
    return [event for event in events if isinstance(event, DATA)]


def values(events: list[Data] | list[BookUpdate]) -> list[object]:
    """Prices and sizes."""
    return [
        (event.price, event.size)
        if isinstance(event, Trade)
        else (event.bid, event.bid_size, event.ask, event.ask_size)
        if isinstance(event, Quote)
        else (event.bids, event.asks)
        if isinstance(event, BookUpdate)
        else event
        for event in events
    ]


def sensible(event: object) -> bool:
    """Whether all values of it can be: those of a record of 64 bytes, finite, and from 0 on."""
    match event:
        case Trade():
            amounts: list[float] = [event.price, event.size]
        case Quote():
            amounts = [event.bid, event.bid_size, event.ask, event.ask_size]
        case BookUpdate():
            amounts = [amount for level in (*event.bids, *event.asks) for amount in level]
        case _:
            return True
    whole = 0 <= event.sequence < 1 << 64 and -(1 << 63) <= event.venue_time_ns < 1 << 63
    return whole and all(abs(amount) < float("inf") for amount in amounts)


def numbers(fact: Fact) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Prices and sizes of a fact."""
    match fact:
        case TradeFact():
            return (fact.price,), (fact.size,)
        case QuoteFact():
            return (fact.bid, fact.ask), (fact.bid_size, fact.ask_size)
        case UpdateFact() | BookFact():
            levels = (fact.bids[0], fact.asks[0])
            return tuple(price for price, _ in levels), tuple(size for _, size in levels)
