"""What the journal holds: every fact about orders, in the order they became known. State is the sum of facts.

A fact is written before anybody acts upon it. Whatever is known of orders, legs, executions and positions follows from
the facts alone (`ledger.py`), so that a restart knows what the former process knew. Facts are msgpack arrays: a field
may be added at the end, with a default, and none may be taken away or change its meaning.
"""

import msgspec

from ticktree.market import Side

from .orders import OrderState, Purpose, TimeInForce
from .reports import Report

VERSION = 1


class Fact(msgspec.Struct, frozen=True, gc=False, array_like=True, kw_only=False):
    """Base of all facts. `time_ns`: nanoseconds since 1970 on this machine's clock."""


class Began(Fact, frozen=True, gc=False, array_like=True, tag="began"):
    """A process took the journal up. `epoch` begins the ids of all orders until the next such fact."""

    time_ns: int
    epoch: str


class Defined(Fact, frozen=True, gc=False, array_like=True, tag="defined"):
    """What increments of an instrument are worth; decimals as text. Comes before the first order in it."""

    time_ns: int
    instrument: str
    price_increment: str
    size_increment: str
    multiplier: str
    min_notional: str


class Opened(Fact, frozen=True, gc=False, array_like=True, tag="opened"):
    """A strategy decided on an order. `quote`: the freshest one then (feed, sequence, bid, ask, received_time_ns)."""

    time_ns: int
    order_id: str
    strategy: str
    router: str
    policy: str
    instrument: str
    side: Side
    quantity: int
    limit: int | None
    time_in_force: TimeInForce | None = None
    expires_ns: int = 0
    post_only: bool = False
    reduce_only: bool = False
    max_overfill: int = 0
    opposite_limit: int | None = None
    quote: tuple[str, int, float, float, int] | None = None


class Turned(Fact, frozen=True, gc=False, array_like=True, tag="turned"):
    """An order was turned down before any byte of it left: `limit`, its value, the attempt's, and why."""

    time_ns: int
    order_id: str
    limit: str
    allowed: str
    attempted: str
    because: str


class Sent(Fact, frozen=True, gc=False, array_like=True, tag="sent"):
    """A leg is about to leave. `worst`: what the whole order may come to, in increments, this leg included."""

    time_ns: int
    leg_id: str
    order_id: str
    number: int
    attempt: int
    venue: str
    account: str
    purpose: Purpose
    side: Side
    quantity: int
    limit: int | None
    time_in_force: TimeInForce
    expires_ns: int
    post_only: bool
    reduce_only: bool
    worst: int


class NotSent(Fact, frozen=True, gc=False, array_like=True, tag="not_sent"):
    """No byte of a leg left, after all; or the venue gave evidence that none of it arrived."""

    time_ns: int
    leg_id: str
    reason: str


class CancelSent(Fact, frozen=True, gc=False, array_like=True, tag="cancel_sent"):
    """A cancel is about to leave, for the first time."""

    time_ns: int
    leg_id: str


class ReplaceSent(Fact, frozen=True, gc=False, array_like=True, tag="replace_sent"):
    """A replace is about to leave, to this whole quantity and limit."""

    time_ns: int
    leg_id: str
    quantity: int
    limit: int | None


class Doubted(Fact, frozen=True, gc=False, array_like=True, tag="doubted"):
    """What becomes of a leg cannot be known at the moment, and why."""

    time_ns: int
    leg_id: str
    reason: str


class Reported(Fact, frozen=True, gc=False, array_like=True, tag="reported"):
    """A venue's word."""

    time_ns: int
    venue: str
    account: str
    report: Report


class NeverArrived(Fact, frozen=True, gc=False, array_like=True, tag="never_arrived"):
    """A venue does not know a leg, and by its rules never will."""

    time_ns: int
    leg_id: str
    reason: str


class NotReplaced(Fact, frozen=True, gc=False, array_like=True, tag="not_replaced"):
    """A replace never reached the venue, and will not be sent again: the order stands as it was."""

    time_ns: int
    leg_id: str
    reason: str


class Answered(Fact, frozen=True, gc=False, array_like=True, tag="answered"):
    """The caller of an order goes on before its policy has ended; fills from here on are late."""

    time_ns: int
    order_id: str


class Ended(Fact, frozen=True, gc=False, array_like=True, tag="ended"):
    """The policy of an order sends no more legs, and its caller goes on."""

    time_ns: int
    order_id: str
    reason: str = ""


class Resolved(Fact, frozen=True, gc=False, array_like=True, tag="resolved"):
    """The operator's word about a leg, or what else was quarantined (`leg_id` is then its name)."""

    time_ns: int
    leg_id: str
    state: OrderState
    reason: str


class Quarantined(Fact, frozen=True, gc=False, array_like=True, tag="quarantined"):
    """Something at a venue that our facts do not explain: nothing new is sent there in that instrument."""

    time_ns: int
    venue: str
    name: str
    instrument: str
    what: str
    difference: int = 0  # of a position: what the account holds beyond our facts


class Halted(Fact, frozen=True, gc=False, array_like=True, tag="halted"):
    """Nothing new is sent from here on."""

    time_ns: int
    reason: str


class Resumed(Fact, frozen=True, gc=False, array_like=True, tag="resumed"):
    """Orders are taken again."""

    time_ns: int
    reason: str


AnyFact = (
    Began | Defined | Opened | Turned | Sent | NotSent | CancelSent | ReplaceSent | Doubted | Reported | NeverArrived
    | NotReplaced | Answered | Ended | Resolved | Quarantined | Halted | Resumed
)  # fmt: skip
