"""The proof: 200 short runs in each test run, 2,000 long ones in soak."""

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from ...actors.support import note_soak
from .machine import COUNTS, Trading

LONG = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
SAMPLE = settings(max_examples=200, stateful_step_count=14, deadline=None, suppress_health_check=LONG)
SOAK = settings(max_examples=2_000, stateful_step_count=50, deadline=None, suppress_health_check=LONG)
NEVER = ("over-fills beyond the grant", "lost", "submitted twice")


def proved(how: settings) -> dict[str, Any]:
    """What was counted."""
    COUNTS.clear()
    run_state_machine_as_test(Trading, settings=how)
    return dict(COUNTS)


def test_the_invariants_hold_whatever_happens() -> None:
    counts = proved(SAMPLE)
    assert counts["runs"] >= SAMPLE.max_examples
    assert counts["orders"] > 0
    assert not any(counts.get(what) for what in NEVER), counts


@pytest.mark.soak
def test_the_invariants_hold_in_2_000_long_runs(pytestconfig: pytest.Config) -> None:
    counts = proved(SOAK)
    assert counts["runs"] >= SOAK.max_examples
    note_soak(pytestconfig, "execution", {**dict.fromkeys(NEVER, 0), **counts})
    assert not any(counts.get(what) for what in NEVER), counts
