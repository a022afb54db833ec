"""`[system]`, `[relay]` and `[operations]`."""

from pathlib import Path
from typing import Annotated, Literal

from ..values import Delay, Duration, Secret, delay, duration
from .section import Section, Whole, eg
from .trading import Mailbox


class System(Section, frozen=True, kw_only=True):
    """The process as a whole.

    loop          the event loop
    journal       the file that orders are written to before they are sent. Without it nothing is remembered after the
                  process, which is allowed where all venues are simulated
    durability    what the journal survives: the end of the process ("os", unless told), or a loss of power too
                  ("fsync"; each send waits for the disk then)
    budget        how long the stop may take
    watchdog      how long the loop may be blocked before that is told
    opens_within  how long the start waits for venues that are not ready
    cpus          the CPUs that the loop may run on (Linux only); any, unless told
    preload       libraries that take the place of the C library's socket calls, as Onload and VMA do (Linux only):
                  files. The process begins anew with them, and does not run without them
    log           how lines of the log are written
    """

    loop: Literal["uvloop", "asyncio"] = "uvloop"
    journal: Annotated[Path | None, eg("orders.journal")] = None
    durability: Literal["os", "fsync"] | None = None
    budget: Annotated[Duration, eg("10s")] = duration("10s")
    watchdog: Annotated[Duration, eg("250ms")] = duration("250ms")
    opens_within: Annotated[Delay, eg("3s")] = delay("3s")
    cpus: Annotated[tuple[Whole, ...] | None, eg([0])] = None
    preload: Annotated[tuple[Path, ...] | None, eg(["/usr/lib64/libonload.so"])] = None
    log: Literal["human", "json"] = "human"


class Relay(Section, frozen=True, kw_only=True):
    """What the feeds bring, for other processes.

    listen       where: tcp://, unix:// or ws://; one address or several
    token        what clients must say; needed to listen beyond this machine
    buffer       how much may wait for each client: 65536 ticks, then "drop_oldest", unless told
    pauses_feed  whether "block" buffers may stop the feeds, for everyone
    """

    listen: Annotated[str | tuple[str, ...], eg("tcp://127.0.0.1:7001")]
    token: Annotated[Secret, eg("env:RELAY_TOKEN")] = Secret("")
    buffer: Annotated[Mailbox, eg({"capacity": 65_536, "overflow": "drop_oldest"})] = Mailbox()
    pauses_feed: bool = False


class Operations(Section, frozen=True, kw_only=True):
    """Where a running system is asked and told things.

    enabled  whether it is at all
    socket   the Unix socket; one that `ticktree status` finds by itself, unless told
    metrics  also answer /metrics and /health, over HTTP, at this address of this machine
    """

    enabled: bool = True
    socket: Annotated[Path | None, eg("ticktree.sock")] = None
    metrics: Annotated[str, eg("127.0.0.1:9464")] = ""
