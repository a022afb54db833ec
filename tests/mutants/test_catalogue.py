"""The defects can still be put in, and there is one for everything that must be proved."""

from collections import Counter
from pathlib import Path

import pytest

from .catalogue import MUTANTS, Mutant

ROOT = Path(__file__).parents[2]
PROVED = {
    *map(str, range(1, 15)), "timeout", "any", "racing", "all", "hold", "unwind", "retry", "best", "sweep", "limits",
    "positions", "journal",
}  # fmt: skip


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_what_a_mutant_changes_stands_in_the_sources_exactly_once(mutant: Mutant) -> None:
    assert (ROOT / mutant.file).read_text().count(mutant.old) == 1
    assert mutant.new != mutant.old
    assert all((ROOT / path).exists() for path in mutant.tests)


def test_every_invariant_and_every_policy_has_a_mutant_of_its_own_name() -> None:
    assert {mutant.of for mutant in MUTANTS} >= PROVED
    assert max(Counter(mutant.name for mutant in MUTANTS).values()) == 1
