"""What a supervision tree is asked to be: child specifications and supervisors, in Erlang/OTP's words.

Values only. A specification that cannot work is refused here, where it is written, before anything starts.
"""

import math
import re
from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from typing import Any

import attrs

from .actor import Actor
from .errors import SpecError
from .mailbox import Mailbox
from .policies import Backoff, NoDelay

_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]*")


class Restart(StrEnum):
    """When a child that ended is started again."""

    PERMANENT = "permanent"  # always
    TRANSIENT = "transient"  # only after `killed` or an error
    TEMPORARY = "temporary"  # never, and its specification goes with it


class Shutdown(StrEnum):
    """How a child is stopped, where that is not a number of seconds to do so."""

    BRUTAL_KILL = "brutal_kill"  # at once; no `on_stop`
    INFINITY = "infinity"  # however long it takes


class RestartStrategy(StrEnum):
    """Who else is restarted when a child is."""

    ONE_FOR_ONE = "one_for_one"
    ONE_FOR_ALL = "one_for_all"
    REST_FOR_ONE = "rest_for_one"  # those started after it
    SIMPLE_ONE_FOR_ONE = "simple_one_for_one"  # all children alike, started on demand from one template


class AutoShutdown(StrEnum):
    """Whether a supervisor ends when its significant children have ended by themselves."""

    NEVER = "never"
    ANY_SIGNIFICANT = "any_significant"
    ALL_SIGNIFICANT = "all_significant"


def _check_id(owner: object, _: object, value: object) -> None:
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise SpecError(f"an id is letters, digits and _ . : - (no slash); not {value!r}")


def _one_of(kind: type[StrEnum], what: str) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        try:
            return kind(value)
        except ValueError:
            raise SpecError(f"{what} is one of {', '.join(kind)}; not {value!r}") from None

    return convert


def _seconds(value: object, what: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise SpecError(f"{what} is a number of seconds above 0; not {value!r}")


def _shutdown(value: Any) -> float | Shutdown:
    if isinstance(value, str):
        kind: Shutdown = _one_of(Shutdown, "shutdown (or a number of seconds)")(value)
        return kind
    _seconds(value, "shutdown")
    return float(value)


def _check_common(spec: "ChildSpec | Supervisor") -> None:
    if spec.significant and spec.restart is Restart.PERMANENT:
        raise SpecError(f"{spec.id}: a significant child cannot be permanent (it would be restarted, not missed)")


@attrs.frozen
class ChildSpec:
    """One actor: how to make it, its mailbox, and what its supervisor does with it.

    `start` is called for each life, without arguments (with those of `start_child`, for a template), and returns a
    new actor. `shutdown` is how long its `on_stop` may take, in seconds, after which it is killed.
    `hand_off` lets a message reach a plain handler within the socket's read callback, without a turn of the loop.
    """

    id: str = attrs.field(validator=_check_id)
    start: Callable[..., Actor[Any]] = attrs.field()
    mailbox: Mailbox = attrs.field()
    restart: Restart = attrs.field(default=Restart.PERMANENT, converter=_one_of(Restart, "restart"))
    shutdown: float | Shutdown = attrs.field(default=5.0, converter=_shutdown)
    significant: bool = False
    start_timeout_s: float = attrs.field(default=30.0)
    hand_off: bool = False

    def __attrs_post_init__(self) -> None:
        if not callable(self.start):
            raise SpecError(f"{self.id}: start is a factory that returns a new actor for each life; not {self.start!r}")
        if not isinstance(self.mailbox, Mailbox):
            raise SpecError(f"{self.id}: mailbox is a Mailbox(capacity, overflow); not {self.mailbox!r}")
        _seconds(self.start_timeout_s, f"{self.id}: start_timeout_s")
        _check_common(self)


@attrs.frozen
class Supervisor:
    """Children in their order of start, and what happens when one of them ends.

    At most `intensity` restarts within `period_s` seconds; one more, and the supervisor stops its children, ends with
    `shutdown`, and leaves it to its own supervisor. `delay` waits before a restart.
    """

    children: tuple["ChildSpec | Supervisor", ...] = attrs.field(converter=tuple)
    strategy: RestartStrategy = attrs.field(
        default=RestartStrategy.ONE_FOR_ONE, converter=_one_of(RestartStrategy, "strategy")
    )
    intensity: int = attrs.field(default=1)
    period_s: float = attrs.field(default=5.0)
    id: str = attrs.field(default="root", validator=_check_id, kw_only=True)
    restart: Restart = attrs.field(default=Restart.PERMANENT, converter=_one_of(Restart, "restart"), kw_only=True)
    shutdown: float | Shutdown = attrs.field(default=Shutdown.INFINITY, converter=_shutdown, kw_only=True)
    significant: bool = attrs.field(default=False, kw_only=True)
    auto_shutdown: AutoShutdown = attrs.field(
        default=AutoShutdown.NEVER, converter=_one_of(AutoShutdown, "auto_shutdown"), kw_only=True
    )
    delay: NoDelay | Backoff = attrs.field(factory=NoDelay, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if isinstance(self.intensity, bool) or not isinstance(self.intensity, int) or self.intensity < 0:
            raise SpecError(f"{self.id}: intensity is a number of restarts, 0 or more; not {self.intensity!r}")
        _seconds(self.period_s, f"{self.id}: period_s")
        if not isinstance(self.delay, NoDelay | Backoff):
            raise SpecError(f"{self.id}: delay is NoDelay() or Backoff(...); not {self.delay!r}")
        for child in self.children:
            check_child(self, child)
        doubles = [id for id, count in Counter(child.id for child in self.children).items() if count > 1]
        if doubles:
            raise SpecError(f"{self.id}: more than one child is called {', '.join(doubles)}")
        if self.strategy is RestartStrategy.SIMPLE_ONE_FOR_ONE:
            template = self.children[0] if len(self.children) == 1 else None
            if not isinstance(template, ChildSpec):
                raise SpecError(f"{self.id}: simple_one_for_one needs exactly one ChildSpec as its template")
        _check_common(self)


def check_child(supervisor: Supervisor, child: object) -> None:
    """Whether `child` may stand under `supervisor`; raises `SpecError`."""
    if not isinstance(child, ChildSpec | Supervisor):
        raise SpecError(f"{supervisor.id}: a child is a ChildSpec or a Supervisor; not {child!r}")
    if child.significant and supervisor.auto_shutdown is AutoShutdown.NEVER:
        raise SpecError(
            f"{supervisor.id}/{child.id}: a significant child needs a supervisor with "
            "auto_shutdown any_significant or all_significant"
        )
