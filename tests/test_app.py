"""An application as a value, and its tree."""

from typing import Any

import attrs
import pytest

from ticktree import App, Strategy
from ticktree.actors import System
from ticktree.app import BadApp, RouterPart, VenuePart, assemble
from ticktree.market import BadTopic
from ticktree.routing import Timeout
from ticktree.strategies import Momentum

APP = App.simulated(Momentum)


async def test_the_tree_starts_in_the_order_of_the_data_reversed_and_stops_in_its_reverse() -> None:
    assembly = assemble(APP)
    async with System(assembly.tree) as system:
        started = [node.path for node in system.snapshot().actors()]
    report = await system.wait()
    assert started == [
        "venues/paper", "routers/default", "hub", "strategies/momentum", "feeds/simulated-exchange", "feeds/simulated",
    ]  # fmt: skip
    assert [step.path for step in report.steps if step.path in started] == started[::-1]
    assert report.exit_code == 0
    assert all(node.mailbox.unaccounted == 0 for node in system.snapshot().actors())


def test_each_tree_is_its_own() -> None:
    assert APP.tree() is not APP.tree()
    assert assemble(APP).portfolio is not assemble(APP).portfolio


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"venues": (VenuePart("paper", prices="simulatd"),)}, "prices of venue paper .* did you mean 'simulated'"),
        ({"routers": (RouterPart("default", Timeout("papre", 1.0)),)}, "router default .* did you mean 'paper'"),
        ({"routers": (RouterPart("other", Timeout("paper", 1.0)),)}, "'default', which is not there; there is other"),
        ({"feeds": ()}, "there is none"),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(changed: dict[str, Any], why: str) -> None:
    with pytest.raises(BadApp, match=why):
        attrs.evolve(APP, **changed)


def test_a_strategy_without_topics_is_refused() -> None:
    with pytest.raises(BadApp, match="no topics"):
        App.simulated(type("Deaf", (Strategy,), {}))


def test_a_topic_that_is_none_is_refused_before_anything_starts() -> None:
    with pytest.raises(BadTopic):
        App.simulated(type("Wrong", (Strategy,), {"topics": ("BTC-USDT",)}))


@pytest.mark.parametrize("what", [Momentum(), object, "momentum"])
def test_run_wants_a_class_and_says_so(what: Any) -> None:
    with pytest.raises(BadApp, match="subclass of Strategy"):
        App.simulated(what)
