"""What is said when the curtain has fallen: what was seen, earned, sent and lost, and what it took."""

import resource

import attrs

from ..app import ExitReport
from ..tables import grouped, titled
from ..usage import children_peak_memory_bytes, peak_memory_bytes
from .picture import STAGES, Picture, held, money, took
from .story import Milestones
from .tally import ENDS, MADE, OPEN


@attrs.frozen
class Usage:
    """What this process and its companion took: memory at its peak, and processor time."""

    peak_mb: float
    companion_peak_mb: float
    cpu_s: float
    companion_cpu_s: float

    @classmethod
    def now(cls) -> "Usage":
        """As of now; of the companion once that has ended."""
        own, other = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
        return cls(
            peak_memory_bytes() / 1e6, children_peak_memory_bytes() / 1e6, own.ru_utime + own.ru_stime,
            other.ru_utime + other.ru_stime,
        )  # fmt: skip


def unaccounted(report: ExitReport) -> int:
    """Ticks that some mailbox received and did not account for, over all of them."""
    return sum(abs(node.mailbox.unaccounted) for node in report.actors)


def wrong(report: ExitReport) -> list[str]:
    """What must never be; empty when all is well."""
    orders = report.orders
    found = {
        "orders are still open": orders.open,
        "legs are in doubt": orders.unknown_legs,
        "orders were filled beyond what was granted": orders.overfilled_beyond,
        "ticks are unaccounted for": unaccounted(report),
        "parts had to be killed at the stop": len(report.stop.overran),
    }
    said = [f"{count} {what}" for what, count in found.items() if count]
    return [*said, f"trading was halted: {orders.halted}"] if orders.halted else said


def ending(report: ExitReport, picture: Picture, milestones: Milestones, usage: Usage) -> str:
    """The summary."""
    blocks = (
        _feeds(report, picture),
        _strategies(picture),
        _orders(picture),
        _venues(picture),
        _times(report, milestones),
        _books(report, usage),
    )
    return "\n\n".join("\n".join(block) for block in blocks)


def _feeds(report: ExitReport, picture: Picture) -> list[str]:
    rows = [["feeds", "events", "quotes", "trades", "levels", "gaps", "reconnects", "restarts"]]
    for feed in picture.feeds:
        kinds = report.accounts[feed.name].kinds
        counts = feed.events, kinds["quote"], kinds["trade"], kinds["book"], feed.gaps, feed.reconnects, feed.restarts
        rows.append([feed.name, *map(grouped, counts)])
    return titled(rows)


def _strategies(picture: Picture) -> list[str]:
    rows = [["strategies", "router", "ticks", "fills", "profit after fees", "holds"]]
    rows += [
        [one.name, one.router, grouped(one.delivered), grouped(one.fills), money(one.profit), held(one.held)]
        for one in picture.strategies
    ]
    return titled([*rows, ["together", "", "", grouped(picture.fills), money(picture.profit), ""]])


def _orders(picture: Picture) -> list[str]:
    states = MADE, OPEN, *ENDS
    rows = [[name, *(grouped(counts[state]) for state in states)] for name, counts in picture.orders.items()]
    return titled([["orders", *states], *rows])


def _venues(picture: Picture) -> list[str]:
    rows = [["venues: p50 / p99", *STAGES, "orders"]]
    for venue in picture.venues:
        count = max((summary.count for summary in venue.stages.values()), default=0)
        rows.append([venue.name, *(took(venue.stages.get(stage)) for stage in STAGES), grouped(count)])
    return titled(rows)


def _times(report: ExitReport, milestones: Milestones) -> list[str]:
    first_s = milestones.first_fill_s
    lines = ["there was no fill" if first_s is None else f"first fill after {first_s:.2f} s"]
    lines += [f"{feed} was lost, and flowed again after {ms:.0f} ms" for feed, ms in milestones.recovered_ms.items()]
    return [*lines, f"the stop took {report.stop.duration_s:.3f} s"]


def _books(report: ExitReport, usage: Usage) -> list[str]:
    received = sum(node.mailbox.received for node in report.actors)
    return [
        f"{received:,} ticks went through {len(report.actors)} mailboxes; unaccounted for: {unaccounted(report)}",
        f"peak memory {usage.peak_mb:.0f} MB here, {usage.companion_peak_mb:.0f} MB in the street; processor time "
        f"{usage.cpu_s:.1f} s and {usage.companion_cpu_s:.1f} s",
    ]
