"""Figures that follow a price."""

import pytest

from ticktree.market import BadNumber, Ema


def test_ema_begins_at_the_first_value_and_follows_its_span() -> None:
    ema = Ema(3)
    assert ema.value is None
    assert [ema.update(x) for x in (10.0, 20.0, 20.0)] == [10.0, 15.0, 17.5]
    assert ema.value == 17.5


def test_ema_of_span_one_is_the_last_value() -> None:
    ema = Ema(1)
    assert [ema.update(x) for x in (1.0, 5.0, 2.0)] == [1.0, 5.0, 2.0]


@pytest.mark.parametrize("span", [0, 0.5, -1, float("nan"), float("inf")])
def test_a_span_that_cannot_be_is_refused(span: float) -> None:
    with pytest.raises(BadNumber, match="span"):
        Ema(span)


def test_what_is_not_finite_does_not_spoil_the_average() -> None:
    ema = Ema(10)
    ema.update(1.0)
    with pytest.raises(BadNumber):
        ema.update(float("nan"))
    assert ema.value == 1.0
