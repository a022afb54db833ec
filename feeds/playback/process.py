"""Recorded exchanges as a program of their own: it says where they listen, tells the recordings, says how far it is."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import attrs
import msgspec

from ticktree.actors import Actor, ChildSpec, Fail, Mailbox, Reason, StopReport, Supervisor, System, run_system

from ..errors import UnknownMessage
from .cuts import Cuts
from .exchange import RecordedExchange, Start
from .particular import Played

FEW = Mailbox(1_024, Fail())
PROGRESS_S = 2.0
REHEARSAL_S = 0.25
WATCHDOG_S = 1.0  # a snapshot of a large book takes its time on a machine that is busy with who reads it
PARTING_S = 2.0  # for clients to read what is left, once all was told
NS = 1_000_000_000

Say = Callable[[str], None]


@attrs.frozen
class Service:
    """What is served, how fast and where (`port` 0: a free one). `for_s`: how long; None: until it was all told.

    `rehearsal`: say how far it is by lines that `State` reads, and stay when all was told.
    """

    played: Played
    speed: float | None = 1.0
    cuts: Cuts = attrs.field(factory=Cuts)
    start: Start = attrs.field(factory=Start)
    port: int = 0
    for_s: float | None = None
    rehearsal: bool = False
    torn_bytes: int = 0  # that were cut off the recording's end


class State(msgspec.Struct, frozen=True):
    """How far exchange `index` of a rehearsal is: of `total` messages `told`, the last one of `time_ns` (0: none).

    `waiting`: for clients to subscribe. `read`: all was told, and read by whoever is there. `cuts`: so far.
    `took_s`: since time began, to `read`. `torn_bytes`: that were cut off the recording's end.
    """

    index: int
    told: int
    total: int
    time_ns: int
    waiting: bool
    read: bool
    cuts: int
    took_s: float = 0.0
    torn_bytes: int = 0

    @property
    def line(self) -> str:
        """As it is said."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def parse(cls, line: str) -> "State":
        """What a line says. Raises `ValueError` for one that says something else."""
        return msgspec.json.decode(line, type=cls)


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
    """Serves number `index`; `over` is called when it is time to end.

    `say` gets the addresses, `show` progress, if anybody watches.
    """

    def __init__(self, service: Service, index: int, say: Say, show: Say | None, over: Callable[[int], None]) -> None:
        self._service, self._index, self._say, self._show, self._over = service, index, say, show, over
        self.exchange: RecordedExchange | None = None
        self._parting: asyncio.Task[None] | None = None
        self._shown, self._shown_ns = 0, 0
        self._read_ns = 0  # when all was told and read

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
        if service.rehearsal:
            self.every(REHEARSAL_S, Show())
        elif self._show is not None:
            self.every(PROGRESS_S, Show())
        if service.for_s is not None:
            self.after(service.for_s, Finish())

    def on_message(self, message: Told | Show | Finish) -> None:
        match message:
            case Told(error):
                if error is not None:
                    raise error
                self._finish()
            case Finish():
                self._over(self._index)
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
        if self._service.rehearsal:
            await exchange.read()
        else:
            await exchange.ended()
            await exchange.part(PARTING_S)

    def _parted(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled():
            self.ref.tell(Told(task.exception()))

    def _finish(self) -> None:
        if self._service.rehearsal:
            self._read_ns = self.clock.monotonic_ns()
            self._progress()
        else:
            self._over(self._index)

    def _progress(self) -> None:
        exchange = self.exchange
        if exchange is None:
            return
        if self._service.rehearsal:
            self._say(self._state(exchange).line)
        elif self._show is not None:
            self._show(progress(exchange, self._rate(exchange)))

    def _state(self, exchange: RecordedExchange) -> State:
        time_ns = exchange.played.messages[exchange.now - 1].time_ns if exchange.now else 0
        until_ns = self._read_ns or self.clock.monotonic_ns()
        return State(
            self._index, exchange.now, exchange.total, time_ns, exchange.waiting, self._read_ns > 0, exchange.cuts,
            (until_ns - exchange.began_ns) / NS if exchange.began_ns else 0.0, self._service.torn_bytes,
        )  # fmt: skip

    def _rate(self, exchange: RecordedExchange) -> float:
        now_ns = self.clock.monotonic_ns()
        rate = (exchange.now - self._shown) * NS / max(1, now_ns - self._shown_ns)
        self._shown, self._shown_ns = exchange.now, now_ns
        return rate


def serve(services: Sequence[Service], say: Say, show: Say | None = None, loop: str = "uvloop") -> StopReport:
    """Serve until all was told, a signal, or as long as it is to be; blocks. Raises `StartFailed`."""
    made: list[Playing] = []
    names = [f"{service.played.name}: " if len(services) > 1 else "" for service in services]
    left = set(range(len(services)))

    def over(index: int) -> None:
        left.discard(index)
        if not left:
            system.begin_stop()

    def spec(index: int, service: Service) -> ChildSpec:
        def playing() -> Playing:
            made.append(Playing(service, index, say, _named(show, names[index]), over))
            return made[-1]

        return ChildSpec(f"exchange-{index + 1}", playing, FEW)

    # No restarts: clients would look for it at the addresses that were said.
    tree = Supervisor(tuple(spec(*each) for each in enumerate(services)), intensity=0)
    system = System(tree, watchdog_s=WATCHDOG_S)
    report = run_system(lambda: system, loop)
    for one, name in zip(made, names, strict=False):  # fewer, if one could not start
        if one.exchange is not None:
            say(name + summary(one.exchange))
    return report


def _named(show: Say | None, name: str) -> Say | None:
    return None if show is None else lambda line: show(name + line)


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
    return time_of(entry.time_ns)


def time_of(time_ns: int) -> str:
    """Nanoseconds since 1970, to the second."""
    return datetime.fromtimestamp(time_ns / NS, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
