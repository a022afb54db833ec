"""What users subclass: topics in, orders out; everything around it is ticktree's."""

from collections.abc import Awaitable, Callable, Generator, Iterator
from decimal import Decimal
from functools import partial
from inspect import iscoroutinefunction
from typing import Any, ClassVar, assert_never

import attrs

from ticktree.actors import Actor, Conflate, DropOldest, Mailbox
from ticktree.market import (
    Bar,
    Batch,
    BookUpdate,
    Data,
    Event,
    FeedStatus,
    Gap,
    Instrument,
    InstrumentStatus,
    Live,
    Number,
    Quote,
    Side,
    Skipped,
    Stale,
    Trade,
    batch_rows,
    latest_quote,
)
from ticktree.routing import PLAIN_TERMS, Desk, Fill, Order, OrderHandle, OrderUpdate, Terms

from .books import KnownBooks, Resend
from .errors import ColumnsConflate, NotAtDesk

Handled = Awaitable[None] | None
Handler = Callable[[Any], Handled]
Handlers = dict[type, Handler]

COLUMNS = Mailbox(65_536, DropOldest(), batch_rows)
ROWS_AT_ONCE = 256  # as many events as an actor may handle before others have their turn


class Strategy(Actor[Batch | Event | Fill | OrderUpdate]):
    """Override the handlers that matter, plain (the fast path) or `async`; also `on_start` and `on_stop(reason)`.

    topics   what it gets: `feed/instrument/kind`, with `*`
    mailbox  how much may wait for it, and what happens beyond; the default keeps the latest quote of each instrument.
             Where `on_batch` is overridden it drops the oldest rows instead: columns do not conflate.

    Changes of a book come after its snapshot. Where this strategy's mailbox lost some, `on_skipped` says so, further
    ones are left out, and a new snapshot follows, then `on_live`. (`on_batch` gets them all.)
    """

    topics: ClassVar[tuple[str, ...]] = ()
    mailbox: ClassVar[Mailbox] = Mailbox(65_536, Conflate(latest_quote, otherwise=DropOldest()), batch_rows)

    __handlers: "Handlers | None" = None
    __books: KnownBooks | None = None
    __desk: Desk | None = None  # mangled: a subclass may call its own things what it likes

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        default = cls.mailbox is Strategy.mailbox and "mailbox" not in vars(cls)
        cls.mailbox = COLUMNS if default and cls.takes_columns() else cls.fitted(cls.mailbox)

    @classmethod
    def fitted(cls, mailbox: Mailbox) -> Mailbox:
        """`mailbox`, which may be one that a configuration says, as this class can use it: batches may be cut in it.

        Raises `ColumnsConflate` where it conflates single events and the class takes columns.
        """
        if cls.takes_columns() and isinstance(mailbox.overflow, Conflate):
            raise ColumnsConflate(cls.__name__)
        return mailbox if mailbox.rows is not None else attrs.evolve(mailbox, rows=batch_rows)

    # --- handlers ----------------------------------------------------------------------------------------------

    def on_quote(self, quote: Quote) -> Handled:
        """The top of a book changed."""
        return None

    def on_trade(self, trade: Trade) -> Handled:
        """Somebody traded."""
        return None

    def on_book(self, update: BookUpdate) -> Handled:
        """Levels of a book changed, or with `update.snapshot` all there are came."""
        return None

    def on_bar(self, bar: Bar) -> Handled:
        """A bar is complete."""
        return None

    def on_batch(self, batch: Batch) -> Handled:
        """What one read brought, as columns: `batch.ticks`. Where it is overridden it gets all data, and the handlers
        of single events none."""
        return None

    def on_fill(self, fill: Fill) -> Handled:
        """An order of this strategy was filled, perhaps in part; the position has it already."""
        return None

    def on_report(self, update: OrderUpdate) -> Handled:
        """An order of this strategy has come on otherwise than by a fill: refused, accepted, over, in doubt; or an
        execution of it was busted or corrected, and the position has that already."""
        return None

    # Marks: each stands at its place in the stream.

    def on_status(self, status: FeedStatus) -> Handled:
        """From here on a feed is live or lost."""
        return None

    def on_instrument_status(self, status: InstrumentStatus) -> Handled:
        """The exchange says whether an instrument can be traded."""
        return None

    def on_gap(self, gap: Gap) -> Handled:
        """Messages of one stream are missing here."""
        return None

    def on_stale(self, stale: Stale) -> Handled:
        """From here on what is known of an instrument may be wrong."""
        return None

    def on_live(self, live: Live) -> Handled:
        """From here on it is right again."""
        return None

    def on_skipped(self, skipped: Skipped) -> Handled:
        """This strategy's own mailbox overflowed: ticks were dropped here."""
        return None

    # --- orders ------------------------------------------------------------------------------------------------

    def buy(
        self, instrument: Instrument, quantity: Number, limit: Number | None = None, terms: Terms = PLAIN_TERMS
    ) -> OrderHandle:
        """Buy, at `limit` or better, or at the market. `await handle.execution()` tells what became of it by the
        router's deadline; `await handle.final()` what became of it in the end. One that a limit stands against is
        answered at once, with its `refusal`.

        Raises `OffIncrement` with the nearest valid values, `BadNumber`, `BadOrder`.
        """
        return self._at_desk().submit(self.clock, Side.BUY, instrument, quantity, limit, terms)

    def sell(
        self, instrument: Instrument, quantity: Number, limit: Number | None = None, terms: Terms = PLAIN_TERMS
    ) -> OrderHandle:
        """Sell; otherwise as `buy`."""
        return self._at_desk().submit(self.clock, Side.SELL, instrument, quantity, limit, terms)

    def cancel(self, order: Order) -> None:
        """Take an order back; `on_report` says when the venue has. Raises `UnknownOrder` when it is over."""
        self._at_desk().cancel(order.id)

    def replace(self, order: Order, quantity: Number | None = None, limit: Number | None = None) -> None:
        """Change a live order of one leg to this whole quantity and limit; `on_report` says what came of it.

        Raises `UnknownOrder` when it is over, `OffIncrement`, `BadNumber`.
        """
        self._at_desk().replace(order.id, quantity, limit)

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

    def on_message(self, message: Batch | Event | Fill | OrderUpdate) -> Handled:
        match message:
            case Batch():
                return self._take(message)
            case Quote() | Trade() | BookUpdate() | Bar():
                return self._single(message)
            case Fill():
                return self.on_fill(message)
            case OrderUpdate():
                return self.on_report(message)
            case FeedStatus():
                return self.on_status(message)
            case InstrumentStatus():
                return self.on_instrument_status(message)
            case Gap():
                return self.on_gap(message)
            case Stale():
                return self.on_stale(message)
            case Live():
                if self.__books is not None:
                    self.__books.live(message)
                return self.on_live(message)
            case Skipped():
                if self.__books is not None:
                    self.__books.skipped(message)
                return self.on_skipped(message)
            case _:
                assert_never(message)

    @classmethod
    def takes_columns(cls) -> bool:
        """Whether it gets whole batches, in `on_batch`."""
        return cls.on_batch is not Strategy.on_batch

    def _take(self, batch: Batch) -> Handled:
        if self.takes_columns():
            if self.__books is not None:
                self.__books.look(batch)
            return self.on_batch(batch)
        handlers, events = self._handlers(), iter(batch.events)
        for event in events:
            if (awaitable := handlers[type(event)](event)) is not None:
                return _go_on(awaitable, events, handlers)
        return None

    def _single(self, event: Data) -> Handled:
        return self._handlers()[type(event)](event)

    def _handlers(self) -> "Handlers":
        handlers = self.__handlers
        if handlers is None:
            on_book = self.on_book if self.__books is None else self._known_book
            of_types: Handlers = {Quote: self.on_quote, Trade: self.on_trade, BookUpdate: on_book, Bar: self.on_bar}
            handlers = {type: _when_awaited(handler) for type, handler in of_types.items()}
            self.__handlers = handlers
        return handlers

    def _known_book(self, update: BookUpdate) -> Handled:
        assert self.__books is not None
        return self.on_book(update) if self.__books.counts(update) else None

    def ask_for_books(self, resend: Resend) -> None:
        """Follow books, and have `resend(feed, instrument)` tell those anew that cannot be followed any further (the
        assembly's call, before `on_start`). Who takes no books asks for none."""
        if self.takes_columns() or type(self).on_book is not Strategy.on_book:
            self.__books = KnownBooks(resend)

    def sit_at(self, desk: Desk) -> None:
        """Trade from `desk` (the assembly's call, before `on_start`)."""
        self.__desk = desk

    def _at_desk(self) -> Desk:
        if self.__desk is None:
            raise NotAtDesk(type(self).__name__)
        return self.__desk


async def _go_on(awaitable: Awaitable[None], rest: Iterator[Data], handlers: Handlers) -> None:
    """Wait for one handler, and go on with the events that came with its own."""
    await awaitable
    for event in rest:
        if (more := handlers[type(event)](event)) is not None:
            await more


def _when_awaited(handler: Handler) -> Handler:
    """The same, but an `async` handler is only called once its turn to be waited for has come.

    Where that never comes (its life is killed before) there is no coroutine either, of which Python would complain.
    """
    return partial(_Call, handler) if iscoroutinefunction(handler) else handler


class _Call:
    """A handler to be called."""

    __slots__ = ("_event", "_handler")

    def __init__(self, handler: Handler, event: Data) -> None:
        self._handler, self._event = handler, event

    def __await__(self) -> Generator[Any, None, None]:
        awaitable = self._handler(self._event)
        assert awaitable is not None
        return (yield from awaitable.__await__())
