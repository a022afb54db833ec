"""What users subclass: topics in, orders out; everything around it is ticktree's."""

import logging
from decimal import Decimal
from difflib import get_close_matches
from functools import cached_property
from typing import ClassVar, Generic, assert_never, cast

import attrs
import msgspec

from ticktree.actors import Actor, Conflate, DropOldest, Mailbox, Timer
from ticktree.market import (
    Bar,
    Batch,
    BookUpdate,
    Event,
    FeedStatus,
    Gap,
    Instrument,
    InstrumentStatus,
    Live,
    Mark,
    Number,
    OrderBook,
    Quote,
    Side,
    Skipped,
    Stale,
    Trade,
    batch_rows,
    latest_quote,
)
from ticktree.routing import (
    PLAIN_TERMS,
    Desk,
    Fill,
    Order,
    OrderHandle,
    OrderUpdate,
    PortfolioSnapshot,
    Terms,
)

from .books import BuiltBook, Feeds, KnownBooks, Resend
from .dispatch import Handled, Handlers, follow, go_on, when_awaited
from .errors import BadStrategy, ColumnsConflate, NoBook, NotAtDesk
from .params import P_co, fitting, params_type


def _meant(method: str) -> str:
    """The handler that `method` is a slip of the pen for: a letter more, or fewer, or two that changed places."""
    handlers = [name for name in dir(Strategy) if name.startswith("on_")]
    if method in handlers:
        return ""
    near = get_close_matches(method, handlers, 1, 0.8)
    return near[0] if near and abs(len(near[0]) - len(method)) <= 1 else ""


COLUMNS = Mailbox(65_536, DropOldest(), batch_rows)
ROWS_AT_ONCE = 256  # as many events as an actor may handle before others have their turn


@attrs.frozen
class _Due:
    """A strategy's timer rang. Its own type, so that no message of a user's is taken for one."""

    name: str


class Strategy(Actor[Batch | Event | Fill | OrderUpdate | _Due], Generic[P_co]):
    """Override the handlers that matter, plain (the fast path) or `async`; also `on_start` and `on_stop(reason)`.

    params   its parameters, of the type in brackets: `class Mine(Strategy[Params])`, a frozen `msgspec.Struct`
    topics   what it gets: `feed/instrument/kind`, with `*`
    mailbox  how much may wait for it, and what happens beyond; the default keeps the latest quote of each instrument.
             Where `on_batch` is overridden it drops the oldest rows instead: columns do not conflate.

    Changes of a book come after its snapshot. Where this strategy's mailbox lost some, `on_skipped` says so, further
    ones are left out, and a new snapshot follows, then `on_live`. (`on_batch` gets them all.)
    """

    topics: ClassVar[tuple[str, ...]] = ()
    mailbox: ClassVar[Mailbox] = Mailbox(65_536, Conflate(latest_quote, otherwise=DropOldest()), batch_rows)

    __handlers: "Handlers | None" = None
    __params: msgspec.Struct | None = None
    __resend: Resend | None = None
    __feeds: Feeds | None = None
    __books: KnownBooks | None = None
    __built: "dict[tuple[str, str | None], BuiltBook] | None" = None
    __desk: Desk | None = None  # mangled: a subclass may call its own things what it likes

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        topics: object = cls.topics  # users check no types
        if isinstance(topics, str):
            raise BadStrategy.one_text(cls.__name__, topics)
        for method in vars(cls):
            if method.startswith("on_") and (handler := _meant(method)):
                raise BadStrategy.misspelt(cls.__name__, method, handler)  # who would tell its author at run time?
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

    @classmethod
    def params_type(cls) -> type[msgspec.Struct]:
        """What `params` are: the type in the brackets of `Strategy[...]`; `NoParams` where there is none."""
        return params_type(cls)

    @cached_property
    def params(self) -> P_co:
        """What was given in the configuration, or to `strategy_part`; else all defaults. Raises `BadParams`."""
        return cast(P_co, fitting(type(self), self.__params))

    @cached_property
    def log(self) -> logging.Logger:
        """The logger `ticktree.strategies.NAME`. One line an event, and never one a tick."""
        name = type(self).__name__.lower() if self.__desk is None else self.__desk.strategy
        return logging.getLogger(f"ticktree.strategies.{name}")

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
        """An order of this strategy has come on otherwise than by a fill: accepted, rejected, over, in doubt; or an
        execution of it was busted or corrected, and the position has that already. (One that a limit or a halt stands
        against is answered within the call: `handle.refusal`.)"""
        return None

    def on_timer(self, name: str) -> Handled:
        """What `every` or `after` was asked for under that name is due."""
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
        router's deadline; `await handle.final()` what became of it in the end. One that a limit or a halt stands
        against is answered at once: `handle.refusal` says which.

        Raises `OffIncrement` with the nearest valid values, `BadNumber`, `BadOrder`.
        """
        return self._at_desk().submit(self.clock, Side.BUY, instrument, quantity, limit, terms)

    def sell(
        self, instrument: Instrument, quantity: Number, limit: Number | None = None, terms: Terms = PLAIN_TERMS
    ) -> OrderHandle:
        """Sell; otherwise as `buy`."""
        return self._at_desk().submit(self.clock, Side.SELL, instrument, quantity, limit, terms)

    def cancel(self, order: Order | OrderHandle) -> None:
        """Take an order back; `on_report` says when the venue has. Raises `UnknownOrder` when it is over."""
        self._at_desk().cancel(_order(order).id)

    def replace(self, order: Order | OrderHandle, quantity: Number | None = None, limit: Number | None = None) -> None:
        """Change a live order of one leg to this whole quantity and limit; `on_report` says what came of it.

        Raises `UnknownOrder` when it is over, `OffIncrement`, `BadNumber`.
        """
        self._at_desk().replace(_order(order).id, quantity, limit)

    def position(self, instrument: Instrument | str) -> Decimal:
        """What this strategy holds, over all its lives; negative when it is short."""
        return self._at_desk().position(instrument)

    def exposure(self, instrument: Instrument | str) -> Decimal:
        """The position with all open orders at their worst; 0 only when nothing is held and nothing is out."""
        return self._at_desk().exposure(instrument)

    def working(self, instrument: Instrument | str) -> tuple[Order, ...]:
        """This strategy's orders that are out, oldest first."""
        return self._at_desk().working(instrument)

    def portfolio(self) -> PortfolioSnapshot:
        """What all strategies hold, at the freshest prices: a moment's picture, worked out anew with each call."""
        return self._at_desk().portfolio()

    def halt(self, reason: str) -> None:
        """Have nothing new sent, by nobody, until the operator's `resume`. What is out stays, and can be canceled;
        orders that only reduce a position go on. It is journalled, so that a restart does not end it."""
        self._at_desk().halt(self.clock, reason)

    @property
    def halted(self) -> str:
        """Why nothing new is sent, whoever halted trading; empty while it goes on."""
        return self._at_desk().halted

    # --- time --------------------------------------------------------------------------------------------------

    def every(self, period_s: float, name: str) -> Timer:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]  # a name is enough here
        """Call `on_timer(name)` every `period_s` seconds, in this life; one that is late is not made up for."""
        return super().every(period_s, _Due(name))

    def after(self, delay_s: float, name: str) -> Timer:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]  # likewise
        """Call `on_timer(name)` once, not before `delay_s` seconds from now. `cancel()` of the timer forgets it."""
        return super().after(delay_s, _Due(name))

    # --- what is known -----------------------------------------------------------------------------------------

    def last(self, instrument: Instrument | str) -> Quote | None:
        """The freshest quote that any feed brought, also one that no topic here selects; None where nothing useful is
        known: no quote, or its feed is lost or it is stale, or it is crossed or one-sided."""
        return self._at_desk().last(instrument)

    def book(self, instrument: Instrument | str, feed: str | None = None) -> OrderBook | None:
        """The book as this strategy was told it, through its own mailbox; `feed` says whose, where several tell it.

        The first call asks for it to be told anew: None until that has come, and whenever it may be wrong: from
        `on_stale`, `on_gap` or the loss of its feed until `on_live`, and from `on_skipped` until its next snapshot.
        Look at it, and do not keep it: it changes with what comes next. Raises `NoBook`.
        """
        name = instrument if isinstance(instrument, str) else instrument.name
        built = self.__built.get((name, feed)) if self.__built is not None else None
        return (self._build(name, feed) if built is None else built).book

    # --- the actor ---------------------------------------------------------------------------------------------

    def on_message(self, message: Batch | Event | Fill | OrderUpdate | _Due) -> Handled:
        handlers = self.__handlers
        if handlers is not None:  # from the first event on, unless it takes columns: all below takes as long again
            if isinstance(message, Batch):
                events = iter(message.known or message.events)
                for event in events:
                    if (awaitable := handlers[type(event)](event)) is not None:
                        return go_on(awaitable, events, handlers)
                return None
            if (handler := handlers.get(type(message))) is not None:
                return handler(message)
        match message:
            case Batch():
                return self._take(message)
            case Quote() | Trade() | BookUpdate() | Bar():
                return self._handlers()[type(message)](message)
            case Fill():
                return self.on_fill(message)
            case OrderUpdate():
                return self.on_report(message)
            case _Due(name):
                return self.on_timer(name)
            case _:
                return self._mark(message)

    def _mark(self, mark: Mark) -> Handled:
        if self.__books is not None:
            self.__books.heed(mark)
        match mark:
            case FeedStatus():
                return self.on_status(mark)
            case InstrumentStatus():
                return self.on_instrument_status(mark)
            case Gap():
                return self.on_gap(mark)
            case Stale():
                return self.on_stale(mark)
            case Live():
                return self.on_live(mark)
            case Skipped():
                return self.on_skipped(mark)
            case _:
                assert_never(mark)

    @classmethod
    def takes_columns(cls) -> bool:
        """Whether it gets whole batches, in `on_batch`."""
        return cls.on_batch is not Strategy.on_batch

    def _take(self, batch: Batch) -> Handled:
        if self.takes_columns():
            if self.__books is not None:
                self.__books.look(batch)
            return self.on_batch(batch)
        self._handlers()
        return Strategy.on_message(self, batch)  # which knows them now; a subclass may have its own

    def _handlers(self) -> "Handlers":
        handlers = self.__handlers
        if handlers is None:
            of_types: Handlers = {
                Quote: self.on_quote, Trade: self.on_trade, BookUpdate: self.on_book, Bar: self.on_bar,
            }  # fmt: skip
            handlers = {type: when_awaited(handler) for type, handler in of_types.items()}
            if not self.takes_columns():  # else a single event would turn its batches into events
                self.__handlers = handlers
            if self.__books is not None:
                follow(self.__books.counts, handlers)
        return handlers

    def _build(self, name: str, feed: str | None) -> BuiltBook:
        """Somebody looks at a book for the first time: follow it from here on."""
        who = type(self).__name__
        if self.takes_columns():
            raise NoBook.of_columns(who)
        if self.__resend is None or self.__feeds is None:
            raise NotAtDesk(who)
        feeds = self.__feeds(name)
        if feed not in feeds and (feed is not None or len(feeds) != 1):
            raise NoBook.among(who, name, feed, feeds)
        if self.__books is None:
            handlers = self._handlers()
            self.__books = KnownBooks(self.__resend, every=False)
            follow(self.__books.built_counts, handlers)  # in place: it may be called within a batch, which uses them
        built = self.__books.build(feeds[0] if feed is None else feed, name)
        self.__built = {**(self.__built or {}), (name, feed): built}
        return built

    # --- what the assembly gives, before on_start ----------------------------------------------------------------

    def take_params(self, params: msgspec.Struct) -> None:
        """Have these `params`. Raises `BadParams`."""
        self.__params = fitting(type(self), params)

    def ask_for_books(self, resend: Resend, feeds: Feeds = lambda _: ()) -> None:
        """Follow books, and have `resend(feed, instrument)` tell those anew that cannot be followed any further. Who
        takes no books asks for none, until it looks at one: `feeds(instrument)` are those that tell it that book."""
        self.__resend, self.__feeds = resend, feeds
        if self.takes_columns() or type(self).on_book is not Strategy.on_book:
            self.__books = KnownBooks(resend)

    def sit_at(self, desk: Desk) -> None:
        """Trade from `desk`."""
        self.__desk = desk

    def _at_desk(self) -> Desk:
        if self.__desk is None:
            raise NotAtDesk(type(self).__name__)
        return self.__desk


def _order(given: Order | OrderHandle) -> Order:
    return given.order if isinstance(given, OrderHandle) else given
