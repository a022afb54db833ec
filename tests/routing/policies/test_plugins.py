"""Policies by name and from a configuration."""

import sys
from pathlib import Path
from typing import Any

import attrs
import pytest

from ticktree.actors import PluginError
from ticktree.routing.errors import BadPolicy
from ticktree.routing.orders import Execution, Order
from ticktree.routing.policies import (
    POLICIES,
    AllOf,
    AnyOf,
    BestOf,
    Legs,
    Retry,
    Share,
    Sweep,
    Timeout,
    Unwind,
    policy_from,
)
from ticktree.routing.policies.plugins import seconds_of

from .model import Model, scripted


@attrs.frozen
class Halves:
    """A policy of one's own: half of the order, a pause, the rest."""

    venue: str
    pause_s: float = 0.5

    @property
    def venues(self) -> tuple[str, ...]:
        return (self.venue,)

    async def execute(self, order: Order, legs: Legs) -> Execution:
        legs.send(self.venue, order.quantity_increments // 2)
        await legs.sleep(self.pause_s)
        legs.send(self.venue, legs.remaining_increments)
        await legs.accounted()
        return legs.execution()


class Picky:
    """A policy of one's own that reads its options itself."""

    def __init__(self, letters: str) -> None:
        self.venues = tuple(letters)

    @classmethod
    def from_config(cls, options: Any) -> "Picky":
        return cls(options["letters"])

    async def execute(self, order: Order, legs: Legs) -> Execution:
        return legs.execution()


@attrs.frozen
class Sour:
    """Raises what is not ours."""

    venues: tuple[str, ...]
    taste: int

    def __attrs_post_init__(self) -> None:
        raise ValueError("it is sour")

    async def execute(self, order: Order, legs: Legs) -> Execution:
        return legs.execution()


HERE = f"{__name__}:"


@pytest.fixture
def announced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which installed packages are looked for, with one that announces `Halves`."""
    info = tmp_path / "halves-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: halves\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        f"[ticktree.policies]\nhalves = {HERE}Halves\nbroken = no.such.module:Nothing\nany = {HERE}Halves\n"
        f"notone = {HERE}HERE\n"
    )
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return tmp_path


def test_ours_have_short_names() -> None:
    named = {name: POLICIES.load(name) for name in ("timeout", "any", "all", "best", "sweep")}
    assert named == {"timeout": Timeout, "any": AnyOf, "all": AllOf, "best": BestOf, "sweep": Sweep}
    assert set(named) <= set(POLICIES.known())


def test_an_installed_package_announces_its_own(announced: Path) -> None:
    assert POLICIES.load("halves") is Halves
    assert policy_from({"policy": "halves", "venue": "a", "pause": "20ms"}) == Halves("a", 0.02)
    assert POLICIES.known()["halves"] == f"{HERE}Halves of halves 1.0"


def test_a_dotted_name_is_imported() -> None:
    assert POLICIES.load(f"{HERE}Halves") is Halves


@scripted
async def test_a_policy_of_ones_own_works_alone_and_nested(model: Model) -> None:
    model.fills("a")
    model.start(policy_from({"policy": "any", "venues": [{"policy": f"{HERE}Halves", "venue": "a"}], "deadline": 1}))
    final = await model.final()
    assert [leg.quantity_increments for leg in model.legs] == [5, 5]
    assert final.filled_increments == 10
    assert model.now_ms() == 510


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "tmeout",
            r"policy 'tmeout': .*\(did you mean 'timeout'\?\); known: .*any.*; or write package\.module:Class",
        ),
        ("a.b:", "no installed package has it"),
        ("no.such.module:Nothing", "cannot be imported: ModuleNotFoundError"),
        (f"{HERE}Nothing", "cannot be imported: AttributeError"),
        (f"{HERE}HERE", "is no policy: that is a class with `venues` and `execute"),
        ("builtins:int", "is no policy"),
        ("broken", r"no.such.module:Nothing of halves 1\.0 cannot be imported"),
        ("notone", "is no policy"),
        ("any", "several packages claim it"),
    ],
)
def test_a_name_that_leads_nowhere_is_refused(announced: Path, name: str, message: str) -> None:
    with pytest.raises(PluginError, match=message):
        POLICIES.load(name)
    with pytest.raises(BadPolicy, match=message):
        policy_from({"policy": name})


def test_a_configuration_is_read_whole() -> None:
    config = {
        "policy": "any",
        "venues": ["a", {"policy": "best", "venues": ["b", "c"], "deadline": "250ms", "max_price_age": "1s"}],
        "deadline": "1.5s",
        "each": 0.25,
    }
    best = BestOf(("b", "c"), deadline_s=0.25, max_price_age_s=1.0)
    assert policy_from(config) == AnyOf(("a", best), 1.5, each_s=0.25)


@pytest.mark.parametrize(
    ("config", "policy"),
    [
        ({"policy": "timeout", "venue": "a", "deadline": 2}, Timeout("a", 2)),
        (
            {
                "policy": "timeout",
                "venue": {"policy": "any", "venues": ["a"], "deadline": "2m", "racing": True},
                "deadline": "1h",
            },
            Timeout(AnyOf(("a",), 120, racing=True), 3600),
        ),
        (
            {"policy": "sweep", "venues": ["a"], "deadline": "500us", "max_price_age": "1 s", "quotes_within": "0.1ms"},
            Sweep(("a",), deadline_s=0.0005, max_price_age_s=1, quotes_within_s=0.0001),
        ),
        ({"policy": "all", "venues": ["a"], "deadline": 1, "compensation": "hold"}, AllOf(("a",), 1)),
        (
            {
                "policy": "all",
                "venues": ["a", {"venue": "b", "weight": "0.5"}, {"venue": "c", "opposite": True}],
                "deadline": 1,
                "compensation": {"kind": "unwind", "within": "2s"},
            },
            AllOf(("a", Share("b", weight="0.5"), Share("c", opposite=True)), 1, Unwind(2)),
        ),
        (
            {
                "policy": "all",
                "venues": [{"policy": "timeout", "venue": "a", "deadline": 1}],
                "deadline": 1,
                "compensation": {"kind": "retry", "within": 1, "attempts": 5},
            },
            AllOf((Timeout("a", 1),), 1, Retry(1, attempts=5)),
        ),
    ],
)  # fmt: skip
def test_each_policy_from_a_configuration(config: dict[str, Any], policy: object) -> None:
    assert policy_from(config) == policy


def test_a_class_may_read_its_options_itself() -> None:
    policy = policy_from({"policy": f"{HERE}Picky", "letters": "xy"})
    assert policy.venues == ("x", "y")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"venues": ["a"]}, "written with its name"),
        ({"policy": 5}, "written with its name"),
        ({"policy": "any", "venues": ["a"], "deadlin": 1}, r"no option 'deadlin' \(did you mean 'deadline'\?\); it"),
        ({"policy": "any", "venues": ["a"], "deadline_s": 1}, "did you mean 'deadline'"),
        ({"policy": "any", "children": ["a"], "deadline": 1}, "no option 'children'"),
        ({"policy": "any"}, "needs 'venues' and 'deadline'"),
        ({"policy": "any", "venues": "a", "deadline": 1}, "written in brackets"),
        ({"policy": "any", "venues": ["a"], "deadline": "soon"}, r"any': deadline is a duration, as in \"250ms\""),
        ({"policy": "any", "venues": ["a"], "deadline": "-1s"}, "is a duration"),
        ({"policy": "any", "venues": ["a"], "deadline": "5min"}, r"not '5min'; did you mean '5m'\?"),
        ({"policy": "any", "venues": ["a"], "deadline": True}, "is a duration"),
        ({"policy": "any", "venues": ["a"], "deadline": 0}, "a number of seconds above 0"),
        ({"policy": "any", "venues": [{"venue": "a"}], "deadline": 1}, "written by its name"),
        ({"policy": "all", "venues": [{"venue": "a", "wait": 2}], "deadline": 1}, "no option 'wait'"),
        ({"policy": "all", "venues": ["a"], "deadline": 1, "compensation": "pray"}, "one of hold, unwind, retry"),
        ({"policy": "all", "venues": ["a"], "deadline": 1, "compensation": 5}, "one of hold, unwind, retry"),
        ({"policy": "all", "venues": ["a"], "deadline": 1, "compensation": "unwind"}, "'unwind' needs 'within'"),
        ({"policy": f"{HERE}Sour", "venues": ["a"], "taste": 1}, "it is sour"),
    ],
)  # fmt: skip
def test_a_wrong_configuration_is_refused_with_what_to_write(config: dict[str, Any], message: str) -> None:
    with pytest.raises(BadPolicy, match=message):
        policy_from(config)


def test_all_that_is_wrong_is_said_at_once_and_where() -> None:
    inner = {"policy": "timeout", "venue": "a", "deadline": 0, "patience": 1}
    with pytest.raises(BadPolicy) as caught:
        policy_from(
            {"policy": "any", "venues": ["a", inner, {"policy": "gone"}], "deadline": -1, "each": "now", "x": 1}
        )
    faults = caught.value.faults
    assert [path for path, _ in faults] == [
        ("venues", 1, "deadline"), ("venues", 1, "patience"), ("venues", 2), ("deadline",), ("each",), ("x",),
    ]  # fmt: skip
    assert str(caught.value) == "; ".join(why for _, why in faults)
    assert "above 0, as in 0.25; not -1.0" in dict(faults)["deadline",]


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("250ms", 0.25), ("1.5s", 1.5), ("2m", 120), ("1 h", 3600), ("70us", 0.00007), (3, 3), (0.1, 0.1)],
)
def test_durations_are_written_as_people_do(written: object, seconds: float) -> None:
    assert seconds_of("x", written) == seconds
