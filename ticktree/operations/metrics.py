"""A status in Prometheus's text format. Names as it wants them: base units, counters end in `_total`."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

import attrs
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector

from .status import Feed, Latency, Node, Status

CONTENT_TYPE = CONTENT_TYPE_LATEST
NS = 1e9
Number = int | float | Decimal | None
Rows = Iterable[tuple[tuple[str, ...], Number]]


def written(status: Status) -> Iterator[bytes]:
    """The page, a metric at a time: a large system has thousands of series, at 15 us each, and others want their turn.

    What has no value (a position without a price) is left out.
    """
    for family in _families(status):
        registry = CollectorRegistry(auto_describe=False)  # the library's own one is global
        registry.register(_One(family))
        yield generate_latest(registry)


@attrs.frozen(eq=False)
class _One(Collector):
    """A collector of one metric."""

    family: Metric

    def collect(self) -> Iterator[Metric]:
        """It."""
        yield self.family


def _families(status: Status) -> Iterator[Metric]:
    yield from _system(status)
    yield from _feeds(status.feeds)
    yield from _mailboxes(status)
    yield from _trading(status)
    yield from _positions(status)
    yield from _latencies(status.latencies)


def _gauge(name: str, what: str, labels: tuple[str, ...], rows: Rows) -> Metric:
    family = GaugeMetricFamily(f"ticktree_{name}", what, labels=labels)
    for values, number in rows:
        if number is not None:
            family.add_metric(values, float(number))
    return family


def _counter(name: str, what: str, labels: tuple[str, ...], rows: Rows) -> Metric:
    """`name` without `_total`, which the library appends."""
    family = CounterMetricFamily(f"ticktree_{name}", what, labels=labels)
    for values, number in rows:
        if number is not None:
            family.add_metric(values, float(number))
    return family


def _one(number: Number) -> Rows:
    return [((), number)]


def _system(status: Status) -> Iterator[Metric]:
    process, loop, gc = status.process, status.loop, status.gc
    yield _gauge("info", "What runs; always 1.", ("version", "loop"), [((status.version, loop.kind), 1)])
    yield _gauge("start_time_seconds", "When it started, seconds since 1970.", (), _one(status.started_ns / NS))
    yield _gauge("healthy", "1 while /health answers 200.", (), _one(not status.unwell))
    yield _gauge("paper", "1 where every venue is simulated in this process.", (), _one(status.paper))
    yield _gauge("resident_memory_bytes", "Memory now (Linux).", (), _one(process.resident_bytes or None))
    yield _gauge("peak_memory_bytes", "Memory at its highest so far.", (), _one(process.peak_bytes))
    yield _counter("cpu_seconds", "Processor time, user and system.", (), _one(process.cpu_s))
    yield _gauge("loop_runnable_actors", "Actors that wait for their turn.", (), _one(loop.runnable))
    yield _counter("loop_blocked", "Times the event loop was blocked beyond its bound.", (), _one(loop.blocked))
    yield _gauge(
        "loop_blocked_longest_seconds", "The longest time it was blocked.", (), _one(loop.blocked_longest_ns / NS)
    )
    yield _counter("leaked_handlers", "Handlers that swallowed their cancellation.", (), _one(len(loop.leaked)))
    yield _counter("gc_pauses", "Pauses of the garbage collector.", (), _one(gc.count))
    yield _counter("gc_pause_seconds", "How long they took, all together.", (), _one(gc.total_ns / NS))
    yield _gauge(
        "gc_pause_longest_seconds", "The longest pause of the garbage collector.", (), _one(gc.longest_ns / NS)
    )


# name, what it is, and the attribute of a feed; figures that only grow.
_FEED_COUNTERS = (
    ("feed_received_bytes", "Bytes that were read: decoded, skipped and buffered.", "bytes_in"),
    ("feed_decoded_bytes", "Bytes of messages that were understood.", "decoded"),
    ("feed_skipped_bytes", "Bytes of messages that were not.", "skipped"),
    ("feed_messages", "Messages.", "messages"),
    ("feed_connections", "Connections that were made.", "connections"),
    ("feed_broken_connections", "Connections given up because their bytes could not be understood.", "broken"),
    ("feed_gaps", "Gaps in what the exchange sent.", "gaps"),
    ("feed_duplicates", "Updates that came twice.", "duplicates"),
    ("feed_crossed", "Updates that left a crossed book, and crossed quotes.", "crossed"),
    ("feed_repairs", "Books that were made right again.", "repairs"),
    ("feed_snapshots", "Snapshots asked for, to that end.", "snapshots"),
    ("feed_pauses", "Times a full mailbox made the feed stop reading.", "pauses"),
    ("feed_unrecorded_lives", "Lives that were not recorded though it was asked for.", "unrecorded"),
)


def _feeds(feeds: Mapping[str, Feed]) -> Iterator[Metric]:
    each, own = feeds.items(), ("feed",)
    yield _gauge("feed_live", "1 while the feed is live.", own, [((name,), feed.live) for name, feed in each])
    yield _gauge(
        "feed_buffered_bytes", "Bytes of a message that is not complete yet.", own,
        [((name,), feed.buffered) for name, feed in each],
    )  # fmt: skip
    for metric, what, attribute in _FEED_COUNTERS:
        yield _counter(metric, what, own, [((name,), getattr(feed, attribute)) for name, feed in each])
    yield _counter(
        "feed_events", "Ticks by their kind, and marks by their name.", ("feed", "kind"),
        [((name, kind), count) for name, feed in each for kind, count in feed.kinds.items()],
    )  # fmt: skip
    yield _counter(
        "feed_errors", "What went wrong, by its name.", ("feed", "error"),
        [((name, error), count) for name, feed in each for error, count in feed.errors.items()],
    )  # fmt: skip
    yield _counter(
        "feed_checksums", "Checksums of books: verified, or failed.", ("feed", "result"),
        [
            ((name, result), count)
            for name, feed in each
            for result, count in (("verified", feed.checksums_verified), ("failed", feed.checksums_failed))
        ],
    )  # fmt: skip


_BOX_COUNTERS = (
    ("mailbox_received_ticks", "Ticks that came in: delivered, conflated, dropped, queued or in hand.", "received"),
    ("mailbox_delivered_ticks", "Ticks that were handled.", "delivered"),
    ("mailbox_conflated_ticks", "Ticks that newer ones were merged into.", "conflated"),
    ("mailbox_refused_ticks", "Ticks that were answered FULL or CLOSED, and never received.", "refused"),
    ("mailbox_control_received_messages", "Control messages that came in.", "control_received"),
    ("mailbox_control_dropped_messages", "Control messages that were never handled.", "control_dropped"),
)
_BOX_GAUGES = (
    ("mailbox_capacity_ticks", "How many ticks may wait.", "capacity"),
    ("mailbox_queued_ticks", "Ticks that wait.", "queued"),
    ("mailbox_in_handler_ticks", "Ticks in the handler's hand.", "in_handler"),
    ("mailbox_unaccounted_ticks", "What conservation leaves over: always 0.", "unaccounted"),
    ("mailbox_control_queued_messages", "Control messages that wait.", "control_queued"),
)
_COME_AND_GO = "simple_one_for_one"  # the strategy of those whose children do
_REASONS = ("overflow", "crash", "cancel", "stop")


def _lasting(node: Node) -> Iterator[Node]:
    """All but those that come and go, as the relay's clients: each would be series that never end in a database."""
    yield node
    for child in () if node.strategy == _COME_AND_GO else node.children:
        yield from _lasting(child)


def _mailboxes(status: Status) -> Iterator[Metric]:
    nodes = tuple(_lasting(status.tree))
    boxes = [(node.path, node.mailbox) for node in nodes if node.mailbox is not None]
    for metric, what, attribute in _BOX_COUNTERS:
        yield _counter(metric, what, ("mailbox",), [((path,), getattr(box, attribute)) for path, box in boxes])
    for metric, what, attribute in _BOX_GAUGES:
        yield _gauge(metric, what, ("mailbox",), [((path,), getattr(box, attribute)) for path, box in boxes])
    yield _counter(
        "mailbox_dropped_ticks", "Ticks that were never handled, by reason.", ("mailbox", "reason"),
        [((path, reason), getattr(box.dropped, reason)) for path, box in boxes for reason in _REASONS],
    )  # fmt: skip
    yield _gauge(
        "mailbox_oldest_age_seconds", "How long the oldest message has waited.", ("mailbox",),
        [((path,), box.oldest_age_ns / NS) for path, box in boxes],
    )  # fmt: skip
    yield _counter(
        "restarts", "Restarts of an actor or a supervisor, by its place in the tree.", ("actor",),
        [((node.path,), node.restarts) for node in nodes],
    )  # fmt: skip
    yield _gauge(
        "children", "Actors that come and go, and have no series of their own, by their supervisor.", ("supervisor",),
        [((node.path,), len(node.children)) for node in nodes if node.strategy == _COME_AND_GO],
    )  # fmt: skip


def _trading(status: Status) -> Iterator[Metric]:
    orders, venues, routers = status.orders, status.venues.items(), status.routers.items()
    yield _gauge("halted", "1 while nothing new is sent.", (), _one(bool(orders.halted)))
    yield _gauge(
        "venue_open", "1 while the venue takes orders.", ("venue",),
        [((name,), not venue.closed) for name, venue in venues],
    )  # fmt: skip
    yield _gauge(
        "venue_open_legs", "Orders there that are not accounted for.", ("venue",),
        [((name,), venue.open) for name, venue in venues],
    )  # fmt: skip
    yield _gauge(
        "venue_unknown_legs", "Orders there whose state is unknown.", ("venue",),
        [((name,), venue.unknown) for name, venue in venues],
    )  # fmt: skip
    yield _gauge(  # no counter: a later word of the venue may give one another end
        "venue_ended_legs", "Orders there that are over, by state.", ("venue", "state"),
        [((name, state), count) for name, venue in venues for state, count in venue.ended.items()],
    )  # fmt: skip
    yield _counter("venue_fills", "Fills there.", ("venue",), [((name,), venue.fills) for name, venue in venues])
    yield _gauge(
        "router_draining", "1 while the router takes no orders.", ("router",),
        [((name,), bool(router.draining)) for name, router in routers],
    )  # fmt: skip
    yield _gauge(
        "router_open_orders", "Orders that are not over.", ("router",),
        [((name,), router.open) for name, router in routers],
    )  # fmt: skip
    yield _gauge(
        "router_ended_orders", "Orders that are over, by state.", ("router", "state"),
        [((name, state), count) for name, router in routers for state, count in router.ended.items()],
    )  # fmt: skip
    yield _counter("orders", "Orders of this process.", (), _one(orders.opened))
    yield _gauge("orders_open", "Orders that are not over.", (), _one(orders.open))
    yield _gauge("orders_quarantined", "Things at venues that nothing explains.", (), _one(len(orders.quarantined)))
    yield _counter("fills", "Fills, those of former processes that the journal has included.", (), _one(orders.fills))
    yield _counter("orders_overfilled", "Orders filled beyond their quantity.", (), _one(orders.overfilled))
    yield _counter(
        "orders_overfilled_beyond_grant",
        "Orders filled beyond what was granted: always 0.",
        (),
        _one(orders.overfilled_beyond),
    )


# name, what it is, and the attribute of a holding; money is in `currency`.
_HOLDING_GAUGES = (
    ("position_size", "What is held; negative when short.", "quantity"),
    ("position_value", "What it is worth at the freshest price, in its currency.", "value"),
    ("position_exposure", "The worst it may become with all open orders, in its currency.", "exposure"),
    ("position_realised_profit", "Profit that was made, in its currency.", "realised"),
    ("position_unrealised_profit", "Profit at the freshest price, in its currency.", "unrealised"),
)


def _positions(status: Status) -> Iterator[Metric]:
    held = status.portfolio.holdings
    labels = ("strategy", "instrument", "currency")
    for metric, what, attribute in _HOLDING_GAUGES:
        rows = [((one.strategy, one.instrument, one.currency), getattr(one, attribute)) for one in held]
        yield _gauge(metric, what, labels, rows)
    yield _gauge(
        "position_fees", "Fees that were paid, in the currency they were paid in.", labels,
        [((one.strategy, one.instrument, currency), fee) for one in held for currency, fee in one.fees.items()],
    )  # fmt: skip
    yield _counter(
        "position_fills", "Fills of a strategy in an instrument.", ("strategy", "instrument"),
        [((one.strategy, one.instrument), one.fills) for one in held],
    )  # fmt: skip


def _latencies(latencies: Mapping[str, Mapping[str, Latency]]) -> Iterator[Metric]:
    """A summary without a sum, which the histograms do not keep."""
    rows = [(venue, stage, one) for venue, stages in latencies.items() for stage, one in stages.items()]
    family = SummaryMetricFamily("ticktree_order_stage_seconds", "How long a stage of an order took.")
    for venue, stage, one in rows:
        own = {"venue": venue, "stage": stage}
        for quantile, ns in (("0.5", one.p50_ns), ("0.99", one.p99_ns), ("0.999", one.p99_9_ns)):
            family.add_sample(family.name, {**own, "quantile": quantile}, ns / NS)
        family.add_sample(f"{family.name}_count", own, one.count)
    yield family
    yield _gauge(
        "order_stage_longest_seconds", "The longest that a stage took.", ("venue", "stage"),
        [((venue, stage), one.max_ns / NS) for venue, stage, one in rows],
    )  # fmt: skip
