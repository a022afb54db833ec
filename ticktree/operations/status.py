"""What a running system says of itself: one value, the same for the server, commands and metrics.

It imports none of our rooms, so that commands are quick. Prices and sizes are exact decimals, and texts in JSON.
"""

from collections.abc import Iterator
from decimal import Decimal

import msgspec


class Dropped(msgspec.Struct, frozen=True):
    """Ticks that were received and never handled, by reason."""

    overflow: int = 0
    crash: int = 0
    cancel: int = 0
    stop: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.overflow + self.crash + self.cancel + self.stop


class Box(msgspec.Struct, frozen=True):
    """A mailbox, in ticks: `received == delivered + conflated + dropped + queued + in_handler`, or `unaccounted`."""

    capacity: int
    received: int
    delivered: int
    conflated: int
    dropped: Dropped
    queued: int
    in_handler: int
    refused: int
    oldest_age_ns: int
    items: int
    unaccounted: int
    control_received: int
    control_handled: int
    control_dropped: int
    control_queued: int


class Node(msgspec.Struct, frozen=True):
    """A place in the tree: an actor with its `mailbox`, or a supervisor with a `strategy` and `children`."""

    path: str
    state: str
    life: int
    restarts: int
    waits_on: str = ""
    history: tuple[str, ...] = ()
    source: str = ""
    mailbox: Box | None = None
    strategy: str = ""
    children: tuple["Node", ...] = ()

    def walk(self) -> Iterator["Node"]:
        """This, and all below it, in order of start."""
        yield self
        for child in self.children:
            yield from child.walk()


class Feed(msgspec.Struct, frozen=True):
    """What became of every byte and message: `bytes_in == decoded + skipped + buffered`."""

    live: bool
    connections: int
    bytes_in: int
    decoded: int
    skipped: int
    buffered: int
    messages: int
    events: int
    kinds: dict[str, int]
    gaps: int
    duplicates: int
    crossed: int
    repairs: int
    snapshots: int
    pauses: int
    broken: int
    errors: dict[str, int]
    checksums_verified: int
    checksums_failed: int
    unrecorded: int


class Venue(msgspec.Struct, frozen=True):
    """`closed` says why it takes no orders; empty when it does. Of the legs there `open` are not accounted for, and of
    these `unknown` in doubt; `ended` counts the others, by state."""

    account: str
    closed: str
    open: int
    unknown: int
    ended: dict[str, int]
    fills: int
    overfilled: int


class Router(msgspec.Struct, frozen=True):
    """`draining` says why it takes no orders; empty when it does. `ended`: its orders that are over, by state."""

    policy: str
    venues: tuple[str, ...]
    draining: str
    open: int
    ended: dict[str, int]
    fills: int
    overfilled: int
    overfilled_beyond: int


class Strategy(msgspec.Struct, frozen=True):
    """What it gets, and through whom it trades."""

    path: str
    router: str
    topics: tuple[str, ...]


class Leg(msgspec.Struct, frozen=True):
    """An order at one venue."""

    id: str
    venue: str
    state: str
    filled: Decimal
    reason: str


class Order(msgspec.Struct, frozen=True):
    """An open order. `limit` None: at the market."""

    id: str
    strategy: str
    router: str
    instrument: str
    side: str
    quantity: Decimal
    limit: Decimal | None
    filled: Decimal
    state: str
    legs: tuple[Leg, ...]


class Orders(msgspec.Struct, frozen=True):
    """How orders stand. `oldest`: the first of those that are open, some hundred; those in doubt come first.

    `quarantined`: `venue/name` of what no venue explains, and why; `ticktree resolve` is for these and for what is
    unknown. `halted`: why nothing new is sent; empty when all is well.
    """

    opened: int  # in this epoch: since the process started
    open: int
    unknown_legs: int
    quarantined: dict[str, str]
    fills: int
    overfilled: int
    overfilled_beyond: int
    halted: str
    oldest: tuple[Order, ...]


class Holding(msgspec.Struct, frozen=True):
    """A position, as in `routing.Holding`."""

    strategy: str
    instrument: str
    currency: str
    quantity: Decimal
    average_price: Decimal | None
    price: Decimal | None
    value: Decimal | None
    realised: Decimal
    unrealised: Decimal | None
    fees: dict[str, Decimal]
    fills: int
    long: Decimal
    short: Decimal
    exposure: Decimal | None


class Money(msgspec.Struct, frozen=True):
    """What one currency has seen."""

    realised: Decimal
    unrealised: Decimal | None
    exposure: Decimal | None
    fees: Decimal


class Portfolio(msgspec.Struct, frozen=True):
    """Positions by strategy, over all of them, and as money."""

    holdings: tuple[Holding, ...]
    totals: tuple[Holding, ...]
    currencies: dict[str, Money]


class Latency(msgspec.Struct, frozen=True):
    """How long a stage of an order took; percentiles are up to 1/32 above the exact ones."""

    count: int
    p50_ns: int
    p99_ns: int
    p99_9_ns: int
    max_ns: int


class Loop(msgspec.Struct, frozen=True):
    """The event loop: actors with something to do, and how often it was blocked beyond the watchdog's bound."""

    kind: str
    runnable: int
    blocked: int
    blocked_longest_ns: int
    leaked: tuple[str, ...]


class Gc(msgspec.Struct, frozen=True):
    """Pauses of Python's cyclic garbage collector."""

    count: int
    total_ns: int
    longest_ns: int


class Process(msgspec.Struct, frozen=True):
    """`resident_bytes` is 0 where the system does not say (macOS)."""

    pid: int
    cpu_s: float
    resident_bytes: int
    peak_bytes: int


class Status(msgspec.Struct, frozen=True):
    """All of it, at one instant. `unwell`: why it is not as it should be; empty when it is."""

    version: str
    paper: bool
    stopping: bool
    started_ns: int  # since 1970
    uptime_s: float
    unwell: tuple[str, ...]
    process: Process
    loop: Loop
    gc: Gc
    feeds: dict[str, Feed]
    venues: dict[str, Venue]
    routers: dict[str, Router]
    strategies: dict[str, Strategy]
    orders: Orders
    portfolio: Portfolio
    latencies: dict[str, dict[str, Latency]]  # by venue and stage
    tree: Node
    metrics: str = ""  # where they are told over TCP, too


class Health(msgspec.Struct, frozen=True):
    """What `/health` answers: `ok`, or the reasons why not."""

    ok: bool
    reasons: tuple[str, ...]


class Said(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a command answers. `orders`: those that it placed."""

    said: str
    orders: tuple[str, ...] = ()


class Error(msgspec.Struct, frozen=True):
    """What is not done, and why."""

    error: str
