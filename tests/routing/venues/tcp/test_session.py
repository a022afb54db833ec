"""Numbers, logins and what is said again: every message once and in order, or reported never received."""

from collections.abc import Callable

import attrs
import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from ticktree.routing.venues.tcp import Malformed, ProtocolError, SequenceBroken
from ticktree.routing.venues.tcp.session import (
    CONFIRM_EVERY,
    GAP_FILL,
    VERSION,
    ClientSession,
    Heartbeat,
    LoggedIn,
    Login,
    Outgoing,
    Resend,
    Reset,
    ServerSession,
    frame,
    number_of,
    read,
    said,
)

from .rig import frames_of

NO_RULES = b"\x90"
WITHIN_NS = 2_000


def logged_in(session: str, expected: int) -> LoggedIn:
    return LoggedIn(VERSION, session, expected, 1.0, 0, True, msgspec.Raw(NO_RULES))


def client(*bodies: tuple[bytes, Resend], at_ns: int = 0) -> ClientSession:
    """A client in session "s" that has said these."""
    made = ClientSession("one", WITHIN_NS)
    made.logged_in(logged_in("s", 1), 0)
    for body, resend in bodies:
        made.said.say(body, at_ns, resend, body)
    return made


def test_what_was_not_received_is_said_again_with_the_same_bytes() -> None:
    session = client((b"a", Resend.YOUNG), (b"b", Resend.ALWAYS))
    resumed = session.logged_in(logged_in("s", 1), WITHIN_NS)
    assert resumed.frames == (frame(1, b"a"), frame(2, b"b"))
    assert resumed.given_up == ()


def test_what_was_received_is_not_said_again() -> None:
    session = client((b"a", Resend.YOUNG), (b"b", Resend.YOUNG))
    assert session.logged_in(logged_in("s", 2), 0).frames == (frame(2, b"b"),)
    assert session.logged_in(logged_in("s", 3), 0).frames == ()


def test_an_old_submit_is_given_up_and_a_cancel_never() -> None:
    session = client((b"submit", Resend.YOUNG), (b"cancel", Resend.ALWAYS), (b"query", Resend.NEVER))
    resumed = session.logged_in(logged_in("s", 1), WITHIN_NS + 1)
    assert resumed.frames == (frame(1, GAP_FILL), frame(2, b"cancel"), frame(3, GAP_FILL))
    assert resumed.given_up == (b"submit",)


def test_what_was_given_up_stays_so_although_the_gap_fill_was_lost() -> None:
    session = client((b"submit", Resend.YOUNG))
    session.logged_in(logged_in("s", 1), WITHIN_NS + 1)
    again = session.logged_in(logged_in("s", 1), WITHIN_NS + 2)
    assert (again.frames, again.given_up) == ((frame(1, GAP_FILL),), ())


def test_the_age_counts_from_when_it_was_first_said() -> None:
    session = client((b"submit", Resend.YOUNG), at_ns=0)
    assert session.logged_in(logged_in("s", 1), WITHIN_NS).given_up == ()
    assert session.logged_in(logged_in("s", 1), WITHIN_NS + 1).given_up == (b"submit",)


def test_nothing_is_known_of_what_was_said_to_a_server_that_forgot() -> None:
    session = client((b"submit", Resend.YOUNG))
    resumed = session.logged_in(logged_in("t", 1), WITHIN_NS + 1)
    assert (resumed.frames, resumed.given_up, resumed.anew) == ((), (), True)
    assert (session.said.next, session.heard.expected, session.id) == (1, 1, "t")


@pytest.mark.parametrize(("session", "expected"), [("s", 3), ("t", 2)])
def test_a_server_that_expects_what_cannot_be_is_not_believed(session: str, expected: int) -> None:
    made = client((b"a", Resend.YOUNG))
    with pytest.raises(ProtocolError):
        made.logged_in(logged_in(session, expected), 0)
    made.forget()
    assert made.id == ""


def test_a_server_that_expects_what_it_confirmed_is_not_believed() -> None:
    made = client((b"a", Resend.YOUNG), (b"b", Resend.YOUNG))
    made.said.confirm(3)
    with pytest.raises(ProtocolError):
        made.logged_in(logged_in("s", 2), 0)


def test_a_confirmation_of_what_was_never_said_ends_the_session() -> None:
    with pytest.raises(ProtocolError):
        client((b"a", Resend.YOUNG)).said.confirm(3)


def test_duplicates_are_ignored_and_gaps_end_the_session() -> None:
    heard = client().heard
    assert heard.is_next(1)
    heard.took()
    assert not heard.is_next(1)
    assert heard.duplicates == 1
    with pytest.raises(SequenceBroken) as raised:
        heard.is_next(3)
    assert (raised.value.expected, raised.value.found) == (2, 3)


def test_it_is_time_to_confirm_after_so_many_messages() -> None:
    heard = client().heard
    confirmed = [heard.took() for _ in range(2 * CONFIRM_EVERY)]
    assert sum(confirmed) == 2


def test_a_server_keeps_what_is_not_confirmed_up_to_its_bound_and_says_so() -> None:
    server = ServerSession(most_kept=3)
    assert not server.login(Login(1, "alpha", "", "one"), "s")
    for body in (b"1", b"2", b"3", b"4", b"5"):
        server.say(body, 0)
    assert server.login(Login(1, "alpha", "", "one", "s", 2), "t")
    assert server.resume(2) == [said(Reset(3)), frame(3, b"3"), frame(4, b"4"), frame(5, b"5")]
    assert server.login(Login(1, "alpha", "", "one", "s", 4), "t")
    assert server.resume(4) == [frame(4, b"4"), frame(5, b"5")]
    assert server.said.kept_bytes == len(frame(4, b"4") + frame(5, b"5"))


def test_a_server_keeps_so_many_bytes_at_most() -> None:
    server = ServerSession(most_kept_bytes=1_000)
    server.login(Login(1, "alpha", "", "one"), "s")
    for _ in range(10):
        server.say(b"x" * 400, 0)
    assert server.said.kept_bytes <= 1_000
    assert server.said.first == 9


@pytest.mark.parametrize(
    "login",
    [
        Login(1, "alpha", "", "two", "s", 1),  # another instance
        Login(1, "alpha", "", "one", "r", 1),  # of another session
        Login(1, "alpha", "", "one", "", 1),  # that has lost its session
        Login(1, "alpha", "", "one", "s", 3),  # that heard what was never said
    ],
)
def test_a_login_that_does_not_go_on_begins_anew(login: Login) -> None:
    server = ServerSession()
    server.login(Login(1, "alpha", "", "one"), "s")
    server.say(b"1", 0)
    server.heard.took()
    assert not server.login(login, "fresh")
    assert (server.id, server.instance, server.said.next, server.heard.expected) == ("fresh", login.instance, 1, 1)
    assert server.resume(1) == []


def test_a_client_whose_messages_nobody_confirms_is_full() -> None:
    out = Outgoing(2, 1_000)
    seen = list[bool]()
    for step in (lambda: out.say(b"a", 0), lambda: out.say(b"b", 0), lambda: out.confirm(2)):
        step()
        seen.append(out.full)
    assert seen == [False, True, False]


def test_a_reset_backwards_is_not_believed() -> None:
    made = client()
    made.reset(Reset(5))
    assert made.heard.expected == 5
    with pytest.raises(ProtocolError):
        made.reset(Reset(4))


def test_frames_without_a_body_are_malformed() -> None:
    for data in (b"", b"\0" * 8):
        with pytest.raises(Malformed):
            number_of(data)


# --- the law ---------------------------------------------------------------------------------------------------------


@attrs.define
class Side:
    """One end: what its application was handed, and the bytes on their way to it."""

    heard: list[bytes] = attrs.field(factory=list[bytes])
    wire: bytearray = attrs.field(factory=bytearray)
    rest: bytes = b""


class World:
    """Bytes arrive in any pieces, connections break at any of them, processes lose their state."""

    def __init__(self) -> None:
        self.instances = self.sessions = self.bodies = 0
        self.client_side, self.server_side = Side(), Side()
        self.connected = self.server_in = self.client_in = False
        self.now_ns = 0
        self.never: list[bytes] = []
        self.submitted: dict[bytes, bool] = {}  # those of which the end must be known; by whether it must
        self.said: list[bytes] = []  # all that the client said
        self.told: list[bytes] = []  # and the server, in the session that there is
        self.resets = 0
        self.acted: list[bytes] = []  # all that the server's application was ever handed
        self.server = ServerSession(most_kept=6)
        self.new_client()

    def new_client(self) -> None:
        self.instances += 1
        self.client = ClientSession(f"instance-{self.instances}", WITHIN_NS)

    def body(self, what: str) -> bytes:
        self.bodies += 1
        return f"{what} {self.bodies}".encode()

    # --- the wire

    def connect(self) -> None:
        self.connected, self.client_in, self.server_in = True, False, False
        self.client_side.wire, self.client_side.rest = bytearray(), b""
        self.server_side.wire, self.server_side.rest = bytearray(), b""
        self.server_side.wire += self.client.login("alpha", "")

    def disconnect(self, _: int = 0) -> None:
        self.connected = self.client_in = self.server_in = False

    def bytes_reach_the_server(self, count: int) -> None:
        if not self.connected:
            self.connect()
        for data in self.arrive(self.server_side, count):
            self.server_hears(data)

    def bytes_reach_the_client(self, count: int) -> None:
        if self.connected:
            for data in self.arrive(self.client_side, count):
                self.client_hears(data)

    def all_arrives(self, _: int = 0) -> None:
        """After one connection that holds."""
        if not self.connected:
            self.connect()
        while self.client_side.wire or self.server_side.wire:
            self.bytes_reach_the_server(10_000)
            self.bytes_reach_the_client(10_000)

    def arrive(self, side: Side, count: int) -> list[bytes]:
        side.rest += bytes(side.wire[:count])
        del side.wire[:count]
        frames = list(frames_of(side.rest))
        side.rest = side.rest[sum(len(data) + 4 for data in frames) :]
        return frames

    # --- the two ends, as gateway and server are

    def server_hears(self, data: bytes) -> None:
        number = number_of(data)
        if number:
            assert self.server_in
            if self.server.heard.is_next(number):
                self.server.heard.took()
                if data[8:] != GAP_FILL:
                    self.acted.append(data[8:])
            return
        message = read(data)
        if isinstance(message, Heartbeat):
            self.server.said.confirm(message.expected)
            return
        assert isinstance(message, Login)
        self.sessions += 1
        goes_on = self.server.login(message, f"session-{self.sessions}")
        if not goes_on:
            self.told = []
        self.server_in = True
        self.client_side.wire += said(logged_in(self.server.id, self.server.heard.expected))
        if goes_on:
            self.client_side.wire += b"".join(self.server.resume(message.expected))

    def client_hears(self, data: bytes) -> None:
        number = number_of(data)
        if number:
            assert self.client_in
            if self.client.heard.is_next(number):
                self.client.heard.took()
                self.client_side.heard.append(data[8:])
            return
        match read(data):
            case LoggedIn() as message:
                goes_on = message.session == self.client.id
                if not goes_on:
                    self.client_side.heard = []
                    self.resets = 0
                    self.submitted = dict.fromkeys(self.submitted, False)
                resumed = self.client.logged_in(message, self.now_ns)
                self.never += resumed.given_up
                self.client_in = True
                self.server_side.wire += b"".join(resumed.frames)
            case Reset() as message:
                self.resets += 1
                self.client.reset(message)
            case Heartbeat(expected):
                self.client.said.confirm(expected)
            case other:
                raise AssertionError(other)

    # --- what they say

    def the_client_says(self, which: int) -> None:
        if not self.client_in:
            return
        what = (Resend.YOUNG, Resend.YOUNG, Resend.ALWAYS, Resend.NEVER)[which % 4]
        body = self.body(what.name)
        self.said.append(body)
        if what is not Resend.NEVER:
            self.submitted[body] = True
        self.server_side.wire += self.client.said.say(body, self.now_ns, what, body)

    def the_server_says(self, which: int) -> None:
        if not self.server.id:
            return
        body = self.body("report")
        self.told.append(body)
        data = self.server.say(body, self.now_ns)
        if self.server_in:
            self.client_side.wire += data * (1 + which % 2)  # also twice

    def heartbeats(self, _: int) -> None:
        if self.client_in:
            self.server_side.wire += self.client.heartbeat()
        if self.server_in:
            self.client_side.wire += self.server.heartbeat()

    def time_passes(self, which: int) -> None:
        self.now_ns += (1, WITHIN_NS // 2, WITHIN_NS + 1)[which % 3]

    # --- processes that lose their state

    def the_client_starts_anew(self, _: int) -> None:
        self.disconnect()
        self.new_client()
        self.submitted = dict.fromkeys(self.submitted, False)
        self.client_side.heard, self.resets = [], 0

    def the_server_starts_anew(self, _: int) -> None:
        self.disconnect()
        self.server = ServerSession(most_kept=6)
        self.told = []

    # --- what holds

    def check(self) -> None:
        self.nothing_is_acted_upon_twice_or_out_of_order()
        self.what_was_never_received_is_never_acted_upon()
        self.what_the_client_heard_is_what_was_told_in_order()

    def nothing_is_acted_upon_twice_or_out_of_order(self) -> None:
        assert len(self.acted) == len(set(self.acted))
        places = [self.said.index(body) for body in self.acted]
        assert places == sorted(places)

    def what_was_never_received_is_never_acted_upon(self) -> None:
        assert len(self.never) == len(set(self.never))
        assert not set(self.never) & set(self.acted)

    def what_the_client_heard_is_what_was_told_in_order(self) -> None:
        heard = self.client_side.heard
        if self.client.id and self.client.id == self.server.id:
            if self.resets:
                places = [self.told.index(body) for body in heard]
                assert places == sorted(set(places))
            else:
                assert heard == self.told[: len(heard)]

    def check_the_end(self, later: int) -> None:
        """After one connection that holds, the end of everything is known."""
        self.disconnect()
        self.time_passes(later)
        self.all_arrives()
        for body, must in self.submitted.items():
            known = (body in self.acted) + (body in self.never)
            assert known == 1 if must else known <= 1, (body, must)
        if not self.resets:
            assert self.client_side.heard == self.told
        self.check()


USUAL = (World.the_client_says, World.the_server_says, World.bytes_reach_the_server, World.bytes_reach_the_client)
RARE = (World.the_client_starts_anew, World.the_server_starts_anew)
STEPS = (*USUAL * 4, *(World.all_arrives, World.disconnect, World.time_passes, World.heartbeats) * 2, *RARE)
steps = st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 119)), min_size=20, max_size=60)


@settings(max_examples=150, deadline=None)
@given(steps, st.integers(0, 2))
def test_every_message_arrives_once_and_in_order_or_is_reported_never_received(
    steps: list[tuple[Callable[[World, int], None], int]], later: int
) -> None:
    world = World()
    world.all_arrives()
    for step, count in steps:
        step(world, count)
        world.check()
    world.check_the_end(later)
