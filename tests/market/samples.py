"""Instruments and ticks that the tests share."""

from decimal import Decimal

from hypothesis import strategies as st

from ticktree.market import BookUpdate, Instrument, InstrumentIds, Level, Quote, Side, Trade

IDS = InstrumentIds()
BTC = IDS.adopt(Instrument("BTC-USDT", 1, Decimal("0.01"), Decimal("0.0001")))
ETH = IDS.adopt(Instrument("ETH-USDT", 2, Decimal("0.01"), Decimal("0.001")))


def quote(bid: float = 100.0, ask: float = 100.5, instrument: Instrument = BTC, feed: str = "sim") -> Quote:
    return Quote(feed, instrument, bid, 1.5, ask, 2.5, 7, 10, 20)


def trade(price: float = 100.25, aggressor: Side | None = Side.BUY, feed: str = "sim") -> Trade:
    return Trade(feed, BTC, price, 0.5, aggressor, 8, 11, 20)


def update(*bids: Level, asks: tuple[Level, ...] = (), snapshot: bool = False, sequence: int = 9) -> BookUpdate:
    return BookUpdate("sim", BTC, bids, asks, snapshot, sequence, sequence, 12, 20)


# --- any of them, for Hypothesis -----------------------------------------------------------------------------------

prices = st.floats(allow_nan=False, allow_infinity=False)
sizes = st.floats(min_value=0, allow_nan=False, allow_infinity=False)
numbers = st.integers(0, (1 << 64) - 1)
times_ns = st.integers(-(1 << 63), (1 << 63) - 1)
instruments = st.sampled_from([BTC, ETH])
quotes = st.builds(Quote, st.just("sim"), instruments, prices, sizes, prices, sizes, numbers, times_ns, times_ns)
trades = st.builds(
    Trade, st.just("sim"), instruments, prices, sizes, st.sampled_from([None, *Side]), numbers, times_ns, times_ns
)
_levels = st.lists(st.tuples(prices, sizes), max_size=4).map(tuple)


@st.composite
def updates(draw: st.DrawFn) -> BookUpdate:
    """Any update of one level or more whose first sequence is its only one, as a record can say it."""
    bids, asks, sequence = draw(_levels), draw(_levels), draw(numbers)
    if not bids and not asks:
        asks = ((draw(prices), draw(sizes)),)
    return BookUpdate(
        "sim", draw(instruments), bids, asks, draw(st.booleans()), sequence, sequence, draw(times_ns), draw(times_ns),
        crossed=draw(st.booleans()),
    )  # fmt: skip


data_events = quotes | trades | updates()
