"""What happens on the way, in words: the first fill, the feed that is killed, the line that is cut, the recoveries."""

import logging
from typing import Any

import attrs

from ticktree.actors import Actor, ActorRef, ChildSpec, Conflate, Down, DropOldest, Mailbox
from ticktree.market import EventKind, FeedState, FeedStatus, Quote, Topic, latest_quote

from ..assembly import Assembly

log = logging.getLogger("ticktree.demo")

LOOK_S = 0.01
NONSENSE = "a message that no feed understands"
MAILBOX = Mailbox(4_096, Conflate(latest_quote, otherwise=DropOldest()))


@attrs.frozen
class Plan:
    """Which feed is killed, and when; which one the street cuts off; `began_ns`: when the command began."""

    began_ns: int
    killed: str
    kill_after_s: float
    cut: str


@attrs.define
class Milestones:
    """What there is to tell in the end. `recovered_ms`: by feed, from its loss to its next quote."""

    first_fill_s: float | None = None
    recovered_ms: dict[str, float] = attrs.field(factory=dict[str, float])


@attrs.frozen
class Look:
    """Time to see whether there was a fill."""


@attrs.frozen
class Kill:
    """Time to make a feed fail."""


class Narrator(Actor[Any]):
    """Sits in the audience: gets the feeds' quotes as a strategy does, says what it sees, and throws one stone."""

    def __init__(self, assembly: Assembly, plan: Plan, milestones: Milestones) -> None:
        self._assembly, self._plan, self._milestones = assembly, plan, milestones
        self._lost_ns: dict[str, int] = {}
        self._back: set[str] = set()  # live again, and no quote yet

    def on_start(self) -> None:
        feeds = self._plan.killed, self._plan.cut
        self._assembly.hub.subscribe(self.ref, [Topic(feed, "*", EventKind.QUOTE) for feed in feeds])
        self._killed().monitor(self.ref)
        self.after(self._plan.kill_after_s, Kill())
        self.after(LOOK_S, Look())

    def on_message(self, message: Any) -> None:
        match message:
            case Quote(feed=feed):
                if feed in self._back:
                    self._flows_again(feed)
            case FeedStatus(feed=feed, state=FeedState.LOST):
                self._lost(feed)
            case FeedStatus(feed=feed):
                if feed in self._lost_ns:
                    self._back.add(feed)
            case Look():
                self._look()
            case Kill():
                log.info("now %s is told %s: a fault that ends its life", self._killed().path, NONSENSE)
                self._lost_ns[self._plan.killed] = self.clock.monotonic_ns()
                self._killed().tell(NONSENSE)
            case Down(path, life, reason):
                log.info("%s: life %d has ended (%s); its supervisor begins another", path, life, reason.kind)
            case _:
                pass

    def _killed(self) -> ActorRef[Any]:
        return self.find(self._assembly.app.supervision.place("feeds", self._plan.killed))

    def _look(self) -> None:
        if not self._assembly.office.ledger.fills:
            self.after(LOOK_S, Look())
            return
        took_s = (self.clock.monotonic_ns() - self._plan.began_ns) / 1e9
        self._milestones.first_fill_s = took_s
        log.info("first fill after %.2f s, counted from the command", took_s)

    def _lost(self, feed: str) -> None:
        if feed == self._plan.cut and feed not in self._lost_ns:
            log.info("the street has cut %s off, in the middle of a message", feed)
        self._lost_ns.setdefault(feed, self.clock.monotonic_ns())

    def _flows_again(self, feed: str) -> None:
        self._back.discard(feed)
        took_ms = (self.clock.monotonic_ns() - self._lost_ns.pop(feed)) / 1e6
        self._milestones.recovered_ms[feed] = took_ms
        log.info("%s flows again, %.0f ms after the failure", feed, took_ms)


def narrator(assembly: Assembly, plan: Plan, milestones: Milestones) -> ChildSpec:
    """For the audience."""
    return ChildSpec("narrator", lambda: Narrator(assembly, plan, milestones), MAILBOX)
