"""The recorded exchange as a program of its own: it says where it listens, tells the recording, says how far it is."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import attrs

from ticktree.actors import Actor, ChildSpec, Fail, Mailbox, Reason, StopReport, Supervisor, System, run_system

from ..errors import UnknownMessage
from .cuts import Cuts
from .exchange import RecordedExchange, Start
from .particular import Played

FEW = Mailbox(1_024, Fail())
PROGRESS_S = 2.0
PARTING_S = 2.0  # for clients to read what is left, once all was told
NS = 1_000_000_000

Say = Callable[[str], None]


@attrs.frozen
class Service:
    """What is served, how fast and where (`port` 0: a free one). `for_s`: how long; None: until it was all told."""

    played: Played
    speed: float | None = 1.0
    cuts: Cuts = attrs.field(factory=Cuts)
    start: Start = attrs.field(factory=Start)
    port: int = 0
    for_s: float | None = None


@attrs.frozen
class Told:
    """All was told; or why not."""

    error: BaseException | None = None


@attrs.frozen
class Show:
    """Time to say how far it is."""


@attrs.frozen
class Finish:
    """Time to end."""


class Playing(Actor[Told | Show | Finish]):
    """Serves, and ends the system when it is time. `say` gets the addresses, `show` progress, if anybody watches."""

    def __init__(self, service: Service, say: Say, show: Say | None, system: Callable[[], System]) -> None:
        self._service, self._say, self._show, self._system = service, say, show, system
        self.exchange: RecordedExchange | None = None
        self._parting: asyncio.Task[None] | None = None
        self._shown, self._shown_ns = 0, 0

    async def on_start(self) -> None:
        service = self._service
        exchange = RecordedExchange(
            service.played, service.speed, service.cuts, service.start, service.port, self.clock
        )
        self.exchange = exchange
        await exchange.open()
        name = service.played.name
        self._say(f"{exchange.url}  {name}, WebSockets")
        self._say(f"{exchange.rest_url}  {name}, HTTP")
        self._parting = asyncio.create_task(self._part(exchange), name=f"{name}, recorded: until all was told")
        self._parting.add_done_callback(self._parted)
        self._shown_ns = self.clock.monotonic_ns()
        if self._show is not None:
            self.every(PROGRESS_S, Show())
        if service.for_s is not None:
            self.after(service.for_s, Finish())

    def on_message(self, message: Told | Show | Finish) -> None:
        match message:
            case Told(error):
                if error is not None:
                    raise error
                self._system().begin_stop()
            case Finish():
                self._system().begin_stop()
            case Show():
                self._progress()
            case _:  # refs found by path take anything
                raise UnknownMessage(self.path, message)

    async def on_stop(self, reason: Reason) -> None:
        if self._parting is not None:
            self._parting.remove_done_callback(self._parted)
            self._parting.cancel()
        if self.exchange is not None:
            await self.exchange.close()

    async def _part(self, exchange: RecordedExchange) -> None:
        await exchange.ended()
        await exchange.part(PARTING_S)

    def _parted(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled():
            self.ref.tell(Told(task.exception()))

    def _progress(self) -> None:
        if self.exchange is None or self._show is None:
            return
        now_ns = self.clock.monotonic_ns()
        rate = (self.exchange.now - self._shown) * NS / max(1, now_ns - self._shown_ns)
        self._shown, self._shown_ns = self.exchange.now, now_ns
        self._show(progress(self.exchange, rate))


def serve(service: Service, say: Say, show: Say | None = None, loop: str = "uvloop") -> StopReport:
    """Serve until it was all told, a signal, or as long as it is to be; blocks. Raises `StartFailed`."""
    made: list[Playing] = []

    def playing() -> Playing:
        made.append(Playing(service, say, show, lambda: system))
        return made[-1]

    # No restarts: its clients would look for it at the addresses that were said.
    system = System(Supervisor((ChildSpec("exchange", playing, FEW),), intensity=0))
    report = run_system(lambda: system, loop)
    for one in made:
        if one.exchange is not None:
            say(summary(one.exchange))
    return report


def progress(exchange: RecordedExchange, rate: float) -> str:
    """How far it is, in one line; `rate` in messages a second."""
    told = f"{exchange.now:,} of {counted(exchange.total, 'message')}"
    if exchange.waiting:
        return f"{told}; waiting for clients to subscribe"
    return f"{told}, {when(exchange)}, {rate:,.0f} a second, {counted(len(exchange.clients), 'client')}"


def summary(exchange: RecordedExchange) -> str:
    """What it did, in one line."""
    reached = f", to {when(exchange)}" if exchange.now else ""
    told = f"{exchange.now:,} of {counted(exchange.total, 'message')} told{reached}"
    connections, questions = counted(exchange.connections, "connection"), counted(exchange.answered, "question")
    return f"{told}; {connections}, {questions} answered, {counted(exchange.cuts, 'cut')}"


def counted(count: int, what: str) -> str:
    """How many of it."""
    return f"{count:,} {what}{'s' * (count != 1)}"


def when(exchange: RecordedExchange) -> str:
    """The recorded time that is reached."""
    entry = exchange.played.messages[max(0, exchange.now - 1)]
    return datetime.fromtimestamp(entry.time_ns / NS, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
