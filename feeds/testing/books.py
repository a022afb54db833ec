"""How a feed bears what is missing, what comes twice, and snapshots that fail or are too old."""

import pytest

from ticktree.market import FeedState, FeedStatus, Gap, Stale

from ..sequence import SequenceRule
from .author import GAPLESS, Author
from .rules import rule
from .running import Rig, Scripted
from .telling import Teller


class BookTests(Author):
    """Rules 5, 6 and 10."""

    @rule(5)
    async def test_a_missing_update_is_noticed_and_the_book_is_right_again(self) -> None:
        self.needs("update")
        if not self.notices_losses():
            pytest.skip("nothing numbers or sums up its books (rules, checksum, numbered): a loss cannot be noticed")
        async with self.running(5) as (rig, _):
            teller = self.teller(rig, await rig.ready())
            await teller.say("book")
            told, connections = len(rig.sink.told), rig.account.connections
            await self._lose(teller)
            await rig.until_book(rig.now, "after a missing update the book is right again")
            rig.check_trust()
            if not any(is_doubt(event) for event in rig.sink.told[told:]):
                raise rig.fail("an update was missing, and nobody was told that the book was wrong meanwhile")
            client = rig.exchange.clients[-1] if rig.account.connections > connections else teller.client
            await self.teller(rig, client).say("book")

    @rule(5)
    async def test_a_snapshot_that_is_too_old_is_asked_for_again(self) -> None:
        self._needs_fetches()
        async with self.running(5) as (rig, script):
            teller = self.teller(rig, await rig.ready())
            await teller.say("book")
            script.ages = [2, 2]
            await self._lose(teller)
            await self._mended(rig, script, "snapshots that end before what has come are asked for again")
            await teller.say("book")

    @rule(10)
    async def test_a_snapshot_that_fails_is_asked_for_again(self) -> None:
        self._needs_fetches()
        async with self.running(10) as (rig, script):
            teller = self.teller(rig, await rig.ready())
            await teller.say("book")
            script.answers = [500, b"", b"{}"]
            await self._lose(teller)
            await self._mended(rig, script, "snapshots that fail are asked for again")
            if rig.account.errors.total() < 3:
                raise rig.fail("three questions failed, and fewer were counted")
            await teller.say("book")

    @rule(5)
    async def test_a_missing_trade_or_quote_is_told_as_a_gap(self) -> None:
        kinds = [kind for kind in self.kinds() if kind != "book" and self.rule_of(kind) in GAPLESS]
        if not kinds:
            pytest.skip("rules promises of no trades or quotes that their numbers have no gaps")
        async with self.running(5) as (rig, _):
            teller = self.teller(rig, await rig.ready())
            for kind in kinds:
                await teller.say(kind)
                lost = teller.lose(kind)
                await teller.say(kind)
                gaps = [(str(gap.kind), gap.found - gap.expected) for gap in rig.of(Gap)]
                if (kind, 1) not in gaps:
                    raise rig.fail(f"a {kind} is missing, and no gap was told", lost=lost)

    @rule(6)
    async def test_what_comes_twice_is_told_once(self) -> None:
        kinds = [kind for kind in self.kinds() if self.rule_of(kind) is not SequenceRule.NONE]
        if not kinds:
            pytest.skip("rules says nothing of numbers: what comes twice cannot be told from what happened twice")
        async with self.running(6) as (rig, _):
            teller = self.teller(rig, await rig.ready())
            for kind in kinds:
                duplicates = rig.account.duplicates
                message = await teller.say(kind)
                teller.client.say(message, message)
                await rig.until_duplicates(duplicates + 2, message)
                told = teller.count(kind)
                await teller.say(kind)
                if teller.count(kind) != told + 1:
                    raise rig.fail(f"a {kind} came twice and was told twice", sent=message)

    # --- what they need ----------------------------------------------------------------------------------------

    def _needs_fetches(self) -> None:
        self.needs("update", "rest")
        if not self.fetches():
            pytest.skip("def snapshot of the feed is not overridden: its snapshots come in-band")
        if self.rule_of("book") not in GAPLESS:
            pytest.skip("rules promises of no books that their numbers have no gaps: what is too old cannot be told")

    async def _lose(self, teller: Teller) -> None:
        """An update is lost on the way, the next one arrives."""
        teller.lose("book")
        _, message = teller.next("book")
        teller.client.say(message)

    async def _mended(self, rig: Rig, script: Scripted, what: str) -> None:
        await rig.until_book(rig.now, what)
        rig.check_trust()
        if script.ages or script.answers:
            raise rig.fail(f"{what}: it did not ask", left=[*script.ages, *script.answers])


def is_doubt(event: object) -> bool:
    """Whether it says that a book is wrong."""
    return isinstance(event, Stale) or (isinstance(event, FeedStatus) and event.state is FeedState.LOST)
