"""Round trips: what a strategy did in an instrument from flat to flat, and what came of it."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

import msgspec

from ticktree.market import Side, plain
from ticktree.routing.accounts import AVERAGE, ZERO

from .result import FillRow, Value


class Trip(Value, frozen=True, gc=False):
    """From the fill that opened a position to the one that closed it; `ended_ns` is None while it is open.

    `profit`: realised, less the fees in the currency of the price. A fill beyond zero ends one and begins the next,
    and its fee is split as its quantity is.
    """

    strategy: str
    instrument: str
    currency: str
    began_ns: int
    ended_ns: int | None
    profit: Decimal


class Trips(Value, frozen=True, gc=False):
    """What round trips came to. Money is after fees; None where there were none of them."""

    count: int
    open: int
    won: int
    lost: int
    gross_profit: Decimal
    gross_loss: Decimal
    win_rate: float | None
    profit_factor: float | None
    expectancy: Decimal | None
    average_win: Decimal | None
    average_loss: Decimal | None
    largest_win: Decimal | None
    largest_loss: Decimal | None
    holding_s: float | None
    in_market: float | None


def signed(fill: FillRow) -> Decimal:
    """Its quantity: bought is positive."""
    return fill.quantity if fill.side is Side.BUY else -fill.quantity


def tidy(value: Decimal) -> Decimal:
    """The same without needless zeros."""
    return Decimal(plain(value))


def round_trips(fills: Iterable[FillRow]) -> list[Trip]:
    """Of all strategies and instruments, in the order in which they began; exact in an exact decimal context."""
    opened = dict[tuple[str, str], Trip]()
    done = list[Trip]()
    for fill in fills:
        key = fill.strategy, fill.instrument
        before, fee = fill.position - signed(fill), fill.fee if fill.fee_currency == fill.currency else ZERO
        trip = opened.pop(key, None) or _begun(fill)
        if before and before * fill.position <= 0:  # it came to zero, or went beyond
            part = fee if not fill.position else AVERAGE.divide(fee * abs(before), fill.quantity)
            done.append(_grown(trip, fill.realised - part, fill.time_ns))
            if fill.position:
                opened[key] = _grown(_begun(fill), part - fee)
        else:
            opened[key] = _grown(trip, fill.realised - fee)
    return sorted((*done, *opened.values()), key=lambda trip: trip.began_ns)


def _begun(fill: FillRow) -> Trip:
    return Trip(fill.strategy, fill.instrument, fill.currency, fill.time_ns, None, ZERO)


def _grown(trip: Trip, profit: Decimal, ended_ns: int | None = None) -> Trip:
    return msgspec.structs.replace(trip, profit=trip.profit + profit, ended_ns=ended_ns)


def summed(trips: Sequence[Trip], began_ns: int, until_ns: int) -> Trips:
    """What `trips` came to, in data from `began_ns` to `until_ns`."""
    ended = [trip for trip in trips if trip.ended_ns is not None]
    wins, losses = [one.profit for one in ended if one.profit > 0], [one.profit for one in ended if one.profit < 0]
    profit, loss = sum(wins, ZERO), sum(losses, ZERO)
    held_ns = [trip.ended_ns - trip.began_ns for trip in ended if trip.ended_ns is not None]
    span_ns = until_ns - began_ns
    return Trips(
        count=len(ended), open=len(trips) - len(ended), won=len(wins), lost=len(losses),
        gross_profit=tidy(profit), gross_loss=tidy(loss),
        win_rate=len(wins) / len(ended) if ended else None,
        profit_factor=float(profit) / -float(loss) if losses else None,
        expectancy=_mean([trip.profit for trip in ended]),
        average_win=_mean(wins), average_loss=_mean(losses),
        largest_win=tidy(max(wins)) if wins else None, largest_loss=tidy(min(losses)) if losses else None,
        holding_s=sum(held_ns) / len(held_ns) / 1e9 if held_ns else None,
        in_market=_covered_ns(trips, began_ns, until_ns) / span_ns if span_ns > 0 else None,
    )  # fmt: skip


def _mean(values: Sequence[Decimal]) -> Decimal | None:
    return tidy(AVERAGE.divide(sum(values, ZERO), Decimal(len(values)))) if values else None


def _covered_ns(trips: Iterable[Trip], began_ns: int, until_ns: int) -> int:
    """How long at least one of them was open; where several were, it counts once."""
    covered, edge = 0, began_ns
    for trip in sorted(trips, key=lambda trip: trip.began_ns):
        end = min(until_ns if trip.ended_ns is None else trip.ended_ns, until_ns)
        covered += max(0, end - max(edge, trip.began_ns))
        edge = max(edge, end)
    return covered
