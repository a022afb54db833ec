"""How a feed bears its connections: cut anywhere, silent, refused, and made anew."""

import pytest

from ticktree.market import FeedState, FeedStatus, Live, Stale

from .author import Author
from .facts import Fact
from .peers import Exchange
from .rules import rule
from .running import Scripted
from .telling import DATA, shape

CUTS = 40  # of connections; a message in two pieces costs less, and is tried at every byte
FETCHING_CUTS = 8  # where each costs a question too: the exchange's limit of them is the feed's
SLICES = (1, 7, 64, 100_000)
HEARTBEAT_S = 0.1
STALE_S = 0.1


class ConnectionTests(Author):
    """Rules 1, 4, 7 and 8."""

    @rule(1)
    async def test_every_fact_is_told_once_and_right(self) -> None:
        async with self.running(1) as (rig, _):
            teller = self.teller(rig, await rig.ready())
            for _ in range(6):
                for kind in self.kinds():
                    await teller.say(kind)
            rig.check_trust()
            if rig.has_book:
                rig.check_book()

    @rule(1)
    async def test_a_message_in_two_pieces_is_told_whole_wherever_it_was_cut(self) -> None:
        async with self.running(1) as (rig, _):
            teller = self.teller(rig, await rig.ready())
            for kind in self.kinds():
                cut = length = 1
                while cut <= length:
                    fact, message = teller.next(kind)
                    data, before = teller.client.framed(message), len(rig.of(*DATA))
                    length = len(data)
                    await teller.send(data[:cut])
                    if cut < length and len(rig.of(*DATA)) != before:
                        raise rig.fail(f"something was told of the first {cut} bytes of a message", sent=data[:cut])
                    teller.client.send(data[cut:])
                    await teller.told(fact, message, f"a message cut at byte {cut} is told whole")
                    cut += 1

    @rule(1)
    async def test_however_messages_are_sliced_and_merged_the_same_is_told(self) -> None:
        async with self.running(1) as (rig, _):
            teller = self.teller(rig, await rig.ready())
            for size in SLICES:
                facts, said = dict[str, Fact](), b""
                for kind in self.kinds() * 3:
                    facts[kind], message = teller.next(kind)
                    said += teller.client.framed(message)
                for start in range(0, len(said), size):
                    await teller.send(said[start : start + size])
                for fact in facts.values():
                    await teller.told(fact, said, f"messages in slices of {size} bytes are told")

    @rule(1)
    async def test_what_is_told_is_what_was_whole_before_the_connection_was_cut(self) -> None:
        async with self.running(1) as (rig, _):
            cut = length = 0
            while cut <= length:
                teller, ends, said = self.teller(rig, await rig.ready()), dict[str, tuple[Fact, int]](), b""
                for kind in self.kinds():
                    fact, message = teller.next(kind)
                    said += teller.client.framed(message)
                    ends[kind] = fact, len(said)
                length, losses = len(said), rig.losses
                await teller.send(said[:cut])
                for fact, end in ends.values():
                    if end <= cut:
                        await teller.told(fact, said[:cut], "what was whole before the cut is told")
                teller.client.cut()
                await rig.until_lost(losses)
                for kind, (_, end) in ends.items():
                    if end > cut and teller.count(kind):
                        raise rig.fail(f"part of a message was told: a {kind}", sent=said[:cut])
                if rig.account.errors.total() > rig.losses:
                    raise rig.fail(
                        "a message was refused that nobody cut: is anything kept from the connection before?"
                    )
                cut += max(1, length // (FETCHING_CUTS if self.fetches() else CUTS))
            rig.check_trust()

    @rule(4)
    async def test_a_new_connection_subscribes_to_all_of_it_again(self) -> None:
        async with self.running(4) as (rig, _):
            first = await rig.ready()
            await self.teller(rig, first).say(self.kinds()[0])
            said, heard = shape(first), list(first.heard)
            first.cut()
            second = await rig.accept()
            again = "a new connection hears what the first one heard"
            await rig.until(lambda: shape(second)[: len(said)] == said, again, expected=heard, heard=second.heard)
            await rig.until(lambda: not rig.has_book or rig.book() is not None, "the book is verified again")
            await self.teller(rig, second).say(self.kinds()[0])
            states = [event.state for event in rig.of(FeedStatus)]
            if states != [FeedState.LIVE, FeedState.LOST, FeedState.LIVE]:
                raise rig.fail("live, lost and live again are to be told", states=states)

    @rule(4)
    async def test_a_connection_that_breaks_off_while_it_is_made_is_made_again(self) -> None:
        def prepare(_: Scripted, exchange: Exchange) -> None:
            exchange.spoilt = 2

        async with self.running(4, prepare=prepare) as (rig, _):
            await self.teller(rig, await rig.ready()).say(self.kinds()[0])

    @rule(7)
    async def test_a_connection_whose_other_side_went_without_a_word_is_lost(self) -> None:
        feed = self.feed_class()
        if feed.heartbeat_s is None:
            pytest.skip("heartbeat_s is not given: a connection that went without a word is never noticed")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(feed, "heartbeat_s", HEARTBEAT_S)
            async with self.running(7) as (rig, _):
                client = await rig.ready()
                client.deafen()
                await rig.until(lambda: rig.account.errors["Silent"] > 0, "a connection that is silent is lost")
                await rig.accept()

    @rule(7)
    async def test_an_instrument_is_stale_after_the_silence_that_was_asked_for(self) -> None:
        async with self.running(7, stale_after_s=STALE_S) as (rig, _):
            teller, kind = self.teller(rig, await rig.ready()), self.kinds()[0]
            await teller.say(kind)
            stale = "an instrument that nothing is heard of is stale"
            await rig.until(lambda: [type(mark) for mark in rig.of(Stale, Live)][-1:] == [Stale], stale)
            lives = len(rig.of(Live))
            await teller.say(kind)
            await rig.until(lambda: len(rig.of(Live)) > lives, "with the next word it is live again")

    @rule(8)
    async def test_a_refusal_costs_the_connection_and_it_is_tried_again(self) -> None:
        self.needs("refusal")

        def prepare(script: Scripted, _: Exchange) -> None:
            script.refusing = self.refusal

        async with self.running(8, prepare=prepare) as (rig, script):
            await rig.accept()
            refused = "a refusal is counted as Refused"
            await rig.until(lambda: rig.account.errors["Refused"] == 1, refused, sent=script.refusal)
            if rig.of(FeedStatus):
                raise rig.fail("a subscription that was refused was told to be live", sent=script.refusal)
            await self.teller(rig, await rig.ready()).say(self.kinds()[0])
