"""The crossing of averages of benchmarks/backtest.py in NautilusTrader's BacktestEngine, as its documentation has it.

`python nautilus.py SPEC` with the Python that has `nautilus_trader`. SPEC is JSON, and tells a file of 64-byte records
and where they begin in it; printed are a line of JSON: seconds that making objects of the records took, seconds that
`BacktestEngine.run()` took, and what came of it.
"""

# It is run by another Python, of whose packages ours has no types.
# mypy: ignore-errors
# pyright: basic, reportMissingImports=false, reportGeneralTypeIssues=false, reportCallIssue=false

import json
import sys
import time
from decimal import Decimal

import nautilus_trader
import numpy as np
from nautilus_trader.backtest.config import BacktestEngineConfig
from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.backtest.models import LatencyModel, MakerTakerFeeModel
from nautilus_trader.config import LoggingConfig, StrategyConfig
from nautilus_trader.indicators import ExponentialMovingAverage
from nautilus_trader.model.currencies import BTC, ETH, USDT
from nautilus_trader.model.data import QuoteTick
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide, PriceType
from nautilus_trader.model.identifiers import InstrumentId, Symbol, TraderId, Venue
from nautilus_trader.model.instruments import CurrencyPair
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.trading.strategy import Strategy

RECORD = np.dtype(
    [
        ("instrument", "<u4"), ("kind", "u1"), ("flags", "u1"), ("source", "<u2"), ("sequence", "<u8"),
        ("venue_time_ns", "<i8"), ("received_time_ns", "<i8"), ("a", "<f8"), ("b", "<f8"), ("c", "<f8"), ("d", "<f8"),
    ]
)  # fmt: skip
BASES = {"BTC-USDT": BTC, "ETH-USDT": ETH}
VENUE = Venue("SIM")
PRICE_DIGITS, SIZE_DIGITS = 2, 3


class CrossingConfig(StrategyConfig, frozen=True):
    """Averages of so many quotes of each instrument."""

    instrument_ids: tuple[InstrumentId, ...]
    size: Decimal
    fast: int
    slow: int


class Known:
    """What is known of one instrument."""

    __slots__ = ("above", "fast", "instrument", "slow")

    def __init__(self, instrument, fast, slow):
        self.instrument, self.fast, self.slow, self.above = instrument, fast, slow, False


class Crossing(Strategy):
    """Buys when the fast average comes above the slow one, and sells when it no longer is."""

    def on_start(self):
        self.known = {}
        for id in self.config.instrument_ids:
            fast = ExponentialMovingAverage(self.config.fast, PriceType.MID)
            slow = ExponentialMovingAverage(self.config.slow, PriceType.MID)
            self.register_indicator_for_quote_ticks(id, fast)
            self.register_indicator_for_quote_ticks(id, slow)
            self.known[id] = Known(self.cache.instrument(id), fast, slow)
            self.subscribe_quote_ticks(id)

    def on_quote_tick(self, tick):
        known = self.known[tick.instrument_id]
        above = known.fast.value > known.slow.value
        if above is not known.above:
            known.above = above
            if known.slow.initialized:
                self.cross(known.instrument, above)

    def cross(self, instrument, above):
        if above and self.portfolio.is_flat(instrument.id):
            self.send(instrument, OrderSide.BUY)
        elif not above and self.portfolio.is_net_long(instrument.id):
            self.send(instrument, OrderSide.SELL)

    def send(self, instrument, side):
        self.submit_order(self.order_factory.market(instrument.id, side, instrument.make_qty(self.config.size)))


def instrument_of(name, taker):
    """As ours is."""
    return CurrencyPair(
        instrument_id=InstrumentId(Symbol(name), VENUE), raw_symbol=Symbol(name), base_currency=BASES[name],
        quote_currency=USDT, price_precision=PRICE_DIGITS, size_precision=SIZE_DIGITS,
        price_increment=Price(0.01, PRICE_DIGITS), size_increment=Quantity(0.001, SIZE_DIGITS), ts_event=0, ts_init=0,
        maker_fee=Decimal(0), taker_fee=taker,
    )  # fmt: skip


def engine_of(spec, instruments):
    """An engine with a venue, instruments and the strategy, and no data."""
    # Ours makes no statistics within its run, so that this one's are left out, too.
    config = BacktestEngineConfig(
        trader_id=TraderId("PEER-001"), logging=LoggingConfig(log_level="OFF"), run_analysis=False
    )
    engine = BacktestEngine(config)
    engine.add_venue(
        venue=VENUE, oms_type=OmsType.NETTING, account_type=AccountType.CASH, base_currency=None,
        starting_balances=[Money(10_000_000, USDT), Money(10_000, BTC), Money(10_000, ETH)],
        fee_model=MakerTakerFeeModel(), latency_model=LatencyModel(base_latency_nanos=spec["latency_ns"]),
    )  # fmt: skip
    for instrument in instruments:
        engine.add_instrument(instrument)
    ids = tuple(instrument.id for instrument in instruments)
    engine.add_strategy(Crossing(CrossingConfig(ids, Decimal(spec["size"]), spec["fast"], spec["slow"])))
    return engine


def add_data(engine, spec, instruments):
    """Quotes of the file, as objects, in the engine."""
    records = np.memmap(spec["file"], RECORD, "r", spec["begins"])
    for id, instrument in enumerate(instruments):
        rows = records[records["instrument"] == id]
        columns = [np.ascontiguousarray(rows[name]) for name in "acbd"]
        times = [np.ascontiguousarray(rows[f"{name}_time_ns"]).view(np.uint64) for name in ("venue", "received")]
        ticks = QuoteTick.from_raw_arrays_to_list(instrument.id, PRICE_DIGITS, SIZE_DIGITS, *columns, *times)
        engine.add_data(ticks, sort=False)
    engine.sort_data()
    return len(records)


def main():
    spec = json.loads(sys.argv[1])
    instruments = [instrument_of(name, Decimal(spec["taker"])) for name in spec["instruments"]]
    began_s = time.perf_counter()
    engine = engine_of(spec, instruments)
    ticks = add_data(engine, spec, instruments)
    made_s = time.perf_counter()
    engine.run()
    ended_s = time.perf_counter()
    orders = engine.cache.orders()
    told = {
        "ticks": ticks,
        "made_s": made_s - began_s,
        "run_s": ended_s - made_s,
        "orders": len(orders),
        "fills": sum(len(order.trade_ids) for order in orders),
        "fees": str(sum(money.as_decimal() for order in orders for money in order.commissions())),
        "version": nautilus_trader.__version__,
        "python": sys.version.split()[0],
    }
    print(json.dumps(told))
    engine.dispose()


if __name__ == "__main__":
    main()
