"""What others may ask of a supervisor while it runs, in Erlang/OTP's words: `SupervisorRef` is the description.

Questions are answered at once. Commands are served in their turn, between endings and restarts; who waits for one is
told when the supervisor stops instead.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

import attrs

from .cell import ActorCell
from .errors import AlreadyPresent, AlreadyStarted, Closed, Misuse, SpecError, StartFailed, UnknownActor
from .life import State
from .ref import ActorRef, caller
from .spec import ChildSpec, Restart, check_child
from .supervisor import Child, StopWanted, SupervisorCell, fail, id_of

T = TypeVar("T")


@attrs.frozen
class ChildInfo:
    """One child, as `which_children` tells it: in its order of start."""

    id: str
    path: str
    kind: str  # "actor" or "supervisor"
    state: str
    restarts: int


@attrs.frozen
class ChildCount:
    """Children by what they are: OTP's `count_children`."""

    specs: int
    active: int
    supervisors: int
    actors: int


class CommandedSupervisor(SupervisorCell):
    """A supervisor that takes commands, as `SupervisorRef` describes them."""

    def which_children(self) -> tuple[ChildInfo, ...]:
        """The children in their order of start."""
        return tuple(self._info(id, child) for id, child in self.children.items())

    def _info(self, id: str, child: Child) -> ChildInfo:
        kind = "supervisor" if isinstance(child, SupervisorCell) else "actor"
        restarting = id in self.restarting and child.state is State.VACANT
        return ChildInfo(id, child.path, kind, "restarting" if restarting else child.state, child.restarts)

    def count_children(self) -> ChildCount:
        """Children by what they are."""
        children = self.children.values()
        supervisors = sum(isinstance(child, SupervisorCell) for child in children)
        return ChildCount(
            specs=len(self.children),
            active=sum(child.state is not State.VACANT for child in children),
            supervisors=supervisors,
            actors=len(self.children) - supervisors,
        )

    async def start_child(self, *what: Any) -> ActorRef[Any] | None:
        """Add a child and start it."""
        return await self._command(lambda: self._start_new(*what))

    async def _start_new(self, *what: Any) -> ActorRef[Any] | None:
        child = self._from_template(what) if self._is_simple else self._from_spec(what)
        self.children[id_of(child)] = child
        try:
            await self._start_child(child)
        except StartFailed:
            self._forget(child)
            raise
        return child.ref if isinstance(child, ActorCell) and self.children.get(id_of(child)) is child else None

    def _from_template(self, arguments: tuple[Any, ...]) -> ActorCell:
        template = self.spec.children[0]
        assert isinstance(template, ChildSpec)
        self._next_id += 1
        cell = ActorCell(self.system, self, template, self._path_of(f"{template.id}:{self._next_id}"))
        cell.args = arguments
        return cell

    def _from_spec(self, what: tuple[Any, ...]) -> Child:
        if len(what) != 1:
            raise SpecError(f"{self.path}: start_child takes one ChildSpec or Supervisor")
        spec = what[0]
        check_child(self.spec, spec)
        known = self.children.get(spec.id)
        if known is not None:
            raise AlreadyStarted(known.path) if self._lives_on(known) else AlreadyPresent(known.path)
        former = self._specified.get(spec.id)
        return former if former is not None and former.spec == spec else self._place(spec)

    async def terminate_child(self, which: "str | ActorRef[Any]") -> None:
        """Stop a child, by id or ref."""
        asker = caller.get()
        await self._command(lambda: self._terminate_child(which, asker))

    async def _terminate_child(self, which: "str | ActorRef[Any]", asker: ActorCell | None) -> None:
        child = self._find(which)
        if asker is not None and f"{asker.path}/".startswith(f"{child.path}/"):
            raise Misuse(f"{asker.path} cannot wait for the end of {child.path}, it would wait for itself: use stop()")
        if self.restarting.get(id_of(child)) is not None:  # who waits for its restart stays down, too, as in OTP
            for other in self._group(child):
                self._unmark(other)
        await self._stop_child(child)
        if child.spec.restart is Restart.TEMPORARY or self._is_simple:
            self._forget(child)
        else:
            child.close()

    async def restart_child(self, id: str) -> None:
        """Start a child that was terminated, or ended and was not restarted."""
        await self._command(lambda: self._restart_child(id))

    async def _restart_child(self, id: str) -> None:
        child = self._find_ended(id)
        child.restarts += 1
        await self._start_child(child)

    async def delete_child(self, id: str) -> None:
        """Forget the specification of a child that does not run."""
        await self._command(lambda: self._delete_child(id))

    async def _delete_child(self, id: str) -> None:
        self._forget(self._find_ended(id))

    def _find(self, which: "str | ActorRef[Any]") -> Child:
        id = which if isinstance(which, str) else which.path.rpartition("/")[2]
        child = self.children.get(id)
        if child is None or not (isinstance(which, str) or which.path == child.path):
            path = self._path_of(id) if isinstance(which, str) else which.path
            raise UnknownActor(path, [other.path for other in self.children.values()][:5])
        return child

    def _find_ended(self, id: str) -> Child:
        child = self._find(id)
        if id in self.restarting:
            raise Misuse(f"{child.path} is being restarted: terminate it first")
        if self._lives_on(child):
            raise AlreadyStarted(child.path)
        return child

    async def _command(self, work: Callable[[], Awaitable[T]]) -> T:
        """Have `work` served in its turn and give its result, or what it raises, to who asked."""
        if self.state is State.VACANT or self._stopping is not None:
            raise Closed(self.path, "the supervisor does not run" if self._stopping is None else "it is stopping")
        self._refuse_waiting_for_itself(caller.get())
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._commands[done] = None
        self._serve(partial(_answer, work, done))
        try:
            return await done
        finally:
            del self._commands[done]

    def _refuse_waiting_for_itself(self, asker: "Child | None") -> None:
        """Refuse a command of a child in its own `on_start`: it is served when that is done."""
        first = asker
        while asker is not None and asker.state is State.STARTING:
            asker = asker.parent
            if asker is self:
                assert first is not None
                raise Misuse(f"{first.path} cannot command {self.path} in its on_start, it would wait for itself")


async def _answer(work: Callable[[], Awaitable[T]], done: "asyncio.Future[T]") -> None:
    """Do `work` and resolve `done` with what comes of it."""
    if done.done():
        return  # refused, or not waited for any more, before its turn came
    try:
        result = await work()
    except StopWanted:
        raise
    except Exception as error:
        fail(done, error)
    else:
        if not done.done():
            done.set_result(result)
