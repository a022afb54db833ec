"""Policies are values; what `Timeout` does is in test_router.py."""

import math

import pytest

from ticktree.routing import Timeout


@pytest.mark.parametrize("deadline_s", [0, -1, math.nan, math.inf])
def test_a_deadline_that_cannot_be_is_refused(deadline_s: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Timeout("paper", deadline_s)
