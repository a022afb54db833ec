"""`[feeds.NAME]`."""

from pathlib import Path
from typing import Annotated, Literal

from ..values import Duration, duration
from .section import Natural, Probability, Section, eg

Kind = Literal["quote", "trade", "book", "bar", "status"]
USUAL_KINDS: tuple[Kind, ...] = ("quote", "trade", "book", "status")


class Backoff(Section, frozen=True, kw_only=True):
    """How long to wait before trying again: at random, up to a bound that doubles with each failure.

    base     the first bound
    ceiling  the last
    """

    base: Annotated[Duration, eg("100ms")] = duration("100ms")
    ceiling: Annotated[Duration, eg("30s")] = duration("30s")


class Feed(Section, frozen=True, kw_only=True):
    """Market data of one exchange. Further keys are options of the feed's class.

    type         its class: a name that an installed package announces (`ticktree feeds` lists them), or
                 package.module:Class
    instruments  what it brings, as BASE-QUOTE or by listing symbol
    kinds        what it brings of each instrument
    record       the folder that all that arrives is recorded to
    stale_after  the silence after which an instrument counts as stale; never, unless told: silence is normal for most
    on_bad       what a message that cannot be understood costs: itself, or the connection
    backoff      how long to wait before connecting again
    """

    type: Annotated[str, eg("binance")]
    instruments: Annotated[tuple[str, ...], eg(["BTC-USDT"])]
    kinds: Annotated[tuple[Kind, ...], eg(["quote", "trade"])] = USUAL_KINDS
    record: Annotated[Path | None, eg("recordings")] = None
    stale_after: Annotated[Duration | None, eg("5s")] = None
    on_bad: Literal["skip", "reconnect"] = "skip"
    backoff: Annotated[Backoff, eg({"base": "100ms", "ceiling": "30s"})] = Backoff()


class Halt(Section, frozen=True, kw_only=True):
    """The simulated exchange halts an instrument for a while.

    instrument  which
    step        at which step of the market
    steps       for how many
    """

    instrument: Annotated[str, eg("BTC-USDT")]
    step: Annotated[Natural, eg(100)]
    steps: Annotated[Natural, eg(50)]


class SimulatedFeed(Section, frozen=True, kw_only=True):
    """An exchange in this process, and the feed that reads it. The same seed tells the same market.

    type               this one
    instruments        what it trades, as BASE-QUOTE
    kinds              what it brings of each instrument
    listen             where the exchange listens, for others too; one address or several, port 0 takes a free one
    seed               what prices are drawn from
    interval           between two turns of the market
    steps_a_turn       steps of the market in each turn
    depth              levels on each side of a book
    trade_probability  of a trade, in each step of each instrument
    correlation        between the moves of any two prices
    volatility         of a price, as a part of it, in one step (a standard deviation)
    wide_probability   of a step that moves ten times as far
    halts              when it halts instruments
    """

    type: Literal["simulated"]
    instruments: Annotated[tuple[str, ...], eg(["BTC-USDT", "ETH-USDT"])] = ("BTC-USDT", "ETH-USDT")
    kinds: Annotated[tuple[Kind, ...], eg(["quote", "trade"])] = USUAL_KINDS
    listen: Annotated[str | tuple[str, ...], eg("tcp://127.0.0.1:7000")] = "tcp://127.0.0.1:0"
    seed: int = 1
    interval: Annotated[Duration, eg("20ms")] = duration("20ms")
    steps_a_turn: Natural = 1
    depth: Natural = 20
    trade_probability: Probability = 0.3
    correlation: Probability = 0.7
    volatility: Probability = 5e-6
    wide_probability: Probability = 0.01
    halts: Annotated[tuple[Halt, ...], eg([{"instrument": "BTC-USDT", "step": 100, "steps": 50}])] = ()
