"""Ten minutes at ten times what a strategy can take: memory, age of data, and the control lane.

A feed of 100,000 quotes and trades a second over a socket. `latest` (the default mailbox, which conflates quotes) and
`newest` (which drops the oldest) each need 100 us an event, so that either, alone, could take a tenth; `healthy` takes
columns, and costs little. A paper venue and a router stand idle beside them, on the same loop, in one application. In
the 10 seconds before, nobody is slow.

`memory_growth`      MiB a minute, after minute 2, at least a page in the whole time; over the goal of 1 MiB a minute
`age_p99`            how old what `newest` handles is, second by second, over its bound: as long as it takes to fill its
                     mailbox anew, and to handle a message of 256 rows
`age_p99_conflated`  of what `latest` handles, over its bound: as long as it takes until there is a newer quote of every
                     instrument, and the other has handled such a message, which keeps the loop
`healthy_age_p99`    of what `healthy` handles, over the same while nobody was slow
`control_p99`        from when a message is due, every 10 ms to the control lane of each of the two slow ones, until it
                     is handled; over the goal of 100 ms

`series` has all of it over time. Nothing counts unless every tick is accounted for at the end.
"""

import asyncio
import contextlib
import resource
import sys
import time
from array import array
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from typing import Any, ClassVar, cast

import attrs
import numpy as np
import numpy.typing as npt

from ticktree.actors import DropOldest, Mailbox, MailboxStats, System
from ticktree.app import App, Assembly, FeedPart, RouterPart, StrategyPart, VenuePart, assemble
from ticktree.feeds import Source
from ticktree.market import Batch, EventKind, Quote, Topic, Trade, batch_rows
from ticktree.routing import Timeout
from ticktree.strategies import Strategy
from ticktree.strategies.strategy import ROWS_AT_ONCE

from .latency import PacedFeed
from .limits import beside, free_port, sender
from .measure import Figure, Inexact, Plan, Unit, doubted, figure_of, with_extra
from .memory import resident_bytes
from .scale import MILLISECONDS
from .senders import INSTRUMENTS

FEED = "bench"
RATE = 100_000
SLOW_NS = 10 * 10**9 // RATE  # an event
ASKED_EVERY_NS = 10_000_000
NS = 10**9
SETTLED_S = 120.0
TOLD_EVERY_S = 10.0
GROWTH_GOAL, CONTROL_GOAL_S = 1.0, 0.1  # MiB a minute
NEWEST = Mailbox(8_192, DropOldest(), batch_rows)
SLOW = ("latest", "newest")
CPU_LEAST = 0.9  # with less the figures say more of the machine
QUOTED = len(INSTRUMENTS) // 2  # every other tick is a quote, and so every other instrument
MIB = 1 << 20
MIB_A_MINUTE = Unit("MiB/min", lambda cost_mib: cost_mib)


@attrs.frozen
class Asked:
    """What an order report would be: a message by the control lane."""

    due_ns: int


@attrs.define
class Noted:
    """What a strategy noted since it was looked at last; `handled` since it began."""

    slow_ns: int = 0
    handled: int = 0
    ages_ns: "array[int]" = attrs.field(factory=lambda: array("q"))
    answers_ns: "array[int]" = attrs.field(factory=lambda: array("q"))


class Slow(Strategy):
    """Takes its time over each event."""

    noted: ClassVar[Noted]

    def on_quote(self, quote: Quote) -> None:
        self.work(quote.venue_time_ns)

    def on_trade(self, trade: Trade) -> None:
        self.work(trade.venue_time_ns)

    def work(self, sent_ns: int) -> None:
        noted, now_ns = self.noted, time.monotonic_ns()
        noted.ages_ns.append(now_ns - sent_ns)
        noted.handled += 1
        until_ns = now_ns + noted.slow_ns
        while noted.slow_ns and time.monotonic_ns() < until_ns:
            pass

    def on_message(self, message: Any) -> Any:
        if type(message) is Asked:
            self.noted.answers_ns.append(time.monotonic_ns() - message.due_ns)
            return None
        return super().on_message(message)


class Healthy(Strategy):
    """Takes columns."""

    noted: ClassVar[Noted]

    def on_batch(self, batch: Batch) -> None:
        noted = self.noted
        noted.ages_ns.frombytes((time.monotonic_ns() - batch.ticks["venue_time_ns"]).tobytes())
        noted.handled += len(batch)


@attrs.frozen
class Moment:
    """How everything stood once, and what had happened since the moment before. Ages and answers are of the 99th
    percentile, in ns."""

    at_s: float
    cpu_s: float
    rss_bytes: int
    ages_ns: dict[str, float]
    control_ns: float
    control_longest_ns: float
    boxes: dict[str, MailboxStats]


@attrs.define
class Overload:
    """The application, while it runs."""

    assembly: Assembly
    system: System
    noted: dict[str, Noted]
    began_s: float = attrs.field(factory=time.perf_counter)
    moments: list[Moment] = attrs.field(factory=list[Moment])

    async def lasts(self, seconds: float, every_s: float) -> list[Moment]:
        """Let it run for so long, and look at it every so often: how it stood."""
        first, slow = len(self.moments), [self.system.ref(f"strategies/{name}") for name in SLOW]
        due_ns = time.monotonic_ns()
        end_ns, look_ns = due_ns + round(seconds * NS), due_ns + round(every_s * NS)
        while due_ns < end_ns:
            due_ns += ASKED_EVERY_NS
            if (early_ns := due_ns - time.monotonic_ns()) > 0:  # else what is late is asked at once, and was due then
                await asyncio.sleep(early_ns / NS)
            for ref in slow:
                ref.tell_control(Asked(due_ns))
            if (now_ns := time.monotonic_ns()) >= look_ns:
                look_ns = now_ns + round(every_s * NS)
                self._look()
        if len(self.moments) == first:
            self._look()
        return self.moments[first:]

    def _look(self) -> None:
        answers = np.concatenate([take(self.noted[name].answers_ns) for name in SLOW])
        moment = Moment(
            time.perf_counter() - self.began_s, time.process_time(), resident_bytes(collected=False),
            {name: p99(take(noted.ages_ns)) for name, noted in self.noted.items()},
            p99(answers), float(answers.max(initial=0)), {name: self.box(name) for name in self.noted},
        )  # fmt: skip
        self.moments.append(moment)
        if any(box.unaccounted for box in moment.boxes.values()):
            raise Inexact(f"after {moment.at_s:.0f} s: {moment.boxes}")

    def box(self, name: str) -> MailboxStats:
        """A strategy's mailbox."""
        return self.system.ref(f"strategies/{name}").stats()

    def check(self) -> None:
        """At the end: raise `Inexact` unless every tick that was read is accounted for, in each mailbox."""
        kinds = self.assembly.accounts[FEED].kinds
        read = {"latest": kinds["quote"], "newest": kinds["quote"] + kinds["trade"]}
        for name, noted in self.noted.items():
            box = self.box(name)
            exact = box.received + box.refused == read.get(name, read["newest"]) and box.delivered == noted.handled
            if not exact or box.unaccounted or box.queued or box.refused:
                raise Inexact(f"{name} handled {noted.handled} of {kinds}: {box}")


def take(noted_ns: "array[int]") -> "npt.NDArray[np.int64]":
    """What was noted; from now on it is noted anew."""
    taken = np.array(noted_ns, np.int64)
    del noted_ns[:]
    return taken


def p99(values_ns: "npt.NDArray[np.int64]") -> float:
    return float(np.percentile(values_ns, 99)) if len(values_ns) else 0.0


@contextlib.asynccontextmanager
async def _running(port: int) -> AsyncGenerator[Overload]:
    kinds = EventKind.QUOTE, EventKind.TRADE
    noted = {name: Noted() for name in (*SLOW, "healthy")}

    def feed(source: Source) -> PacedFeed:
        return PacedFeed(source, f"tcp://127.0.0.1:{port}", 0, RATE)

    def strategy(name: str, kind: type[Slow] | type[Healthy], topic: str, mailbox: Mailbox) -> StrategyPart:
        made = cast(type[Strategy], type(kind.__name__, (kind,), {"noted": noted[name]}))
        return StrategyPart(name, made, (Topic.parse(topic),), "router", mailbox, kind.takes_columns())

    app = App(
        feeds=(FeedPart(FEED, feed, tuple(one.name for one in INSTRUMENTS), kinds),),
        venues=(VenuePart("venue", prices=FEED),),
        routers=(RouterPart("router", Timeout("venue", deadline_s=0.25)),),
        strategies=(
            strategy("latest", Slow, f"{FEED}/*/quote", Slow.mailbox),
            strategy("newest", Slow, f"{FEED}/*/*", NEWEST),
            strategy("healthy", Healthy, f"{FEED}/*/*", Healthy.mailbox),
        ),
    )
    assembly = assemble(app)
    system = assembly.system()
    async with system:
        overload = Overload(assembly, system, noted)
        yield overload
        for one in noted.values():  # what is queued is handled, within the time that a stop may take
            one.slow_ns = 0
    overload.check()


async def figures(plan: Plan) -> AsyncIterator[Figure]:
    """`overload`."""
    seconds = float(plan.size(600, 2))
    every_s, calm_s = (1.0, 10.0) if seconds > 10 else (0.2, 1.0)
    port = free_port()
    async with beside(sender("bursts", str(port)), port), _running(port) as overload:
        await overload.lasts(calm_s / 2, every_s)
        calm = await overload.lasts(calm_s / 2, every_s)
        before = overload.moments[-1]
        for name in SLOW:
            overload.noted[name].slow_ns = SLOW_NS
        telling = asyncio.create_task(_tell(overload))
        moments = await overload.lasts(seconds, every_s)
        telling.cancel()
    for figure in figures_of(calm, [before, *moments]):
        yield figure


async def _tell(overload: Overload) -> None:
    while True:
        await asyncio.sleep(TOLD_EVERY_S)
        moment = overload.moments[-1]
        ages = ", ".join(f"{name} {age_ns / 1e6:.1f} ms" for name, age_ns in moment.ages_ns.items())
        print(
            f"overload: {moment.at_s:.0f} s: {moment.rss_bytes / MIB:.1f} MiB; p99 of ages: {ages}; of control: "
            f"{moment.control_ns / 1e6:.1f} ms",
            file=sys.stderr, flush=True,
        )  # fmt: skip


def figures_of(calm: list[Moment], moments: list[Moment]) -> list[Figure]:
    """`moments`, of which the first is the beginning, against the time when nobody was slow."""
    overloaded = moments[1:]
    bounds = [_bounds(*pair) for pair in zip(moments, overloaded, strict=False)]
    calm_s = float(np.median([moment.ages_ns["healthy"] for moment in calm])) / NS
    series = {
        "t_s": [round(moment.at_s - moments[0].at_s, 1) for moment in overloaded],
        "rss_mib": [round(moment.rss_bytes / MIB, 2) for moment in overloaded],
        "control_p99_ms": [_ms(moment.control_ns) for moment in overloaded],
        "control_longest_ms": [_ms(moment.control_longest_ns) for moment in overloaded],
        **{
            f"{key}_ms": [_ms(moment.ages_ns[name]) for moment in overloaded]
            for key, name in (("age_p99", "newest"), ("age_p99_conflated", "latest"), ("healthy_age_p99", "healthy"))
        },
    }

    def over_time(figure: str, ours_s: Iterable[float], yardstick_s: Iterable[float]) -> Figure:
        pairs = [(ours, theirs) for ours, theirs in zip(ours_s, yardstick_s, strict=True) if ours]  # 0: nothing came
        ours, theirs = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        return figure_of(("overload", figure), MILLISECONDS, ours, theirs, {})

    def ages(name: str) -> Iterable[float]:
        return (moment.ages_ns[name] / NS for moment in overloaded)

    first, last = moments[0], moments[-1]
    # Somebody is always slow, so the process never sleeps: below 1, others had this CPU.
    cpu_fraction = (last.cpu_s - first.cpu_s) / (last.at_s - first.at_s)
    doubts = [f"the process had {cpu_fraction:.0%} of its CPU"] if cpu_fraction < CPU_LEAST else []
    found = [
        with_extra(
            growth_of(overloaded), series=series, parts=_parts(first, last), cpu_fraction=round(cpu_fraction, 3)
        ),
        over_time("age_p99", ages("newest"), (bound["newest"] for bound in bounds)),
        over_time("age_p99_conflated", ages("latest"), (bound["latest"] for bound in bounds)),
        over_time("healthy_age_p99", ages("healthy"), [calm_s] * len(overloaded)),
        over_time("control_p99", (moment.control_ns / NS for moment in overloaded), [CONTROL_GOAL_S] * len(overloaded)),
    ]
    return [doubted(figure, doubts) for figure in found]


def growth_of(moments: list[Moment]) -> Figure:
    took_s = moments[-1].at_s - moments[0].at_s
    settled = [moment for moment in moments if moment.at_s - moments[0].at_s >= min(SETTLED_S, took_s / 5)]
    minutes = np.array([moment.at_s / 60 for moment in settled])
    mib = np.array([moment.rss_bytes / MIB for moment in settled])
    from_mean = minutes - minutes.mean()
    slope = float(from_mean @ mib / max(from_mean @ from_mean, 1e-9))  # of least squares; 0 for a single moment
    page = resource.getpagesize() / MIB / max(took_s / 60, 1e-3)
    growth = max(slope, page)
    figure = figure_of(("overload", "memory_growth"), MIB_A_MINUTE, [growth], [GROWTH_GOAL], {})
    return with_extra(figure, slope=slope, settled_mib=float(mib[0]), end_mib=float(mib[-1]))


def _bounds(before: Moment, after: Moment) -> dict[str, float]:
    """How old, in seconds, what the slow ones handle may be at most."""
    took_s = after.at_s - before.at_s

    def came_a_second(name: str) -> float:
        return max(after.boxes[name].received - before.boxes[name].received, 1) / took_s

    box = after.boxes["newest"]
    message_s = ROWS_AT_ONCE * took_s / max(box.delivered - before.boxes["newest"].delivered, 1)
    return {
        "newest": box.capacity / came_a_second("newest") + message_s,
        "latest": QUOTED / came_a_second("latest") + message_s,
    }


def _parts(before: Moment, after: Moment) -> dict[str, dict[str, float]]:
    """What became of the ticks of each mailbox, as parts of those it received."""
    parts = dict[str, dict[str, float]]()
    for name, box in after.boxes.items():
        was = before.boxes[name]
        received = max(box.received - was.received, 1)
        parts[name] = {
            "delivered": round((box.delivered - was.delivered) / received, 4),
            "conflated": round((box.conflated - was.conflated) / received, 4),
            "dropped": round((box.dropped.total - was.dropped.total) / received, 4),
        }
    return parts


def _ms(value_ns: float) -> float:
    return round(value_ns / 1e6, 3)
