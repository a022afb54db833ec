"""The recorded exchange in its process: what it says while it serves, and how it ends."""

import asyncio
import threading

import aiohttp
import pytest

from ticktree.feeds.playback import RecordedExchange, Start, process
from ticktree.feeds.playback.process import Service, State, progress, serve, summary
from ticktree.feeds.recording import Entry

from ...probe import DEADLINE_S
from .simple import PlayedSimply, told

AT_ONCE = Start(quiet_s=0)


class Listener(threading.Thread):
    """Listens to stream a at the address that is said first, and keeps what it hears."""

    def __init__(self) -> None:
        super().__init__(name="listener")
        self.heard = list[str]()
        self.said = list[str]()

    def say(self, line: str) -> None:
        self.said.append(line)
        if len(self.said) == 1:
            self.start()

    def run(self) -> None:
        asyncio.run(self._listen(self.said[0].split()[0]))

    async def _listen(self, url: str) -> None:
        async with aiohttp.ClientSession() as session, session.ws_connect(f"{url}?streams=a") as websocket:
            async for message in websocket:
                self.heard.append(message.data)


def test_it_says_where_it_listens_tells_everything_and_then_what_it_did() -> None:
    listener = Listener()
    report = serve([Service(PlayedSimply(told("a 1", "b 1", "a 2")), None, start=AT_ONCE)], listener.say)
    listener.join(DEADLINE_S)
    assert report.exit_code == 0
    assert listener.heard == ["welcome", "a 1", "a 2"]
    websockets, http, last = listener.said
    assert websockets.startswith("ws://127.0.0.1:")
    assert websockets.endswith("/here  simple, WebSockets")
    assert http.endswith("  simple, HTTP")
    assert last == ("3 of 3 messages told, to 1970-01-01 00:00:03 UTC; 1 connection, 0 questions answered, 0 cuts")


def test_who_watches_is_told_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "PROGRESS_S", 0.01)
    shown = list[str]()
    serve([Service(PlayedSimply(told("a 1")), None, for_s=0.5)], lambda _: None, shown.append, "asyncio")
    assert shown[0] == "0 of 1 message; waiting for clients to subscribe"


def test_a_failure_of_its_own_is_no_good_end() -> None:
    class Failing(PlayedSimply):
        def advance(self, entry: Entry) -> None:
            raise RuntimeError("no")

    listener = Listener()
    report = serve([Service(Failing(told("a 1")), None, start=AT_ONCE)], listener.say)
    listener.join(DEADLINE_S)
    assert report.exit_code == 1


def test_of_several_each_says_where_it_listens_and_what_it_did() -> None:
    listener = Listener()
    two = Service(PlayedSimply(told("a 1", "a 2")), None, start=AT_ONCE, for_s=0.5)
    report = serve([Service(PlayedSimply(told("a 1")), None, start=AT_ONCE), two], listener.say)
    listener.join(DEADLINE_S)
    assert report.exit_code == 0
    assert [line.split(", ")[-1] for line in listener.said[:4]] == ["WebSockets", "HTTP", "WebSockets", "HTTP"]
    assert len(set(listener.said[:4])) == 4
    assert [line.partition(" told")[0] for line in listener.said[4:]] == [
        "simple: 1 of 1 message",
        "simple: 0 of 2 messages",  # nobody listened to it
    ]


def test_one_that_is_rehearsed_says_its_state_and_stays_when_all_was_told() -> None:
    listener = Listener()
    rehearsed = Service(PlayedSimply(told("a 1", "a 2")), None, start=AT_ONCE, for_s=1.0, rehearsal=True, torn_bytes=7)
    serve([rehearsed], listener.say)
    listener.join(DEADLINE_S)
    states = [State.parse(line) for line in listener.said if line.startswith("{")]
    last = states[-1]
    assert (last.index, last.told, last.total, last.time_ns, last.torn_bytes) == (0, 2, 2, 2_000_000_000, 7)
    assert [state.read for state in states[-2:]] == [True, True]  # it went on to say so
    assert last.took_s > 0
    with pytest.raises(ValueError, match="object"):
        State.parse(listener.said[-1])


async def test_progress_has_the_time_that_is_reached_and_the_rate() -> None:
    exchange = RecordedExchange(PlayedSimply(told("a 1", "a 2", "a 3")))
    exchange.skip(2)
    exchange.waiting = False
    assert progress(exchange, 1234.5) == "2 of 3 messages, 1970-01-01 00:00:02 UTC, 1,234 a second, 0 clients"
    assert summary(exchange).startswith("2 of 3 messages told, to 1970-01-01 00:00:02 UTC; ")
