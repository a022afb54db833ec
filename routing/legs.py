"""An order at work, as its router holds it: started, told of news, canceled, stopped."""

import asyncio
from collections.abc import Iterable

from .errors import Refusal, Refused
from .orders import Execution
from .policies.policy import Policy
from .records import LegRecord, OrderRecord
from .scope import Scope
from .sends import CANCELED as CANCELED, LegRequest as LegRequest, Sends as Sends


class OrderScope:
    """An order at work: what the router starts, tells news, cancels and stops.

    `done` resolves once the policy has ended and every leg is accounted for: to the final `Execution`, or to `Refused`
    when nothing of the order was ever sent.
    """

    def __init__(self, sends: Sends, record: OrderRecord, policy: Policy) -> None:
        self.sends, self.record = sends, record
        self.done: asyncio.Future[Execution] = asyncio.get_running_loop().create_future()
        self.stopped = False
        self._policy = policy
        self._numbers = max([leg.leg.number for leg in record.legs.values()]) if record.legs else 0
        self._homes: dict[str, Scope] = {}  # leg id -> the scope that sent it
        self._tried: dict[int, int] = {}  # number -> how often, where that is more than once
        self._attempts: dict[int, LegRecord] = {}  # number -> the last attempt that was sent
        self._unwound: dict[str, LegRecord] = {}  # id of an unwinding leg -> the leg that it takes back
        self._root = Scope(self, None, record)

    # --- the router's ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Have the policy work the order; what it sends at once has left when this returns."""
        self._root.start(self._policy)

    def heard(self, leg: LegRecord) -> None:
        """There is news about a leg of this order."""
        home = self._homes.get(leg.leg.id)
        if home is None:
            return
        for scope in home.lineage:
            scope.wake()
        for scope in home.lineage:
            scope.settle()

    def cancel(self) -> None:
        """The strategy's cancel: nothing more is sent, what is out is taken back."""
        if not self._root.over and not self.stopped:
            self._root.close(Refusal(CANCELED))

    def stop(self) -> "list[asyncio.Task[Execution]]":
        """The router's life ends: policies are cancelled, and nothing is said. Tasks that are yet to end."""
        self.stopped = True
        return self._root.stop()

    # --- its scopes' -----------------------------------------------------------------------------------------------

    def next_number(self) -> int:
        """Of a new leg. One that is refused keeps its number: its id may stand in the journal."""
        self._numbers += 1
        return self._numbers

    def next_attempt(self, number: int) -> int:
        """Of that leg; kept by one that is refused, too."""
        tried = self._tried[number] = self._tried.get(number, 1) + 1
        return tried

    def last_attempt(self, leg: LegRecord) -> LegRecord:
        """Of that leg."""
        return self._attempts.get(leg.leg.number, leg)

    def unwound_by(self, leg: LegRecord) -> LegRecord | None:
        """The leg that `leg` takes back, if it does."""
        return self._unwound.get(leg.leg.id)

    def unwindings(self, leg: LegRecord) -> Iterable[LegRecord]:
        """The legs that take `leg` back."""
        return [self.record.legs[id] for id, unwound in self._unwound.items() if unwound is leg]

    def send(self, home: Scope, request: LegRequest, unwinds: LegRecord | None) -> LegRecord:
        """Have a leg of `home` leave."""
        leg = self.sends.send(self.record, request)
        self._homes[leg.leg.id] = home
        self._attempts[leg.leg.number] = leg
        if unwinds is not None:
            self._unwound[leg.leg.id] = unwinds
        return leg

    def answer(self) -> None:
        """The deadline of the whole order passed."""
        self.sends.answer(self.record, self._root.execution())

    def end(self) -> None:
        """The root is over."""
        root = self._root
        if root.refusal is not None and not root.sent:
            self.done.set_exception(Refused(root.refusal))
            self.done.exception()  # a router that stopped meanwhile does not ask, and nobody misses it
        else:
            self.done.set_result(root.execution())

    def fault(self, error: BaseException) -> None:
        """A policy raised what it must not: none goes on, what is out is taken back and accounted for."""
        refusal = Refusal("policy", because=f"{type(error).__name__}: {error}")
        self._root.abandon(f"its policy failed: {refusal.because}", refusal)
        self._root.close(refusal)
        for scope in self._root.tree():
            scope.settle()
        self.sends.fault(error)
