"""One account at an order-entry server: its session over all connections, and what it asks of the engine."""

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

import attrs
from msgspec.structs import replace

from ticktree.actors import Clock
from ticktree.market import Data, Instrument

from ...gateway import VenueRules
from ...orders import Ticket
from ...reports import AccountReport, Report, ReportKind, VenueQuote
from . import messages
from .messages import MOST_LEVELS, QuoteSaid, Reject
from .session import MOST_TEXT, GapFill, Malformed, ServerSession

SHOWN_LEVELS = 10


class Engine(Protocol):
    """What matches orders: does no I/O, and is told the time. `listen`: who hears what is said to one account."""

    @property
    def rules(self) -> VenueRules: ...
    @property
    def next_expiry_ns(self) -> int | None: ...
    def listen(self, account: str, hears: Callable[[Report], None] | None) -> None: ...
    def submit(self, account: str, ticket: Ticket, now_ns: int) -> None: ...
    def cancel(self, account: str, client_id: str, now_ns: int) -> None: ...
    def replace(
        self, account: str, client_id: str, quantity_increments: int, limit_increments: int | None, now_ns: int
    ) -> None: ...
    def query(self, account: str, client_id: str, now_ns: int) -> None: ...
    def query_fills(self, account: str, client_id: str, now_ns: int) -> None: ...
    def account_report(self, account: str, now_ns: int) -> AccountReport: ...
    def quote(self, instrument: Instrument, now_ns: int, levels: int = SHOWN_LEVELS) -> VenueQuote | None: ...
    def on_market(self, event: Data) -> None: ...
    def expire(self, now_ns: int) -> None: ...


class Catalogue:
    """The instruments of one engine, each definition with a number that no other ever had."""

    def __init__(self) -> None:
        self.by_number: dict[int, Instrument] = {}  # as they are now
        self._numbers: dict[str, int] = {}
        self._last = 0

    def define(self, instrument: Instrument) -> bool:
        """Know `instrument` from now on, in the place of another of its name. Whether that is news."""
        number = self._numbers.get(instrument.name, 0)
        known = self.by_number.get(number)
        if known is not None and known == instrument:
            self.by_number[number] = instrument
            return known.status is not instrument.status
        self.by_number.pop(number, None)
        self._last = self._numbers[instrument.name] = self._last + 1
        self.by_number[self._last] = instrument
        return True

    def named(self, name: str) -> Instrument | None:
        """The one of that name."""
        number = self._numbers.get(name)
        return None if number is None else self.by_number[number]

    def contents(self, *names: str) -> list[bytes]:
        """What INSTRUMENTS says: of those named, or of all."""
        numbers = [self._numbers[name] for name in names] or list(self.by_number)
        return messages.definitions_said(messages.definition(one, self.by_number[one]) for one in numbers)


@attrs.frozen
class Front:
    """An engine and who may trade there. `accounts`: their tokens; "" where none is asked for, on loopback only."""

    engine: Engine
    accounts: Mapping[str, str] = attrs.field(repr=False)
    instruments: Iterable[Instrument] = ()


class Mouth(Protocol):
    """Where an account is listened to at the moment."""

    def send(self, data: bytes) -> None:
        """Send frames."""
        ...


class Desk:
    """Serves one account, whichever connection it has, if any."""

    def __init__(self, account: str, front: Front, catalogue: Catalogue, clock: Clock) -> None:
        self.account, self.front, self.catalogue, self._clock = account, front, catalogue, clock
        self.session = ServerSession()
        self.mouth: Mouth | None = None  # of the connection that is logged in

    def say(self, message: messages.ServerMessage) -> None:
        """Number and keep it, and send it if somebody listens."""
        if not self.session.id:
            return  # nobody ever logged in, and who does will ask
        data = self.session.say(messages.encode(message), self._clock.monotonic_ns())
        if self.mouth is not None:
            self.mouth.send(data)

    def report(self, report: Report) -> None:
        """The engine's word about an order."""
        if len(report.reason) > MOST_TEXT:
            report = replace(report, reason=report.reason[:MOST_TEXT])
        self.say(messages.ReportSaid(report))

    def take(self, number: int, frame: memoryview | bytes) -> None:
        """Do what message `number` asks for."""
        now_ns = self._clock.now_ns()
        try:
            message = messages.read_client(frame)
        except Malformed as error:
            kind, client_id = messages.told(frame)
            self.say(Reject(number, kind, client_id, str(error)[:MOST_TEXT], now_ns))
            return
        engine, account = self.front.engine, self.account
        match message:
            case messages.NewOrder():
                self._submit(message, now_ns)
            case messages.Cancel(client_id):
                engine.cancel(account, client_id, now_ns)
            case messages.Replace(client_id, quantity, limit):
                engine.replace(account, client_id, quantity, limit, now_ns)
            case messages.QueryOrder(client_id):
                engine.query(account, client_id, now_ns)
            case messages.QueryFills(client_id):
                engine.query_fills(account, client_id, now_ns)
            case messages.QueryAccount():
                for part in messages.account_parts(number, engine.account_report(account, now_ns)):
                    self.say(part)
            case messages.QueryQuote(name):
                self._quote(number, name, now_ns)
            case GapFill():
                pass

    def _submit(self, order: messages.NewOrder, now_ns: int) -> None:
        instrument, why = self.catalogue.by_number.get(order.definition), ""
        rules = self.front.engine.rules
        if instrument is None or instrument.name != order.instrument:
            why = f"{order.instrument}: definition {order.definition} does not hold here; see INSTRUMENTS"
        elif len(order.client_id) > rules.client_id_length or order.client_id.strip(rules.client_id_alphabet):
            why = f"a client id has at most {rules.client_id_length} characters of {rules.client_id_alphabet}"
        if why or instrument is None:
            self.report(Report(ReportKind.REJECTED, order.client_id, now_ns, reason=why))
            return
        self.front.engine.submit(self.account, messages.ticket(order, instrument), now_ns)

    def _quote(self, request: int, name: str, now_ns: int) -> None:
        instrument = self.catalogue.named(name)
        quote = self.front.engine.quote(instrument, now_ns, SHOWN_LEVELS) if instrument is not None else None
        if quote is None:
            self.say(QuoteSaid(request, "", name, (), (), None))
            return
        age_ns = max(0, now_ns - quote.time_ns)
        bids, asks = quote.bids[:MOST_LEVELS], quote.asks[:MOST_LEVELS]
        self.say(QuoteSaid(request, quote.venue, name, bids, asks, age_ns))
