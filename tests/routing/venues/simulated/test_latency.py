"""How long messages are on their way."""

from bisect import bisect_right
from random import Random
from statistics import median, quantiles
from typing import Any

import pytest
from hypothesis import given, strategies as st

from ticktree.actors import VirtualClock, simulate
from ticktree.routing.venues.simulated import (
    Drawn,
    Faults,
    FaultyLink,
    Latency,
    Lognormal,
    Percentiles,
    Samples,
)

NS = 1_000_000_000
seconds = st.floats(0, 10)


def draws(drawn: Drawn | Latency, count: int = 4_000, seed: int = 1) -> list[float]:
    random = Random(seed)
    return [drawn.draw(random) for _ in range(count)]


def test_half_of_a_lognormal_latency_is_within_its_median_and_99_of_100_within_its_p99() -> None:
    found = draws(Lognormal(0.002, 0.01), 20_000)
    assert median(found) == pytest.approx(0.002, rel=0.05)
    assert quantiles(found, n=100)[98] == pytest.approx(0.01, rel=0.1)
    assert Lognormal.of_sigma(0.002, Lognormal(0.002, 0.01).sigma).p99_s == pytest.approx(0.01)
    assert draws(Lognormal(0.002, 0.002), 3) == pytest.approx([0.002] * 3)


def test_no_tail_is_beyond_what_timers_take() -> None:
    assert max(draws(Lognormal(1e-6, 3.6e7))) == 1e6


def test_each_sample_is_as_likely_as_any_other() -> None:
    found = draws(Samples((0.003, 0.001, 0.001, 0.002)))
    assert {each: round(found.count(each) / 1_000) for each in set(found)} == {0.001: 2, 0.002: 1, 0.003: 1}


@given(st.lists(seconds, min_size=1, max_size=5), st.data())
def test_percentiles_are_met_and_between_them_it_is_straight(given_s: list[float], data: st.DataObject) -> None:
    count = len(given_s)
    at = sorted(data.draw(st.lists(st.floats(0, 100), min_size=count, max_size=count, unique=True)))
    points = tuple(zip(at, sorted(given_s), strict=True))
    drawn = Percentiles(points)
    assert [drawn.at(percentile) for percentile in at] == pytest.approx([each for _, each in points])
    assert drawn.at(-1) == points[0][1]
    assert drawn.at(101) == points[-1][1]
    percentile = data.draw(st.floats(0, 100))
    within = [points[0], *points, points[-1]][bisect_right(at, percentile) :][:2]
    assert within[0][1] <= drawn.at(percentile) * (1 + 1e-12)
    assert drawn.at(percentile) <= within[1][1] * (1 + 1e-12)


def test_percentiles_are_drawn_by_inverse_transform() -> None:
    found = draws(Percentiles(((0, 0.0), (50, 1.0), (100, 3.0))))
    assert [round(each, 1) for each in quantiles(found, n=4)] == [0.5, 1.0, 2.0]


def test_what_is_drawn_comes_on_top() -> None:
    assert draws(Latency(0.5, 0.0, Samples((0.25,))), 2) == [0.75, 0.75]
    assert all(1.5 <= each <= 1.75 for each in draws(Latency(0.5, 0.25, Samples((1.0,)))))


def test_the_same_seed_draws_the_same() -> None:
    for drawn in (Lognormal(1, 2), Samples((1, 2, 3)), Percentiles(((0, 2), (99, 4))), Latency(1, 2, Lognormal(1, 2))):
        assert draws(drawn, 20) == draws(drawn, 20)
        assert draws(drawn, 20) != draws(drawn, 20, seed=2)


def test_messages_keep_their_order_whatever_is_drawn() -> None:
    async def main(clock: VirtualClock) -> None:
        got = list[tuple[int, int]]()
        latency = Latency(0, 0, Samples((0.001, 0.5)))
        link = FaultyLink[int](
            clock, Random(1), Faults(), latency, lambda number: got.append((number, clock.monotonic_ns())), lambda: None
        )
        sent = list[int]()
        for number in range(50):
            sent.append(clock.monotonic_ns())
            link.send(number)
            await clock.sleep(0.01)
        await clock.sleep(1)
        assert [number for number, _ in got] == list(range(50))
        waits = {time_ns - began_ns for (_, time_ns), began_ns in zip(got, sent, strict=True)}
        assert min(waits) == 1_000_000
        assert max(waits) == 500_000_000

    simulate(main)


@pytest.mark.parametrize(
    ("latency", "words"),
    [
        (Latency(), "none"),
        (Latency(0.002), "2 ms"),
        (Latency(0.002, 0.001), "2 ms to 3 ms"),
        (Latency(0, 0.00025), "0 s to 250 us"),
        (Latency(0.0023456), "2.35 ms"),
        (Latency(drawn=Lognormal(0.002, 0.01), back=Latency(0.001)), "median 2 ms, p99 10 ms; back 1 ms"),
        (Latency(1, drawn=Samples((0.003, 0.001))), "1 s + 1 ms to 3 ms, as in 2 samples"),
        (Latency(drawn=Samples((0.003,))), "3 ms, as in 1 sample"),
        (Latency(drawn=Percentiles(((50, 0.002), (99.9, 60)))), "p50 2 ms, p99.9 1 m"),
        (Latency(0.002, back=Latency()), "2 ms; back none"),
        (Latency(0.002, back=Latency(0.002)), "2 ms"),
    ],
)
def test_it_says_what_it_is(latency: Latency, words: str) -> None:
    assert str(latency) == words


@pytest.mark.parametrize(
    "make",
    [
        lambda: Latency(-1),
        lambda: Latency(back=Latency(back=Latency())),
        lambda: Lognormal(0.0, 1.0),
        lambda: Lognormal(2.0, 1.0),
        lambda: Lognormal(2.0, float("inf")),
        lambda: Samples(()),
        lambda: Samples((-1.0,)),
        lambda: Percentiles(()),
        lambda: Percentiles(((50, 1.0), (50, 2.0))),
        lambda: Percentiles(((50, 1.0), (60, 0.5))),
        lambda: Percentiles(((50, 1.0), (101, 2.0))),
        lambda: Percentiles(((-1, 1.0), (50, 2.0))),
    ],
)
def test_what_means_nothing_is_refused(make: Any) -> None:
    with pytest.raises(ValueError, match=r"latency|way back|median|samples|percentiles"):
        make()
