"""`[routers.NAME]`, `[strategies.NAME]` and `[risk]`."""

from typing import Annotated, Any, Literal

from msgspec import field

from ..values import Amount, Duration
from .section import Amounts, Capacity, Natural, Section, eg


class Router(Section, frozen=True, kw_only=True):
    """How orders are worked. Further keys are options of the policy (docs/execution.md).

    policy  timeout, any, all, best, sweep, one that an installed package announces, or package.module:Class
    """

    policy: Annotated[str, eg("timeout")]


class Mailbox(Section, frozen=True, kw_only=True):
    """How much may wait for somebody slow, and what happens beyond. What is left out is as the class declares it.

    capacity   in ticks
    overflow   what happens beyond: "conflate" keeps the latest quote of each instrument, "block" stops the feeds (it
               goes with `pauses_feed`), "fail" ends who is slow
    otherwise  with "conflate", what happens to all but quotes; "drop_oldest", unless told
    """

    capacity: Annotated[Capacity | None, eg(65_536)] = None
    overflow: Literal["conflate", "drop_oldest", "drop_newest", "block", "fail"] | None = None
    otherwise: Literal["drop_oldest", "drop_newest", "block", "fail"] | None = None


class Strategy(Section, frozen=True, kw_only=True):
    """Who decides.

    type         its class: a name that an installed package announces (`ticktree strategies` lists them), or
                 package.module:Class
    router       who works its orders; may be left out where there is one router
    topics       what it gets, as feed/instrument/kind with `*`; what its class declares, unless told
    params       its parameters: the fields of its class's `Params`
    mailbox      how much may wait for it; what its class declares, unless told
    hand_off     whether its plain handlers may run within the socket's read callback
    pauses_feed  whether its "block" mailbox may stop its feeds, for everyone
    """

    type: Annotated[str, eg("momentum")]
    router: Annotated[str, eg("default")] = ""
    topics: Annotated[tuple[str, ...] | None, eg(["*/BTC-USDT/quote"])] = None
    params: Annotated[dict[str, Any], eg({"size": "0.01"})] = field(default_factory=dict[str, Any])
    mailbox: Annotated[Mailbox, eg({"capacity": 65_536, "overflow": "drop_oldest"})] = Mailbox()
    hand_off: bool = False
    pauses_feed: bool = False


class Risk(Section, frozen=True, kw_only=True):
    """What may be risked, over all strategies. What is left out is not limited.

    max_order_size      how much one order may be of, by instrument, or "*" for all others
    max_order_notional  what one order may come to, by quote currency
    max_position        how long or short all strategies together may become, once everything that is open is filled;
                        by instrument, or "*"
    max_open_exposure   what positions and open orders may come to at their worst, by quote currency
    max_orders_per_s    what is sent within a second, over all venues; cancels always go
    price_collar        how far through the freshest quote a price may be, as a fraction
    max_price_age       how old a quote may be by which anything is judged
    self_trade          what is done about an order that would meet one of our own
    """

    max_order_size: Annotated[Amounts, eg({"BTC-USDT": "2"})] = field(default_factory=dict[str, Amount])
    max_order_notional: Annotated[Amounts, eg({"USDT": "1000"})] = field(default_factory=dict[str, Amount])
    max_position: Annotated[Amounts, eg({"BTC-USDT": "5"})] = field(default_factory=dict[str, Amount])
    max_open_exposure: Annotated[Amounts, eg({"USDT": "50000"})] = field(default_factory=dict[str, Amount])
    max_orders_per_s: Annotated[Natural | None, eg(50)] = None
    price_collar: Annotated[Amount | None, eg(0.05)] = None
    max_price_age: Annotated[Duration | None, eg("5s")] = None
    self_trade: Literal["refuse", "cancel_resting", "allow"] = "refuse"
