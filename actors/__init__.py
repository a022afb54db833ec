"""The runtime that everything lives on: actors, mailboxes, supervisors, time. Knows nothing of markets."""

from .actor import Actor as Actor, Ignore as Ignore
from .clock import (
    Clock as Clock,
    LiveClock as LiveClock,
    VirtualClock as VirtualClock,
    VirtualLoop as VirtualLoop,
    simulate as simulate,
)
from .commands import ChildCount as ChildCount, ChildInfo as ChildInfo
from .errors import (
    ActorsError as ActorsError,
    AlreadyPresent as AlreadyPresent,
    AlreadyStarted as AlreadyStarted,
    AskLost as AskLost,
    AskRefused as AskRefused,
    AskTimeout as AskTimeout,
    Closed as Closed,
    Deadlock as Deadlock,
    IntensityExceeded as IntensityExceeded,
    Lost as Lost,
    MailboxFull as MailboxFull,
    Misuse as Misuse,
    NotRunning as NotRunning,
    SpecError as SpecError,
    StartFailed as StartFailed,
    StartTimeout as StartTimeout,
    TooHeavy as TooHeavy,
    UnknownActor as UnknownActor,
)
from .mailbox import (
    Block as Block,
    Conflate as Conflate,
    Delivery as Delivery,
    DropNewest as DropNewest,
    DropOldest as DropOldest,
    Dropped as Dropped,
    Fail as Fail,
    Mailbox as Mailbox,
    MailboxStats as MailboxStats,
    Merge as Merge,
    Outcome as Outcome,
    Rows as Rows,
)
from .messages import Down as Down, Request as Request, Timer as Timer
from .plugins import (
    AmbiguousPlugin as AmbiguousPlugin,
    BrokenPlugin as BrokenPlugin,
    NotAPlugin as NotAPlugin,
    PluginError as PluginError,
    Plugins as Plugins,
    UnknownPlugin as UnknownPlugin,
)
from .policies import Backoff as Backoff, NoDelay as NoDelay
from .reason import (
    KILLED as KILLED,
    NORMAL as NORMAL,
    SHUTDOWN as SHUTDOWN,
    Exit as Exit,
    Reason as Reason,
    failed as failed,
)
from .ref import ActorRef as ActorRef, SupervisorRef as SupervisorRef, Watch as Watch
from .scheduler import ReadTurns as ReadTurns
from .snapshot import ActorNode as ActorNode, SupervisorNode as SupervisorNode, Tree as Tree
from .spec import (
    AutoShutdown as AutoShutdown,
    ChildSpec as ChildSpec,
    Restart as Restart,
    RestartStrategy as RestartStrategy,
    Shutdown as Shutdown,
    Supervisor as Supervisor,
)
from .system import (
    Step as Step,
    StopReport as StopReport,
    System as System,
    new_loop as new_loop,
    run_system as run_system,
)
