"""`[venues.NAME]`."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from ..values import Amount, Delay, Duration, Secret, delay, duration
from .section import Natural, Probability, Section, eg


class Patience(Section, frozen=True, kw_only=True):
    """How long a venue may take.

    ack             without a word about a new order, or a replace: it is UNKNOWN then, and asked about
    again           between two questions, or two cancels, about the same order
    resets_after    questions that were answered "not found" before the session is ended
    explains_after  questions about what does not add up before it is quarantined
    live            without a word about a live order, or the account: they are asked about
    look            how often all this is looked at
    """

    ack: Annotated[Duration, eg("1s")] = duration("1s")
    again: Annotated[Duration, eg("500ms")] = duration("500ms")
    resets_after: Natural = 4
    explains_after: Natural = 10
    live: Annotated[Duration, eg("30s")] = duration("30s")
    look: Annotated[Duration, eg("100ms")] = duration("100ms")


class Way(Section, frozen=True, kw_only=True):
    """How long a message is on its way: `fixed`, up to `jitter` more, and one of the others on top.

    fixed        at least
    jitter       up to so much more
    median       half of all take at most so long: a lognormal distribution, with `p99` or `sigma`
    p99          99 of 100 take at most so long
    sigma        in place of `p99`: the standard deviation of the logarithm
    samples      as measured: each of them as likely as any other
    percentiles  as measured: how long so many of 100 take at most, with straight lines between
    """

    fixed: Annotated[Delay, eg("5ms")] = delay("0s")
    jitter: Annotated[Delay, eg("2ms")] = delay("0s")
    median: Annotated[Duration | None, eg("2ms")] = None
    p99: Annotated[Duration | None, eg("10ms")] = None
    sigma: Annotated[float, Meta(ge=0, le=10)] | None = None
    samples: Annotated[tuple[Delay, ...], eg(["1ms", "3ms"])] = ()
    percentiles: Annotated[dict[str, Delay], eg({"50": "2ms", "99": "10ms"})] = msgspec.field(
        default_factory=dict[str, Delay]
    )


class Latency(Way, frozen=True, kw_only=True):
    """How long a message is on its way: the keys of a way, for both of them, or each way by itself.

    out   orders
    back  reports
    """

    out: Annotated[Delay | Way | None, eg("2ms")] = None
    back: Annotated[Delay | Way | None, eg("1ms")] = None


class Tier(Section, frozen=True, kw_only=True):
    """Fees for who has traded much.

    from   the notional that was traded at this venue so far, in the quote currency
    maker  of what rested in the book
    taker  of what took from it
    """

    above: Annotated[Amount, eg("1000000")] = msgspec.field(name="from")
    maker: Annotated[Amount, eg("0")]
    taker: Annotated[Amount, eg("0.0005")]


class Fees(Section, frozen=True, kw_only=True):
    """Of the notional, in the quote currency: 0.001 is ten basis points; a negative one is a rebate.

    maker          of what rested in the book
    taker          of what took from it
    per_unit       besides, of each unit of size: a share, a contract; no part of the notional, but an amount
    per_execution  besides, of each execution: an amount
    tiers          other rates, for who has traded much at this venue since it began
    currency       what fees are paid in, in place of the quote currency; nothing is converted
    """

    maker: Annotated[Amount, eg("-0.0001")] = Amount("0")
    taker: Annotated[Amount, eg("0.001")] = Amount("0")
    per_unit: Annotated[Amount, eg("0.005")] = Amount("0")
    per_execution: Annotated[Amount, eg("1")] = Amount("0")
    tiers: Annotated[tuple[Tier, ...], eg([{"from": "1000000", "maker": "0", "taker": "0.0005"}])] = ()
    currency: Annotated[str, eg("USDT")] = ""


class Faults(Section, frozen=True, kw_only=True):
    """Probabilities that something goes wrong at a simulated venue, or on the way there and back.

    drop        a message never arrives
    duplicate   it arrives once more, later
    reorder     it is held back until the next one has gone
    delay       it comes later than those behind it
    disconnect  the session breaks, and all that is on its way is lost
    unreadable  an answer cannot be read, which ends the session
    late_fill   a fill comes later than what follows it
    reject      an order is turned down although nothing is wrong with it
    cross       a cancel crosses a fill
    bust        an execution is taken back, later
    correct     an execution is changed, later
    later       how much later that is: least and most
    seed        what all this is drawn from; the venue's own seed, unless told
    """

    drop: Probability = 0.0
    duplicate: Probability = 0.0
    reorder: Probability = 0.0
    delay: Probability = 0.0
    disconnect: Probability = 0.0
    unreadable: Probability = 0.0
    late_fill: Probability = 0.0
    reject: Probability = 0.0
    cross: Probability = 0.0
    bust: Probability = 0.0
    correct: Probability = 0.0
    later: Annotated[tuple[Duration, Duration], eg(["1ms", "1s"])] = (Duration(0.001), Duration(1.0))
    seed: int | None = None


class SimulatedVenue(Section, frozen=True, kw_only=True):
    """A venue in this process, which matches against what a feed brings. Nothing real is traded.

    type      this one
    prices    the feed that it matches against
    latency   how long a message is on its way: each way, or out and back by themselves
    fees      what trading costs there
    faults    what goes wrong, on purpose
    seed      what latency and faults are drawn from; something else each time, unless told
    patience  how long it may take before its orders are doubted
    """

    type: Literal["simulated"]
    prices: Annotated[str, eg("binance")]
    latency: Annotated[Delay | Latency, eg("5ms")] = delay("0s")
    fees: Annotated[Fees, eg({"maker": "0.001", "taker": "0.001"})] = Fees()
    faults: Annotated[Faults, eg({"drop": 0.01})] = Faults()
    seed: int | None = None
    patience: Annotated[Patience, eg({"ack": "1s"})] = Patience()


class Venue(Section, frozen=True, kw_only=True):
    """A venue that is spoken to through a gateway; needs `system.journal`. Further keys are options of its class.

    type      its class: a name that an installed package announces (`ticktree venues` lists them), or
              package.module:Class
    prices    the feed that a simulated venue in its place matches against, when the configuration is rehearsed
    patience  how long it may take before its orders are doubted
    """

    type: Annotated[str, eg("tcp")]
    prices: Annotated[str, eg("binance")] = ""
    patience: Annotated[Patience, eg({"ack": "1s"})] = Patience()


class TcpVenue(Venue, frozen=True, kw_only=True):
    """A venue that speaks the order-entry protocol (docs/order-entry-protocol.md); needs `system.journal`.

    type     this one
    url      where it listens: tcp://, tls:// or unix://
    account  whose orders these are
    token    what its login asks for
    """

    type: Literal["tcp"]  # pyright: ignore[reportIncompatibleVariableOverride]  # narrower, and frozen
    url: Annotated[str, eg("tcp://127.0.0.1:7100")]
    account: Annotated[str, eg("alpha")]
    token: Annotated[Secret, eg("env:VENUE_TOKEN")] = Secret("")
