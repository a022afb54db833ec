"""What a simulated venue has against an order or a replace; "" when nothing."""

from ticktree.market import Instrument, TradingStatus, plain

from ...errors import BadOrder
from ...gateway import VenueRules
from ...orders import TimeInForce
from .accounts import OTHER, VenueOrder
from .executions import notional
from .listing import Listing


def objection(venue: str, rules: VenueRules, order: VenueOrder, listing: Listing, now_ns: int) -> str:
    """Why `order` is rejected."""
    ticket = order.ticket
    try:
        rules.check(venue, ticket)
    except BadOrder as error:
        return str(error)
    if not 0 < len(ticket.client_id) <= rules.client_id_length or ticket.client_id.strip(rules.client_id_alphabet):
        return f"a client id has 1 to {rules.client_id_length} characters of {rules.client_id_alphabet!r}"
    if ticket.instrument != listing.instrument:
        return _other_definition(ticket.instrument, listing.instrument)
    for instrument in (ticket.instrument, listing.instrument):
        if instrument.status is not TradingStatus.TRADING:
            return f"{instrument.name} is {instrument.status}"
    if ticket.time_in_force is TimeInForce.GTD and ticket.expires_ns <= now_ns:
        return "it expires before it begins"
    return (
        _quantity(order.quantity_increments, order.limit_increments)
        or _market(order, listing)
        or _terms(order, listing)
    )


def replace_objection(rules: VenueRules, order: VenueOrder, listing: Listing, wanted: tuple[int, int | None]) -> str:
    """Why `order` is not replaced to this quantity and limit."""
    quantity, limit = wanted
    if not rules.replaces:
        return "no order is replaced here"
    if listing.instrument.status is not TradingStatus.TRADING:
        return f"{listing.instrument.name} is {listing.instrument.status}"
    if limit is None:
        return "an order that rests needs a limit"
    reason = _quantity(quantity, limit)
    if reason or quantity <= order.filled_increments:
        return reason
    former = order.quantity_increments, order.limit_increments
    order.quantity_increments, order.limit_increments = wanted
    reason = _terms(order, listing)
    order.quantity_increments, order.limit_increments = former
    return reason


def _quantity(quantity: int, limit: int | None) -> str:
    if quantity < 1:
        return f"a quantity is 1 increment or more, not {quantity}"
    return f"a limit is 1 increment or more, not {limit}" if limit is not None and limit < 1 else ""


def _market(order: VenueOrder, listing: Listing) -> str:
    """An order at the market needs a price; one that is all taken counts, and cancels it."""
    if order.limit_increments is not None:
        return ""
    known = listing.touch(order) is not None or listing.market.displays(OTHER[order.side])
    return "" if known else "no price: nobody is on the other side"


def _terms(order: VenueOrder, listing: Listing) -> str:
    """What its own terms forbid."""
    instrument, ticket = listing.instrument, order.ticket
    if ticket.post_only and listing.touch(order) is not None:
        return "post-only: it would take"
    if ticket.reduce_only:
        cover = order.owner.cover(order.side, instrument.name)
        if order.remaining_increments > cover:
            return f"reduce-only: {cover} increments of the position can be reduced, not {order.remaining_increments}"
    if instrument.min_notional:
        price = listing.touch(order) if order.limit_increments is None else order.limit_increments
        if price is None:  # all taken, so that nothing will be traded
            return ""
        worth = notional(instrument, order.quantity_increments, price)
        if worth < instrument.min_notional:
            return f"worth {plain(worth)}, less than the least of {plain(instrument.min_notional)}"
    return ""


def _other_definition(theirs: Instrument, ours: Instrument) -> str:
    """What differs; `theirs` is the order's."""
    for what in ("price_increment", "size_increment", "multiplier", "min_notional"):
        meant, here = getattr(theirs, what), getattr(ours, what)
        if meant != here:
            return f"{ours.name} has a {what} of {plain(here)} here, not {plain(meant)}"
    return f"{ours.name} is not {theirs.name}"
