"""What whoever writes a feed tells the kit: how his exchange speaks. What is not given is not tested."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from typing import Any, ClassVar

import pytest

from ticktree.market import EventKind, Instrument

from ..feed import Feed
from ..particular import Particular
from ..sequence import SequenceRule
from ..source import Source
from .facts import BookFact, Fact, Market, QuoteFact, TradeFact, UpdateFact
from .peers import Client, Exchange, Scheme
from .running import FEED, Rig, Scripted, Setting, Sink, running
from .telling import Teller

GAPLESS = (SequenceRule.PLUS_ONE, SequenceRule.RANGE)


class Author(ABC):
    """Override `make`, and whatever of the rest the exchange has.

    instrument  what is traded: prices and sizes of all facts are multiples of its increments
    scheme      "ws" or "tcp"
    numbered    whether the connection as a whole is numbered, so that a lost message ends it
    any_finite  whether any finite number is a price, as between processes of ticktree: the first feed has checked it
    """

    instrument: ClassVar[Instrument] = Instrument("BTC-USDT", 1, Decimal("0.01"), Decimal("0.0001"))
    scheme: ClassVar[Scheme] = "ws"
    numbered: ClassVar[bool] = False
    any_finite: ClassVar[bool] = False

    @abstractmethod
    def make(self, source: Source, url: str, rest_url: str) -> Feed:
        """The feed, which finds the exchange at `url`, and asks its questions at `rest_url`."""

    def opened(self, book: BookFact) -> Iterable[bytes]:
        """What the exchange says first on a new connection. Forget here what was said on the last one."""
        return ()

    def heard(self, message: bytes, book: BookFact) -> Iterable[bytes]:
        """What it answers to a message of the feed's; `book` is as of now, for who subscribes to one."""
        return ()

    def rest(self, path: str, query: Mapping[str, str], book: BookFact) -> bytes | None:
        """What it answers over HTTP, with the book as of now; None for what it does not know."""
        return None

    def trade(self, trade: TradeFact) -> bytes:
        """The message that tells a trade."""
        raise NotImplementedError

    def quote(self, quote: QuoteFact) -> bytes:
        """The message that tells best prices."""
        raise NotImplementedError

    def update(self, update: UpdateFact) -> bytes:
        """The message that tells what changed in a book."""
        raise NotImplementedError

    def snapshot(self, book: BookFact) -> bytes:
        """The message that tells a book whole, where it comes in-band."""
        raise NotImplementedError

    def refusal(self) -> bytes:
        """The message by which the exchange refuses a subscription."""
        raise NotImplementedError

    # --- what tests ask ----------------------------------------------------------------------------------------

    def has(self, name: str) -> bool:
        """Whether the method of that name was given."""
        return getattr(type(self), name) is not getattr(Author, name)

    def needs(self, *names: str) -> None:
        """Skip the test where one of these methods was not given."""
        for name in names:
            if not self.has(name):
                pytest.skip(f"def {name} is not given")

    def kinds(self) -> tuple[str, ...]:
        """The kinds of data that the author gave a message for."""
        given = (("trade", "trade"), ("quote", "quote"), ("update", "book"))
        kinds = tuple(kind for name, kind in given if self.has(name))
        if not kinds:
            pytest.fail("the kit can test nothing: give def trade, def quote or def update")
        return kinds

    def feed_class(self) -> type[Feed]:
        """What `make` makes."""
        return type(self.make(Source(FEED, (), Sink()), f"{self.scheme}://127.0.0.1:1", "http://127.0.0.1:1"))

    def fetches(self) -> bool:
        """Whether the feed asks for snapshots beside its stream."""
        return self.feed_class().snapshot is not Particular.snapshot

    def defines(self) -> bool:
        """Whether it asks the exchange for its instruments."""
        return self.feed_class().definitions is not Particular.definitions

    def rule_of(self, kind: str) -> SequenceRule:
        """What it says of the numbers of `kind`."""
        return self.feed_class().rules.get(EventKind(kind), SequenceRule.NONE)

    def notices_losses(self) -> bool:
        """Whether a missing update of a book can be noticed at all."""
        checks = self.feed_class().checksum is not Particular.checksum
        return self.rule_of("book") in GAPLESS or checks or self.numbered

    def running(
        self, number: int, lives: int = 1, prepare: Callable[[Scripted, Exchange], None] | None = None, **source: Any
    ) -> "AbstractAsyncContextManager[tuple[Rig, Scripted]]":
        """The feed, brought to the exchange in a test of rule `number`."""
        instrument = source.pop("instrument", self.instrument)
        topics = tuple(f"{FEED}/{instrument.name}/{kind}" for kind in self.kinds())
        setting = Setting(self, Market(self.instrument), topics, number, self.has("rest"), lives)
        if prepare is not None:
            setting = Setting(self, Market(self.instrument), topics, number, self.has("rest"), lives, prepare)
        return running(setting, **source)

    def teller(self, rig: Rig, client: Client) -> Teller:
        """Who tells facts on `client`."""
        return Teller(rig, client, self.message)

    def message(self, fact: Fact) -> bytes:
        """The message that tells `fact`."""
        match fact:
            case TradeFact():
                return self.trade(fact)
            case QuoteFact():
                return self.quote(fact)
            case UpdateFact():
                return self.update(fact)
            case BookFact():
                return self.snapshot(fact)

    def samples(self, market: Market) -> list[tuple[Fact, bytes]]:
        """A message of each kind that there is."""
        facts: dict[str, Fact] = {
            "trade": market.trade(1), "quote": market.quote(1), "update": market.update(1), "snapshot": market.book(1),
        }  # fmt: skip
        return [(fact, self.message(fact)) for name, fact in facts.items() if self.has(name)]
