"""What a simulated venue is assumed to be."""

from decimal import Decimal

import pytest

from ticktree.parts import VenuePart
from ticktree.routing import Fees
from ticktree.routing.gateway import FeeTier
from ticktree.routing.venues.simulated import Latency, Lognormal, Percentiles, Samples

from .support import FEED, loaded, problems

VENUE = f'{FEED}\n[venues.v]\ntype = "simulated"\nprices = "binance"\n'


def venue(keys: str) -> VenuePart:
    (found,) = loaded(f"{VENUE}{keys}\n").venues
    assert isinstance(found, VenuePart)
    return found


@pytest.mark.parametrize(
    ("written", "latency"),
    [
        ('"2ms"', Latency(0.002)),
        ('{ fixed = "2ms", jitter = "1ms" }', Latency(0.002, 0.001)),
        ('{ out = "2ms", back = "1ms" }', Latency(0.002, back=Latency(0.001))),
        ('{ back = { jitter = "1ms" } }', Latency(back=Latency(0, 0.001))),
        ('{ median = "2ms", p99 = "10ms" }', Latency(drawn=Lognormal(0.002, 0.01))),
        ('{ fixed = "1s", median = "2ms", sigma = 0.7 }', Latency(1, 0, Lognormal.of_sigma(0.002, 0.7))),
        ('{ samples = ["1ms", "0s"] }', Latency(drawn=Samples((0.001, 0.0)))),
        (
            '{ percentiles = { "99.9" = "1s", 50 = "2ms" } }',
            Latency(drawn=Percentiles(((50.0, 0.002), (99.9, 1.0)))),
        ),
    ],
)
def test_latencies(written: str, latency: Latency) -> None:
    assert venue(f"latency = {written}").latency == latency


def test_fees() -> None:
    tiers = '[{ from = 1000, maker = "0.0001", taker = "0.0002" }, { from = "2000", maker = 0, taker = 0 }]'
    fees = f'{{ taker = "0.001", per_unit = "0.005", per_execution = -1, currency = "USDT", tiers = {tiers} }}'
    second, third = (
        FeeTier(Decimal(1000), Decimal("0.0001"), Decimal("0.0002")),
        FeeTier(Decimal(2000), *[Decimal(0)] * 2),
    )
    assert venue(f"fees = {fees}").rules.fees == Fees(
        Decimal(0), Decimal("0.001"), Decimal("0.005"), Decimal(-1), (second, third), "USDT"
    )


def test_a_tier_from_0_on_is_what_stands_outside_the_others() -> None:
    tiers = '[{ from = "0", maker = "0.001", taker = "0.002" }, { from = "5", maker = "0", taker = "0.001" }]'
    tier = FeeTier(Decimal(5), Decimal(0), Decimal("0.001"))
    assert venue(f"fees = {{ tiers = {tiers} }}").rules.fees == Fees(Decimal("0.001"), Decimal("0.002"), tiers=(tier,))


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (
            'latency = { out = "1ms", jitter = "2ms" }',
            "latency: out and back are each way by itself, so that fixed, jitter, median, p99, sigma, samples, "
            "percentiles belong into their tables",
        ),
        (
            'latency = { back = { median = "1ms" } }',
            'latency.back.median: needs either p99 or sigma, as in { median = "2ms", p99 = "10ms" }',
        ),
        (
            'latency = { median = "1ms", p99 = "2ms", sigma = 1 }',
            'latency.median: needs either p99 or sigma, as in { median = "2ms", p99 = "10ms" }',
        ),
        (
            'latency = { p99 = "2ms" }',
            'latency.p99: means nothing without a median, as in { median = "2ms", p99 = "10ms" }',
        ),
        ('latency = { median = "5ms", p99 = "2ms" }', "latency.p99: is at least the median"),
        ('latency = { median = "5ms", sigma = 11 }', "latency.sigma: a number from 0 to 10; not 11"),
        (
            'latency = { samples = ["1ms"], percentiles = { 5 = "1ms" } }',
            "latency: one of median, samples and percentiles, not several",
        ),
        ('latency = { samples = ["1"] }', 'latency.samples[0]: a duration, as in "5ms"; not "1"; did you mean "1s"?'),
        (
            'latency = { percentiles = { p99 = "1ms" } }',
            'latency.percentiles.p99: a percentile is a number from 0 to 100, as in 99 or "99.9"; not "p99"',
        ),
        (
            'latency = { percentiles = { 99 = "1ms", 50 = "2ms" } }',
            "latency.percentiles: each percentile once, and the higher the longer",
        ),
        (
            'latency = { percentiles = { 50 = "1ms", "50.0" = "2ms" } }',
            "latency.percentiles: each percentile once, and the higher the longer",
        ),
        (
            'fees = { tiers = [{ from = "5", maker = 2, taker = "0" }] }',
            "fees.tiers[0].maker: a part of the notional between -1 and 1, as in 0.001 for ten basis points; not 2",
        ),
        (
            'fees = { tiers = [{ from = "-5", maker = 0, taker = 0 }] }',
            "fees.tiers[0].from: a notional from 0 on; not -5",
        ),
        (
            "fees = { tiers = [{ from = 9, maker = 0, taker = 0 }, { from = 5, maker = 0, taker = 0 }] }",
            "fees.tiers[1]: tiers ascend; not from 5 after 9",
        ),
        (
            'fees = { maker = "0.1", tiers = [{ from = 0, maker = 0, taker = 0 }] }',
            "fees.tiers[0]: begins at 0, and so do maker and taker beside tiers: leave one out",
        ),
        (
            "fees = { tiers = [{ from = 0, maker = 0, taker = 0 }, { from = 0, maker = 0, taker = 0 }] }",
            "fees.tiers[1]: tiers ascend; not from 0 after 0",
        ),
        ('fees = { currency = "usd" }', 'fees.currency: a currency, as in USDT; not "usd"'),
    ],
)
def test_what_is_wrong_is_told_with_what_to_write(keys: str, said: str) -> None:
    assert problems(f"{VENUE}{keys}\n") == [f"app.toml:{VENUE.count(chr(10)) + 1}: venues.v.{said}"]
