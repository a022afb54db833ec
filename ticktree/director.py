"""The course of a rehearsal: hears how far the recorded exchanges are, says it, and ends the run when all is over."""

import logging
from collections.abc import Callable, Sequence

import attrs

from ticktree.actors import Actor, ChildSpec, Fail, Mailbox, Reason, System
from ticktree.feeds.playback.process import State, time_of

from .assembly import Assembly
from .companion import Companion, Ended, Said, hear_in_loop

log = logging.getLogger("ticktree.rehearsal")

PATH = "director"
LOOK_S = 0.05
BEGINS_WITHIN_S = 20.0  # each feed, before it is said that it does not subscribe
RETURNS_WITHIN_S = 90.0  # after a cut: longer than any sensible pause between two attempts
SETTLES_WITHIN_S = 5.0  # for feeds to mend their books, and for mailboxes to empty, once all was told
NS = 1_000_000_000

Show = Callable[[str], None]


@attrs.frozen
class Progress:
    """Who is shown how far it is, and how often; nobody unless told."""

    show: Show | None = None
    every_s: float = 2.0


@attrs.frozen
class Look:
    """Time to see how far it is."""


class Stage:
    """What the exchanges tell of themselves, and whether it is over. `failure`: why it did not come to its end."""

    def __init__(self, feeds: Sequence[str], exchanges: Companion, assembly: Assembly, progress: Progress) -> None:
        self.feeds, self.exchanges, self.assembly, self.progress = feeds, exchanges, assembly, progress
        self.states = dict[int, State]()  # by the place of its feed in `feeds`
        self.failure = ""

    @property
    def director(self) -> ChildSpec:
        """For the audience of the assembly."""
        return ChildSpec(PATH, lambda: Director(self), Mailbox(65_536, Fail()))

    @property
    def system(self) -> System:
        """That the rehearsal is."""
        return self.assembly.system()

    @property
    def told(self) -> int:
        """How many messages were told by all exchanges."""
        return sum(state.told for state in self.states.values())

    @property
    def read(self) -> bool:
        """Whether all was told, and read."""
        return len(self.states) == len(self.feeds) and all(state.read for state in self.states.values())

    @property
    def settled(self) -> bool:
        """Whether nothing is left to be done with what was read: books are right, mailboxes empty."""
        return all(self.assembly.accounts[feed].live for feed in self.feeds) and not any(
            node.mailbox.queued or node.mailbox.in_handler
            for node in self.system.snapshot().actors()
            if node.path != PATH
        )

    def line(self, rate: float) -> str:
        """How far it is, in one line; `rate` in messages a second."""
        parts = list[str]()
        for index, feed in enumerate(self.feeds):
            state = self.states.get(index)
            if state is None or not state.told:
                parts.append(f"{feed} has not begun")
            else:
                waits = ", waiting for the feed" if state.waiting else ""
                parts.append(f"{feed} {state.told:,} of {state.total:,}, {time_of(state.time_ns)}{waits}")
        return f"{'; '.join(parts)}; {rate:,.0f} messages a second"


class Director(Actor[Said | Ended | Look]):
    """Hears the exchanges, says how far it is, and ends the system when all is over, or cannot be any more."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._began_ns = self._read_ns = self._shown_ns = 0
        self._shown = 0
        self._moved_ns = dict[int, int]()  # by feed: when its exchange last told something, or was not waiting

    def on_start(self) -> None:
        hear_in_loop([self._stage.exchanges], self.ref.tell)
        self._began_ns = self._shown_ns = self.clock.monotonic_ns()
        self.every(LOOK_S, Look())

    def on_message(self, message: Said | Ended | Look) -> None:
        match message:
            case Said(name, line):
                self._heard(name, line)
            case Ended(name, code):
                self._fail(f"{name} ended with code {code} before all was told")
            case Look():
                self._look(self.clock.monotonic_ns())

    def on_stop(self, reason: Reason) -> None:
        self._stage.exchanges.hear(None)

    def _heard(self, name: str, line: str) -> None:
        states = self._stage.states
        try:
            state = State.parse(line)
        except ValueError:
            log.info("%s: %s", name, line)
            return
        before = states.get(state.index)
        if before is None and state.torn_bytes:
            log.warning("the recording for %s was cut off: it is rehearsed up to there", self._stage.feeds[state.index])
        if before is None or before.told < state.told or not state.waiting:
            self._moved_ns[state.index] = self.clock.monotonic_ns()
        states[state.index] = state

    def _look(self, now_ns: int) -> None:
        stage = self._stage
        if stage.system.stopping:
            return
        if stage.read:
            self._read_ns = self._read_ns or now_ns
            if stage.settled or now_ns - self._read_ns > SETTLES_WITHIN_S * NS:
                self._finish()
            return
        self._look_for_stuck(now_ns)
        self._show(now_ns)

    def _show(self, now_ns: int) -> None:
        stage, progress = self._stage, self._stage.progress
        if progress.show is not None and now_ns - self._shown_ns >= progress.every_s * NS:
            rate = (stage.told - self._shown) * NS / (now_ns - self._shown_ns)
            self._shown, self._shown_ns = stage.told, now_ns
            progress.show(stage.line(rate))

    def _finish(self) -> None:
        stage = self._stage
        took_s = max(state.took_s for state in stage.states.values())
        log.info("all was told and read: %d messages in %.2f s", stage.told, took_s)
        if not stage.settled:
            log.warning("feeds or mailboxes are not done with it after %g s: stopping all the same", SETTLES_WITHIN_S)
        stage.system.begin_stop()

    def _look_for_stuck(self, now_ns: int) -> None:
        for index, feed in enumerate(self._stage.feeds):
            state = self._stage.states.get(index)
            within_s = RETURNS_WITHIN_S if state is not None and state.told else BEGINS_WITHIN_S
            if now_ns - self._moved_ns.get(index, self._began_ns) > within_s * NS:
                errors = self._stage.assembly.accounts[feed].errors
                told = ", ".join(f"{error}: {count}" for error, count in errors.items()) or "no error"
                self._fail(f"feed {feed} did not subscribe within {within_s:g} s ({told}); the log says more")

    def _fail(self, why: str) -> None:
        if not self._stage.failure and not self._stage.system.stopping:
            self._stage.failure = why
            log.error("%s", why)
            self._stage.system.begin_stop()
