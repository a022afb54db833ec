"""Outcomes made by hand: fills at given times and prices on a street whose middles are known at every moment."""

import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

import attrs
import msgspec

from ticktree.backtesting.result import (
    HORIZONS_S,
    Assumptions,
    DataUsed,
    FeedCount,
    FillRow,
    MoneySeries,
    OrderRow,
    Outcome,
    PositionSeries,
    PriceSeries,
    Samples,
    VenueAssumed,
)
from ticktree.market import Instrument, Side, exact
from ticktree.routing import OrderState, TimeInForce
from ticktree.routing.accounts import ZERO, Account

BEGAN_NS: Final = 1_764_000_000_000_000_000
BUY, SELL = Side.BUY, Side.SELL
MULTIPLIERS: Final = {"ES-USD": Decimal(50)}
HALF_SPREAD: Final = 0.5
ASSUMED: Final = Assumptions(
    (VenueAssumed("paper", "binance", "20 ms there, 20 ms back", "maker 1 bp, taker 5 bp"),), 0.001, 0.0002, 7
)


def wave(at_s: float) -> float:
    """A middle that goes up and down between 90 and 110 once in an hour."""
    return round(100 + 10 * math.sin(at_s / 3600 * math.tau), 2)


def instrument(name: str) -> Instrument:
    return Instrument(name, 1, Decimal("0.01"), Decimal("0.0001"), multiplier=MULTIPLIERS.get(name, Decimal(1)))


@attrs.define
class Street:
    """Where orders are filled as a test says: `middle` by seconds since the beginning; None is no price."""

    span_s: float = 3600.0
    every_s: float = 10.0
    middle: Callable[[float], float | None] = wave
    fills: list[FillRow] = attrs.field(factory=list[FillRow])
    orders: list[OrderRow] = attrs.field(factory=list[OrderRow])
    accounts: dict[tuple[str, str], Account] = attrs.field(factory=dict[tuple[str, str], Account])

    def fill(
        self,
        side: Side,
        quantity: str,
        price: str,
        at_s: float,
        *,
        strategy: str = "alpha",
        name: str = "BTC-USDT",
        fee: str = "0",
        **others: Any,
    ) -> FillRow:
        """An order that was decided 50 ms before, and filled at once."""
        account = self.accounts.setdefault((strategy, name), Account(strategy, instrument(name)))
        before = account.position().realised()
        increments = int(exact(quantity) / account.instrument.size_increment)
        account.add(increments if side is BUY else -increments, int(exact(price) / account.instrument.price_increment))
        held, currency = account.position(), name.partition("-")[2]
        order = self.order(side, quantity, at_s - 0.05, strategy=strategy, name=name, filled=exact(quantity),
                           average_price=exact(price), ended_ns=ns(at_s))  # fmt: skip
        row = FillRow(
            ns(at_s), order.id, f"{order.id}/1", strategy, "default", "paper", name, currency, side, exact(quantity),
            exact(price), account.instrument.multiplier, exact(fee), currency, False, ns(at_s - 0.05),
            self.middle(at_s - 0.05), self.middle(at_s), tuple(self._later(at_s + after) for after in HORIZONS_S),
            account.instrument.size(held.quantity), held.realised() - before,
        )  # fmt: skip
        self.fills.append(msgspec.structs.replace(row, **others))
        return self.fills[-1]

    def order(self, side: Side, quantity: str, at_s: float, strategy: str = "alpha", name: str = "BTC-USDT",
              **others: Any) -> OrderRow:  # fmt: skip
        """One that was filled, unless it is said otherwise."""
        row = OrderRow(
            f"o{len(self.orders) + 1}", strategy, "default", name, side, exact(quantity), exact("100"), TimeInForce.IOC,
            ns(at_s), 0, OrderState.FILLED, ZERO, None, 1, "", 99.5, 100.5,
        )  # fmt: skip
        self.orders.append(msgspec.structs.replace(row, **others))
        return self.orders[-1]

    def outcome(self, **others: Any) -> Outcome:
        """All of it, sampled."""
        made = Outcome(
            config="alpha.toml",
            data=(DataUsed("day.rec", "binance", "recording", 12_345_678),),
            assumptions=ASSUMED,
            began_ns=BEGAN_NS, ended_ns=ns(self.span_s), ticks=1_234_567, wall_s=2.5, digest="5f" * 32,
            feeds=(FeedCount("binance", {"quote": 1_000_000, "trade": 234_567}, 1_300_000, 0, {}),),
            orders=tuple(self.orders), fills=tuple(self.fills), samples=self.samples(),
        )  # fmt: skip
        return msgspec.structs.replace(made, **others)

    def samples(self) -> Samples:
        times = [index * self.every_s for index in range(1, int(self.span_s / self.every_s))] + [self.span_s]
        names, strategies = sorted({fill.instrument for fill in self.fills}), {fill.strategy for fill in self.fills}
        middles = [self.middle(at) for at in times]
        bids, asks = ([None if one is None else one + half for one in middles] for half in (-HALF_SPREAD, HALF_SPREAD))
        currencies = sorted({fill.currency for fill in self.fills} | {fill.fee_currency for fill in self.fills})
        return Samples(
            self.every_s, [ns(at) for at in times],
            tuple(PriceSeries(name, bids, asks) for name in names),
            tuple(
                PositionSeries(strategy, name, [float(self._held(strategy, name, at)) for at in times])
                for strategy, name in self.accounts
            ),
            tuple(
                self._money(strategy, currency, times)
                for strategy in ("", *sorted(strategies))
                for currency in currencies
            ),
        )  # fmt: skip

    def _later(self, at_s: float) -> float | None:
        return self.middle(at_s) if at_s <= self.span_s else None

    def _held(self, strategy: str, name: str, at_s: float) -> Decimal:
        own = [one for one in self.fills if (one.strategy, one.instrument) == (strategy, name)]
        return next((one.position for one in reversed(own) if one.time_ns <= ns(at_s)), ZERO)

    def _money(self, strategy: str, currency: str, times: list[float]) -> MoneySeries:
        rows = [self._moment(strategy, currency, at) for at in times]
        return MoneySeries(
            strategy, currency, [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]
        )

    def _moment(self, strategy: str, currency: str, at_s: float) -> tuple[float, float | None, float]:
        """By fractions of a cent: what was paid and what is held, not how the statistics count it."""
        then = [one for one in self.fills if one.time_ns <= ns(at_s) and strategy in ("", one.strategy)]
        own, middle = [one for one in then if one.currency == currency], self.middle(at_s)
        fees = sum((one.fee for one in then if one.fee_currency == currency), ZERO)
        realised, cash, worth = sum((one.realised for one in own), ZERO), ZERO, ZERO
        for one in own:
            signed = (one.quantity if one.side is BUY else -one.quantity) * one.multiplier
            cash -= signed * one.price
            worth += ZERO if middle is None else signed * exact(middle)
        held = any(self._held(who, name, at_s) for who, name in self.accounts if strategy in ("", who))
        unrealised = None if middle is None and held else float(cash + worth - realised)
        return float(realised), unrealised, float(fees)


def ns(at_s: float) -> int:
    """On the recorded clock."""
    return BEGAN_NS + round(at_s * 1e9)


def busy(strategies: tuple[str, ...] = ("maker", "momentum"), names: tuple[str, ...] = ("BTC-USDT",), rounds: int = 6,
         **others: Any) -> Street:  # fmt: skip
    """An hour in which every strategy goes in and out of every instrument, and has something left."""
    street = Street(**others)
    step = street.span_s / (rounds * 2 + 2) / (len(strategies) * len(names) + 1)
    at = step
    for turn in range(rounds * 2 + 1):
        for strategy in strategies:
            for name in names:
                middle = street.middle(at) or 100.0
                side, by = (BUY, 0.4) if turn % 2 == 0 else (SELL, -0.4)
                maker = (turn + len(strategy)) % 3 == 0
                street.fill(side, "0.5", f"{middle + (-by if maker else by):.2f}", at, strategy=strategy, name=name,
                            fee="0.01", maker=maker)  # fmt: skip
                at += step
    street.order(BUY, "1", at, strategy=strategies[0], state=OrderState.CANCELED, reason="its time was over")
    return street
