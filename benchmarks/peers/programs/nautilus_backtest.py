"""The crossing of averages of backtest.py in NautilusTrader's BacktestEngine, as its documentation has it."""

# It is run by another Python, of whose packages ours has no types.
# mypy: ignore-errors
# pyright: basic, reportMissingImports=false, reportGeneralTypeIssues=false, reportCallIssue=false

import time
from decimal import Decimal

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

PEER = "nautilus_trader"
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


def strategy_of(question, instruments):
    """As ours is."""
    ids = tuple(instrument.id for instrument in instruments)
    return Crossing(CrossingConfig(ids, Decimal(question["size"]), question["fast"], question["slow"]))


def engine_of(question, instruments, strategy):
    """An engine with a venue, instruments and the strategy, and no data."""
    # Ours makes no statistics within its run, so that this one's are left out, too.
    config = BacktestEngineConfig(
        trader_id=TraderId("PEER-001"), logging=LoggingConfig(log_level="OFF"), run_analysis=False
    )
    engine = BacktestEngine(config)
    engine.add_venue(
        venue=VENUE, oms_type=OmsType.NETTING, account_type=AccountType.CASH, base_currency=None,
        starting_balances=[Money(10_000_000, USDT), Money(10_000, BTC), Money(10_000, ETH)],
        fee_model=MakerTakerFeeModel(), latency_model=LatencyModel(base_latency_nanos=question["latency_ns"]),
    )  # fmt: skip
    for instrument in instruments:
        engine.add_instrument(instrument)
    engine.add_strategy(strategy)
    return engine


def add_data(engine, question, instruments):
    """Quotes of the file, as objects, in the engine."""
    records = np.memmap(question["file"], RECORD, "r", question["begins"])
    for id, instrument in enumerate(instruments):
        rows = records[records["instrument"] == id]
        columns = [np.ascontiguousarray(rows[name]) for name in "acbd"]
        times = [np.ascontiguousarray(rows[f"{name}_time_ns"]).view(np.uint64) for name in ("venue", "received")]
        ticks = QuoteTick.from_raw_arrays_to_list(instrument.id, PRICE_DIGITS, SIZE_DIGITS, *columns, *times)
        engine.add_data(ticks, sort=False)
    engine.sort_data()


def answer(question):
    """A back-test of what a file has, 64 bytes a quote."""
    instruments = [instrument_of(name, Decimal(question["taker"])) for name in question["instruments"]]
    began_s = time.perf_counter()
    strategy = strategy_of(question, instruments)
    engine = engine_of(question, instruments, strategy)
    add_data(engine, question, instruments)
    made_s = time.perf_counter()
    engine.run()
    ended_s = time.perf_counter()
    orders = engine.cache.orders()
    answer = {
        "handled": sum(known.slow.count for known in strategy.known.values()),
        "made_s": made_s - began_s,
        "run_s": ended_s - made_s,
        "orders": len(orders),
        "fills": sum(len(order.trade_ids) for order in orders),
        "total": float(sum(money.as_decimal() for order in orders for money in order.commissions())),
    }
    engine.dispose()
    return answer
