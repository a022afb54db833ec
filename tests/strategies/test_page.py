"""The page on writing a strategy says what is: what it shows runs as written, and it leaves nothing out."""

import re
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

import ticktree
from ticktree import strategies
from ticktree.actors import Actor, DropNewest
from ticktree.app import strategy_part
from ticktree.routing import Limits, policy_from
from ticktree.strategies import Strategy
from ticktree.testing import Trial

from ..distribution.support import update
from ..market.samples import BTC
from .street import Street, app, on_street

PAGE = (Path(__file__).parents[2] / "docs" / "strategies.md").read_text()
NAMES: dict[str, Any] = {"__name__": "page"}
for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
    exec(compile(block, "strategies.md", "exec"), NAMES)
TABLES: list[dict[str, Any]] = [tomllib.loads(block) for block in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)]


def said(caplog: pytest.LogCaptureFixture, strategy: str) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.name == f"ticktree.strategies.{strategy}"]


@on_street(app(strategy_part(NAMES["Momentum"])))
async def test_its_first_strategy_buys_once(street: Street) -> None:
    for price in (100, 105, 110):
        await street.at(price)
    assert street.position() == 100


@on_street(app(*NAMES["two_of_them"]))
async def test_its_strategies_with_parameters_bid_lower_and_take_their_bids_back(street: Street) -> None:
    await street.at(1000)
    assert street.resting() == ["buy 0.01 BTC-USDT at 999.9", "buy 0.02 BTC-USDT at 990"]
    await street.rest(1.1)
    assert street.resting() == []


def test_its_strategy_that_saves_orders_whole_increments_and_pauses_after_what_came_to_nothing() -> None:
    with Trial(NAMES["Saver"], NAMES["Budget"](notional=300)) as trial:
        trial.quote("BTC-USDT", 1000, 1001, size=0.2)
        assert trial.ordered == ["buy 0.2997 BTC-USDT at 1001"]
        assert trial.position("BTC-USDT") == Decimal("0.2")
    with Trial(NAMES["Saver"], limits=Limits(max_order_size={"*": "0.01"})) as trial:
        for _ in range(10):
            trial.quote("BTC-USDT", 1000, 1001)
        assert len(trial.orders) == 1
        trial.wait(1)
        trial.quote("BTC-USDT", 1000, 1001)
        assert len(trial.orders) == 2


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("test_")])
def test_its_tests_pass(name: str) -> None:
    NAMES[name]()


@on_street(app(strategy_part(NAMES["Lopsided"])))
async def test_its_strategy_that_looks_at_a_book_tells_when_that_leans(
    street: Street, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    await street.trade(99)
    for asked, price in ((4.0, 100), (0.5, 100.25)):
        await street.publish(update((99.0, 4.0), asks=((101.0, asked),), snapshot=True))
        await street.trade(price)
    assert said(caplog, "lopsided") == ["5.0 at 100.25, imbalance 0.78"]


@on_street(app(strategy_part(NAMES["Bursts"])))
async def test_its_strategy_of_columns_tells_of_the_one_large_trade(
    street: Street, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    for number in range(300):
        await street.trade(100, size=1.0 + number % 5 * 0.1)
    await street.trade(101, size=90.0)
    assert said(caplog, "bursts") == ["90.0 at 101.0"]


def test_its_mailbox_is_the_one_that_is_declared() -> None:
    mailbox = strategy_part(NAMES["Careful"]).mailbox
    assert (mailbox.capacity, mailbox.overflow) == (1_000, DropNewest())


def test_its_tables_are_what_its_programs_make() -> None:
    routers = {name: table for each in TABLES for name, table in each.get("routers", {}).items()}
    parts = {name: table for each in TABLES for name, table in each.get("strategies", {}).items()}
    assert policy_from(routers["both"]) == NAMES["both_legs"] == NAMES["router"].policy
    assert msgspec.convert(parts["arbitrage"]["params"], NAMES["ArbitrageParams"]) == NAMES["part"].params
    assert msgspec.convert(parts["near"]["params"], NAMES["Params"]) == NAMES["Params"](Decimal("0.02"), 0.0001)
    assert set(parts["momentum"]) == {"type", "topics"}


def test_it_names_every_handler_and_every_call() -> None:
    own = {name for name in vars(Strategy) if not name.startswith("_")} | {"on_start", "on_stop"}
    runtime = {"on_message", "ask_for_books", "sit_at", "take_params", "takes_columns", "fitted", "params_type"}
    words = set(re.findall(r"[`.]([a-z_]+)", PAGE))
    assert own - runtime - {"params", "topics", "mailbox"} <= words
    handlers = set(re.findall(r"`(on_\w+)\(", PAGE))
    assert handlers == {name for name in own if name.startswith("on_")} - {"on_message"}
    assert set(vars(Actor)) >= {"on_start", "on_stop"}


def test_it_lists_every_worked_strategy() -> None:
    classes = {
        name
        for name, one in vars(strategies).items()
        if isinstance(one, type) and issubclass(one, Strategy) and one is not Strategy
    }
    assert set(re.findall(r"^\| \[`(\w+)`\]", PAGE, re.MULTILINE)) == classes
    assert BTC.name in PAGE


def test_what_it_says_that_values_have_they_have() -> None:
    for name, row in re.findall(r"^\| `([A-Z]\w+)` \| (.*) \|$", PAGE, re.MULTILINE):
        value = getattr(ticktree, name)
        for member in re.findall(r"`([a-z]\w*)", row):
            assert member == "state" or hasattr(value, member), (name, member)


def test_it_lists_every_call_of_a_trial() -> None:
    section = PAGE.partition("## Test it")[2]
    calls = {name for name in vars(Trial) if not name.startswith("_")} - {"now_ns", "instrument"}
    assert calls <= set(re.findall(r"[`.]([a-z_]+)", section))
