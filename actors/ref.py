"""How actors are reached: a ref names a child's place in the tree, not one of its lives."""

import asyncio
from abc import ABC, abstractmethod
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from .errors import AskRefused, AskTimeout, Closed, Misuse
from .mailbox import Delivery, Mailbox, MailboxStats, Outcome
from .messages import Down, Request, describe

if TYPE_CHECKING:
    from .cell import ActorCell
    from .commands import ChildCount, ChildInfo

M_contra = TypeVar("M_contra", contravariant=True)
R = TypeVar("R")

# The actor on whose behalf a coroutine runs; None outside of actors.
caller: ContextVar["ActorCell | None"] = ContextVar("caller", default=None)


class Watch:
    """Somebody wants to hear when lives end at a place."""

    __slots__ = ("_cell", "watcher")

    def __init__(self, cell: "ActorCell", watcher: "ActorRef[Down]") -> None:
        self._cell, self.watcher = cell, watcher

    def cancel(self) -> None:
        """Hear no more (a `Down` already in the control lane still arrives)."""
        self._cell.watches.pop(self, None)


class ActorRef(ABC, Generic[M_contra]):
    """Everything others may do with an actor. Valid as long as the system; survives the actor's restarts.

    Call it from the loop's thread only.
    """

    __slots__ = ()
    path: str  # where the actor stands in the tree, `group/child`
    _cell: "ActorCell"

    @abstractmethod
    def tell(self, message: M_contra, weight: int = 1) -> Delivery:
        """Queue `message`, which stands for `weight` ticks, and never wait. 0 makes it a mark, never dropped.

        ACCEPTED, CONFLATED, DROPPED, FULL or CLOSED. Raises `MailboxFull` where the overflow policy is `Fail`.
        """

    @abstractmethod
    def offer(self, batch: M_contra, weight: int) -> Outcome:
        """`tell`, and an answer in ticks: how many were accepted, conflated, dropped, refused."""

    @abstractmethod
    def tell_merged(self, message: M_contra, merged: int) -> Delivery:
        """`tell` one message of weight 1, which its sender merged `merged` others into, as the mailbox would have done.

        They count as conflated where it is taken, and else share its fate.
        """

    @abstractmethod
    async def put(self, message: M_contra, weight: int = 1) -> Delivery:
        """`tell`, but wait while a `Block` mailbox is full. Raises `TooHeavy` for what can never fit."""

    @abstractmethod
    def enter(self, message: M_contra, weight: int = 1) -> "Delivery | asyncio.Future[Delivery]":
        """`put` for who cannot wait: what became of `message`, or a future of that while it waits for room."""

    @property
    def mailbox(self) -> Mailbox:
        """How its mailbox was specified."""
        return self._cell.spec.mailbox

    @property
    def waits(self) -> bool:
        """Whether anybody waits for room in its mailbox."""
        return bool(self._cell.lane.waiting)

    @property
    def room(self) -> int:
        """Ticks that would fit into its mailbox now; below 0 while it is closed."""
        lane = self._cell.lane
        return lane.limit - lane.entered

    def tell_control(self, message: M_contra) -> Delivery:
        """Queue in the control lane, which is handled before data (order reports): ACCEPTED, FULL or CLOSED."""
        return self._cell.tell_control(message)

    async def ask(self, request: Request[R], timeout_s: float) -> R:
        """Send `request` and wait for its reply, at most `timeout_s` seconds (above 0).

        Raises `AskTimeout`, `AskLost` (the other failed or dropped it), `Closed`, or `AskRefused` for an ask of
        oneself or in a circle, which could never be answered. The reply passes the mailbox by, so an actor may wait
        for it in its own handler.
        """
        if not timeout_s > 0:
            raise Misuse(f"ask needs a timeout above 0 s, not {timeout_s!r}")
        cell, asker = self._cell, caller.get()
        _refuse_circle(asker, cell, request)
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        request._expect(future)  # pyright: ignore[reportPrivateUsage]  # the two halves of one exchange
        cell.asked[id(request)] = request
        if asker is not None:
            asker.asking[id(request)] = (cell, request, future)
        try:
            async with asyncio.timeout(timeout_s):
                if await cell.lane.put(request) is Delivery.CLOSED:
                    raise Closed(cell.path)
                return await future
        except TimeoutError:
            if future.done() and not future.cancelled():
                return future.result()
            raise AskTimeout(cell.path, describe(request), timeout_s, cell.doing()) from None
        finally:
            if not future.cancel() and not future.cancelled():
                future.exception()  # seen, though nobody waits for it any more
            cell.asked.pop(id(request), None)
            if asker is not None:
                asker.asking.pop(id(request), None)

    def monitor(self, watcher: "ActorRef[Down]") -> Watch:
        """Send `watcher` a `Down` whenever a life ends here, until the watch is cancelled.

        Where nobody lives any more, one is sent at once.
        """
        return self._cell.watch(watcher)

    async def drain(self, timeout_s: float) -> None:
        """Wait until everything queued so far has been handled or dropped. Raises `TimeoutError`."""
        async with asyncio.timeout(timeout_s):
            await self._cell.drained()

    def stats(self) -> MailboxStats:
        """The mailbox's figures at this instant."""
        return self._cell.stats()

    def __repr__(self) -> str:
        return f"<ActorRef {self.path}>"


def _refuse_circle(asker: "ActorCell | None", target: "ActorCell", request: Request[Any]) -> None:
    """Refuse an ask whose target waits, over any number of asks, for the asker."""
    if asker is None:
        return
    if asker is target:
        raise AskRefused(f"{target.path} asked itself for {describe(request)}: it could not answer while it waits")
    seen, frontier = {target}, [target]
    while frontier:
        cell = frontier.pop()
        for other, _, future in cell.asking.values():
            if future.done():  # answered: it only has not gone on yet
                continue
            if other is asker:
                raise AskRefused(
                    f"{asker.path} asked {target.path} for {describe(request)}, "
                    f"but {cell.path} already waits for an answer of {asker.path}: a circle"
                )
            if other not in seen:
                seen.add(other)
                frontier.append(other)


class SupervisorRef(Protocol):
    """What others may do with a supervisor, in OTP's words. `System.supervisor` finds it."""

    path: str

    def which_children(self) -> "tuple[ChildInfo, ...]":
        """The children in their order of start. Answers at once, whatever the supervisor is waiting for."""
        ...

    def count_children(self) -> "ChildCount":
        """Children by what they are. Answers at once."""
        ...

    async def start_child(self, *what: Any) -> "ActorRef[Any] | None":
        """Add a child and start it: `start_child(spec)`, or for a template `start_child(*arguments)`.

        Returns its ref (None for a supervisor, and for a temporary child that was ignored). Raises `AlreadyStarted`,
        `AlreadyPresent`, `SpecError`, `StartFailed`, `Closed`.
        """
        ...

    async def terminate_child(self, which: "str | ActorRef[Any]") -> None:
        """Stop a child, by id or ref. Its specification stays, unless it is temporary or of a template."""
        ...

    async def restart_child(self, id: str) -> None:
        """Start a child that does not run. Raises `AlreadyStarted`, `StartFailed`, `Misuse` while it is restarting."""
        ...

    async def delete_child(self, id: str) -> None:
        """Forget a child that does not run. Raises `AlreadyStarted`, or `Misuse` while it is restarting."""
        ...
