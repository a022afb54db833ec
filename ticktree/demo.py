"""The whole system, played to an audience: it starts, trades, loses a part, mends itself, and stops."""

import logging
from collections.abc import Callable
from typing import Any

import attrs

from ticktree.actors import Actor, ChildSpec, Conflate, Down, DropOldest, Mailbox, System
from ticktree.distribution import Hub
from ticktree.feeds.simulated import Market
from ticktree.market import FeedState, FeedStatus, Quote, Topic, latest_quote
from ticktree.strategies import Momentum

from . import console
from .app import App, SimulatedPart, assemble, run_assembly

log = logging.getLogger("ticktree.demo")

FEED = "feeds/simulated"
NONSENSE = "a message that no feed understands"


@attrs.frozen
class BreakFeed:
    """Time to make the feed fail."""


@attrs.frozen
class Finish:
    """Time to end."""


class Narrator(Actor[Any]):
    """Sits in the audience: gets the same data as a strategy, says what it sees, and throws one stone."""

    def __init__(self, hub: Hub, system: Callable[[], System], for_s: float) -> None:
        self._hub, self._system, self._for_s = hub, system, for_s
        self._broken_ns = 0
        self._awaits_first_quote = True

    def on_start(self) -> None:
        started = ", ".join(node.path for node in self._system().snapshot().actors() if node.path != self.path)
        log.info("started, in this order: %s", started)
        self._hub.subscribe(self.ref, [Topic("simulated", "*", "*")])
        self.find(FEED).monitor(self.ref)
        self.after(self._for_s * 0.4, BreakFeed())
        self.after(self._for_s, Finish())

    def on_message(self, message: Any) -> None:
        match message:
            case Quote():
                if self._awaits_first_quote:
                    self._first_quote(message)
            case FeedStatus(_, state, _, _):
                self._awaits_first_quote = state is FeedState.LIVE
            case BreakFeed():
                self._break_feed()
            case Down(path, life, reason):
                log.info("%s: life %d has ended (%s); its supervisor begins another", path, life, reason.kind)
            case Finish():
                log.info("that was the demo: stopping as Ctrl-C would")
                self._system().begin_stop()
            case _:
                pass

    def _first_quote(self, quote: Quote) -> None:
        self._awaits_first_quote = False
        name, sizes = quote.instrument.name, f"{quote.bid_size} x {quote.ask_size}"
        log.info("first quote: %s %.2f / %.2f (%s)", name, quote.bid, quote.ask, sizes)
        if self._broken_ns:
            gap_ms = (self.clock.monotonic_ns() - self._broken_ns) / 1e6
            restarts = {node.path: node.restarts for node in self._system().snapshot().actors() if node.restarts}
            told = ", ".join(f"{path} {count}" for path, count in restarts.items())
            log.info("data flows again, %.0f ms after the failure; restarts in the whole tree: %s", gap_ms, told)

    def _break_feed(self) -> None:
        log.info("now %s is told %s: a fault that ends its life", FEED, NONSENSE)
        self._broken_ns = self.clock.monotonic_ns()
        self.find(FEED).tell(NONSENSE)


def play(for_s: float, seed: int, loop: str = "uvloop") -> int:
    """Run the demo for `for_s` seconds on a `loop` of this kind; the exit code."""
    console.log_to_stdout(tracebacks=False)
    app = attrs.evolve(App.simulated(Momentum), feeds=(SimulatedPart("simulated", Market(seed=seed)),))
    assembly = assemble(app)
    audience = ChildSpec(
        "narrator",
        lambda: Narrator(assembly.hub, lambda: system, for_s),
        Mailbox(4_096, Conflate(latest_quote, otherwise=DropOldest())),
    )
    system = System(attrs.evolve(assembly.tree, children=(*assembly.tree.children, audience)))
    report = run_assembly(assembly, system, loop)
    print(f"\n{report}", flush=True)
    return report.exit_code
