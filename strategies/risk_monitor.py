"""Watches what all strategies hold, warns, and halts trading where a bound is passed. It sends no orders itself."""

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from ticktree.routing import Holding, Money, PortfolioSnapshot

from .params import above_zero
from .strategy import Strategy

ZERO = Decimal(0)


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All bounds are in `currency`; one that is left out bounds nothing.

    max_drawdown  of the profit, fees taken off, below the most that it was (0 when it began)
    max_exposure  of all positions together, with all open orders at their worst
    max_age_s     of the price of anything held: older ones tell nothing of what may be lost
    halts         whether it also halts trading, or only warns
    """

    currency: str = "USDT"
    max_drawdown: Decimal | None = None
    max_exposure: Decimal | None = None
    max_age_s: float = 10.0
    period_s: float = 1.0
    halts: bool = True

    def __post_init__(self) -> None:
        above_zero(self, "max_age_s", "period_s", *(name for name in BOUNDS if getattr(self, name) is not None))


BOUNDS = ("max_drawdown", "max_exposure")


class RiskMonitor(Strategy[Params]):
    """Looks every `period_s`; says each alarm once, when it begins. A halt stays until the operator's `resume`."""

    topics = ("*/*/quote",)

    def on_start(self) -> None:
        self.highest = ZERO
        self.alarms: frozenset[str] = frozenset()
        self.every(self.params.period_s, "look")

    def on_timer(self, name: str) -> None:
        alarms = dict(self.look(self.portfolio()))
        for what in alarms.keys() - self.alarms:
            self.log.warning("%s", alarms[what])
        if alarms.keys() - self.alarms and self.params.halts and not self.halted:
            self.halt("; ".join(alarms.values()))
        self.alarms = frozenset(alarms)

    def look(self, portfolio: PortfolioSnapshot) -> Iterator[tuple[str, str]]:
        """What is wrong: (a name, in words)."""
        for holding in portfolio.totals:
            if holding.quantity and holding.currency == self.params.currency:
                yield from self._age(holding)
        money = portfolio.currencies.get(self.params.currency)
        if money is not None:
            yield from self._bounds(money)

    def _age(self, holding: Holding) -> Iterator[tuple[str, str]]:
        quote, name = self.last(holding.instrument), holding.instrument
        age_s = (self.clock.now_ns() - quote.received_time_ns) / 1e9 if quote is not None else None
        if age_s is None or age_s > self.params.max_age_s:
            known = "has no price" if age_s is None else f"has a price of {age_s:.1f} s ago"
            yield name, f"{holding.quantity} {name} are held, and it {known}"

    def _bounds(self, money: Money) -> Iterator[tuple[str, str]]:
        params, unit = self.params, self.params.currency
        if money.unrealised is not None:  # without a price, its age is the alarm
            profit = money.realised + money.unrealised - money.fees
            self.highest = max(self.highest, profit)
            fallen = self.highest - profit
            if params.max_drawdown is not None and fallen > params.max_drawdown:
                yield "drawdown", f"drawdown of {fallen:.2f} {unit}, where {params.max_drawdown} is allowed"
        if params.max_exposure is not None and money.exposure is not None and money.exposure > params.max_exposure:
            yield "exposure", f"exposure of {money.exposure:.2f} {unit}, where {params.max_exposure} is allowed"
