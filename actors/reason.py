"""Why a life ended, in Erlang/OTP's words."""

from enum import StrEnum

import attrs


class Exit(StrEnum):
    """The four ways a life ends."""

    NORMAL = "normal"
    SHUTDOWN = "shutdown"
    KILLED = "killed"
    ERROR = "error"


@attrs.frozen
class Reason:
    """Why a life ended: `kind`, and the exception behind it where there is one.

    A supervisor that gave up ends with `shutdown` (as in OTP) and carries its `IntensityExceeded` as `error`.
    """

    kind: Exit
    error: BaseException | None = attrs.field(default=None, eq=False)

    def __str__(self) -> str:
        return self.kind if self.error is None else f"{self.kind}: {type(self.error).__name__}: {self.error}"


NORMAL = Reason(Exit.NORMAL)
SHUTDOWN = Reason(Exit.SHUTDOWN)
KILLED = Reason(Exit.KILLED)


def failed(error: BaseException) -> Reason:
    """The reason of a life that `error` ended."""
    return Reason(Exit.ERROR, error)
