"""What a run came to, as JSON: the structs below are its shape.

Durations end in `_s` (seconds) or `_ns` (nanoseconds), times are UTC, prices and quantities are decimals as text.
Counts of orders are those of the whole journal, former processes included; all others are this run's.
"""

import resource
from datetime import UTC, datetime
from decimal import Decimal
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from platform import platform, python_version
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct

from ticktree.actors import ActorNode, SupervisorNode
from ticktree.feeds import FeedAccount
from ticktree.feeds.recording import RecorderStats
from ticktree.market import plain
from ticktree.routing.holdings import Holding, Money as AnyMoney
from ticktree.routing.latency import LatencySummary, Stage as AnyStage, Stages

from .usage import peak_memory_bytes
from .writing import write_whole

if TYPE_CHECKING:
    from ticktree.routing import OrderState

    from .app import ExitReport

VERSION: Final = 1


class Control(Struct, frozen=True):
    """Of the lane that goes first (stop, timers, order reports), in messages: nothing is left over here, too."""

    received: int
    handled: int
    dropped: int
    queued: int
    in_handler: int


class Mailbox(Struct, frozen=True):
    """In ticks: received == delivered + conflated + all dropped + queued + in_handler, so `unaccounted` is 0.
    `refused` were never received. `dropped`: by reason, those only that there were."""

    received: int
    delivered: int
    conflated: int
    dropped: dict[str, int]
    queued: int
    in_handler: int
    refused: int
    unaccounted: int
    control: Control


class Recording(Struct, frozen=True):
    """Of the feed's latest life; `files` are all lives'. At rest arrived == recorded + missed."""

    file: str
    files: int
    arrived_messages: int
    arrived_bytes: int
    recorded_messages: int
    recorded_bytes: int
    missed_messages: int
    missed_bytes: int
    holes: int
    error: str


class Feed(Struct, frozen=True):
    """bytes_in == decoded + skipped + buffered. `errors`: by name. `unrecorded`: lives, though it was asked for."""

    bytes_in: int
    decoded: int
    skipped: int
    buffered: int
    messages: int
    events: dict[str, int]  # by kind; marks (gap, live...) by their name
    connections: int
    reconnects: int
    broken: int
    gaps: int
    duplicates: int
    crossed: int
    repairs: int
    snapshots: int
    checksums_verified: int
    checksums_failed: int
    pauses: int
    unrecorded: int
    errors: dict[str, int]
    recording: Recording | None


class Router(Struct, frozen=True):
    """`ended`: orders by final state. `fills` are executions. Over-fills: of orders, `overfilled_beyond` beyond what
    was granted, which must never be."""

    open: int
    ended: dict[str, int]
    fills: int
    overfilled: int
    overfilled_beyond: int


class Stage(Struct, frozen=True):
    """How long orders took. Percentiles are at most 1/32 too high. `buckets`: [greatest duration, count], those that
    are not empty."""

    count: int
    p50_ns: int
    p99_ns: int
    p99_9_ns: int
    max_ns: int
    buckets: list[tuple[int, int]]


class Venue(Struct, frozen=True):
    """`ended`: legs by final state. `open` legs are not accounted for, `unknown` of them are in doubt.

    `overfilled`: legs that were filled beyond what they asked for.
    """

    open: int
    unknown: int
    quarantined: list[str]
    ended: dict[str, int]
    fills: int
    overfilled: int
    latency: dict[str, Stage]


class Orders(Struct, frozen=True):
    """Over all routers. `halted`: why nothing new was sent at the end, if so."""

    open: int
    unknown_legs: int
    quarantined: list[str]
    fills: int
    overfilled: int
    overfilled_beyond: int
    halted: str


class Held(Struct, frozen=True):
    """A position of one strategy; `unrealised` None: no price was known."""

    strategy: str
    instrument: str
    quantity: str
    average_price: str | None
    price: str | None
    realised: str
    unrealised: str | None
    currency: str
    fees: dict[str, str]
    fills: int


class Money(Struct, frozen=True):
    """What one currency has seen; None where a price is missing."""

    realised: str
    unrealised: str | None
    exposure: str | None
    fees: str


class Step(Struct, frozen=True):
    """One stop: of an actor or a supervisor, and why its life ended."""

    path: str
    duration_s: float
    reason: str
    overran: bool


class Leak(Struct, frozen=True):
    """A handler that could not be cancelled."""

    path: str
    life: int
    waits_on: str


class Shutdown(Struct, frozen=True):
    """In the order of the stops. `dropped`: ticks that were still queued."""

    duration_s: float
    budget_s: float
    within_budget: bool
    steps: list[Step]
    overran: list[str]
    leaks: list[Leak]
    dropped: int


class Loop(Struct, frozen=True):
    """`blocked`: how often the event loop was, beyond the watchdog's bound. Collections: of Python's garbage."""

    blocked: int
    blocked_longest_s: float
    collections: int
    collections_s: float
    collections_longest_s: float


class Report(Struct, frozen=True, kw_only=True):
    """The whole. `paper`: every venue was simulated in this process. `failed`: why it did not start, else empty."""

    version: int = VERSION
    ticktree: str
    python: str
    uvloop: str
    platform: str
    config: str
    paper: bool
    began: str
    ended: str
    wall_s: float
    cpu_s: float
    peak_memory_bytes: int
    exit_code: int
    reason: str
    failed: str
    mailboxes: dict[str, Mailbox]
    feeds: dict[str, Feed]
    routers: dict[str, Router]
    venues: dict[str, Venue]
    orders: Orders
    positions: list[Held]
    money: dict[str, Money]  # by currency
    restarts: dict[str, int]  # lives after the first, by actor or supervisor, where there were any
    shutdown: Shutdown
    loop: Loop


def write(path: Path, report: "ExitReport", config: str = "") -> None:
    """Write it to `path`, whole or not at all. Raises `OSError`."""
    write_whole(path, as_json(report, config))


def as_json(report: "ExitReport", config: str = "") -> bytes:
    """The report of a run of `config`, indented, with a line's end."""
    return msgspec.json.format(msgspec.json.encode(of(report, config)), indent=2) + b"\n"


def of(report: "ExitReport", config: str = "") -> Report:
    """The same as a value."""
    stop, usage = report.stop, resource.getrusage(resource.RUSAGE_SELF)
    return Report(
        ticktree=_version("ticktree"), python=python_version(), uvloop=_version("uvloop"), platform=platform(),
        config=config,
        paper=report.app.paper if report.app is not None else False,
        began=_utc(report.began_ns), ended=_utc(report.ended_ns),
        wall_s=(report.ended_ns - report.began_ns) / 1e9,
        cpu_s=usage.ru_utime + usage.ru_stime,
        peak_memory_bytes=peak_memory_bytes(),
        exit_code=report.exit_code, reason=report.incomplete or str(stop.reason),
        failed=str(report.failed) if report.failed is not None else "",
        mailboxes={node.path: _mailbox(node) for node in report.actors},
        feeds={name: _feed(account, report.recorders.get(name)) for name, account in report.accounts.items()},
        routers={
            name: Router(of.open, _named(of.ended), of.fills, of.overfilled, of.overfilled_beyond)
            for name, of in report.routers.items()
        },
        venues={name: _venue(name, report) for name in report.venues},
        orders=_orders(report),
        positions=[_held(holding) for holding in report.portfolio.holdings if holding.fills],
        money={currency: _money(money) for currency, money in report.portfolio.currencies.items()},
        restarts=_restarts(report.tree.root) if report.tree is not None else {},
        shutdown=_shutdown(report),
        loop=_loop(report),
    )  # fmt: skip


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # a source tree that was never installed
        return "unknown"


def _utc(ns: int) -> str:
    return f"{datetime.fromtimestamp(ns // 10**9, UTC):%Y-%m-%dT%H:%M:%S}.{ns // 1_000 % 1_000_000:06}Z"


def _named(counts: "dict[str, int] | dict[OrderState, int]") -> dict[str, int]:
    """Under plain names, zeros left out."""
    return {str(name): count for name, count in counts.items() if count}


def _mailbox(node: ActorNode) -> Mailbox:
    box = node.mailbox
    dropped = {reason: getattr(box.dropped, reason) for reason in ("overflow", "crash", "cancel", "stop")}
    return Mailbox(
        box.received, box.delivered, box.conflated, _named(dropped), box.queued, box.in_handler, box.refused,
        box.unaccounted,
        Control(
            box.control_received, box.control_handled, box.control_dropped, box.control_queued, box.control_in_handler
        ),
    )  # fmt: skip


def _feed(account: FeedAccount, recorder: RecorderStats | None) -> Feed:
    return Feed(
        account.bytes_in, account.decoded, account.skipped, account.buffered, account.messages,
        _named(account.kinds), account.connections, max(0, account.connections - 1), account.broken, account.gaps,
        account.duplicates, account.crossed, account.repairs, account.snapshots, account.checksums_verified,
        account.checksums_failed, account.pauses, account.unrecorded, _named(account.errors),
        _recording(recorder) if recorder is not None else None,
    )  # fmt: skip


def _recording(stats: RecorderStats) -> Recording:
    return Recording(
        str(stats.path or ""), stats.files, stats.arrived_messages, stats.arrived_bytes, stats.recorded_messages,
        stats.recorded_bytes, stats.missed_messages, stats.missed_bytes, stats.holes, stats.error,
    )  # fmt: skip


def _venue(name: str, report: "ExitReport") -> Venue:
    counts, stages = report.venues[name], report.stages.get(name)
    return Venue(
        counts.open, counts.unknown, list(counts.quarantined), _named(counts.ended), counts.fills, counts.overfilled,
        _stages(report.latencies.get(name, {}), stages) if stages is not None else {},
    )  # fmt: skip


def _stages(summaries: dict[AnyStage, LatencySummary], stages: Stages) -> dict[str, Stage]:
    return {
        str(stage): Stage(
            summary.count, summary.p50_ns, summary.p99_ns, summary.p99_9_ns, summary.max_ns,
            getattr(stages, stage.name.lower()).buckets(),
        )
        for stage, summary in summaries.items()
    }  # fmt: skip


def _orders(report: "ExitReport") -> Orders:
    orders = report.orders
    return Orders(
        orders.open, orders.unknown_legs, list(orders.quarantined), orders.fills, orders.overfilled,
        orders.overfilled_beyond, orders.halted,
    )  # fmt: skip


def _held(holding: Holding) -> Held:
    return Held(
        holding.strategy, holding.instrument, plain(holding.quantity), _plain(holding.average_price),
        _plain(holding.price), plain(holding.realised), _plain(holding.unrealised), holding.currency,
        {currency: plain(fee) for currency, fee in holding.fees.items()}, holding.fills,
    )  # fmt: skip


def _money(money: AnyMoney) -> Money:
    return Money(plain(money.realised), _plain(money.unrealised), _plain(money.exposure), plain(money.fees))


def _plain(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)


def _restarts(node: SupervisorNode | ActorNode) -> dict[str, int]:
    own = {node.path: node.life - 1} if node.life > 1 else {}
    for child in node.children if isinstance(node, SupervisorNode) else ():
        own |= _restarts(child)
    return own


def _shutdown(report: "ExitReport") -> Shutdown:
    stop = report.stop
    budget_s = report.app.system.budget_s if report.app is not None else 0.0
    return Shutdown(
        stop.duration_s, budget_s, stop.duration_s <= budget_s,
        [Step(step.path, step.duration_s, str(step.reason or ""), step.overran) for step in stop.steps],
        list(stop.overran), [Leak(leak.path, leak.life, leak.waits_on) for leak in stop.leaks], stop.dropped_stop,
    )  # fmt: skip


def _loop(report: "ExitReport") -> Loop:
    tree = report.tree
    if tree is None:
        return Loop(0, 0.0, 0, 0.0, 0.0)
    gc = tree.gc
    return Loop(tree.blocked_count, tree.blocked_longest_ns / 1e9, gc.count, gc.total_ns / 1e9, gc.longest_ns / 1e9)
