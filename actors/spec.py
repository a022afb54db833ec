"""What a supervision tree is asked to be: child specifications and supervisors, in Erlang/OTP's words.

Values only. A specification that cannot work is refused here, where it is written, before anything starts.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any, TypeVar

import attrs

from .actor import Actor
from .errors import SpecError
from .mailbox import Mailbox
from .policies import Backoff, NoDelay

K = TypeVar("K", bound=StrEnum)

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


def _one_of(kind: type[K], what: str, value: Any) -> K:
    try:
        return kind(value)
    except ValueError:
        raise SpecError(f"{what} is one of {', '.join(kind)}; not {value!r}") from None


def _strategy(value: str) -> RestartStrategy:
    return _one_of(RestartStrategy, "strategy", value)


def _restart(value: str) -> Restart:
    return _one_of(Restart, "restart", value)


def _auto_shutdown(value: str) -> AutoShutdown:
    return _one_of(AutoShutdown, "auto_shutdown", value)


def _shutdown(value: float | str) -> float | Shutdown:
    if isinstance(value, str):
        return _one_of(Shutdown, "shutdown (where it is not a number of seconds)", value)
    if not _is_seconds(value):
        raise SpecError(f"shutdown is a number of seconds above 0, brutal_kill or infinity; not {value!r}")
    return float(value)


def _children(value: Iterable["ChildSpec | Supervisor"]) -> tuple["ChildSpec | Supervisor", ...]:
    if not _is_a(value, Iterable):
        raise SpecError(f"children is a sequence of ChildSpec and Supervisor; not {value!r}")
    return tuple(value)


def _is_a(value: object, kind: Any) -> bool:
    return isinstance(value, kind)


def _is_seconds(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf


def _check_id(_: object, __: object, value: Any) -> None:
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise SpecError(f"an id is letters, digits and _ . : - (no slash); not {value!r}")


def _check_start(spec: "ChildSpec", _: object, value: Any) -> None:
    if not callable(value):
        raise SpecError(f"{spec.id}: start is a factory that returns a new actor for each life; not {value!r}")


def _check_mailbox(spec: "ChildSpec", _: object, value: Any) -> None:
    if not isinstance(value, Mailbox):
        raise SpecError(f"{spec.id}: mailbox is a Mailbox(capacity, overflow); not {value!r}")


def _check_seconds(spec: "ChildSpec | Supervisor", field: "attrs.Attribute[Any]", value: Any) -> None:
    if not _is_seconds(value):
        raise SpecError(f"{spec.id}: {field.name} is a number of seconds above 0; not {value!r}")


def _check_flag(spec: "ChildSpec | Supervisor", field: "attrs.Attribute[Any]", value: Any) -> None:
    if not isinstance(value, bool):  # a configuration's "no" would be true
        raise SpecError(f"{spec.id}: {field.name} is True or False; not {value!r}")


def _check_intensity(spec: "Supervisor", _: object, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise SpecError(f"{spec.id}: intensity is a number of restarts, 0 or more; not {value!r}")


def _check_delay(spec: "Supervisor", _: object, value: Any) -> None:
    if not isinstance(value, NoDelay | Backoff):
        raise SpecError(f"{spec.id}: delay is NoDelay() or Backoff(...); not {value!r}")


def _check_significant(spec: "ChildSpec | Supervisor") -> None:
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
    start: Callable[..., Actor[Any]] = attrs.field(validator=_check_start)
    mailbox: Mailbox = attrs.field(validator=_check_mailbox)
    restart: Restart = attrs.field(default=Restart.PERMANENT, converter=_restart)
    shutdown: float | Shutdown = attrs.field(default=5.0, converter=_shutdown)
    significant: bool = attrs.field(default=False, validator=_check_flag)
    start_timeout_s: float = attrs.field(default=30.0, validator=_check_seconds)
    hand_off: bool = attrs.field(default=False, validator=_check_flag)

    def __attrs_post_init__(self) -> None:
        _check_significant(self)


@attrs.frozen
class Supervisor:
    """Children in their order of start, and what happens when one of them ends.

    At most `intensity` restarts within `period_s` seconds; one more, and the supervisor stops its children, ends with
    `shutdown`, and leaves it to its own supervisor. `delay` waits before a restart.
    """

    children: tuple["ChildSpec | Supervisor", ...] = attrs.field(converter=_children)
    strategy: RestartStrategy = attrs.field(default=RestartStrategy.ONE_FOR_ONE, converter=_strategy)
    intensity: int = attrs.field(default=1, validator=_check_intensity)
    period_s: float = attrs.field(default=5.0, validator=_check_seconds)
    id: str = attrs.field(default="root", validator=_check_id, kw_only=True)
    restart: Restart = attrs.field(default=Restart.PERMANENT, converter=_restart, kw_only=True)
    shutdown: float | Shutdown = attrs.field(default=Shutdown.INFINITY, converter=_shutdown, kw_only=True)
    significant: bool = attrs.field(default=False, validator=_check_flag, kw_only=True)
    auto_shutdown: AutoShutdown = attrs.field(default=AutoShutdown.NEVER, converter=_auto_shutdown, kw_only=True)
    delay: NoDelay | Backoff = attrs.field(factory=NoDelay, validator=_check_delay, kw_only=True)

    def __attrs_post_init__(self) -> None:
        for child in self.children:
            check_child(self, child)
        doubles = [id for id, count in Counter(child.id for child in self.children).items() if count > 1]
        if doubles:
            raise SpecError(f"{self.id}: more than one child is called {', '.join(doubles)}")
        if self.strategy is RestartStrategy.SIMPLE_ONE_FOR_ONE:
            template = self.children[0] if len(self.children) == 1 else None
            if not isinstance(template, ChildSpec):
                raise SpecError(f"{self.id}: simple_one_for_one needs exactly one ChildSpec as its template")
        _check_significant(self)


def check_child(supervisor: Supervisor, child: object) -> None:
    """Whether `child` may stand under `supervisor`; raises `SpecError`."""
    if not isinstance(child, ChildSpec | Supervisor):
        raise SpecError(f"{supervisor.id}: a child is a ChildSpec or a Supervisor; not {child!r}")
    if child.significant and supervisor.auto_shutdown is AutoShutdown.NEVER:
        raise SpecError(
            f"{supervisor.id}/{child.id}: a significant child needs a supervisor with "
            "auto_shutdown any_significant or all_significant"
        )


def check_root(root: object) -> None:
    """Whether `root` may be a system's; raises `SpecError`."""
    if not isinstance(root, Supervisor):
        raise SpecError(f"a system's root is a Supervisor; not {root!r}")
