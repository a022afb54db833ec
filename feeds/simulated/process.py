"""The simulated exchange as a program of its own: it says where it listens, serves, and says what it did."""

from collections.abc import Callable
from typing import Any

import attrs

from ticktree.actors import Actor, ChildSpec, Fail, Mailbox, StopReport, Supervisor, System, run_system
from ticktree.net import BadAddress

from .exchange import SimulatedExchange, Where
from .faults import Faults
from .market import Market
from .stats import ExchangeStats

ASK_S = 5.0
FEW = Mailbox(1_024, Fail())
STREAMS, WEBSOCKETS = ("tcp", "unix"), ("ws",)
SPOKEN = {**dict.fromkeys(STREAMS, "wire protocol"), **dict.fromkeys(WEBSOCKETS, "JSON dialect")}

Say = Callable[[str], None]


@attrs.frozen
class Finish:
    """Time to end."""


@attrs.frozen
class Service:
    """What is served where: the wire protocol at `stream` (tcp:// or unix://), the dialect at `websocket` (ws://).

    An empty address: not at all. `for_s`: how long; None: until a signal. Raises `BadAddress`.
    """

    market: Market
    faults: Faults
    stream: str = "tcp://127.0.0.1:0"
    websocket: str = "ws://127.0.0.1:0/"
    token: str = ""
    for_s: float | None = None

    def __attrs_post_init__(self) -> None:
        for url, schemes in ((self.stream, STREAMS), (self.websocket, WEBSOCKETS)):
            if url and url.partition(":")[0] not in schemes:
                raise BadAddress(url, f"it begins with {' or '.join(f'{scheme}://' for scheme in schemes)} here")

    @property
    def urls(self) -> tuple[str, ...]:
        """All addresses."""
        return tuple(url for url in (self.stream, self.websocket) if url)


class Herald(Actor[Finish]):
    """Says where the exchange listens, and ends the system when it is time."""

    def __init__(self, say: Say, system: Callable[[], System], for_s: float | None) -> None:
        self._say, self._system, self._for_s = say, system, for_s

    async def on_start(self) -> None:
        urls: dict[str, str] = await self.find("exchange").ask(Where(), ASK_S)
        for scheme, url in urls.items():
            self._say(f"{url}  {SPOKEN[scheme]}")
        if self._for_s is not None:
            self.after(self._for_s, Finish())

    def on_message(self, message: Any) -> None:
        self._system().begin_stop()


def serve(service: Service, say: Say, loop: str = "uvloop") -> StopReport:
    """Serve until a signal, or as long as it is to be; blocks. Raises `StartFailed`."""
    exchanges: list[SimulatedExchange] = []

    def exchange() -> SimulatedExchange:
        made = SimulatedExchange("simulated", service.market, service.urls, service.faults, service.token)
        exchanges.append(made)
        return made

    herald = ChildSpec("herald", lambda: Herald(say, lambda: system, service.for_s), FEW)
    # No restarts: its clients would look for it at the addresses that were said.
    tree = Supervisor((ChildSpec("exchange", exchange, FEW), herald), intensity=0)
    system = System(tree)
    report = run_system(lambda: system, loop)
    if exchanges:
        for line in summary(exchanges[-1].stats()):
            say(line)
    return report


def summary(stats: ExchangeStats) -> list[str]:
    """What it did, line by line."""
    faults = ", ".join(f"{kind.replace('_', '-')} {count:,}" for kind, count in sorted(stats.injected.items()))
    return [
        f"{stats.steps:,} steps, {stats.sessions:,} sessions, {stats.refused:,} requests refused",
        f"{stats.sent:,} ticks sent, {stats.withheld:,} withheld from slow clients, {stats.lost:,} lost on purpose",
        f"faults: {faults or 'none'}",
    ]
