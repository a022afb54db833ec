"""A picture of the whole tree at one instant: what runs, how its mailboxes stand, what it waits on."""

from typing import TYPE_CHECKING

import attrs

from .cell import ActorCell
from .clock import NS
from .collector import GcPauses
from .life import Leak, State
from .mailbox import MailboxStats
from .sources import written

if TYPE_CHECKING:
    from .supervisor import SupervisorCell
    from .system import System


@attrs.frozen
class ActorNode:
    """One actor. `source` is where its class is written, `waits_on` where its coroutine handler is suspended."""

    path: str
    state: str
    life: int
    restarts: int
    source: str
    waits_on: str
    mailbox: MailboxStats
    history: tuple[str, ...]


@attrs.frozen
class SupervisorNode:
    """One supervisor and what stands below it, in order of start."""

    path: str
    state: str
    life: int
    restarts: int
    strategy: str
    waits_on: str
    history: tuple[str, ...]
    children: tuple["ActorNode | SupervisorNode", ...]


@attrs.frozen
class Tree:
    """The system at one instant. `str()` draws it."""

    at_ns: int
    root: SupervisorNode
    runnable: int
    blocked_count: int  # times the loop was blocked beyond the watchdog's bound
    blocked_longest_ns: int
    gc: GcPauses
    leaks: tuple[Leak, ...]

    def actors(self) -> tuple[ActorNode, ...]:
        """All actors, in order of start."""
        return tuple(_actors(self.root))

    def __str__(self) -> str:
        lines = [
            f"ticktree at {self.at_ns / NS:.3f} s: {self.runnable} runnable, loop blocked {self.blocked_count} times "
            f"(longest {self.blocked_longest_ns / 1e6:.0f} ms), {self.gc.count} gc pauses "
            f"(longest {self.gc.longest_ns / 1e6:.1f} ms), {len(self.leaks)} leaked handlers"
        ]
        lines += _draw(self.root, "")
        lines += [f"leaked: {leak.path} life {leak.life}, waiting on {leak.waits_on}" for leak in self.leaks]
        return "\n".join(lines)


def take(system: "System") -> Tree:
    """The picture of `system` now."""
    return Tree(
        at_ns=system.clock.monotonic_ns(),
        root=_supervisor(system.root),
        runnable=len(system.scheduler.ready),
        blocked_count=system.watchdog.blocked_count,
        blocked_longest_ns=system.watchdog.longest_ns,
        gc=system.collector.pauses(),
        leaks=system.leaks,
    )


def _supervisor(cell: "SupervisorCell") -> SupervisorNode:
    children = tuple(
        _actor(child, id in cell.restarting) if isinstance(child, ActorCell) else _supervisor(child)
        for id, child in cell.children.items()
    )
    return SupervisorNode(
        cell.path,
        cell.state,
        cell.lives,
        cell.restarts,
        cell.spec.strategy,
        cell.waits_on(),
        tuple(cell.history),
        children,
    )


def _actor(cell: ActorCell, restarting: bool) -> ActorNode:
    if cell.life is None:
        state = "restarting" if restarting else "vacant"
    else:
        state = "suspended" if cell.state is State.RUNNING and cell.life.task is not None else cell.state.value
    return ActorNode(
        cell.path, state, cell.lives, cell.restarts, _source(cell), cell.waits_on(), cell.stats(), cell.history
    )


def _source(cell: ActorCell) -> str:
    """Where the class that lives there, or what makes it, is written."""
    return written(type(cell.life.actor) if cell.life is not None and cell.life.actor is not None else cell.spec.start)


def _actors(node: SupervisorNode) -> "list[ActorNode]":
    found: list[ActorNode] = []
    for child in node.children:
        found += [child] if isinstance(child, ActorNode) else _actors(child)
    return found


def _draw(node: "ActorNode | SupervisorNode", indent: str) -> list[str]:
    name = node.path.rpartition("/")[2]
    waits = f"  waits on {node.waits_on}" if node.waits_on else ""
    if isinstance(node, ActorNode):
        box = node.mailbox
        last = f"  last: {node.history[-1]}" if node.history else ""
        return [
            f"{indent}{name}  {node.state}  life {node.life}  restarts {node.restarts}  "
            f"received {box.received} delivered {box.delivered} conflated {box.conflated} dropped {box.dropped.total} "
            f"queued {box.queued}/{box.capacity} (oldest {box.oldest_age_ns / 1e6:.1f} ms)  {node.source}{waits}{last}"
        ]
    lines = [f"{indent}{name}  {node.state}  life {node.life}  restarts {node.restarts}  {node.strategy}{waits}"]
    for child in node.children:
        lines += _draw(child, indent + "  ")
    return lines
