"""Orders out: orders and reports, the risk gate, routers and their policies."""

from .desk import Desk as Desk
from .errors import (
    BadOrder as BadOrder,
    RoutingError as RoutingError,
    UnknownMessage as UnknownMessage,
    UnknownVenue as UnknownVenue,
)
from .orders import (
    Execution as Execution,
    ExecutionReport as ExecutionReport,
    Fill as Fill,
    Leg as Leg,
    Order as Order,
    OrderHandle as OrderHandle,
    OrderState as OrderState,
    Side as Side,
)
from .policies import Legs as Legs, Policy as Policy, Timeout as Timeout
from .portfolio import Portfolio as Portfolio
from .router import Router as Router, Submit as Submit
from .venue import CancelLeg as CancelLeg, QueryLeg as QueryLeg, SubmitLeg as SubmitLeg, Venue as Venue
