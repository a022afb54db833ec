"""The same data, application and seed come to the same: each order, fill and sample, and the digest of it all."""

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Awaitable
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import attrs
import pytest
from hypothesis import given, settings, strategies as st

from ticktree.actors import Backoff
from ticktree.backtesting.result import Outcome
from ticktree.market import Quote
from ticktree.parts import App, GroupPart, RouterPart, SupervisionPart, VenuePart, strategy_part
from ticktree.routing import Terms, TimeInForce, Timeout
from ticktree.routing.policies import AnyOf
from ticktree.routing.venues.simulated import Faults, Latency
from ticktree.strategies.market_maker import MarketMaker, Params as MarketMakerParams
from ticktree.strategies.momentum import Momentum, Params as MomentumParams
from ticktree.strategies.pairs import Pairs, Params as PairsParams

from .markets import (
    MS,
    NS,
    BookText,
    Seen,
    Tape,
    TradeText,
    Watcher,
    backtested,
    feed_part,
    quoted,
    same,
    steady,
    trading,
    watching,
)

NAMES: Final = {"a": "BTC-USDT", "b": "ETH-USDT"}
FEEDS: Final = tuple(feed_part(feed, (name,)) for feed, name in NAMES.items())
IOC: Final = Terms(time_in_force=TimeInForce.IOC)
ROOT: Final = Path(__file__).parents[2]
FAULTY: Final = Faults(
    drop=0.02, duplicate=0.05, reorder=0.05, delay=0.1, disconnect=0.01, unreadable=0.01, late_fill=0.1, reject=0.05,
    cross=0.2, bust=0.1, correct=0.1, delay_s=(0.001, 0.2),
)  # fmt: skip


def worked() -> App:
    """Three of our strategies, eager, on two feeds and three venues."""
    pairs = PairsParams(
        first="BTC-USDT", second="ETH-USDT", span=4, enter=0.2, leave=0.05, first_size=Decimal("0.1"),
        second_size=Decimal("0.1"), pause_s=0.001,
    )  # fmt: skip
    maker = MarketMakerParams(size=Decimal("0.05"), half_spread=0.001, pause_s=0.001)
    parts = (
        strategy_part(Momentum, "any", params=MomentumParams(fast=1, slow=2, size=Decimal("0.1"), pause_s=0.001)),
        strategy_part(MarketMaker, "default", params=maker),
        strategy_part(Pairs, "other", params=pairs),
    )
    topics = ("a/BTC-USDT/quote",), ("a/BTC-USDT/quote",), ("a/BTC-USDT/quote", "b/ETH-USDT/quote")
    strategies = tuple(
        attrs.evolve(part, topics=tuple(map(type(part.topics[0]).parse, wanted)))
        for part, wanted in zip(parts, topics, strict=True)
    )
    return App(
        feeds=FEEDS,
        venues=(
            VenuePart("paper", "a", latency=Latency(0.001, 0.002)), VenuePart("near", "a"), VenuePart("far", "b"),
        ),
        routers=(
            RouterPart("default", Timeout("paper", deadline_s=5.0)),
            RouterPart("any", AnyOf(("near", "paper"), deadline_s=0.5)),
            RouterPart("other", AnyOf(("far", "near"), deadline_s=0.5)),
        ),
        strategies=strategies,
    )  # fmt: skip


Said = tuple[int, str, str, int]  # milliseconds after what was said before, by which feed, what, and how high

said_drawn = st.lists(
    st.tuples(
        st.sampled_from((0, 0, 1, 3, 40)), st.sampled_from(("a", "b")),
        st.sampled_from(("quote", "quote", "quote", "trade", "book", "gap", "cut")), st.integers(90, 110),
    ),
    min_size=5, max_size=60,
)  # fmt: skip


def market(folder: Path, said: list[Said]) -> list[Path]:
    tapes = {feed: Tape(feed).connect() for feed in NAMES}
    connections, number, at_ns = dict.fromkeys(NAMES, 1), 0, 0
    for after_ms, feed, kind, price in said:
        at_ns += after_ms * MS
        tape, name = tapes[feed], NAMES[feed]
        match kind:
            case "quote":
                tape.read(at_ns, quoted(price, price + 1.0, name=name), number=connections[feed])
            case "trade":
                tape.read(at_ns, TradeText(name, price, 1.0, True), number=connections[feed])
            case "book" | "gap":
                number += 1 if kind == "book" else 3
                text = BookText("BTC-USDT", number, ((price, 1.0),), ((price + 1.0, 1.0),), kind == "book")
                tapes["a"].read(at_ns, text, number=connections["a"])
            case _:
                tape.close(at_ns, connections[feed])
                connections[feed] += 1
                at_ns += MS
                tape.connect(at_ns, connections[feed])
    return [tape.write(folder) for tape in tapes.values()]


@settings(max_examples=25)
@given(said_drawn, st.integers(0, 3))
def test_the_worked_strategies_do_the_same_in_the_same_market(said: list[Said], seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = market(Path(folder), said)
        one, other = (backtested(worked(), *paths, seed=seed) for _ in range(2))
    assert one.incomplete == ""
    assert same(one, other)


# --- where much goes wrong -------------------------------------------------------------------------------------------


def restless(strategy: Watcher, message: Any) -> Awaitable[None] | None:
    """Orders of all kinds, timers, handlers that wait, and now and then a fault of its own."""
    if isinstance(message, str):
        for order in strategy.working("BTC-USDT")[:1]:
            strategy.cancel(order)
        return None
    if not isinstance(message, Quote) or message.instrument.name != "BTC-USDT":
        return None
    number = round(message.bid)
    if number % 17 == 0:
        raise ValueError("one's own fault")
    strategy.after(0.02 + number / 10_000, "cancel")
    if number % 3 == 0:
        return later(strategy, message)
    if number % 2:
        strategy.buy(message.instrument, "0.1", message.bid)
    else:
        strategy.sell(message.instrument, "0.1", message.ask, IOC if number % 4 else Terms())
    return None


async def later(strategy: Watcher, quote: Quote) -> None:
    await strategy.clock.sleep(0.003)
    handle = strategy.buy(quote.instrument, "0.2", quote.ask, IOC)
    await handle.execution()
    await asyncio.sleep(0.002)


def chaotic(folder: Path, seed: int = 1) -> Outcome:
    """Faults of venues, jitter, restarts with a drawn delay, timers, handlers that wait."""
    one, other = Tape("a").connect(), steady("b", rows=60, every_ns=33 * MS, name="ETH-USDT")
    for row in range(160):
        one.quote(row * 12 * MS, 100.0 + row * 7 % 23, 101.0 + row * 7 % 23)
        if row % 5 == 0:
            one.trade(row * 12 * MS, 100.0 + row * 5 % 23, 3.0, buys=bool(row % 2))
    one.close(2 * NS).connect(2 * NS + 100 * MS, 2)
    rooms = {"strategies": GroupPart(intensity=1_000, delay=Backoff(base_s=0.05, ceiling_s=0.1))}
    venue = VenuePart("paper", "a", latency=Latency(0.001, 0.01), faults=FAULTY)
    app = trading(watching(Seen(), restless), feeds=FEEDS, venue=venue, supervision=SupervisionPart(rooms=rooms))
    return backtested(app, one.write(folder), other.write(folder), seed=seed)


@pytest.mark.usefixtures("many_systems")
def test_with_faults_jitter_restarts_and_handlers_that_wait_it_is_the_same_each_time(tmp_path: Path) -> None:
    one, other = chaotic(tmp_path), chaotic(tmp_path)
    assert len(one.fills) > 5
    assert same(one, other)


def test_another_seed_draws_otherwise(tmp_path: Path) -> None:
    one, other = chaotic(tmp_path), chaotic(tmp_path, seed=2)
    assert one.digest != other.digest
    assert one.ticks == other.ticks  # the data are the same


def test_in_a_process_that_hashes_otherwise_it_is_the_same(tmp_path: Path) -> None:
    program = (
        f"from pathlib import Path; from {__name__} import chaotic; print(chaotic(Path({str(tmp_path)!r})).digest)"
    )
    here = chaotic(tmp_path).digest
    environment = {**os.environ, "PYTHONHASHSEED": "4711", "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
        cwd=ROOT,
    )
    assert ran.stdout.strip() == here


def test_the_digest_tells_apart_what_was_ordered(tmp_path: Path) -> None:
    def buying(quantity: str) -> Any:
        def act(strategy: Watcher, message: Any) -> None:
            if isinstance(message, Quote) and message.bid == 103.0:
                strategy.buy(message.instrument, quantity, message.ask)

        return act

    path = steady().write(tmp_path)
    digests = {backtested(trading(watching(Seen(), buying(quantity))), path).digest for quantity in ("0.1", "0.2")}
    assert len(digests) == 2


def test_where_the_files_lie_and_when_it_is_run_is_not_in_the_digest(tmp_path: Path) -> None:
    def act(strategy: Watcher, message: Any) -> None:
        if isinstance(message, Quote) and message.bid == 103.0:
            strategy.buy(message.instrument, "0.5", message.ask)

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    one = backtested(trading(watching(Seen(), act)), steady().write(tmp_path))
    other = backtested(trading(watching(Seen(), act)), steady().write(elsewhere, "under another name"))
    assert one.digest == other.digest
    assert one.fills == other.fills
