"""Facts told one by one on a connection, and whether the feed has told each of them, once and right."""

import re
from collections.abc import Callable
from typing import assert_never

from ticktree.market import BookUpdate, Quote, Trade

from .facts import BookFact, Fact, QuoteFact, TradeFact, UpdateFact
from .peers import Client
from .running import Rig

DATA = (Trade, Quote, BookUpdate)


class Teller:
    """Tells facts to the feed by `client`, each kind numbered from where the last teller of the test stopped."""

    def __init__(self, rig: Rig, client: Client, message: Callable[[Fact], bytes]) -> None:
        self.rig, self.client, self._message = rig, client, message
        self._before = {kind: self._count(kind) for kind in ("trade", "quote", "book")}
        self._said = dict.fromkeys(self._before, 0)

    def next(self, kind: str) -> tuple[Fact, bytes]:
        """The next fact of `kind`, which is true from now on, and the message that tells it."""
        rig, market = self.rig, self.rig.market
        rig.numbers[kind] += 1
        self._said[kind] += 1
        number = rig.numbers[kind]
        fact: Fact
        match kind:
            case "trade":
                fact = market.trade(number)
            case "quote":
                fact = market.quote(number)
            case _:
                fact = market.update(number)
                rig.now = number
        return fact, self._message(fact)

    def lose(self, kind: str) -> Fact:
        """A fact that the exchange tells, and that never arrives."""
        fact, _ = self.next(kind)
        self._said[kind] -= 1
        return fact

    def has_told(self, fact: Fact) -> bool:
        """Whether the feed has told `fact` last of its kind, and each one before it once."""
        match fact:
            case TradeFact():
                trades = self.rig.of(Trade)
                right = (float(fact.price), float(fact.size))
                return self._complete("trade") and (trades[-1].price, trades[-1].size) == right
            case QuoteFact():
                quote = self.rig.of(Quote)[-1:]
                right_quote = (float(fact.bid), float(fact.bid_size), float(fact.ask), float(fact.ask_size))
                told = [(each.bid, each.bid_size, each.ask, each.ask_size) for each in quote]
                return self._complete("quote") and told == [right_quote]
            case UpdateFact():
                return self.rig.told_book() == fact.book.levels
            case BookFact():
                return self.rig.told_book() == fact.levels
            case _:
                assert_never(fact)

    async def say(self, kind: str) -> bytes:
        """Tell the next fact of `kind`, and wait until the feed has told it; the message."""
        fact, message = self.next(kind)
        self.client.say(message)
        await self.told(fact, message)
        return message

    async def told(self, fact: Fact, message: bytes, what: str = "a fact is told once, with its values") -> None:
        """Wait until `fact` is told."""
        await self.rig.until(lambda: self.has_told(fact), what, sent=message, expected=fact)

    async def send(self, data: bytes) -> None:
        """Send `data` as it is, and wait until the feed has read it."""
        self.client.send(data)
        await self.rig.arrived(self.client)

    def count(self, kind: str) -> int:
        """How many of `kind` the feed has told on this connection, since the teller began."""
        return self._count(kind) - self._before[kind]

    def _complete(self, kind: str) -> bool:
        return self.count(kind) == self._said[kind]

    def _count(self, kind: str) -> int:
        return len(self.rig.of({"trade": Trade, "quote": Quote, "book": BookUpdate}[kind]))


async def consequence(rig: Rig, client: Client, message: bytes) -> Client:
    """Say a wrong `message`, and wait until it was counted, ignored, or cost the connection; the one to go on with."""
    await rig.arrived(client)
    account, losses = rig.account, rig.losses
    before = account.messages + account.errors.total()
    client.say(message)
    await rig.until(
        lambda: account.messages + account.errors.total() > before or rig.losses > losses,
        "a message that is wrong is counted",
        sent=message,
    )
    return client if rig.losses == losses else await rig.ready()


def shape(client: Client) -> list[bytes]:
    """What the feed said on a connection, without its digits: requests may be numbered, or tell the time."""
    return [_DIGITS.sub(b"#", message) for message in client.heard]


_DIGITS = re.compile(rb"\d+")
