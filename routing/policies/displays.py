"""What venues display, as far as it is fresh: the common ground of policies that go by prices."""

from collections.abc import Iterable
from decimal import Context, Decimal, localcontext

import attrs

from ticktree.actors.clock import NS
from ticktree.market import Side, plain

from ..errors import Refusal, Refused
from ..orders import Order
from ..reports import VenueQuote
from .policy import Legs, cost

_EXACT = Context(prec=200)  # two factors of 60 digits at most (`Instrument` sees to that), so nothing is rounded


@attrs.frozen
class Level:
    """What is displayed at one price. `rank`: the lower, the better for the order, fees included."""

    rank: Decimal
    price_increments: int
    size_increments: int


@attrs.frozen
class Display:
    """What a venue displays within the order's limit, best first. `best`: its best price, within the limit or not."""

    venue: str
    levels: tuple[Level, ...]
    best: int | None


async def displays(order: Order, legs: Legs, venues: Iterable[str], within_s: float, max_age_s: float) -> list[Display]:
    """Ask `venues`, all at once, and keep what is no older than `max_age_s`, in the order of `venues`.

    Raises `Refused` when nothing is fresh, and when nothing is within the order's limit, with what each said.
    """
    names = tuple(venues)
    quotes = await legs.quotes(names, within_s)
    now_ns = legs.clock.now_ns()
    ages_ns = {venue: now_ns - quote.time_ns for venue, quote in quotes.items()}
    fresh = [display(order, legs, quotes[venue]) for venue in names if ages_ns.get(venue, NS << 40) <= max_age_s * NS]
    if not fresh:
        told = ", ".join(f"{v}: {ages_ns[v] / NS:.3f} s old" if v in ages_ns else f"{v}: no answer" for v in names)
        raise Refused(Refusal("max_price_age", f"{max_age_s:g} s", "none as fresh", told))
    if not any(one.levels for one in fresh):
        told = ", ".join(f"{one.venue}: {_price(order, one.best)}" for one in fresh)
        raise Refused(Refusal("limit", _price(order, order.limit_increments), "nothing displayed within it", told))
    return fresh


def display(order: Order, legs: Legs, quote: VenueQuote) -> Display:
    """What of `quote` is of use for `order`."""
    buys, rules = order.side is Side.BUY, legs.venues[quote.venue]
    shown = [(price, size) for price, size in quote.against(order.side) if price > 0 and size > 0]
    with localcontext(_EXACT):
        levels = [
            Level(rank if buys else -rank, price, size)
            for price, size in shown
            if _within(order, price, buys)
            for rank in (cost(order.instrument.price(price), rules, buys),)
        ]
    levels.sort(key=lambda level: level.rank)
    prices = [price for price, _ in shown]
    return Display(quote.venue, tuple(levels), (min(prices) if buys else max(prices)) if prices else None)


def _within(order: Order, price: int, buys: bool) -> bool:
    limit = order.limit_increments
    return limit is None or (price <= limit if buys else price >= limit)


def _price(order: Order, increments: int | None) -> str:
    return "nothing" if increments is None else plain(order.instrument.price(increments))
