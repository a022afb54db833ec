"""What users subclass: one life's state and handlers. Everything around it is the runtime's."""

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .errors import Misuse, NotRunning
from .reason import NORMAL, Reason

if TYPE_CHECKING:
    from .clock import Clock
    from .life import Life
    from .messages import Timer
    from .ref import ActorRef, SupervisorRef
    from .scheduler import ReadTurns

M = TypeVar("M")


class Ignore(Exception):
    """Raised by `on_start`: this actor is not needed; its supervisor goes on without it."""


class Actor(Generic[M]):
    """One message at a time, its state its own. Override any of the handlers; plain (the fast path) or `async`.

    A handler that raises ends this life; the supervisor decides whether another begins, with a new object.
    """

    _ticktree_life: "Life | None" = None  # the runtime's; named so that no subclass takes the name by chance

    def on_start(self) -> Awaitable[None] | None:
        """Called first. Siblings that come later in the tree start when it is done. May raise `Ignore`."""
        return None

    def on_message(self, message: M) -> Awaitable[None] | None:
        """Handle one message of the mailbox, a timer's message, a `Down`, or a control message."""
        raise Misuse(f"{type(self).__qualname__} has no on_message, but was told a {type(message).__qualname__}")

    def on_drain(self) -> Awaitable[None] | None:
        """The system is about to stop: begin nothing new. Messages still come until the mailbox is empty."""
        return None

    def on_stop(self, reason: Reason) -> Awaitable[None] | None:
        """Called last, also after a handler raised (not after a kill): let go of what this life holds."""
        return None

    @property
    def ref(self) -> "ActorRef[M]":
        """This actor's place in the tree: what others tell. It survives restarts."""
        return _live(self).cell.ref

    @property
    def path(self) -> str:
        """Where this actor stands in the tree, `group/child`."""
        return _live(self).cell.path

    @property
    def clock(self) -> "Clock":
        """The system's time."""
        return _live(self).cell.clock

    @property
    def reads(self) -> "ReadTurns":
        """For who reads sockets: what opens and closes the window in which a message may be handed off."""
        return _live(self).cell.scheduler

    def after(self, delay_s: float, message: M) -> "Timer":
        """Have `message` handled once, not before `delay_s` seconds from now."""
        return _live(self).set_timer(delay_s, 0.0, message)

    def every(self, interval_s: float, message: M) -> "Timer":
        """Have `message` handled every `interval_s` seconds; while one still waits, the next is counted, not queued."""
        return _live(self).set_timer(interval_s, interval_s, message)

    def find(self, path: str) -> "ActorRef[Any]":
        """The ref of another place in the tree, by its path. Raises `UnknownActor`."""
        return _live(self).cell.system.ref(path)

    def find_supervisor(self, path: str) -> "SupervisorRef":
        """The supervisor at `path`, to start children there. Raises `UnknownActor`."""
        return _live(self).cell.system.supervisor(path)

    def stop(self, reason: Reason = NORMAL) -> None:
        """End this life when the handler at work is done."""
        _live(self).exit(reason)


def _live(actor: Actor[Any]) -> "Life":
    life = actor._ticktree_life  # pyright: ignore[reportPrivateUsage]  # ours; a method would take a name from users
    if life is None:
        name = type(actor).__qualname__
        raise NotRunning(f"this {name} does not run: a supervisor starts it, and `__init__` is too early")
    return life
