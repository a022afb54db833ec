"""A handler that raises ends its own life, and nothing else; timers; parameters."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from ticktree.actors import ActorRef, ChildSpec, DropOldest, Mailbox, Supervisor, System, VirtualClock, simulate
from ticktree.app import App, strategy_part
from ticktree.market import (
    Bar,
    FeedState,
    FeedStatus,
    Gap,
    InstrumentStatus,
    Live,
    Quote,
    Side,
    Skipped,
    Stale,
    Trade,
    TradingStatus,
    batch_rows,
)
from ticktree.routing import Fill, OrderState, OrderUpdate
from ticktree.strategies import BadParams, BadStrategy, Momentum, NoParams, Strategy

from ..distribution.support import batch, update
from ..market.samples import BTC, quote, trade

DEADLINE_S = 5.0
BOX = Mailbox(1_000, DropOldest(), batch_rows)
FILL = Fill("o-1", "o-1.1", "x", "paper", "s", BTC, Side.BUY, 1, 10_000, 0)
REPORT = OrderUpdate("o-1", "o-1.1", "paper", OrderState.LIVE, 0, 0)

DATA: dict[str, Any] = {
    "on_quote": quote(),
    "on_trade": trade(),
    "on_book": update((1.0, 1.0), snapshot=True),
    "on_bar": Bar("sim", BTC, 1.0, 2.0, 0.5, 1.5, 3.0, 4.0, 5, 0, 60, 61),
}
MARKS: dict[str, Any] = {
    "on_status": FeedStatus("sim", FeedState.LOST, "cut", 0),
    "on_instrument_status": InstrumentStatus("sim", BTC, TradingStatus.HALTED, 0, 0),
    "on_gap": Gap("sim", BTC, "trade", 1, 2, 0),
    "on_stale": Stale("sim", BTC, "silent", 0),
    "on_live": Live("sim", BTC, 0),
    "on_skipped": Skipped(3),
}
CONTROL: dict[str, Any] = {"on_fill": FILL, "on_report": REPORT}
OTHERS = ("on_start", "on_stop", "on_timer", "on_batch")


class Bug(Exception):
    """What a test's handler raises."""


def failing(handler: str, awaited: bool, starts: list[str]) -> type[Strategy]:
    """A strategy whose `handler` raises when it is first called; of `on_start`, that of its second life."""
    left = [handler]

    def fail(*_: object) -> None:
        if left and (handler != "on_start" or len(starts) == 2):
            left.clear()
            raise Bug(handler)

    async def fail_later(*_: object) -> None:
        await asyncio.sleep(0)
        fail()

    def on_start(self: Strategy) -> Awaitable[None] | None:
        starts.append(handler)
        if handler == "on_timer" and len(starts) == 1:
            self.after(0.001, "soon")
        if handler == "on_start":
            if awaited:
                return fail_later()
            fail()
        return None

    def on_quote(self: Strategy, quote: Quote) -> None:
        if handler in ("on_start", "on_stop") and len(starts) == 1:
            raise Bug("so that its life ends")

    members: dict[str, Any] = {"on_quote": on_quote, handler: fail_later if awaited else fail}
    return type("Failing", (Strategy,), {**members, "on_start": on_start})


def provoke(handler: str, ref: ActorRef[Any]) -> None:
    if handler in CONTROL:
        ref.tell_control(CONTROL[handler])
    elif handler in MARKS:
        ref.tell(MARKS[handler], 0)
    elif handler != "on_timer":
        told = batch(DATA.get(handler, quote()))
        ref.tell(told, len(told))


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110  # what is awaited tells nobody that it happened
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("awaited", [False, True])
@pytest.mark.parametrize("handler", [*DATA, *MARKS, *CONTROL, *OTHERS])
async def test_a_handler_that_raises_ends_its_own_life_alone_and_the_next_one_goes_on(
    handler: str, awaited: bool
) -> None:
    starts: list[str] = []
    heard: list[Any] = []

    class Neighbour(Strategy):
        def on_trade(self, trade: Trade) -> None:
            heard.append(trade)

    failing_one = failing(handler, awaited, starts)
    children = (ChildSpec("s", failing_one, BOX), ChildSpec("neighbour", Neighbour, BOX))
    async with System(Supervisor(children, intensity=10)) as system:
        ref, neighbour = system.ref("s"), system.ref("neighbour")
        provoke(handler, ref)
        await until(lambda: len(starts) == (3 if handler == "on_start" else 2))
        for one in (ref, neighbour):
            one.tell(batch(trade(1.0), trade(2.0)), 2)
        await until(lambda: ref.stats().delivered >= 2 and len(heard) == 2)
        assert {node.path: node.restarts for node in system.snapshot().actors()} == {
            "s": 2 if handler == "on_start" else 1,
            "neighbour": 0,
        }
        assert all(cell.stats().unaccounted == 0 for cell in system.cells())
    stats = {cell.path: cell.stats() for cell in system.cells()}
    weight = 0 if handler in MARKS or handler in CONTROL or handler == "on_timer" else 1
    assert stats["s"].dropped.crash == weight
    assert stats["s"].received == stats["s"].delivered + weight
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_an_on_stop_that_raises_at_the_stop_is_told_and_ends_nothing_else() -> None:
    stopped: list[str] = []

    class Fails(Strategy):
        async def on_stop(self, reason: object) -> None:
            raise Bug("on_stop")

    class Neighbour(Strategy):
        def on_stop(self, reason: object) -> None:
            stopped.append("neighbour")

    system = System(Supervisor((ChildSpec("neighbour", Neighbour, BOX), ChildSpec("s", Fails, BOX))))
    await system.start()
    report = await system.stop()
    assert stopped == ["neighbour"]
    assert "s" in str(report)


# --- timers ----------------------------------------------------------------------------------------------------------


def in_virtual_time(strategy: type[Strategy], seconds: float) -> None:
    async def main(clock: VirtualClock) -> None:
        async with System(Supervisor((ChildSpec("s", strategy, BOX),)), clock):
            await clock.sleep(seconds)

    simulate(main)


@pytest.mark.parametrize("awaited", [False, True])
def test_timers_ring_by_their_names_until_they_are_canceled(awaited: bool) -> None:
    rang: list[tuple[str, float]] = []

    class Rings(Strategy):
        def on_start(self) -> None:
            self.often = self.every(1.0, "often")
            self.after(2.5, "once")
            self.after(2.6, "never").cancel()

        def on_timer(self, name: str) -> Any:
            return self.note(name) if awaited else self.ring(name)

        async def note(self, name: str) -> None:
            await self.clock.sleep(0.1)
            self.ring(name)

        def ring(self, name: str) -> None:
            rang.append((name, self.clock.monotonic_ns() // 100_000_000 / 10 - 0.1 * awaited))
            if name == "once":
                self.often.cancel()

    in_virtual_time(Rings, 10.0)
    assert [(name, round(when, 1)) for name, when in rang] == [("often", 1.0), ("often", 2.0), ("once", 2.5)]


def test_timers_end_with_the_life_that_set_them() -> None:
    rang: list[int] = []
    lives: list[object] = []

    class Restarts(Strategy):
        def on_start(self) -> None:
            lives.append(self)
            self.number = len(lives)
            self.every(1.0, "tick")

        def on_timer(self, name: str) -> None:
            rang.append(self.number)
            if self.number == 1:
                raise Bug("at the first ring")

    in_virtual_time(Restarts, 3.5)
    assert rang == [1, 2, 2]


# --- parameters ------------------------------------------------------------------------------------------------------


class Params(msgspec.Struct, frozen=True):
    """Of these tests."""

    size: Decimal
    span: float = 10


class Tuned(Strategy[Params]):
    """Has parameters; one has no default."""

    topics = ("*/BTC-USDT/quote",)


class Finer(Tuned):
    """The same ones."""


class Plain(Strategy):
    """Has none."""

    topics = ("*/BTC-USDT/quote",)


def test_the_type_of_the_parameters_stands_in_the_brackets_also_of_a_base() -> None:
    assert Tuned.params_type() is Finer.params_type() is Params
    assert Plain.params_type() is Strategy.params_type() is NoParams


def test_parameters_are_given_before_on_start_and_else_all_defaults() -> None:
    tuned = Tuned()
    tuned.take_params(Params(Decimal(2), 5))
    assert (tuned.params.size, tuned.params.span) == (Decimal(2), 5)
    assert Momentum().params.slow == 100
    assert Plain().params == NoParams()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: strategy_part(Tuned), r"Tuned needs params: size; strategy_part\(Tuned, params=Params\(size=...\)\)"),
        (lambda: App.simulated(Tuned), "Tuned needs params: size"),
        (
            lambda: strategy_part(Momentum, params=Params(Decimal(1))),
            "Momentum takes params of ticktree.strategies",
        ),
        (lambda: Plain().take_params(Params(Decimal(1))), "Plain takes params of .*NoParams; not Params"),
        (lambda: Tuned().params, "Tuned needs params"),
    ],
)
def test_parameters_that_are_missing_or_of_another_type_are_refused_before_any_start(make: Any, said: str) -> None:
    with pytest.raises(BadParams, match=said):
        make()


def test_a_part_has_the_name_and_the_parameters_it_is_given() -> None:
    part = strategy_part(Tuned, "fast", "two", Params(Decimal(2)))
    assert (part.name, part.router, part.params) == ("two", "fast", Params(Decimal(2)))
    assert strategy_part(Plain).name == "plain"


def test_the_log_has_the_strategy_s_name(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "ticktree.strategies"):
        Plain().log.info("here")
    assert caplog.record_tuples == [("ticktree.strategies.plain", logging.INFO, "here")]


@pytest.mark.parametrize(
    ("method", "handler"),
    [("on_qoute", "on_quote"), ("on_trades", "on_trade"), ("on_fil", "on_fill"), ("on_strat", "on_start")],
)
def test_a_handler_that_nobody_would_call_is_refused_where_it_is_written(method: str, handler: str) -> None:
    with pytest.raises(BadStrategy, match=rf"Slip.{method} is called by nobody: did you mean '{handler}'\?"):
        type("Slip", (Strategy,), {method: Strategy.on_quote})


def test_methods_of_ones_own_may_begin_with_on() -> None:
    type("Own", (Strategy,), {"on_signal": Strategy.on_quote, "on_quote_of_far": Strategy.on_quote, "on_order": None})


def test_topics_that_are_one_text_are_refused_with_the_comma_that_is_missing() -> None:
    with pytest.raises(BadStrategy, match=r"One: topics are a tuple, of one topic, too: topics = \('\*/\*/quote',\)"):
        type("One", (Strategy,), {"topics": "*/*/quote"})


def test_parameters_that_are_no_struct_are_refused_with_what_to_write() -> None:
    class Numbers:
        pass

    class Numbered(Strategy[Numbers]):  # type: ignore[type-var]  # pyright: ignore[reportInvalidTypeArguments]
        topics = ("*/*/quote",)

    numbered: Any = Numbered
    with pytest.raises(BadParams, match=r"Numbers as its params, which are.*: class Numbers\(msgspec.Struct, frozen=T"):
        strategy_part(numbered)
