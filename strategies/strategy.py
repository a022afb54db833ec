"""What users subclass: topics in, orders out; everything around it is ticktree's."""

from collections.abc import Awaitable
from decimal import Decimal
from typing import ClassVar, assert_never

from ticktree.actors import Actor, Conflate, DropOldest, Mailbox
from ticktree.market import Event, FeedStatus, Instrument, Number, Quote, Side, Trade, latest_quote
from ticktree.routing import Desk, Fill, Order, OrderHandle

from .errors import NotAtDesk

Handled = Awaitable[None] | None


class Strategy(Actor[Event | Fill]):
    """Override the handlers that matter, plain (the fast path) or `async`; also `on_start` and `on_stop(reason)`.

    topics   what it gets: `feed/instrument/kind`, with `*`
    mailbox  how much may wait for it, and what happens beyond; the default keeps the latest quote of each instrument
    """

    topics: ClassVar[tuple[str, ...]] = ()
    mailbox: ClassVar[Mailbox] = Mailbox(65_536, Conflate(latest_quote, otherwise=DropOldest()))

    __desk: Desk | None = None  # mangled: a subclass may call its own things what it likes

    # --- handlers ----------------------------------------------------------------------------------------------

    def on_quote(self, quote: Quote) -> Handled:
        """The top of a book changed."""
        return None

    def on_trade(self, trade: Trade) -> Handled:
        """Somebody traded."""
        return None

    def on_fill(self, fill: Fill) -> Handled:
        """An order of this strategy was filled, perhaps in part; the position has it already."""
        return None

    def on_status(self, status: FeedStatus) -> Handled:
        """From this place in the stream on, a feed is live or lost."""
        return None

    # --- orders ------------------------------------------------------------------------------------------------

    def buy(self, instrument: Instrument, quantity: Number, limit: Number | None = None) -> OrderHandle:
        """Buy, at `limit` or better, or at the market. `await handle.execution()` tells what became of it.

        Raises `OffIncrement` with the nearest valid values, `BadNumber`, `BadOrder`.
        """
        return self._at_desk().submit(self.ref, Side.BUY, instrument, quantity, limit)

    def sell(self, instrument: Instrument, quantity: Number, limit: Number | None = None) -> OrderHandle:
        """Sell; otherwise as `buy`."""
        return self._at_desk().submit(self.ref, Side.SELL, instrument, quantity, limit)

    def position(self, instrument: Instrument) -> Decimal:
        """What this strategy holds, over all its lives; negative when it is short."""
        return self._at_desk().position(instrument)

    def exposure(self, instrument: Instrument) -> Decimal:
        """The position with all open orders at their worst; 0 only when nothing is held and nothing is out."""
        return self._at_desk().exposure(instrument)

    def working(self, instrument: Instrument) -> tuple[Order, ...]:
        """This strategy's orders that are out, oldest first."""
        return self._at_desk().working(instrument)

    # --- the actor ---------------------------------------------------------------------------------------------

    def on_message(self, message: Event | Fill) -> Handled:
        match message:
            case Quote():
                return self.on_quote(message)
            case Trade():
                return self.on_trade(message)
            case Fill():
                return self.on_fill(message)
            case FeedStatus():
                return self.on_status(message)
            case _:
                assert_never(message)

    def sit_at(self, desk: Desk) -> None:
        """Trade from `desk` (the assembly's call, before `on_start`)."""
        self.__desk = desk

    def _at_desk(self) -> Desk:
        if self.__desk is None:
            raise NotAtDesk(type(self).__name__)
        return self.__desk
