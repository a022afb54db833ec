"""Every error the runtime raises or reports, each naming the actor, the cause and, where there is one, the history.

ActorsError
├── SpecError (ValueError)        a specification that cannot work; refused before anything starts
├── PluginError (ValueError)      yours: a name that no class can be had for (plugins.py has its four kinds)
├── Misuse (RuntimeError)         yours: the call was wrong, nothing happened
│   ├── Closed                    the place no longer takes messages
│   ├── MailboxFull               the receiver's overflow policy is `Fail` and there is no room
│   ├── TooHeavy                  a message heavier than the whole mailbox, which cannot be split
│   ├── AskRefused                an ask that could never be answered (of oneself, in a circle, asked twice)
│   ├── NotRunning                the actor or the system is not running
│   ├── UnknownActor              no such place in the tree
│   ├── AlreadyStarted            the child runs
│   └── AlreadyPresent            the child's specification is there; restart or delete it
├── Lost                          theirs: the call was right, the answer will not come
│   ├── AskTimeout                no answer in time
│   └── AskLost                   the asked actor failed, stopped or dropped the request
├── StartFailed                   a child could not start
│   └── StartTimeout              its `on_start` did not end in time
├── IntensityExceeded             more restarts than the supervisor allows in its period
└── Deadlock                      virtual time: nothing is left that could ever run
"""

from collections.abc import Sequence


class ActorsError(Exception):
    """Base of everything this room raises."""


class SpecError(ActorsError, ValueError):
    """A specification that cannot work; raised where it is written, before anything starts."""


class Misuse(ActorsError, RuntimeError):
    """The call was wrong; nothing happened."""


class Closed(Misuse):
    """The place at `path` no longer takes messages."""

    def __init__(self, path: str, why: str = "it was stopped") -> None:
        super().__init__(f"{path} is closed: {why}")
        self.path = path


class MailboxFull(Misuse):
    """The receiver's policy is `Fail` and `weight` ticks did not fit beside the `queued` ones."""

    def __init__(self, path: str, capacity: int, queued: int, weight: int) -> None:
        super().__init__(
            f"mailbox of {path} is full: {queued} of {capacity} ticks queued, {weight} more do not fit; "
            "the receiver is slower than its senders, or its capacity too small"
        )
        self.path, self.capacity, self.queued, self.weight = path, capacity, queued, weight


class TooHeavy(Misuse):
    """One message of `weight` ticks can never fit a mailbox of `capacity` ticks."""

    def __init__(self, path: str, capacity: int, weight: int) -> None:
        super().__init__(
            f"a message of {weight} ticks can never fit the mailbox of {path} (capacity {capacity} ticks); "
            "send smaller batches, raise the capacity, or give the mailbox `rows` so that `put` may split it"
        )
        self.path, self.capacity, self.weight = path, capacity, weight


class AskRefused(Misuse):
    """An ask that could never be answered."""


class NotRunning(Misuse):
    """The actor or the system is not running."""


class UnknownActor(Misuse, LookupError):
    """No place in the tree has this path."""

    def __init__(self, path: str, known: Sequence[str]) -> None:
        hint = f"; nearest: {', '.join(known)}" if known else ""
        super().__init__(f"no actor at {path!r}{hint}")
        self.path = path

    def __str__(self) -> str:  # LookupError's own would not change it, KeyError-style quoting would
        return str(self.args[0])


class AlreadyStarted(Misuse):
    """The child runs already."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} is running already")
        self.path = path


class AlreadyPresent(Misuse):
    """The supervisor holds this child's specification; it is not running."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} is specified already but not running: use restart_child, or delete_child first")
        self.path = path


class Lost(ActorsError):
    """The call was right, but its answer will not come."""


class AskTimeout(Lost, TimeoutError):
    """No answer in `timeout_s` seconds."""

    def __init__(self, path: str, request: str, timeout_s: float, doing: str) -> None:
        super().__init__(f"{path} did not answer {request} within {timeout_s:g} s; it is {doing}")
        self.path, self.request, self.timeout_s = path, request, timeout_s


class AskLost(Lost):
    """The asked actor failed, stopped or dropped the request."""

    def __init__(self, path: str, request: str, why: str) -> None:
        super().__init__(f"{path} will not answer {request}: {why}")
        self.path, self.request = path, request


class StartFailed(ActorsError):
    """A child could not start; `__cause__` is what its `on_start` or factory raised."""

    def __init__(self, path: str, why: str, history: Sequence[str] = ()) -> None:
        super().__init__(f"{path} did not start: {why}{_tail(history)}")
        self.path, self.history = path, tuple(history)


class StartTimeout(StartFailed):
    """The child's `on_start` was still running after `timeout_s` seconds."""

    def __init__(self, path: str, timeout_s: float, waits_on: str, history: Sequence[str] = ()) -> None:
        super().__init__(path, f"on_start was still running after {timeout_s:g} s, waiting on {waits_on}", history)
        self.timeout_s = timeout_s


class IntensityExceeded(ActorsError):
    """A supervisor gave up: more than `intensity` restarts within `period_s` seconds."""

    def __init__(self, path: str, intensity: int, period_s: float, history: Sequence[str]) -> None:
        super().__init__(f"{path} gave up: more than {intensity} restarts within {period_s:g} s{_tail(history)}")
        self.path, self.intensity, self.period_s, self.history = path, intensity, period_s, tuple(history)


class Deadlock(ActorsError):
    """Virtual time cannot move on: no timer is set and nothing is ready to run."""


def _tail(history: Sequence[str]) -> str:
    return "".join(f"\n    {line}" for line in history)
