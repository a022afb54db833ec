"""What is looked at while a back-test runs: every fact about orders, middles around each execution, and samples.

It looks and never acts: the application is the same with and without it.
"""

from collections.abc import Mapping
from functools import partial
from hashlib import sha256

import attrs
import msgspec

from ticktree.actors import VirtualClock
from ticktree.routing import Nowhere
from ticktree.routing.facts import AnyFact
from ticktree.routing.holdings import Holding
from ticktree.routing.reports import Report, ReportKind

from ..assembly import Assembly
from .result import HORIZONS_S

NS = 1_000_000_000
FIRST_EVERY_NS = 60 * NS // 2**11  # 29 ms: however often it is doubled, up to a minute, it meets the minutes
MOST_SAMPLES = 2_048  # beyond, every other one is forgotten, and the next come half as often

Touch = tuple[float, float] | None  # bid and ask
Money = tuple[float, float | None, float]  # realised, unrealised, fees


class FactsInOrder(Nowhere):
    """A journal in memory that keeps all, and their digest."""

    def __init__(self) -> None:
        super().__init__()
        self._hash, self._encoder = sha256(), msgspec.msgpack.Encoder()

    def append(self, fact: AnyFact) -> None:
        """Keep `fact`."""
        super().append(fact)
        self._hash.update(self._encoder.encode(fact))

    @property
    def digest(self) -> str:
        """SHA-256 of all of them, in order."""
        return self._hash.hexdigest()


@attrs.frozen
class Sample:
    """One look: prices by instrument, positions by (strategy, instrument), money by (strategy, currency)."""

    time_ns: int
    prices: dict[str, Touch]
    positions: dict[tuple[str, str], float]
    money: dict[tuple[str, str], Money]


@attrs.define
class Middles:
    """Half-way between bid and ask when something was executed, and at `HORIZONS_S` later."""

    then: float | None
    later: list[float | None] = attrs.field(factory=lambda: [None] * len(HORIZONS_S))


@attrs.define(eq=False)
class Observer:
    """Looks at the prices of `instruments`, once it was told what to `watch`."""

    clock: VirtualClock
    instruments: tuple[str, ...]
    every_ns: int = FIRST_EVERY_NS
    samples: list[Sample] = attrs.field(factory=list[Sample])
    middles: dict[tuple[str, str, str], Middles] = attrs.field(factory=dict[tuple[str, str, str], Middles])
    _assembly: Assembly | None = None
    _next_ns: int = 0
    _over: bool = False
    _facts: int = -1  # how many there were when was looked at what is held
    _last_held: "_Holdings | None" = None

    def watch(self, assembly: Assembly) -> None:
        """Look at this one."""
        self._assembly = assembly

    @property
    def watched(self) -> Assembly:
        """What it looks at."""
        assert self._assembly is not None
        return self._assembly

    # --- executions ------------------------------------------------------------------------------------------------

    def hear(self, venue: str, report: Report) -> None:
        """A simulated venue says something, at this instant; those concerned hear of it later."""
        if report.kind is not ReportKind.FILL or report.execution is None:
            return
        instrument, execution = report.execution.instrument, report.execution
        key = venue, execution.trading_day, execution.id
        if key in self.middles:  # it was asked for all executions again
            return
        self.middles[key] = middles = Middles(self._middle(instrument))
        now_ns = self.clock.monotonic_ns()
        for place, horizon_s in enumerate(HORIZONS_S):
            self.clock.look_at(now_ns + round(horizon_s * NS), partial(self._look_later, middles, place, instrument))

    def _look_later(self, middles: Middles, place: int, instrument: str) -> None:
        if not self._over:
            middles.later[place] = self._middle(instrument)

    def _middle(self, instrument: str) -> float | None:
        quote = self.watched.hub.last_quote(instrument)
        return None if quote is None else quote.mid

    # --- samples ---------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """The data begin now."""
        self._next_ns = self.clock.monotonic_ns()
        self._sample_again()

    def end_data(self) -> None:
        """There are no more: what is known of prices grows old."""
        self._over = True
        if self.samples and self.samples[-1].time_ns == self.clock.now_ns():  # taken when the last feed was lost
            self.samples.pop()
            self.take()

    def end(self) -> None:
        """The last look."""
        self._over = True
        self.take()

    def _sample_again(self) -> None:
        if self._over:
            return
        self.take()
        if len(self.samples) > MOST_SAMPLES:
            del self.samples[1::2]
            self.every_ns *= 2
        self._next_ns += self.every_ns
        self.clock.look_at(self._next_ns, self._sample_again)

    def take(self) -> None:
        """Take a sample."""
        hub, middles = self.watched.hub, dict[str, float]()
        prices = dict[str, Touch]()
        for name in self.instruments:
            quote = hub.last_quote(name)
            if quote is None and self._over:  # a feed whose data have ended is lost: what is held is worth what it was
                quote = hub.told_last(name)
            prices[name] = None if quote is None else (quote.bid, quote.ask)
            if quote is not None:
                middles[name] = quote.mid
        held = self._held()
        self.samples.append(Sample(self.clock.now_ns(), prices, held.positions, held.money(middles)))

    def _held(self) -> "_Holdings":
        """What is held; worked out anew only when there is a fact more."""
        office, held = self.watched.office, self._last_held
        if held is None or self._facts != office.blotter.journal.records:
            self._facts = office.blotter.journal.records
            instruments = office.ledger.instruments
            holdings = office.ledger.snapshot(lambda _: None).holdings
            parts = tuple(_Held.of(one, float(instruments[one.instrument].multiplier)) for one in holdings)
            held = self._last_held = _Holdings.of(parts)
        return held


@attrs.frozen
class _Held:
    """A position, in floats: exact ones take 50 us a sample. `per_price`: what it gains when the price does by 1."""

    strategy: str
    instrument: str
    currency: str
    quantity: float
    average_price: float
    per_price: float
    realised: float
    fees: dict[str, float]

    @classmethod
    def of(cls, one: Holding, multiplier: float) -> "_Held":
        """That which `one` tells exactly."""
        quantity, average = float(one.quantity), float(one.average_price or 0)
        fees = {currency: float(fee) for currency, fee in one.fees.items()}
        return cls(
            one.strategy, one.instrument, one.currency, quantity, average, quantity * multiplier, float(one.realised),
            fees,
        )  # fmt: skip

    def unrealised(self, middles: Mapping[str, float]) -> float | None:
        """At these prices; None without one."""
        middle = middles.get(self.instrument)
        return None if middle is None else self.per_price * (middle - self.average_price)


@attrs.frozen
class _Holdings:
    """All positions, from one fact about orders to the next. `still`: their money without what prices change."""

    positions: dict[tuple[str, str], float]
    still: dict[tuple[str, str], Money]
    moving: tuple[_Held, ...]  # those that are not flat

    @classmethod
    def of(cls, parts: tuple[_Held, ...]) -> "_Holdings":
        """Those, as they are now."""
        still: dict[tuple[str, str], Money] = {}
        for one in parts:
            _add(still, (one.strategy, one.currency), (one.realised, 0.0, 0.0))
            for currency, fee in one.fees.items():
                _add(still, (one.strategy, currency), (0.0, 0.0, fee))
        positions = {(one.strategy, one.instrument): one.quantity for one in parts}
        return cls(positions, still, tuple(one for one in parts if one.quantity))

    def money(self, middles: Mapping[str, float]) -> dict[tuple[str, str], Money]:
        """At these prices. Of two thousand samples most come with no new fact: only what moves is added up for each."""
        if not self.moving:
            return self.still
        money = self.still.copy()
        for one in self.moving:
            _add(money, (one.strategy, one.currency), (0.0, one.unrealised(middles), 0.0))
        return money


def _add(money: dict[tuple[str, str], Money], key: tuple[str, str], more: Money) -> None:
    realised, unrealised, fees = money.get(key, (0.0, 0.0, 0.0))
    both = None if unrealised is None or more[1] is None else unrealised + more[1]
    money[key] = realised + more[0], both, fees + more[2]
