"""What the simulated exchange did, as a value."""

from collections import Counter

import attrs

from .faults import FaultKind


@attrs.define
class Counters:
    """Only grow. `withheld` are ticks that clients missed because they did not keep up."""

    sessions: int = 0
    refused: int = 0
    snapshots: int = 0  # books told whole
    sent: int = 0  # ticks
    withheld: int = 0
    lost: int = 0  # ticks that gaps took
    injected: Counter[FaultKind] = attrs.field(factory=Counter[FaultKind])


@attrs.frozen
class ExchangeStats:
    """The exchange at one moment. `injected` has an entry for each kind of fault that struck somebody.

    `steps` counts those of the market, `sessions` the clients that came, `clients` those there are, `refused` requests.
    In ticks: `sent` (snapshots included), `withheld` from clients that did not keep up, and `lost` to gaps.
    """

    steps: int
    clients: int
    sessions: int
    refused: int
    snapshots: int
    sent: int
    withheld: int
    lost: int
    injected: dict[FaultKind, int]
