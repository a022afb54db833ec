"""Events: frozen, and not the garbage collector's business."""

import gc

import pytest

from .samples import quote, trade


def test_mid_is_half_way() -> None:
    assert quote(bid=100.0, ask=101.0).mid == 100.5


def test_events_are_frozen() -> None:
    with pytest.raises(AttributeError):
        quote().bid = 1.0  # type: ignore[misc]


def test_the_garbage_collector_does_not_look_at_events() -> None:
    assert not gc.is_tracked(quote())
    assert not gc.is_tracked(trade())
