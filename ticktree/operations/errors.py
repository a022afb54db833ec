"""What can go wrong at the operator's end of a system.

OperationsError
├── BadPlace (ValueError)     a folder or path for a socket that must not be used
├── BadSite (ValueError)      an address for metrics at which none are told
├── AlreadyRunning            somebody answers at the socket already
├── NotRunning                nobody answers
└── Refused                   the running system said no; `status` is HTTP's
"""

from collections.abc import Sequence
from pathlib import Path


class OperationsError(Exception):
    """Base of all of them."""


class BadPlace(OperationsError, ValueError):
    """A folder, or a path, that must not be used for a socket."""


class BadSite(OperationsError, ValueError):
    """Metrics cannot be told there."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"metrics cannot be told at {where}: {why}")
        self.where = where


class AlreadyRunning(OperationsError):
    """Another process answers at that socket."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"already running: a system answers at {path}; stop that one, or give this one a socket of its own: "
            '[operations] socket = "..."'
        )
        self.path = path


class NotRunning(OperationsError):
    """Nobody answers."""

    def __init__(self, where: str, known: Sequence[Path] = ()) -> None:
        others = f"; there are {', '.join(map(str, known))}" if known else ""
        super().__init__(f"no running system {where}{others}")
        self.known = tuple(known)


class Refused(OperationsError):
    """What was asked for is not done, and why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
