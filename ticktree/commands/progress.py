"""Says every other second how far a recording has come."""

from collections.abc import Callable

from ticktree.actors import Actor, ChildSpec, Fail, Mailbox

from ..assembly import Assembly

EVERY_S = 2.0


class _Look:
    """It is time to."""


class Progress(Actor[_Look]):
    """A line for all feeds together."""

    def __init__(self, assembly: Assembly, say: Callable[[str], None]) -> None:
        self._assembly, self._say = assembly, say

    def on_start(self) -> None:
        self.every(EVERY_S, _Look())

    def on_message(self, message: _Look) -> None:
        errors = sum(sum(account.errors.values()) for account in self._assembly.accounts.values())
        recorded = [recorder.stats() for recorder in self._assembly.recorders.values()]
        messages, size = sum(one.arrived_messages for one in recorded), sum(one.arrived_bytes for one in recorded)
        self._say(f"{messages:,} messages, {size / 1e6:,.1f} MB, {errors:,} errors")


def spec(assembly: Assembly, say: Callable[[str], None]) -> ChildSpec:
    """For the audience of an assembly."""
    return ChildSpec("progress", lambda: Progress(assembly, say), Mailbox(16, Fail()))
