"""A venue that is not there: many accounts are matched with what the market displays, and with each other.

It does no I/O and reads no clock: times come with each call (nanoseconds since 1970, all of one clock; market data
bring their `received_time_ns`), so the same calls give the same answers. `listing.py` says who meets whom. Besides:

- ACCEPTED comes before any fill. What is turned down is REJECTED with a reason, and its client id is taken for ever.
- A client id that comes again does nothing: STATUS of the order that has it, with the reason "duplicate client id"
  where the ticket is another one. That is no end of the original.
- A market order takes what there is; the rest is canceled. It is rejected where there is no price at all.
- `replace` keeps the place in the queue only when the quantity does not grow and the limit stays. To no more than is
  filled already means that nothing is left to do: the order is CANCELED.
- A reduce-only order is rejected beyond the account's position; a resting one is canceled when it no longer fits.
- An instrument that the market defines anew, with other increments, loses its resting orders; what an account holds
  of it stays the count that it was.
- What is busted of an open order is open again; an order that is over stays so. A bust concerns one account only: the
  other side of the trade keeps its execution, until that is busted as well.

Reports go out when a call is done with, one after another: who answers a report by another call is served after all
reports that were said before.
"""

from collections.abc import Callable, Mapping
from heapq import heappop, heappush
from random import Random

import msgspec

from ticktree.market import Batch, BookUpdate, Data, Instrument, Quote, Side, Trade

from ...errors import UnknownOrder
from ...gateway import VenueRules
from ...orders import OrderState, Ticket, TimeInForce
from ...reports import AccountReport, Report, ReportKind, VenueExecution, VenueQuote
from .accounts import SIGN, Account, ExecutionKey, VenueOrder
from .executions import Costs, ExecutionIds
from .floor import Floor
from .listing import Listing
from .rules import objection, replace_objection
from .voice import OnReport, Voice, unheard

DUPLICATE = "duplicate client id"
_END = {
    OrderState.CANCELED: ReportKind.CANCELED,
    OrderState.REJECTED: ReportKind.REJECTED,
    OrderState.EXPIRED: ReportKind.EXPIRED,
}


class Engine:
    """One venue. `on_report` hears everything, in the order it happens; `listen` is for one account."""

    def __init__(self, name: str, rules: VenueRules, random: Random, on_report: OnReport = unheard) -> None:
        self.name, self.rules = name, rules
        self._voice = Voice(on_report)
        self._accounts: dict[str, Account] = {}
        self._floor = Floor(self._filled, self._outdated, self._advance, self._voice.speak)
        self._costs = Costs(rules.fees)
        self._ids = ExecutionIds(random, rules.trading_days)
        self._now_ns = 0
        self._expiries: list[tuple[int, int, VenueOrder]] = []  # a heap; those over are left in until they are due
        self._accepted = 0
        own = type(self)  # one that looks at quotes or trades itself is told each
        self._takes_rows = (own.on_quote, own.on_trade, own.on_book) == (
            Engine.on_quote,
            Engine.on_trade,
            Engine.on_book,
        )

    def listen(self, account: str, hears: Callable[[Report], None] | None) -> None:
        """Let `hears`, and nobody who did before, hear what is said to one account from now on; None: nobody."""
        self._voice.listen(account, hears)

    def restore(self, account: str, positions: Mapping[str, int], orders: Mapping[Ticket, int], words: int) -> None:
        """Begin where a former venue of this name ended: what `account` held, and how much of its open orders was
        filled, all in increments; these orders were canceled. `words`: the sequence of what was said to it last.

        Of no effect where the account has been at this one.
        """
        if account in self._accounts:
            return
        owner = self._account(account)
        owner.positions.update(positions)
        owner.words = words
        for ticket, filled in orders.items():
            order = self._enter(account, ticket)
            order.state, order.filled_increments = OrderState.CANCELED, filled
            order.reason = f"{self.name} began anew"

    # --- what accounts ask -----------------------------------------------------------------------------------------

    def submit(self, account: str, ticket: Ticket, now_ns: int) -> None:
        """A new order: ACCEPTED or REJECTED, and what follows at once; STATUS where the client id is known."""
        self._advance(now_ns)
        known = self._account(account).orders.get(ticket.client_id)
        if known is None:
            self._place(self._enter(account, ticket))
        else:
            self._status(known, known.reason if known.ticket == ticket else DUPLICATE)
        self._voice.speak()

    def cancel(self, account: str, client_id: str, now_ns: int) -> None:
        """CANCELED, or CANCEL_REJECTED where there is nothing to cancel."""
        self._advance(now_ns)
        order = self._account(account).orders.get(client_id)
        if order is None or order.state.terminal:
            self._refuse(account, ReportKind.CANCEL_REJECTED, client_id, _over(order))
        else:
            self._end(order, OrderState.CANCELED, "as asked")
        self._voice.speak()

    def replace(
        self, account: str, client_id: str, quantity_increments: int, limit_increments: int | None, now_ns: int
    ) -> None:
        """REPLACED and what follows at once, REPLACE_REJECTED, or CANCELED where so much is filled already."""
        self._advance(now_ns)
        order = self._account(account).orders.get(client_id)
        if order is None or order.state.terminal:
            self._refuse(account, ReportKind.REPLACE_REJECTED, client_id, _over(order))
        else:
            self._replace(order, quantity_increments, limit_increments)
        self._voice.speak()

    def query(self, account: str, client_id: str, now_ns: int) -> None:
        """STATUS or NOT_FOUND."""
        self._advance(now_ns)
        order = self._account(account).orders.get(client_id)
        if order is None:
            self._refuse(account, ReportKind.NOT_FOUND, client_id, "unknown order")
        else:
            self._status(order, order.reason)
        self._voice.speak()

    def query_fills(self, account: str, client_id: str, now_ns: int) -> None:
        """Each execution as it stands (FILL, or CORRECTED), in the order they happened, then STATUS; or NOT_FOUND."""
        self._advance(now_ns)
        order = self._account(account).orders.get(client_id)
        for execution in order.executions.values() if order is not None else ():
            assert order is not None
            self._say(ReportKind.CORRECTED if execution.revision else ReportKind.FILL, order, execution)
        self.query(account, client_id, now_ns)

    def account_report(self, account: str, now_ns: int) -> AccountReport:
        """What it holds now. Who asks from within a report asks by `in_turn`, to hear first what came before."""
        self._advance(now_ns)
        self._voice.speak()
        owner = self._account(account)
        open_orders = tuple(self._report(ReportKind.STATUS, order, named=True) for order in owner.open.values())
        positions = {instrument: held for instrument, held in owner.positions.items() if held}
        return AccountReport(open_orders, positions, self._now_ns)

    def quote(self, instrument: Instrument | str, now_ns: int, levels: int = 10) -> VenueQuote | None:
        """What is displayed: what is left of the market's sizes, and what rests here. None where nothing is known."""
        self._advance(now_ns)
        self._voice.speak()
        name = instrument if isinstance(instrument, str) else instrument.name
        listing = self._floor.known(name)
        if listing is None or not self.rules.quotes:
            return None
        bids, asks = listing.depth(Side.BUY, levels), listing.depth(Side.SELL, levels)
        return VenueQuote(self.name, name, bids, asks, now_ns) if bids or asks or listing.market.known else None

    def in_turn(self, do: Callable[[], None]) -> None:
        """Do it now, or, while reports are going out, after them, and after what else waits for its turn."""
        self._voice.in_turn(do)

    # --- what the market says --------------------------------------------------------------------------------------

    def look_up(self, last: Callable[[str], Quote | None]) -> Callable[[], bool]:
        """Look the last quote of an instrument up there when it is asked for. What is answered says at any time whether
        the market must be told: while an order rests, or what was taken is to be displayed anew."""
        if self._takes_rows:
            self._floor.last = last
        return self._floor.listens

    def on_quote(self, quote: Quote) -> None:
        """The best prices of one instrument: both sides are displayed anew. Of no effect where a book is told."""
        self._floor.on_quote(quote)

    def on_book(self, update: BookUpdate) -> None:
        """Levels of one instrument; those in it are displayed anew."""
        self._floor.on_book(update)

    def on_trade(self, trade: Trade) -> None:
        """A trade of the market: resting orders that it would have met are filled."""
        self._floor.on_trade(trade)

    def on_market(self, event: Data | Batch) -> None:
        """Any of them, or all that one read brought; bars are passed over."""
        if isinstance(event, Batch):
            if event.columnar and self._takes_rows:
                self._floor.on_rows(event)
            else:
                for each in event.events:
                    self.on_market(each)
        elif isinstance(event, Quote):
            self.on_quote(event)
        elif isinstance(event, Trade):
            self.on_trade(event)
        elif isinstance(event, BookUpdate):
            self.on_book(event)

    def _outdated(self, listing: Listing) -> None:
        """The market defined an instrument anew: nobody knows what the increments of its orders mean now."""
        for order in [order for shelf in listing.shelves.values() for order in shelf.orders()]:
            self._end(order, OrderState.CANCELED, f"{order.instrument} was defined anew")

    # --- time ------------------------------------------------------------------------------------------------------

    @property
    def next_expiry_ns(self) -> int | None:
        """When the next order is due to expire."""
        due = self._expiries
        while due and due[0][2].state.terminal:
            heappop(due)
        return due[0][0] if due else None

    def expire(self, now_ns: int) -> None:
        """End the orders that are due. Every other call does so first; without any, somebody must."""
        self._advance(now_ns)
        self._voice.speak()

    def _advance(self, now_ns: int) -> None:
        self._now_ns = max(self._now_ns, now_ns)
        due = self._expiries
        while due and due[0][0] <= self._now_ns:
            order = heappop(due)[2]
            if not order.state.terminal:
                self._end(order, OrderState.EXPIRED, "its time has come")

    # --- what the venue's operator does, and what goes wrong --------------------------------------------------------

    def bust(self, account: str, execution_id: str, now_ns: int) -> None:
        """It never happened. Raises `UnknownOrder`."""
        self._correct(account, execution_id, 0, None, now_ns)

    def correct(
        self, account: str, execution_id: str, quantity_increments: int, price_increments: int, now_ns: int
    ) -> None:
        """It was for so much, at that price. Raises `UnknownOrder`, and ValueError beyond its order's quantity."""
        if quantity_increments < 1 or price_increments < 1:
            raise ValueError(
                f"a correction is of {quantity_increments} at {price_increments}: both are 1 or more; else bust"
            )
        self._correct(account, execution_id, quantity_increments, price_increments, now_ns)

    def refuse(self, account: str, ticket: Ticket, reason: str, now_ns: int) -> None:
        """Reject an order that there is nothing against."""
        self._advance(now_ns)
        if ticket.client_id in self._account(account).orders:
            self.submit(account, ticket, now_ns)
        else:
            self._end(self._enter(account, ticket), OrderState.REJECTED, reason)
            self._voice.speak()

    def hit(self, account: str, client_id: str, quantity_increments: int, now_ns: int) -> None:
        """Somebody outside takes so much of a resting order, at its limit, or what remains of it; else nothing."""
        self._advance(now_ns)
        order = self._account(account).orders.get(client_id)
        if order is not None and order.resting and order.limit_increments is not None:
            quantity = min(quantity_increments, order.remaining_increments)
            self._filled(order, quantity, order.limit_increments, True)
        self._voice.speak()

    # --- the books, as they truly are ------------------------------------------------------------------------------

    def orders(self, account: str) -> Mapping[str, VenueOrder]:
        """All orders of an account that there ever were, by client id."""
        return self._account(account).orders

    def executions(self, account: str) -> tuple[VenueExecution, ...]:
        """All executions of an account as they stand now (busted ones with quantity 0), in the order they happened."""
        return tuple(self._account(account).executions())

    def position(self, account: str, instrument: Instrument | str) -> int:
        """What an account holds, in size increments; negative when short."""
        name = instrument if isinstance(instrument, str) else instrument.name
        return self._account(account).positions.get(name, 0)

    # --- orders ----------------------------------------------------------------------------------------------------

    def _account(self, name: str) -> Account:
        account = self._accounts.get(name)
        if account is None:
            account = self._accounts[name] = Account(name, self._now_ns)
        return account

    def _enter(self, account: str, ticket: Ticket) -> VenueOrder:
        owner = self._account(account)
        order = owner.orders[ticket.client_id] = VenueOrder.of(owner, ticket)
        return order

    def _place(self, order: VenueOrder) -> None:
        ticket = order.ticket
        listing = self._listed(ticket.instrument)
        reason = objection(self.name, self.rules, order, listing, self._now_ns)
        if reason:
            self._end(order, OrderState.REJECTED, reason)
            return
        order.owner.open[ticket.client_id] = order
        self._say(ReportKind.ACCEPTED, order)
        if ticket.time_in_force is TimeInForce.GTD:
            self._accepted += 1
            heappush(self._expiries, (ticket.expires_ns, self._accepted, order))
        self._work(listing, order)

    def _listed(self, instrument: Instrument) -> Listing:
        """Where an order of `instrument` goes. As long as the market said nothing, a ticket's word is taken for it."""
        listing = self._floor.known(instrument.name)
        if listing is None or (not listing.market.known and listing.instrument == instrument):
            return self._floor.defined(instrument)
        return listing

    def _work(self, listing: Listing, order: VenueOrder) -> None:
        """Let it take what there is; then it rests, or ends."""
        time_in_force = order.ticket.time_in_force
        if time_in_force is TimeInForce.FOK:
            available = listing.available(order)
            if available < order.remaining_increments:
                reason = f"fill or kill: {available} of {order.remaining_increments} increments are there"
                self._end(order, OrderState.CANCELED, reason)
                return
        listing.take(order)
        if not order.remaining_increments:
            return
        if order.limit_increments is None:
            self._end(order, OrderState.CANCELED, "no more liquidity")
        elif time_in_force is TimeInForce.IOC:
            self._end(order, OrderState.CANCELED, "immediate or cancel")
        else:
            listing.rest(order)
            if order.ticket.reduce_only:
                order.owner.reducing[order] = None

    def _replace(self, order: VenueOrder, quantity: int, limit: int | None) -> None:
        listing = self._floor.listings[order.instrument]
        reason = replace_objection(self.rules, order, listing, (quantity, limit))
        if reason:
            self._refuse(order.owner.name, ReportKind.REPLACE_REJECTED, order.ticket.client_id, reason)
        elif quantity <= order.filled_increments:
            self._end(order, OrderState.CANCELED, "replaced to no more than is filled")
        elif limit == order.limit_increments and quantity <= order.quantity_increments:
            order.quantity_increments = quantity
            self._say(ReportKind.REPLACED, order)
        else:
            self._unrest(order)
            order.quantity_increments, order.limit_increments = quantity, limit
            self._say(ReportKind.REPLACED, order)
            self._work(listing, order)

    def _unrest(self, order: VenueOrder) -> None:
        if order.resting:
            self._floor.listings[order.instrument].remove(order)
            order.owner.reducing.pop(order, None)

    def _end(self, order: VenueOrder, state: OrderState, reason: str) -> None:
        self._close(order, state)
        order.reason = reason
        self._say(_END[state], order, reason=reason)

    def _close(self, order: VenueOrder, state: OrderState) -> None:
        order.state = state
        self._unrest(order)
        order.owner.open.pop(order.ticket.client_id, None)

    # --- executions ------------------------------------------------------------------------------------------------

    def _filled(self, order: VenueOrder, quantity: int, price: int, maker: bool) -> None:
        owner, ticket = order.owner, order.ticket
        key = self._ids.next(self._now_ns)
        fee, currency = self._costs.of(owner.name, key, ticket.instrument, (quantity, price), maker)
        execution = VenueExecution(
            key[1], order.instrument, order.side, quantity, price, fee, currency, maker, trading_day=key[0]
        )
        owner.executed[key] = order
        self._book(order, key, execution, quantity)
        if order.remaining_increments == 0:
            self._close(order, OrderState.FILLED)
        self._say(ReportKind.FILL, order, execution)
        self._reduce(owner, order.instrument)

    def _book(self, order: VenueOrder, key: ExecutionKey, execution: VenueExecution, more: int) -> None:
        order.executions[key] = execution
        order.filled_increments += more
        positions = order.owner.positions
        positions[order.instrument] = positions.get(order.instrument, 0) + SIGN[order.side] * more

    def _reduce(self, owner: Account, instrument: str) -> None:
        """Cancel the reduce-only orders that would turn a position over."""
        for order in [order for order in owner.reducing if order.instrument == instrument]:
            if order.remaining_increments > owner.cover(order.side, instrument):
                self._end(order, OrderState.CANCELED, "the position no longer covers it")

    def _correct(self, account: str, execution_id: str, quantity: int, price: int | None, now_ns: int) -> None:
        owner = self._account(account)
        found = owner.named(execution_id)
        if found is None:
            raise UnknownOrder(f"{self.name}: account {account} has no execution {execution_id!r}")
        key, order = found
        former = order.executions[key]
        more = quantity - former.quantity_increments
        if more > order.remaining_increments:
            raise ValueError(
                f"{self.name}: execution {execution_id!r} can be of "
                f"{former.quantity_increments + order.remaining_increments} increments at most, not {quantity}: "
                "no order is filled beyond its quantity"
            )
        self._advance(now_ns)
        price = former.price_increments if price is None else price
        fee = self._costs.corrected(account, key, order.ticket.instrument, former, (quantity, price))
        execution = msgspec.structs.replace(
            former, quantity_increments=quantity, price_increments=price, fee=fee, revision=former.revision + 1
        )
        self._book(order, key, execution, more)
        if order.remaining_increments == 0 and not order.state.terminal:
            self._close(order, OrderState.FILLED)
        self._say(ReportKind.CORRECTED, order, execution)
        self._reduce(owner, order.instrument)
        self._voice.speak()

    # --- reports ---------------------------------------------------------------------------------------------------

    def _status(self, order: VenueOrder, reason: str) -> None:
        self._say(ReportKind.STATUS, order, reason=reason)

    def _say(
        self, kind: ReportKind, order: VenueOrder, execution: VenueExecution | None = None, reason: str = ""
    ) -> None:
        self._voice.say(order.owner.name, self._report(kind, order, execution, reason))

    def _refuse(self, account: str, kind: ReportKind, client_id: str, reason: str) -> None:
        owner = self._account(account)
        owner.words += 1
        self._voice.say(account, Report(kind, client_id, self._now_ns, reason=reason, sequence=owner.words))

    def _report(
        self,
        kind: ReportKind,
        order: VenueOrder,
        execution: VenueExecution | None = None,
        reason: str = "",
        named: bool = False,
    ) -> Report:
        owner = order.owner
        owner.words += 1
        terms: tuple[int, int | None] = (0, None)
        if kind is ReportKind.STATUS or kind is ReportKind.REPLACED:
            terms = order.quantity_increments, order.limit_increments
        state = order.state if kind is ReportKind.STATUS else None
        return Report(
            kind, order.ticket.client_id, self._now_ns, order.filled_increments, *terms, state, execution, reason,
            0, owner.words, order.instrument if named else "",
        )  # fmt: skip


def _over(order: VenueOrder | None) -> str:
    return "unknown order" if order is None else f"too late: the order is {order.state}"
