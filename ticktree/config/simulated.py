"""What a simulated venue is assumed to be: its `latency` and `fees`."""

import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from itertools import pairwise
from typing import Final

import attrs
from msgspec.structs import asdict

from ticktree.routing import Fees
from ticktree.routing.gateway import FeeTier
from ticktree.routing.venues.simulated import Drawn, Latency, Lognormal, Percentiles, Samples

from . import sections
from .problems import Place, shown
from .reading import known_keys

_CURRENCY: Final = re.compile(r"[A-Z0-9.]{1,24}")
_LOGNORMAL: Final = 'as in { median = "2ms", p99 = "10ms" }'

# --- latency -------------------------------------------------------------------------------------------------------


def latency(given: sections.Latency | float, place: Place) -> Latency:
    """Of both ways. What is wrong is told at `place`."""
    if not isinstance(given, sections.Latency):
        return Latency(given)
    if given.out is None and given.back is None:
        return _way(given, place)
    if any(getattr(given, key) != value for key, value in asdict(sections.Way()).items()):
        keys = ", ".join(known_keys(sections.Way))
        place.wrong(f"out and back are each way by itself, so that {keys} belong into their tables")
    out, back = _way(given.out, place.at("out")), _way(given.back, place.at("back"))
    return attrs.evolve(out, back=back)


def _way(given: sections.Way | float | None, place: Place) -> Latency:
    if not isinstance(given, sections.Way):
        return Latency(given or 0.0)
    drawn = [] if place.is_wrong else list(_drawn(given, place))
    if len(drawn) > 1:
        place.wrong("one of median, samples and percentiles, not several")
    return Latency(given.fixed, given.jitter, drawn[0] if drawn else None)


def _drawn(given: sections.Way, place: Place) -> Iterator[Drawn]:
    if given.median is None:
        for key in ("p99", "sigma"):
            if getattr(given, key) is not None:
                place.at(key).wrong(f"means nothing without a median, {_LOGNORMAL}")
    elif (given.p99 is None) == (given.sigma is None):
        place.at("median").wrong(f"needs either p99 or sigma, {_LOGNORMAL}")
    elif given.sigma is not None:
        yield Lognormal.of_sigma(given.median, given.sigma)
    elif given.p99 is not None and given.p99 < given.median:
        place.at("p99").wrong("is at least the median")
    elif given.p99 is not None:
        yield Lognormal(given.median, given.p99)
    if given.samples:
        yield Samples(given.samples)
    if given.percentiles and (points := _points(given.percentiles, place.at("percentiles"))):
        yield Percentiles(points)


def _points(given: Mapping[str, float], place: Place) -> tuple[tuple[float, float], ...]:
    """Ascending; none where something is wrong."""
    found = list[tuple[float, float]]()
    for key, seconds in given.items():
        try:
            percentile = float(key)
        except ValueError:
            percentile = -1.0
        if not 0 <= percentile <= 100:
            place.at(key).wrong(f'a percentile is a number from 0 to 100, as in 99 or "99.9"; not {shown(key)}')
        found.append((percentile, seconds))
    found.sort()
    if any(one[0] == other[0] or one[1] > other[1] for one, other in pairwise(found)):
        place.wrong("each percentile once, and the higher the longer")
    return () if place.is_wrong else tuple(found)


# --- fees ----------------------------------------------------------------------------------------------------------


def fees(given: sections.Fees, place: Place) -> Fees:
    """What is wrong is told at `place`."""
    maker, taker = _rate(given.maker, place.at("maker")), _rate(given.taker, place.at("taker"))
    tiers = _tiers(given.tiers, place.at("tiers"))
    if tiers and not tiers[0].above:  # it says where one begins, in place of what stands outside
        if maker or taker:
            place.at("tiers", 0).wrong("begins at 0, and so do maker and taker beside tiers: leave one out")
        maker, taker, tiers = tiers[0].maker, tiers[0].taker, tiers[1:]
    if given.currency and not _CURRENCY.fullmatch(given.currency):
        place.at("currency").wrong(f"a currency, as in USDT; not {shown(given.currency)}")
    if place.is_wrong:
        return Fees()
    return Fees(maker, taker, Decimal(given.per_unit), Decimal(given.per_execution), tiers, given.currency)


def _tiers(given: Iterable[sections.Tier], place: Place) -> tuple[FeeTier, ...]:
    """Ascending; none where something is wrong."""
    found = [_tier(tier, place.at(number)) for number, tier in enumerate(given)]
    for number, (one, other) in enumerate(pairwise(found), 1):
        if one.above >= other.above and not place.at(number - 1).is_wrong and not place.at(number).is_wrong:
            place.at(number).wrong(f"tiers ascend; not from {other.above} after {one.above}")
    return () if place.is_wrong else tuple(found)


def _rate(value: str, place: Place) -> Decimal:
    number = Decimal(value)
    if not -1 < number < 1:
        place.wrong(f"a part of the notional between -1 and 1, as in 0.001 for ten basis points; not {value}")
    return number


def _tier(given: sections.Tier, place: Place) -> FeeTier:
    if place.is_wrong:
        return FeeTier(Decimal(0), Decimal(0), Decimal(0))
    above = Decimal(given.above)
    if above < 0:
        place.at("from").wrong(f"a notional from 0 on; not {given.above}")
    return FeeTier(above, _rate(given.maker, place.at("maker")), _rate(given.taker, place.at("taker")))
