"""The simulated market: correlated prices with books, quotes and trades, the same for a seed however it is served."""

from bisect import bisect_left
from decimal import Decimal
from fractions import Fraction
from math import sqrt
from random import Random

import attrs

from ticktree.market import BookUpdate, Instrument, InstrumentStatus, Level, Quote, Side, Tick, Trade, TradingStatus

BTC_USDT = Instrument("BTC-USDT", 1, Decimal("0.01"), Decimal("0.0001"), Decimal(5))
ETH_USDT = Instrument("ETH-USDT", 2, Decimal("0.01"), Decimal("0.001"), Decimal(5))
WIDE = 10  # how many times further than usual a price moves in a wide change

Told = Tick | InstrumentStatus  # what an exchange tells of one instrument
Book = tuple[tuple[Level, ...], tuple[Level, ...]]  # bids and asks, best first
Increments = list[tuple[int, int]]  # levels: price and size


@attrs.frozen
class Halt:
    """The exchange halts `instrument` with step `step`, for `steps` of them: its status says so, nothing else comes."""

    instrument: str
    step: int = attrs.field(validator=attrs.validators.ge(1))
    steps: int = attrs.field(validator=attrs.validators.ge(1))


def _probability(_: object, field: "attrs.Attribute[float]", value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{field.name} is a number from 0 to 1; not {value!r}")


@attrs.frozen
class Market:
    """What the simulated exchange trades, and how it moves. Two that are equal tell the same, step by step.

    start_increments   the first bids, in price increments
    interval_s         between two turns, of `steps_a_turn` steps each
    trade_probability  of a trade, in each step of each instrument
    depth              levels on each side of a book
    correlation        between the moves of any two prices
    volatility         of a price, as a part of it, in one step (a standard deviation)
    wide_probability   of a step that moves ten times as far and changes every level
    """

    instruments: tuple[Instrument, ...] = (BTC_USDT, ETH_USDT)
    start_increments: tuple[int, ...] = (6_400_000, 320_000)
    interval_s: float = attrs.field(default=0.02, validator=attrs.validators.gt(0))
    trade_probability: float = attrs.field(default=0.3, validator=_probability)
    seed: int = 1
    depth: int = attrs.field(default=20, validator=attrs.validators.ge(1))
    correlation: float = attrs.field(default=0.7, validator=_probability)
    volatility: float = attrs.field(default=5e-6, validator=_probability)
    wide_probability: float = attrs.field(default=0.01, validator=_probability)
    steps_a_turn: int = attrs.field(default=1, validator=attrs.validators.ge(1))
    halts: tuple[Halt, ...] = ()

    def __attrs_post_init__(self) -> None:
        if len(self.instruments) != len(self.start_increments):
            raise ValueError("start_increments needs one price an instrument")
        if any(start < 1 for start in self.start_increments):
            raise ValueError(f"start_increments are numbers from 1 on; not {self.start_increments!r}")
        names = {instrument.name for instrument in self.instruments}
        for halt in self.halts:
            if halt.instrument not in names:
                raise ValueError(f"a halt of {halt.instrument}, which is not among {', '.join(sorted(names))}")


class Prices:
    """A market under way. What step k brings depends on the `Market` and k alone, except for its times.

    feed      the name that its events bear
    began_ns  the time of how things stand before the first step
    steps     done so far
    """

    def __init__(self, feed: str, market: Market, began_ns: int = 0) -> None:
        self.market, self.steps = market, 0
        self._random = Random(market.seed)
        starts = zip(market.instruments, market.start_increments, strict=True)
        self._listings = {
            one.name: Listing(feed, one, Motion(start, market, self._random), began_ns) for one, start in starts
        }
        self._common, self._own = sqrt(market.correlation), sqrt(1 - market.correlation)

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """The definitions, with the status that each has now."""
        return tuple(listing.instrument for listing in self._listings.values())

    def step(self, now_ns: int) -> list[Told]:
        """What happens next: of each instrument a book update, the quote that it makes, and a trade by chance."""
        self.steps += 1
        told: list[Told] = self._halted_or_resumed(now_ns)
        wide = self._random.random() < self.market.wide_probability
        common = self._common * self._random.gauss(0, 1)
        for listing in self._listings.values():
            move = common + self._own * self._random.gauss(0, 1)
            if listing.instrument.status is TradingStatus.TRADING:
                told += listing.step(WIDE * move if wide else move, wide, now_ns)
        return told

    def snapshot(self, name: str) -> BookUpdate:
        """The whole book of instrument `name`, as of its last step. Raises `KeyError`."""
        return self._listings[name].snapshot()

    def quote(self, name: str) -> Quote:
        """The top of that book. Raises `KeyError`."""
        return self._listings[name].quote()

    def sequence(self, name: str) -> int:
        """Of the last step of instrument `name`: how many it has had. Raises `KeyError`."""
        return self._listings[name].sequence

    def book(self, name: str) -> Book:
        """Bids and asks of instrument `name`. Raises `KeyError`."""
        return self._listings[name].book()

    def _halted_or_resumed(self, now_ns: int) -> list[Told]:
        told: list[Told] = []
        for halt in self.market.halts:
            if self.steps == halt.step:
                told.append(self._listings[halt.instrument].set_status(TradingStatus.HALTED, now_ns))
            elif self.steps == halt.step + halt.steps:
                told.append(self._listings[halt.instrument].set_status(TradingStatus.TRADING, now_ns))
        return told


class Motion:
    """One instrument's ladders, and how far they move in a step. Counts in increments."""

    def __init__(self, bid: int, market: Market, random: Random) -> None:
        self.trade_probability = market.trade_probability
        self.random = random
        self._deviation = market.volatility * bid
        apart = 1 + round(2 * self._deviation)  # so that a usual step takes a level or two
        self.bids, self.asks = Ladder(-1, apart, random), Ladder(1, apart, random)
        self._bid, self._depth = bid, market.depth
        self._reach(0)

    def move(self, deviations: float, wide: bool) -> None:
        """Move by so many standard deviations, and change some sizes; with `wide` all of them."""
        self._reach(round(deviations * self._deviation))
        for ladder in (self.bids, self.asks):
            ladder.resize(self._depth if wide else self.random.randint(0, 2))
        if not (self.bids.changed or self.asks.changed):
            self.bids.resize(1)

    def forget(self) -> None:
        """What changed so far is no news."""
        self.bids.taken()
        self.asks.taken()

    def _reach(self, move: int) -> None:
        self._bid = max(1, self._bid + move)
        self.bids.reach(self._bid, self._depth)
        self.asks.reach(self._bid + self.random.randint(1, 3), self._depth)


class Listing:
    """One instrument: what it tells of its motion."""

    def __init__(self, feed: str, instrument: Instrument, motion: Motion, began_ns: int) -> None:
        self.instrument, self.sequence = instrument, 0
        self._feed, self._motion, self._time_ns = feed, motion, began_ns
        self._price = _Scale(instrument.price_increment)
        self._size = _Scale(instrument.size_increment)
        motion.forget()

    def step(self, deviations: float, wide: bool, now_ns: int) -> list[Told]:
        """The price moves; what that changes, the top of it, and a trade by chance."""
        self.sequence += 1
        self._time_ns = now_ns
        motion = self._motion
        motion.move(deviations, wide)
        told: list[Told] = [self._update(motion.bids.taken(), motion.asks.taken(), snapshot=False), self.quote()]
        if motion.random.random() < motion.trade_probability:
            told.append(self._trade())
        return told

    def snapshot(self) -> BookUpdate:
        return self._update(self._motion.bids.levels(), self._motion.asks.levels(), snapshot=True)

    def book(self) -> Book:
        return self._floats(self._motion.bids.levels()), self._floats(self._motion.asks.levels())

    def quote(self) -> Quote:
        (bid,), (ask,) = self._floats([self._motion.bids.best()]), self._floats([self._motion.asks.best()])
        return Quote(self._feed, self.instrument, *bid, *ask, self.sequence, self._time_ns, 0)

    def set_status(self, status: TradingStatus, now_ns: int) -> InstrumentStatus:
        self.instrument = attrs.evolve(self.instrument, status=status)
        return InstrumentStatus(self._feed, self.instrument, status, now_ns, 0)

    def _update(self, bids: Increments, asks: Increments, snapshot: bool) -> BookUpdate:
        number = self.sequence
        return BookUpdate(
            self._feed, self.instrument, self._floats(bids), self._floats(asks), snapshot, number, number,
            self._time_ns, 0,
        )  # fmt: skip

    def _trade(self) -> Trade:
        random = self._motion.random
        side = random.choice((Side.BUY, Side.SELL))
        price, most = (self._motion.asks if side is Side.BUY else self._motion.bids).best()
        ((at, size),) = self._floats([(price, random.randint(1, most))])
        return Trade(self._feed, self.instrument, at, size, side, self.sequence, self._time_ns, 0)

    def _floats(self, levels: Increments) -> tuple[Level, ...]:
        return tuple((self._price(price), self._size(size)) for price, size in levels)


class Ladder:
    """One side of a book: prices and sizes in increments, and which of them changed since that was last taken.

    `sign` is -1 for bids and 1 for asks: prices times that ascend from the best one on.
    """

    def __init__(self, sign: int, apart: int, random: Random) -> None:
        self._sign, self._apart, self._random = sign, apart, random
        self._keys: list[int] = []
        self._sizes: dict[int, int] = {}
        self.changed: dict[int, None] = {}

    def reach(self, price: int, depth: int) -> None:
        """`price` is the best one from now on, and there are `depth` levels (fewer where prices would end at 0)."""
        keys, best = self._keys, price * self._sign
        for key in keys[: (better := bisect_left(keys, best))]:
            self._remove(key)
        del keys[:better]
        if not keys or keys[0] != best:
            keys.insert(0, best)
            self._set(best)
        while len(keys) > depth:
            self._remove(keys.pop())
        while len(keys) < depth and (further := keys[-1] + self._random.randint(1, self._apart)) * self._sign > 0:
            keys.append(further)
            self._set(further)

    def resize(self, count: int) -> None:
        """Draw new sizes for `count` levels (for all, if there are not so many)."""
        for key in self._random.sample(self._keys, min(count, len(self._keys))):
            self._set(key)

    def best(self) -> tuple[int, int]:
        """Price and size at the top."""
        key = self._keys[0]
        return key * self._sign, self._sizes[key]

    def levels(self) -> Increments:
        """All of it, best first."""
        return [(key * self._sign, self._sizes[key]) for key in self._keys]

    def taken(self) -> Increments:
        """The levels that changed since the last call, best first; size 0: it went."""
        changed, self.changed = sorted(self.changed), {}
        return [(key * self._sign, self._sizes.get(key, 0)) for key in changed]

    def _set(self, key: int) -> None:
        self._sizes[key] = 1_000 + int(49_000 * self._random.random())  # a fifth of what `randint` takes
        self.changed[key] = None

    def _remove(self, key: int) -> None:
        del self._sizes[key]
        self.changed[key] = None


class _Scale:
    """Increments to floats: a quotient of integers is rounded correctly, as `float(Decimal)` is, in less time."""

    def __init__(self, increment: Decimal) -> None:
        self._up, self._down = Fraction(increment).as_integer_ratio()

    def __call__(self, increments: int) -> float:
        return increments * self._up / self._down


class Truth:
    """What a market tells and shows at each step, worked out as far as it is asked for: what tests compare with."""

    def __init__(self, feed: str, market: Market) -> None:
        self._prices = Prices(feed, market)
        self._told: list[list[Told]] = []
        self._books = {one.name: [self._prices.book(one.name)] for one in market.instruments}

    def step(self, number: int) -> list[Told]:
        """What step `number`, counted from 1, told; its times are 0."""
        while len(self._told) < number:
            self._advance()
        return self._told[number - 1]

    def book(self, name: str, sequence: int) -> Book:
        """The book of instrument `name` at `sequence`. Raises `KeyError`."""
        books = self._books[name]
        while len(books) <= sequence:
            self._advance()
        return books[sequence]

    def _advance(self) -> None:
        self._told.append(self._prices.step(0))
        for name, books in self._books.items():
            if self._prices.sequence(name) == len(books):
                books.append(self._prices.book(name))
