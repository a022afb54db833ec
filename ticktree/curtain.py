"""The end of a run that was told how long to be."""

import logging
from collections.abc import Callable

import attrs

from ticktree.actors import Actor, ChildSpec, Fail, Mailbox, System

log = logging.getLogger("ticktree.system")


@attrs.frozen
class Fall:
    """Time to end."""

    why: str


class Curtain(Actor[Fall]):
    """Ends the system after `for_s`, as Ctrl-C would; or when it is told so."""

    def __init__(self, system: Callable[[], System], for_s: float | None) -> None:
        self._system, self._for_s = system, for_s

    def on_start(self) -> None:
        if self._for_s is not None:
            self.after(self._for_s, Fall(f"{self._for_s:g} s are over"))

    def on_message(self, message: Fall) -> None:
        log.info("%s: stopping", message.why)
        self._system().begin_stop()


def curtain(system: Callable[[], System], for_s: float | None = None) -> ChildSpec:
    """For the audience of an assembly: `run_assembly(assembly, curtain(assembly.system, 30.0))`. Tell it `Fall(why)`,
    at the path "curtain"."""
    return ChildSpec("curtain", lambda: Curtain(system, for_s), Mailbox(16, Fail()))
