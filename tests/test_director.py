"""The course of a rehearsal: when it ends, what it says meanwhile, and what keeps it from its end."""

import asyncio
import logging
from typing import Any

import pytest

from ticktree import director
from ticktree.actors import ChildSpec, StopReport, Supervisor, System
from ticktree.companion import Ended, Hear, Said
from ticktree.director import Progress, Stage
from ticktree.feeds import FeedAccount
from ticktree.feeds.playback.process import State

from .probe import DEADLINE_S, Probe

A, B = 0, 1


class Exchanges:
    """In their place: says what a test has it say."""

    name = "recorded exchanges"

    def __init__(self) -> None:
        self.heard: Hear | None = None

    def hear(self, heard: Hear | None) -> None:
        self.heard = heard

    def say(self, *states: State) -> None:
        for state in states:
            self.tell(Said(self.name, state.line))

    def tell(self, what: Said | Ended) -> None:
        assert self.heard is not None
        self.heard(what)


class Rig:
    """A rehearsal of the feeds a and b: their accounts, what is said of it, and its system."""

    def __init__(self, *others: ChildSpec, every_s: float = 2.0) -> None:
        self.accounts = {"a": FeedAccount(live=True), "b": FeedAccount(live=True)}
        self.exchanges, self.shown = Exchanges(), list[str]()
        assembly: Any = self
        exchanges: Any = self.exchanges
        self.stage = Stage(("a", "b"), exchanges, assembly, Progress(self.shown.append, every_s))
        self._looks, self._looked = 0, asyncio.Event()
        self._system = System(Supervisor((*others, self.stage.director)))

    def system(self) -> System:
        """It is asked for with each look."""
        self._looks += 1
        self._looked.set()
        return self._system

    async def looked(self) -> None:
        """Wait until the director has looked at what it heard before."""
        looks = self._looks
        async with asyncio.timeout(DEADLINE_S):
            while self._looks < looks + 5:
                self._looked.clear()
                await self._looked.wait()

    async def __aenter__(self) -> "Rig":
        await self._system.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._system.stop()

    async def ended(self) -> StopReport:
        async with asyncio.timeout(DEADLINE_S):
            return await self._system.wait()


def state(index: int, told: int, read: bool = False, waiting: bool = False, torn_bytes: int = 0) -> State:
    return State(index, told, 10, 1_000_000_000 * told, waiting, read, 0, 0.5, torn_bytes)


async def test_it_ends_when_all_exchanges_were_told_and_read(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "ticktree.rehearsal")
    async with Rig() as rig:
        rig.exchanges.say(state(A, 10, read=True))
        assert not rig.stage.read
        rig.exchanges.say(state(B, 4), state(B, 10, read=True))
        report = await rig.ended()
    assert (report.exit_code, rig.stage.failure, rig.stage.told) == (0, "", 20)
    assert "all was told and read: 20 messages in 0.50 s" in caplog.messages
    assert rig.exchanges.heard is None


async def test_before_its_end_everybody_has_handled_what_was_read() -> None:
    probe = Probe()
    async with Rig(probe.spec) as rig:
        rig.accounts["b"].live = False  # its books are not right yet
        rig.exchanges.say(state(A, 10, read=True), state(B, 10, read=True))
        await rig.looked()
        assert rig.stage.read
        assert not rig.system().stopping
        rig.accounts["b"].live = True
        await rig.ended()
    assert rig.stage.settled


async def test_what_is_never_handled_does_not_keep_it_from_its_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(director, "SETTLES_WITHIN_S", 0.01)
    async with Rig() as rig:
        rig.accounts["a"].live = False
        rig.exchanges.say(state(A, 10, read=True), state(B, 10, read=True))
        assert (await rig.ended()).exit_code == 0
    assert "feeds or mailboxes are not done with it after 0.01 s: stopping all the same" in caplog.messages


async def test_exchanges_that_end_before_all_was_told_are_a_failure() -> None:
    async with Rig() as rig:
        rig.exchanges.say(state(A, 10, read=True), state(B, 4))
        rig.exchanges.tell(Ended("recorded exchanges", 1))
        await rig.ended()
    assert rig.stage.failure == "recorded exchanges ended with code 1 before all was told"


async def test_a_feed_that_does_not_subscribe_is_a_failure_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(director, "BEGINS_WITHIN_S", 0.2)
    async with Rig() as rig:
        rig.accounts["b"].errors["Refused"] += 2
        rig.exchanges.say(state(A, 10, read=True), state(B, 0, waiting=True))
        await rig.ended()
    assert rig.stage.failure == "feed b did not subscribe within 0.2 s (Refused: 2); the log says more"


async def test_one_that_does_not_come_back_after_a_cut_is_one_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(director, "RETURNS_WITHIN_S", 0.2)
    async with Rig() as rig:
        rig.exchanges.say(state(A, 3), state(A, 3, waiting=True), state(B, 10, read=True))
        await rig.ended()
    assert rig.stage.failure == "feed a did not subscribe within 0.2 s (no error); the log says more"


async def test_who_looks_on_is_told_how_far_it_is() -> None:
    async with Rig(every_s=0.0) as rig:
        rig.exchanges.say(state(A, 3, waiting=True))
        await rig.looked()
    assert rig.shown[-1].startswith(
        "a 3 of 10, 1970-01-01 00:00:03 UTC, waiting for the feed; b has not begun; 0 messages a second"
    )


async def test_that_a_recording_was_cut_off_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    async with Rig() as rig:
        rig.exchanges.say(state(A, 1, torn_bytes=7), state(A, 10, read=True, torn_bytes=7), state(B, 10, read=True))
        await rig.ended()
    assert caplog.messages.count("the recording for a was cut off: it is rehearsed up to there") == 1


async def test_other_lines_of_theirs_are_passed_on(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "ticktree.rehearsal")
    async with Rig() as rig:
        rig.exchanges.tell(Said("recorded exchanges", "something in words"))
        await rig.looked()
    assert "recorded exchanges: something in words" in caplog.messages
