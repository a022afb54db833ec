"""The hub for other processes: clients subscribe over TCP, Unix sockets and WebSockets, each with a buffer of its own.

`Relay(hub, listen=...)` describes one; its `tree()` stands in a supervisor tree, before the feeds. `feeds.WireFeed`
reads it as any feed, and docs/wire-protocol.md says what is spoken: at ws://host:port/ the wire protocol in binary
messages, at ws://host:port/json its JSON dialect.

    tree        relay            one_for_one
                ├── clients      simple_one_for_one, one actor a client, never restarted
                ├── porter       lets clients in
                └── server       listens, and looks after who is silent
"""

import logging
import ssl
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import attrs

from ticktree.actors import (
    Actor,
    Backoff,
    Block,
    ChildSpec,
    Conflate,
    DropOldest,
    Fail,
    Mailbox,
    Reason,
    Restart,
    RestartStrategy,
    Supervisor,
)
from ticktree.actors.mailbox import Plain
from ticktree.market import batch_rows, wire
from ticktree.market.messages import MOST_TOPICS
from ticktree.net import (
    Connection,
    Server,
    ShortReads,
    StreamConnection,
    WebSocketAccess,
    WebSocketConnection,
    WebSocketLimits,
)
from ticktree.net.address import Address

from ..errors import BadRelay, UnknownRequest
from ..hub import Hub
from .client import RelayClient
from .figures import ClientFigures, Figures, RelayFigures
from .guest import BEAT_S, Guest
from .lobby import Lobby, Terms
from .porter import RelayPorter
from .speech import ClientFraming, DialectSpeech, WireSpeech

log = logging.getLogger("ticktree.distribution")

LOOPBACK = ("tcp://127.0.0.1:0",)
BUFFER = Mailbox(65_536, DropOldest(), batch_rows)
SPARE_CONNECTIONS = 64  # beyond the clients: to be told that there are enough
STOP_S = 3.0  # for a client's last words
_FEW = Mailbox(1_024, Fail())
_MESSAGES = WebSocketLimits(wire.MOST_BYTES, most_fragments=64)


@attrs.frozen
class Beat:
    """Time to look whether the connections live, and to show that we do."""


def _buffer(mailbox: Mailbox) -> Mailbox:
    return mailbox if mailbox.rows is not None else attrs.evolve(mailbox, rows=batch_rows)


def _plain(mailbox: Mailbox) -> Plain:
    return mailbox.overflow.otherwise if isinstance(mailbox.overflow, Conflate) else mailbox.overflow


def _urls(listen: str | Iterable[str]) -> tuple[str, ...]:
    return (listen,) if isinstance(listen, str) else tuple(listen)


def _above_0(_: object, field: "attrs.Attribute[Any]", value: float) -> None:
    if not value > 0:
        raise BadRelay(f"{field.name} is a number above 0; not {value!r}")


@attrs.frozen
class Relay:
    """A relay of what `hub` distributes, as a value. Raises `BadRelay`, `BadAddress`.

    listen                addresses, tcp://, tls://, unix://, ws:// or wss://; port 0 takes a free one, and keeps it
    token                 what a client's HELLO must say; beyond loopback none is served without
    buffer                each client's: how many ticks may wait for it, and what happens then. DropOldest leaves out
                          the oldest and tells the client how many; Conflate(latest_quote, otherwise=...) replaces
                          quotes; Fail sends the client away; Block() goes with `pauses_feed` only
    pauses_feed           while one client's `Block` buffer is full, the feeds stop reading, for everyone: nothing is
                          left out, as who relays a recording wishes. For live markets it is wrong
    tls                   the certificate, for tls:// and wss://
    access                who may connect over WebSockets: hosts and origins
    most_clients          connected at once; who comes then is refused (`busy`)
    most_waiting          of them, whose HELLO waits for its answer
    most_topics           of one client
    admissions_a_second   HELLOs answered in any second, so that all who come back after an outage do not ask for
                          snapshots at once; the others wait in line
    stuck_after_s         a client that takes nothing for so long, while there is something for it, is cut off
    """

    hub: Hub
    listen: tuple[str, ...] = attrs.field(default=LOOPBACK, converter=_urls, kw_only=True)
    token: str = attrs.field(default="", repr=False, kw_only=True)
    buffer: Mailbox = attrs.field(default=BUFFER, converter=_buffer, kw_only=True)
    pauses_feed: bool = attrs.field(default=False, kw_only=True)
    tls: ssl.SSLContext | None = attrs.field(default=None, kw_only=True)
    access: WebSocketAccess = attrs.field(default=WebSocketAccess(), kw_only=True)
    most_clients: int = attrs.field(default=4_032, validator=_above_0, kw_only=True)
    most_waiting: int = attrs.field(default=2_000, validator=_above_0, kw_only=True)
    most_topics: int = attrs.field(default=MOST_TOPICS, validator=_above_0, kw_only=True)
    admissions_a_second: int = attrs.field(default=100, validator=_above_0, kw_only=True)
    stuck_after_s: float = attrs.field(default=10.0, validator=_above_0, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if not self.listen:
            raise BadRelay('a relay listens somewhere: listen=("tcp://127.0.0.1:7001",)')
        for url in self.listen:
            Address.parse(url)
        if isinstance(_plain(self.buffer), Block) != self.pauses_feed:
            raise BadRelay(
                "pauses_feed stops the feeds while a client's buffer is full: that needs buffer=Mailbox(..., Block())"
                if self.pauses_feed
                else "a relay's buffer with Block() would let one client stop the feeds for everyone: use "
                "DropOldest(), which tells it what was left out, Conflate(...), or Fail(), which sends it away; or, "
                "where nothing may be left out, say pauses_feed=True"
            )

    def tree(self, id: str = "relay") -> Supervisor:
        """What stands in a supervisor tree, before the feeds. What is counted begins anew with each call."""
        fails = isinstance(_plain(self.buffer), Fail)
        lobby = Lobby(
            Terms(
                self.hub,
                self.token,
                self.most_clients,
                self.most_waiting,
                self.most_topics,
                self.admissions_a_second,
                self.stuck_after_s,
                fails,
                self.pauses_feed,
            )
        )
        template = ChildSpec(
            "client", partial(RelayClient, lobby), self.buffer, restart=Restart.TEMPORARY, shutdown=STOP_S
        )
        clients = Supervisor((template,), RestartStrategy.SIMPLE_ONE_FOR_ONE, id="clients")
        porter = ChildSpec("porter", partial(RelayPorter, lobby), _FEW)
        server = ChildSpec("server", partial(RelayServer, self, lobby), _FEW)
        return Supervisor((clients, porter, server), intensity=5, period_s=30.0, id=id, delay=Backoff())


class RelayServer(Actor[Beat | Figures]):
    """Listens, and looks after who is connected. Clients that were let in live on when it fails; it listens again."""

    def __init__(self, relay: Relay, lobby: Lobby) -> None:
        self._relay, self._lobby = relay, lobby

    async def on_start(self) -> None:
        lobby, now_ns = self._lobby, self.clock.now_ns()
        lobby.session = lobby.session or f"{now_ns:016x}"
        self._shut()  # what a life that was killed left open
        for url in self._relay.listen:
            server = self._door(Address.parse(url))
            lobby.doors.append(server)
            lobby.urls[url] = await server.listen(lobby.urls.get(url, url))
            log.info("%s: listens at %s", self.path, lobby.urls[url])
        self.every(BEAT_S, Beat())

    def on_message(self, message: Beat | Figures) -> None:
        match message:
            case Beat():
                for guest in tuple(self._lobby.guests):
                    guest.beat()
            case Figures():
                message.reply(self._figures())
            case _:  # refs found by path take anything
                raise UnknownRequest(self.path, message)

    async def on_stop(self, reason: Reason) -> None:
        self._shut()
        for guest in tuple(self._lobby.guests):
            if guest.ref is None:  # nobody else sees to it
                guest.dismiss("the relay closes")
        await self._lobby.closed()

    # --- listening ---------------------------------------------------------------------------------------------

    def _door(self, address: Address) -> Server:
        relay = self._relay
        access = attrs.evolve(relay.access, most_bytes=wire.MOST_BYTES)
        return Server(
            self._accept_messages(text=False) if address.is_websocket else self._accept_stream,
            relay.tls if address.is_tls else None,
            relay.token,
            relay.most_clients + SPARE_CONNECTIONS,
            access,
            {"json": self._accept_messages(text=True)} if address.is_websocket else {},
        )

    def _accept_stream(self) -> Connection:
        return StreamConnection(Guest(self._lobby, WireSpeech()), ClientFraming(), buffers=ShortReads(wire.MOST_BYTES))

    def _accept_messages(self, text: bool) -> Callable[[], Connection]:
        def accept() -> Connection:
            guest = Guest(self._lobby, DialectSpeech() if text else WireSpeech())
            return WebSocketConnection(guest, text=text, limits=_MESSAGES, heartbeat_s=wire.HEARTBEAT_S)

        return accept

    def _shut(self) -> None:
        doors, self._lobby.doors = self._lobby.doors, []
        for door in doors:
            self._lobby.turned_away += door.refused
            door.shut()

    # --- what can be seen --------------------------------------------------------------------------------------

    def _figures(self) -> RelayFigures:
        lobby = self._lobby
        speeches = [guest.speech for guest in lobby.guests]
        return RelayFigures(
            tuple(lobby.urls.values()),
            tuple(_client(guest) for guest in lobby.guests if guest.ref is not None and guest.connection is not None),
            len(lobby.guests),
            len(lobby.line),
            lobby.admitted,
            lobby.sent + sum(speech.sent for speech in speeches),
            lobby.skipped + sum(speech.skipped for speech in speeches),
            dict(lobby.refused),
            lobby.turned_away + sum(door.refused for door in lobby.doors),
            dict(lobby.lost),
        )


def _client(guest: Guest) -> ClientFigures:
    ref, connection, speech = guest.ref, guest.connection, guest.speech
    assert ref is not None
    assert connection is not None
    buffered = max(0, ref.mailbox.capacity - ref.room) + speech.gathered
    return ClientFigures(
        ref.path, connection.remote, speech.speaks, tuple(guest.topics), speech.sent, speech.skipped, buffered,
        connection.unsent, guest.since_ns,
    )  # fmt: skip
