"""What a feed is to bring, and where to: the value that its every life is made with."""

from random import Random
from typing import Literal

import attrs

from ticktree.actors import Backoff
from ticktree.market import Instrument, InstrumentIds, Sink, Topic

from .account import FeedAccount
from .recording.recorder import Recorder


@attrs.frozen
class Source:
    """What a feed is to bring: `topics` of itself, to `sink`, accounting in `account`.

    ids            who is who in this process
    on_bad         what a message that cannot be understood costs: itself, or the connection
    stale_after_s  silence after which an instrument counts as stale; None: never (silence is normal for most)
    checked        binary ticks are looked through: finite values, sizes from 0 on, kinds and ids that there are.
                   Without it what is wrong fails whoever takes it: only for who is sure of the other side
    stamped        binary ticks get the time they were received at
    defined        instruments the exchange has defined, by name: kept over lives
    tap            records what arrives, each life into a file of its own
    rank           its place among feeds: in back-tests, whose data come first where several have some at one instant
    """

    name: str
    topics: tuple[Topic, ...]
    sink: Sink
    ids: InstrumentIds = attrs.field(factory=InstrumentIds)
    account: FeedAccount = attrs.field(factory=FeedAccount)
    backoff: Backoff = attrs.field(factory=Backoff)
    random: Random = attrs.field(factory=Random)
    on_bad: Literal["skip", "reconnect"] = "skip"
    stale_after_s: float | None = None
    checked: bool = True
    stamped: bool = True
    defined: dict[str, Instrument] = attrs.field(factory=dict[str, Instrument])
    tap: Recorder | None = None
    rank: int = 0
