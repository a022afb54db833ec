"""One run of the demo before its audience: who sits in it, and what they see."""

import logging
from collections.abc import Callable
from functools import partial

import attrs
from rich.console import Console

from ticktree.actors import Actor, ChildSpec, Fail, Mailbox
from ticktree.routing import Policy

from ..app import ExitReport, attempt
from ..assembly import Assembly
from ..companion import Companion, Ended, Said, watching
from ..curtain import curtain
from .ending import wrong
from .painter import Painter
from .picture import Camera, Picture, money
from .places import NORTH, SOUTH
from .show import Kept, Wishes
from .story import Milestones, Plan, narrator
from .tally import ENDS, OPEN
from .trading import READ_BY
from .view import Show, page

log = logging.getLogger("ticktree.demo")

KILL_AT = 0.4  # part of the time
REFRESH_S, STATUS_S = 0.25, 2.0


@attrs.frozen
class Refresh:
    """Time for another picture."""


class Viewer(Actor[Refresh]):
    """Takes a picture now and then, and passes it on."""

    def __init__(self, camera: Camera, every_s: float, show: Callable[[Picture], None]) -> None:
        self._camera, self._every_s, self._show = camera, every_s, show

    def on_start(self) -> None:
        self.every(self._every_s, Refresh())

    def on_message(self, message: Refresh) -> None:
        self._show(self._camera.take())


class Performance:
    """One run, before an audience: the narrator, a viewer, who watches the street, and the curtain."""

    def __init__(self, wishes: Wishes, assembly: Assembly, street: Companion) -> None:
        self._wishes, self._assembly, self._street = wishes, assembly, street
        self.camera, self.milestones = Camera(assembly), Milestones()
        self._deserted = False

    def play(self, kept: Kept | None) -> ExitReport:
        """Until its end; blocks. On a screen that shows what is `kept` of the log too, or in lines. Raises
        `StartFailed`."""
        if kept is None:
            return self._run(STATUS_S, self._say)
        with Painter(Console()) as painter:
            return self._run(REFRESH_S, partial(self._draw, painter, kept, self._show()))

    def wrong(self, report: ExitReport) -> list[str]:
        """What must never be; empty when all is well."""
        return [*(["the street ended before us"] if self._deserted else []), *wrong(report)]

    def _run(self, every_s: float, show: Callable[[Picture], None]) -> ExitReport:
        plan = Plan(self._wishes.began_ns, NORTH, KILL_AT * self._wishes.for_s, SOUTH)
        report = attempt(
            self._assembly,
            narrator(self._assembly, plan, self.milestones),
            ChildSpec("viewer", lambda: Viewer(self.camera, every_s, show), Mailbox(16, Fail())),
            watching([self._street], self._heard),
            curtain(self._assembly.system, self._wishes.for_s),
            deaf_at_end=True,
        )
        if report.failed is not None:
            raise report.failed
        return report

    def _heard(self, what: Said | Ended) -> None:
        if isinstance(what, Ended):
            log.error("the street has ended, with code %d: there is nothing left to trade with", what.code)
            self._deserted = True
            self._assembly.system().begin_stop()

    def _show(self) -> Show:
        policies = {router.name: words(router.policy) for router in self._assembly.app.routers}
        return Show("ticktree demo   PAPER: all is simulated here", self._wishes.for_s, READ_BY, policies)

    def _draw(self, painter: Painter, kept: Kept, show: Show, picture: Picture) -> None:
        painter.show(partial(page, show, picture, self.milestones.first_fill_s, tuple(kept.lines)))

    def _say(self, picture: Picture) -> None:
        log.info("%s", status(picture))


def words(policy: Policy) -> str:
    """AllOf: alpha, beta."""
    return f"{type(policy).__name__}: {', '.join(policy.venues)}"


def status(picture: Picture) -> str:
    """A picture in one line."""
    feeds = ", ".join(f"{feed.name} {feed.state} {feed.events_per_s:,.0f}/s" for feed in picture.feeds)
    orders = ", ".join(f"{sum(row[state] for row in picture.orders.values()):,} {state}" for state in (OPEN, *ENDS[:3]))
    return f"{feeds}; orders: {orders}; {picture.fills:,} fills, profit {money(picture.profit)}"
