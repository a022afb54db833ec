"""When what was recorded is due."""

import pytest

from ticktree.feeds.playback.pace import Pace

from .clocks import SkippingClock

S = 1_000_000_000


async def test_it_waits_as_long_as_it_took() -> None:
    pace = Pace(clock := SkippingClock(), 1.0)
    pace.begin(100 * S)
    assert pace.wait_s(103 * S) == 3.0
    await clock.sleep(2.0)
    assert pace.wait_s(103 * S) == 1.0


async def test_ten_times_as_fast_it_waits_a_tenth() -> None:
    pace = Pace(clock := SkippingClock(), 10.0)
    pace.begin(100 * S)
    assert pace.wait_s(103 * S) == pytest.approx(0.3)
    await clock.sleep(0.2)
    assert pace.wait_s(103 * S) == pytest.approx(0.1)


def test_as_fast_as_can_be_it_never_waits() -> None:
    pace = Pace(SkippingClock(), None)
    pace.begin(100 * S)
    assert pace.wait_s(10_000 * S) == 0.0


async def test_what_is_late_is_due_at_once() -> None:
    pace = Pace(clock := SkippingClock(), 1.0)
    pace.begin(100 * S)
    await clock.sleep(5.0)
    assert pace.wait_s(103 * S) == 0.0


async def test_time_that_stood_still_does_not_count() -> None:
    pace = Pace(clock := SkippingClock(), 1.0)
    pace.begin(100 * S)
    await clock.sleep(3_600.0)
    pace.begin(101 * S)
    assert pace.wait_s(103 * S) == 2.0


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan"), float("inf")])
def test_what_is_no_speed_is_refused(speed: float) -> None:
    with pytest.raises(ValueError, match="speed"):
        Pace(SkippingClock(), speed)
