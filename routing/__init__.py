"""Orders out: orders and reports, the journal, the risk gate, routers and their policies, venues."""

from .accounts import Position as Position
from .blotter import Blotter as Blotter
from .controls import (
    Controls as Controls,
    DrainOrders as DrainOrders,
    Flatten as Flatten,
    Halt as Halt,
    Resolve as Resolve,
    Resume as Resume,
)
from .desk import Desk as Desk
from .errors import (
    BadLimit as BadLimit,
    BadOrder as BadOrder,
    BadPolicy as BadPolicy,
    JournalCorrupt as JournalCorrupt,
    JournalError as JournalError,
    JournalFailed as JournalFailed,
    JournalForeign as JournalForeign,
    JournalOwned as JournalOwned,
    JournalUnsafe as JournalUnsafe,
    NotConnected as NotConnected,
    Refusal as Refusal,
    Refused as Refused,
    RoutingError as RoutingError,
    UnknownMessage as UnknownMessage,
    UnknownOrder as UnknownOrder,
    UnknownVenue as UnknownVenue,
)
from .gateway import Fees as Fees, FeeTier as FeeTier, Gateway as Gateway, Hears as Hears, VenueRules as VenueRules
from .holdings import Holding as Holding, Money as Money, PortfolioSnapshot as PortfolioSnapshot
from .journal import Durability as Durability, Journal as Journal, Nowhere as Nowhere, journal_path as journal_path
from .keeper import JournalKeeper as JournalKeeper
from .latency import LatencySummary as LatencySummary, Stage as Stage
from .ledger import Ledger as Ledger
from .office import Office as Office, VenueDoor as VenueDoor
from .orders import (
    PLAIN_TERMS as PLAIN_TERMS,
    Execution as Execution,
    Fill as Fill,
    Leg as Leg,
    LegResult as LegResult,
    Order as Order,
    OrderHandle as OrderHandle,
    OrderState as OrderState,
    OrderUpdate as OrderUpdate,
    Purpose as Purpose,
    Side as Side,
    Terms as Terms,
    Ticket as Ticket,
    TimeInForce as TimeInForce,
)
from .policies import (
    AllOf as AllOf,
    AnyOf as AnyOf,
    BestOf as BestOf,
    Hold as Hold,
    Legs as Legs,
    Policy as Policy,
    Retry as Retry,
    Share as Share,
    Sweep as Sweep,
    Timeout as Timeout,
    Unwind as Unwind,
    policy_from as policy_from,
)
from .portfolio import (
    AskLatencies as AskLatencies,
    AskOrders as AskOrders,
    AskPortfolio as AskPortfolio,
    OrderCounts as OrderCounts,
    Portfolio as Portfolio,
)
from .prices import Prices as Prices
from .records import LegRecord as LegRecord, OrderRecord as OrderRecord
from .reports import (
    AccountReport as AccountReport,
    Report as Report,
    ReportKind as ReportKind,
    VenueExecution as VenueExecution,
    VenueQuote as VenueQuote,
)
from .risk import Gate as Gate, Limits as Limits, SelfTrade as SelfTrade
from .router import Router as Router
from .venue import Patience as Patience, Venue as Venue
