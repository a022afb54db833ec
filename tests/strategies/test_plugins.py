"""Strategy classes by name. What holds of all plug-ins is in tests/actors/test_plugins.py."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.packages import Packages, packages
from ticktree.actors import NotAPlugin, UnknownPlugin
from ticktree.strategies import Momentum, Strategy
from ticktree.strategies.plugins import STRATEGIES


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Packages]:
    with packages(tmp_path, monkeypatch, STRATEGIES.group) as place:
        yield place


def test_ours_have_names() -> None:
    assert STRATEGIES.load("momentum") is Momentum
    assert STRATEGIES.load("ticktree.strategies:Momentum") is Momentum


@pytest.mark.parametrize("name", ["arbitrage", "market_maker", "momentum", "pairs", "risk_monitor", "twap"])
def test_each_worked_strategy_loads(name: str) -> None:
    assert issubclass(STRATEGIES.load(name), Strategy)


def test_so_has_one_of_another_package(place: Packages) -> None:
    place.install("acme", "acme = acme_module:Acme", "from ticktree import Strategy\nclass Acme(Strategy): pass\n")
    assert issubclass(STRATEGIES.load("acme"), Strategy)


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownPlugin, match=r"strategy type 'momentun': .*did you mean 'momentum'\?"):
        STRATEGIES.load("momentun")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("ticktree.strategies:momentum", "is a module, and no class"),
        ("ticktree.market:Ema", "a class, but none that inherits from ticktree.Strategy"),
    ],
)
def test_what_is_no_strategy_is_refused(name: str, why: str) -> None:
    with pytest.raises(NotAPlugin, match=why):
        STRATEGIES.load(name)
