"""`python -m benchmarks.venue PORT FEED_PORT`: an exchange and a venue in one process, which notes when orders come.

One run after the other. Each begins on a control connection: `ORDERS` says what is wanted. Then the venue's connection
comes, and where ticks are wanted the feed's, at its own port. The venue's is served the order-entry protocol by the
same code that real servers use, also where it begins without a login. Every order is accepted and canceled at once.
"""

import select
import socket
import struct
import sys
import time
from array import array
from collections.abc import Iterator
from decimal import Decimal
from typing import NoReturn

import msgspec

from ticktree.actors import LiveClock
from ticktree.market import Data, Instrument, TickFlag, TickKind
from ticktree.market.ticks import RECORD
from ticktree.routing.gateway import VenueRules
from ticktree.routing.orders import Ticket
from ticktree.routing.reports import AccountReport, Report, ReportKind, VenueQuote
from ticktree.routing.venues.tcp import messages, session as sessions
from ticktree.routing.venues.tcp.desk import Catalogue, Desk, Front

ORDERS = struct.Struct("<QQQ")  # ticks, ticks a second (0: each after the former's order), ticks an order
BTC = Instrument("BTC-USDT", 0, Decimal("0.01"), Decimal("0.0001"))
ACCOUNT = "bench"
LENGTH = struct.Struct("<I")
PAUSE_S = 0.002  # after an order was answered, before the next tick: so that everything of the former is done
NEW_ORDER = 0x10  # the tag of a new order, as the second byte of its body
TAG_AT = sessions.BODY_AT + 1


class Agreeable:
    """Accepts every order, and cancels it."""

    rules = VenueRules()
    next_expiry_ns: int | None = None

    def __init__(self) -> None:
        self.say = self._unheard
        self._words = 0

    def _unheard(self, report: Report) -> None:
        raise AssertionError("nobody hears the venue")

    def submit(self, account: str, ticket: Ticket, now_ns: int) -> None:
        for kind in (ReportKind.ACCEPTED, ReportKind.CANCELED):
            self._words += 1
            self.say(Report(kind, ticket.client_id, now_ns, sequence=self._words))

    def cancel(self, account: str, client_id: str, now_ns: int) -> None: ...

    def replace(
        self, account: str, client_id: str, quantity_increments: int, limit_increments: int | None, now_ns: int
    ) -> None: ...

    def query(self, account: str, client_id: str, now_ns: int) -> None: ...

    def query_fills(self, account: str, client_id: str, now_ns: int) -> None: ...

    def account_report(self, account: str, now_ns: int) -> AccountReport:
        return AccountReport((), {}, now_ns)

    def quote(self, instrument: Instrument, now_ns: int, levels: int = 10) -> VenueQuote | None:
        return None

    def on_market(self, event: Data) -> None: ...

    def expire(self, now_ns: int) -> None: ...

    def listen(self, account: str, hears: object) -> None: ...


class Mouth:
    """Gathers what one read is answered with."""

    def __init__(self, client: socket.socket) -> None:
        self._client, self._parts = client, list[bytes]()

    def send(self, data: bytes) -> None:
        self._parts.append(data)

    def flush(self) -> None:
        if self._parts:
            self._client.sendall(b"".join(self._parts))
            self._parts.clear()


class Reader:
    """Cuts frames, without their lengths."""

    def __init__(self, client: socket.socket) -> None:
        self._client, self._rest = client, b""

    def frames(self) -> list[bytes]:
        """Those that one read completed; none at the end."""
        while True:
            data = self._client.recv(1 << 18)
            if not data:
                return []
            self._rest += data
            found, at = list[bytes](), 0
            while at + 4 <= len(self._rest):
                end = at + 4 + int(LENGTH.unpack_from(self._rest, at)[0])
                if end > len(self._rest):
                    break
                found.append(self._rest[at + 4 : end])
                at = end
            self._rest = self._rest[at:]
            if found:
                return found


class Counter:
    """The venue's side of one connection: answers, and says how many orders came."""

    def __init__(self, client: socket.socket) -> None:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.client, self._reader, self._mouth = client, Reader(client), Mouth(client)
        engine, self._catalogue = Agreeable(), Catalogue()
        self._catalogue.define(BTC)
        self._desk = Desk(ACCOUNT, Front(engine, {ACCOUNT: ""}, (BTC,)), self._catalogue, LiveClock())
        engine.say = self._desk.report
        self._desk.mouth = self._mouth
        self._desk.session.id = "bare"

    def orders(self, answer: bool = True) -> list[bytes] | None:
        """Those of the next read, answered unless they are to be by `reply`; None at the end."""
        frames = self._reader.frames()
        if not frames:
            return None
        found = [frame for frame in frames if frame[TAG_AT] == NEW_ORDER and sessions.number_of(frame)]
        for frame in frames:
            if not sessions.number_of(frame):
                self._hear(frame)
            elif answer or frame not in found:
                self._take(frame)
        self._mouth.flush()
        return found

    def reply(self, orders: list[bytes]) -> None:
        """Answer what `orders` left."""
        for frame in orders:
            self._take(frame)
        self._mouth.flush()

    def _take(self, frame: bytes) -> None:
        self._desk.session.heard.took()
        self._desk.take(sessions.number_of(frame), frame)

    def _hear(self, frame: bytes) -> None:
        match sessions.read(frame):
            case sessions.Login() as login:
                session = self._desk.session
                session.login(login, "fresh")
                rules = msgspec.Raw(messages.rules_said(Agreeable.rules))
                now_ns, heartbeat_s = time.time_ns(), 3600.0
                self._mouth.send(
                    sessions.said(sessions.LoggedIn(sessions.VERSION, session.id, 1, heartbeat_s, now_ns, True, rules))
                )
                for content in self._catalogue.contents():
                    self._mouth.send(sessions.said(sessions.Instruments(msgspec.Raw(content), True)))
            case sessions.Heartbeat(expected):
                self._desk.session.said.confirm(expected)
            case _:
                pass


def quotes() -> Iterator[bytes]:
    """Quotes, numbered on."""
    number = 0
    while True:
        number += 1
        price = 100.0 + number % 50
        flags = TickFlag.LAST
        yield RECORD.pack(0, TickKind.QUOTE, flags, 0, number, time.time_ns(), 0, price, 1.0, price + 0.01, 1.0)


def main() -> NoReturn:
    """Serve one run after the other, for ever."""
    address, feeds = ("127.0.0.1", int(sys.argv[1])), ("127.0.0.1", int(sys.argv[2]))
    with socket.create_server(address) as listener, socket.create_server(feeds) as feeding:
        while True:
            control, _ = listener.accept()
            with control:
                asked = control.recv(ORDERS.size, socket.MSG_WAITALL)
                if len(asked) < ORDERS.size:
                    continue
                try:
                    _run(listener, feeding, control, *ORDERS.unpack(asked))
                except OSError as error:
                    print(f"benchmarks.venue: {error}", file=sys.stderr)


def _run(listener: socket.socket, feeding: socket.socket, control: socket.socket, *asked: int) -> None:
    ticks, rate, every = asked
    client, _ = listener.accept()
    with client:
        venue = Counter(client)
        if not ticks:
            while venue.orders() is not None:
                pass
            return
        while feeding not in select.select((feeding, client), (), ())[0]:  # feeds start once the venue takes orders
            if venue.orders() is None:
                return
        feed, _ = feeding.accept()
        with feed:
            feed.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while client in select.select((feed, client), (), ())[0]:  # it logs in, and asks about its account
                if venue.orders() is None:
                    return
            feed.recv(1)  # everybody is ready
            took_ns = _paced(feed, venue, ticks, rate, every) if rate else _in_turn(feed, venue, ticks)
            control.sendall(took_ns.tobytes())
            control.recv(1)


def _in_turn(feed: socket.socket, venue: Counter, ticks: int) -> "array[int]":
    """A tick, its order, and the next."""
    took_ns, ticking = array("q"), quotes()
    for _ in range(ticks):
        tick = next(ticking)
        sent_ns = time.monotonic_ns()
        feed.sendall(tick)
        orders = list[bytes]()
        while not orders:  # else a heartbeat came
            heard = venue.orders(answer=False)
            if heard is None:
                raise OSError("the orders ended")
            orders = heard
        took_ns.append(time.monotonic_ns() - sent_ns)
        venue.reply(orders)
        _wait_until(time.monotonic() + PAUSE_S)
    return took_ns


def _paced(feed: socket.socket, venue: Counter, ticks: int, rate: int, every: int) -> "array[int]":
    """`rate` ticks a second, of which each `every`-th makes an order."""
    took_ns, sent_ns, ticking = array("q"), list[int](), quotes()
    venue.client.settimeout(0.0)
    begin_s, number = time.monotonic() + 0.01, 0
    while len(took_ns) < ticks // every:
        while number < ticks and time.monotonic() >= begin_s + number / rate:
            tick = next(ticking)
            number += 1
            if number % every == 0:
                sent_ns.append(time.monotonic_ns())
            feed.sendall(tick)
        try:
            orders = venue.orders()
        except BlockingIOError:
            continue
        now_ns = time.monotonic_ns()
        if orders is None:
            raise OSError("the orders ended")
        done = len(took_ns)
        took_ns.extend(now_ns - one for one in sent_ns[done : done + len(orders)])
    venue.client.settimeout(None)
    return took_ns


def _wait_until(due_s: float) -> None:
    """Without sleep, which would wake up late."""
    while time.monotonic() < due_s:
        pass


if __name__ == "__main__":
    main()
