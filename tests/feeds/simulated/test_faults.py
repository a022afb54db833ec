"""Faults: when they strike, and how they are written."""

import pytest

from ticktree.feeds.simulated import BadFault, FaultKind, Faults, When
from ticktree.feeds.simulated.faults import Plan, seconds

STEPS = range(1, 20_001)


def strikes(faults: Faults, place: int = 0, kind: FaultKind = FaultKind.GAPS) -> list[int]:
    plan = Plan(faults, place)
    return [step for step in STEPS if plan.struck(kind, range(step, step + 1))]


def test_nothing_goes_wrong_unless_told() -> None:
    assert not any(strikes(Faults(), kind=kind) for kind in FaultKind)


def test_a_fault_strikes_as_often_as_told() -> None:
    assert len(strikes(Faults(gaps=0.01))) == pytest.approx(200, abs=50)
    assert len(strikes(Faults(gaps=1.0))) == len(STEPS)


def test_a_fault_strikes_at_the_steps_told() -> None:
    assert strikes(Faults(gaps=[7, 100])) == [7, 100]


def test_what_strikes_depends_on_seed_fault_place_and_step_alone() -> None:
    faults = Faults(gaps=0.01, garbage=0.01)
    assert strikes(faults) == strikes(faults)
    late = Plan(faults, 0)
    assert [step for step in STEPS[10_000:] if late.struck(FaultKind.GAPS, range(step, step + 1))] == [
        step for step in strikes(faults) if step > 10_000
    ]
    for other in (
        strikes(faults, place=1),
        strikes(faults, kind=FaultKind.GARBAGE),
        strikes(Faults(gaps=0.01, seed=2)),
    ):
        assert len(set(other) & set(strikes(faults))) < 20


def test_a_turn_of_several_steps_is_struck_if_one_of_them_is() -> None:
    plan = Plan(Faults(gaps=[7]), 0)
    assert plan.struck(FaultKind.GAPS, range(5, 10))
    assert not plan.struck(FaultKind.GAPS, range(8, 10))


def test_the_details_are_the_same_each_time() -> None:
    def draw() -> float:
        random = Plan(Faults(gaps=[7]), 3).struck(FaultKind.GAPS, range(7, 8))
        assert random
        return random.random()

    assert draw() == draw()


def test_faults_are_read_as_a_user_writes_them() -> None:
    written = ("gaps=0.01", "slow-reads=@100,200", "latency=20ms", "silence-for = 2s", "slow_reads_for=1.5s")
    assert Faults.parse(written, seed=7) == Faults(
        gaps=0.01, slow_reads=[100, 200], latency_s=0.02, silence_s=2.0, slow_reads_s=1.5, seed=7
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("gap=0.1", "no fault 'gap'; did you mean 'gaps'"),
        ("latncy=20ms", "did you mean 'latency'"),
        ("zzz", "there is disconnects, gaps, duplicates"),
        ("gaps", "a probability"),
        ("gaps=often", "a probability"),
        ("gaps=1.5", "from 0 to 1"),
        ("gaps=nan", "from 0 to 1"),
        ("gaps=@1,x", "steps"),
        ("latency=20", "is no duration: one is written 20ms, 1.5s, 2m or 1h; did you mean 20s"),
        ("jitter=soon", "'soon' is no duration: one is written 20ms, 1.5s, 2m or 1h$"),
    ],
)
def test_a_fault_that_is_not_understood_is_refused_with_advice(text: str, why: str) -> None:
    with pytest.raises(BadFault, match=why):
        Faults.parse([text])


def test_durations_have_units() -> None:
    assert [seconds(text) for text in ("20ms", "1.5s", "2m", "1h")] == [0.02, 1.5, 120.0, 3600.0]


def test_a_probability_may_be_given_as_such() -> None:
    assert Faults(gaps=When(0.5)) == Faults(gaps=0.5)
