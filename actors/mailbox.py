"""What a mailbox is asked to be (capacity, overflow policy) and what it answers (deliveries, statistics).

The queue itself stands in `lane.py`.
"""

from collections.abc import Hashable, Sequence
from enum import Enum
from typing import Any, Protocol

import attrs

from .errors import SpecError


class Delivery(Enum):
    """What became of a message told to a ref.

    It speaks of the message told: under `DropOldest` the new one is ACCEPTED although older ones were dropped.
    """

    ACCEPTED = "accepted"
    CONFLATED = "conflated"  # merged into one that was queued already
    DROPPED = "dropped"  # all of it, or some rows of a batch: `offer` tells how many
    FULL = "full"  # refused, not received: wait with `put`, pause the source, or let it go
    CLOSED = "closed"  # refused: nobody lives there any more


@attrs.frozen
class Outcome:
    """What became of a batch, in ticks. The four add up to its weight."""

    accepted: int = 0
    conflated: int = 0
    dropped: int = 0
    refused: int = 0


class Merge(Protocol):
    """How quotes conflate; `market/` has the functions. Pure, quick, and never raising."""

    def key(self, message: Any) -> Hashable | None:
        """The slot of this message (feed, instrument), or None when it must not be conflated."""
        ...

    def merge(self, older: Any, newer: Any) -> tuple[Any, int]:
        """One message that stands for both, and its weight in ticks."""
        ...


class Rows(Protocol):
    """How a batch that does not fit may be cut, and what to leave in the place of rows that were lost.

    A batch is a sequence of rows (list, numpy array): `batch[:n]` and `batch[n:]` must give batches again.
    """

    def floor(self, batch: Any, rows: int) -> int:
        """The last place at or before `rows` where the batch may be cut (after a LAST row); 0 if none."""
        ...

    def ceiling(self, batch: Any, rows: int) -> int:
        """The first place at or after `rows` where the batch may be cut; its length if none."""
        ...

    def skipped(self, mark: Any | None, lost: Sequence[Any]) -> Any | None:
        """The mark to leave where `lost` rows stood, joined to `mark` if one stands there already; None for none."""
        ...


@attrs.frozen
class Block:
    """`tell` answers FULL, `put` waits: the sender slows down to the receiver's pace."""


@attrs.frozen
class DropOldest:
    """Make room by dropping what has waited longest."""


@attrs.frozen
class DropNewest:
    """Keep what is queued, drop what does not fit."""


@attrs.frozen
class Fail:
    """`tell` raises `MailboxFull`: overflow is a fault of the design and must be seen."""


Plain = Block | DropOldest | DropNewest | Fail


def _check_otherwise(_: object, __: object, value: Any) -> None:
    if not isinstance(value, Plain):
        raise SpecError(f"Conflate's otherwise is Block(), DropOldest(), DropNewest() or Fail(); not {value!r}")


@attrs.frozen
class Conflate:
    """One slot a key: a newer message is merged into the queued one, at the queued one's place.

    What has no key, and a new key when the mailbox is full, follows `otherwise`. Nothing is merged across a mark.
    """

    merge: Merge
    otherwise: Plain = attrs.field(kw_only=True, validator=_check_otherwise)

    def __attrs_post_init__(self) -> None:
        if not callable(getattr(self.merge, "key", None)) or not callable(getattr(self.merge, "merge", None)):
            raise SpecError(f"Conflate needs an object with key(message) and merge(older, newer); not {self.merge!r}")


Overflow = Plain | Conflate


def _check_capacity(_: object, __: object, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 1 << 40:
        raise SpecError(f"a mailbox's capacity is a number of ticks, at least 1; not {value!r}")


def _check_overflow(_: object, __: object, value: Any) -> None:
    if not isinstance(value, Overflow):
        raise SpecError(
            f"a mailbox's overflow is Block(), DropOldest(), DropNewest(), Fail() or Conflate(...); not {value!r}"
        )


def _check_rows(_: object, __: object, value: Any) -> None:
    if value is not None and not all(callable(getattr(value, name, None)) for name in ("floor", "ceiling", "skipped")):
        raise SpecError(
            f"rows has floor(batch, rows), ceiling(batch, rows) and skipped(mark, lost), or is None; not {value!r}"
        )


@attrs.frozen
class Mailbox:
    """A bounded mailbox: `capacity` in ticks, and what happens beyond it. There is no default for either.

    `rows` says how a batch may be cut; without it a message is kept whole or not at all.
    """

    capacity: int = attrs.field(validator=_check_capacity)
    overflow: Overflow = attrs.field(validator=_check_overflow)
    rows: Rows | None = attrs.field(default=None, validator=_check_rows)


@attrs.frozen
class Dropped:
    """Ticks that were received and never handled, by reason."""

    overflow: int = 0
    crash: int = 0  # in hand when the handler raised
    cancel: int = 0  # in hand when the handler was cancelled or killed
    stop: int = 0  # still queued when the place was stopped for good

    @property
    def total(self) -> int:
        """All of them."""
        return self.overflow + self.crash + self.cancel + self.stop


@attrs.frozen
class MailboxStats:
    """A mailbox's figures at one instant, in ticks.

    Always exact: `received == delivered + conflated + dropped.total + queued + in_handler`. Marks weigh nothing.
    """

    capacity: int
    received: int
    delivered: int
    conflated: int
    dropped: Dropped
    queued: int
    in_handler: int
    refused: int  # answered FULL or CLOSED; never received
    oldest_age_ns: int  # at most this old: stamped once a drain, not once a message
    items: int  # messages queued, marks included
    control_received: int = 0
    control_handled: int = 0
    control_dropped: int = 0
    control_queued: int = 0
    control_in_handler: int = 0

    @property
    def unaccounted(self) -> int:
        """What conservation leaves over: 0, or the counters and the queue itself disagree."""
        return self.received - self.delivered - self.conflated - self.dropped.total - self.queued - self.in_handler
