"""Conservation: what was received is delivered, conflated, dropped by a reason, queued or in hand, exactly and always.

A real system and a model written separately (`model.py`) take the same steps; after each one they agree in every figure
and in the content of the queue.
"""

import asyncio
from collections.abc import Hashable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.actors.batches import Lasts, Row, Silent, is_batch
from tests.actors.harness import Question, cell_of, settle, tree, without_collector
from tests.actors.model import Entry, Model, echo, is_bad, tells_itself
from tests.actors.support import note_soak
from ticktree.actors import (
    Actor,
    AskLost,
    Block,
    ChildSpec,
    Closed,
    Conflate,
    Delivery,
    DropNewest,
    DropOldest,
    Fail,
    Mailbox,
    MailboxFull,
    Outcome,
    System,
    TooHeavy,
    VirtualLoop,
)
from ticktree.actors.mailbox import Overflow, Rows


class Newest:
    """Keeps the newer rows. Rows whose name is a capital have no key."""

    def key(self, message: Any) -> Hashable | None:
        return message[0].name if is_batch(message) and message[0].name.islower() else None

    def merge(self, older: list[Row], newer: list[Row]) -> tuple[list[Row], int]:
        return list(newer), len(newer)


class All(Newest):
    """Keeps all rows."""

    def merge(self, older: list[Row], newer: list[Row]) -> tuple[list[Row], int]:
        return [*older, *newer], len(older) + len(newer)


plains = st.sampled_from([Block(), Block(), DropOldest(), DropNewest(), Fail()])
overflows: st.SearchStrategy[Overflow] = st.one_of(
    plains,
    st.builds(Conflate, st.sampled_from([Newest(), All()]), otherwise=plains),
)
cuts: st.SearchStrategy[Rows | None] = st.sampled_from([None, Lasts(), Silent()])
names = st.sampled_from(["a", "a", "b", "b", "c", "X", "Y", "bad", "echo"])
batches = st.lists(st.builds(Row, names, st.booleans()), min_size=1, max_size=6)


class Subject(Actor[Any]):
    """Counts the ticks it handles; where it is gated, waits at each message until it is let go."""

    def __init__(self, machine: "Conservation") -> None:
        self.machine = machine

    def on_message(self, message: Any) -> Any:
        if self.machine.gated:
            return self._later(message)
        return self._handle(message)

    async def _later(self, message: Any) -> None:
        if not self.machine.free and not (isinstance(message, str) and "control" in message):
            self.machine.gate = asyncio.get_running_loop().create_future()
            await self.machine.gate
        self._handle(message)

    def _handle(self, message: Any) -> None:
        if is_bad(message):
            raise ValueError("bad")
        if isinstance(message, Question):
            message.reply("reply")
        if tells_itself(message):
            self._tell_itself()
        self.machine.handled += _ticks(message)

    def _tell_itself(self) -> None:
        try:
            self.machine.model.echoes.append(self.ref.tell(echo(), 2))
        except (MailboxFull, TooHeavy):
            self.machine.model.echoes.append(None)


def _ticks(message: Any) -> int:
    return len(message) if is_batch(message) else int(isinstance(message, Question))


class Conservation(RuleBasedStateMachine):
    """One actor behind one mailbox, and everything that can happen to both."""

    steps = 0

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.unhandled: list[dict[str, Any]] = []
        self.loop.set_exception_handler(lambda _, context: self.unhandled.append(context))
        self.handled = 0
        self.free = False
        self.gate: asyncio.Future[None] | None = None
        self.puts: list[tuple[Entry, asyncio.Task[Delivery]]] = []
        self.asks: list[tuple[Entry, asyncio.Task[str]]] = []
        self.controls = 0

    @initialize(capacity=st.integers(1, 8), overflow=overflows, rows=cuts, gated=st.sampled_from([True, True, False]))
    def start(self, capacity: int, overflow: Overflow, rows: Rows | None, gated: bool) -> None:
        self.gated = gated
        self.model = Model(Mailbox(capacity, overflow, rows=rows), gated)
        spec = ChildSpec("a", lambda: Subject(self), self.model.mailbox, shutdown=1.0)
        self.system = System(tree([spec]), self.loop.clock)
        with without_collector():
            self.loop.run_until_complete(self.system.start())
        self.ref = self.system.ref("a")
        self.cell = cell_of(self.system, "a")
        self.run()

    # --- telling: nothing runs in between, so that the queue fills ----------------------------------------------

    @rule(batch=batches)
    def tell(self, batch: list[Row]) -> None:
        try:
            got: Delivery | None = self.ref.tell(batch, len(batch))
        except (MailboxFull, TooHeavy):
            got = None
        assert got == self.model.tell(batch, len(batch), got)

    @rule(batch=batches)
    def offer(self, batch: list[Row]) -> None:
        try:
            got: Outcome | None = self.ref.offer(batch, len(batch))
        except (MailboxFull, TooHeavy):
            got = None
        items = self.cell.lane.items
        merged = got is not None and not got.refused and not got.dropped and items[-1][0] is not batch
        assert got == self.model.offer(batch, len(batch), Delivery.CONFLATED if merged else Delivery.ACCEPTED)

    @precondition(lambda self: not self.model.closed)
    @rule(name=names)
    def fill(self, name: str) -> None:
        """A batch of just the size that fits; in the end, who puts has to wait."""
        self.run()
        if self.model.room:
            self.tell([Row(name)] * self.model.room)

    @rule(n=st.integers(0, 9))
    def mark(self, n: int) -> None:
        assert self.ref.tell(f"mark {n}", 0) == self.model.tell(f"mark {n}", 0)

    @rule(bad=st.booleans())
    def control(self, bad: bool) -> None:
        message = "bad control" if bad else "control"
        delivery = self.ref.tell_control(message)
        assert delivery is (Delivery.CLOSED if self.model.closed else Delivery.ACCEPTED)
        if not self.model.closed:
            self.controls += 1
            self.model.control.append(message)

    # --- what waits --------------------------------------------------------------------------------------------

    @rule(some=st.lists(batches, min_size=1, max_size=3))
    def put_some(self, some: list[list[Row]]) -> None:
        for batch in some:
            self.put(batch)

    def put(self, batch: list[Row]) -> None:
        if len(batch) > self.model.mailbox.capacity:
            batch = batch[: self.model.mailbox.capacity]
        self.run()
        task = self.loop.create_task(self.ref.put(batch, len(batch)))
        entry = Entry(batch, len(batch), answer=lambda: _result(task))
        self.puts.append((entry, task))
        self.run(then=lambda: self.model.put(entry))

    @rule(number=st.integers(0, 9))
    def ask(self, number: int) -> None:
        self.run()
        request = Question(number)
        task = self.loop.create_task(self.ref.ask(request, 1e6))
        entry = Entry(request, 1)
        self.asks.append((entry, task))
        self.run(then=lambda: self.model.put(entry))

    @precondition(lambda self: any(not task.done() for _, task in self.puts + self.asks))
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        self.run()
        pending = [pair for pair in self.puts + self.asks if not pair[1].done()]
        if pending:
            entry, task = data.draw(st.sampled_from(pending), label="cancelled")
            task.cancel()
            if entry in self.model.waiting:
                self.model.waiting.remove(entry)
            self.settle()
            self.model.serve()
            self.model.run()

    # --- running and ending ------------------------------------------------------------------------------------

    def settle(self) -> None:
        self.loop.run_until_complete(settle())

    @rule()
    def run(self, then: Any = None) -> None:
        """Let happen what can. `then` is what the model does first about a task that was just created."""
        self.settle()
        if then is not None:
            then()
        self.model.run()

    @precondition(lambda self: self.gated and self.model.in_hand and not self.model.killed)
    @rule()
    def release(self) -> None:
        assert self.gate is not None
        self.gate.set_result(None)
        self.settle()
        self.model.release()
        self.model.run()

    @precondition(lambda self: not self.model.closed)
    @rule()
    def kill(self) -> None:
        asyncio._set_running_loop(self.loop)  # between two turns of the loop, where no test can be
        try:
            self.cell.kill()
        finally:
            asyncio._set_running_loop(None)
        self.model.killed = True
        if self.model.in_hand is None:
            self.model.serve()

    @rule(late=st.lists(batches, max_size=2))
    def terminate(self, late: list[list[Row]]) -> None:
        """Stopped for good, told in vain, and started again."""
        self.run()
        self.loop.run_until_complete(self.system.supervisor().terminate_child("a"))
        self.settle()
        self.model.terminate()
        self.agrees()
        for batch in late:
            self.tell(batch)
            self.put(batch)
        self.mark(0)
        self.control(bad=True)
        self.ask(0)
        self.agrees()
        self.loop.run_until_complete(self.system.supervisor().restart_child("a"))
        self.model.closed = False
        self.run()

    def teardown(self) -> None:
        if not hasattr(self, "system"):
            return
        self.run()
        stop = self.loop.create_task(self.system.stop())
        self.settle()
        self.free = True
        if self.gate is not None and not self.gate.done():
            self.gate.set_result(None)
        self.loop.run_until_complete(stop)
        self.model.drain()
        self.settle()
        self.agrees()
        assert self.ref.stats().queued == self.ref.stats().in_handler == 0
        assert all(task.done() for _, task in self.puts + self.asks)
        assert not asyncio.all_tasks(self.loop)
        self.loop.close()
        assert not self.unhandled, self.unhandled

    # --- what must hold after every step -----------------------------------------------------------------------

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "system"):
            return
        Conservation.steps += 1
        stats, model, counts, lane = self.ref.stats(), self.model, self.model.counts, self.cell.lane
        assert [entry[0] for entry in lane.items] == [entry.message for entry in model.queue]
        assert lane.weigh() == lane.queued == stats.queued == model.queued <= model.mailbox.capacity
        assert stats.in_handler == (model.in_hand.weight if model.in_hand else 0)
        assert stats.delivered == counts.delivered == self.handled
        assert stats.conflated == counts.conflated
        dropped = stats.dropped
        assert dropped.overflow == counts.evicted + counts.turned_away
        assert (dropped.crash, dropped.cancel, dropped.stop) == (counts.crash, counts.cancel, counts.stop)
        assert stats.refused == counts.refused
        assert stats.unaccounted == 0
        self._control_agrees()
        self._asks_agree()

    def _control_agrees(self) -> None:
        stats, counts = self.ref.stats(), self.model.counts
        assert stats.control_received == self.controls
        assert stats.control_queued == len(self.model.control)
        assert (stats.control_handled, stats.control_dropped) == (counts.control_handled, counts.control_dropped)
        assert stats.control_in_handler == 0

    def _asks_agree(self) -> None:
        for entry, task in self.asks:
            if not task.done() or task.cancelled():
                continue
            outcome = self.model.outcomes[id(entry.message)]
            match task.exception():
                case None:
                    assert (task.result(), outcome) == ("reply", "replied")
                case AskLost():
                    assert outcome == "lost"
                case Closed():
                    assert outcome == "closed"
                case error:
                    assert isinstance(error, MailboxFull)
                    assert outcome == "full"


def _result(task: "asyncio.Task[Delivery]") -> Delivery | None:
    return task.result() if task.done() and not task.cancelled() and task.exception() is None else None


def campaign(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        Conservation,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
        ),
    )


def test_every_tick_is_accounted_for(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL")
    campaign(examples=120, steps=40)


@pytest.mark.soak
def test_every_tick_is_accounted_for_in_many_more_runs(
    caplog: pytest.LogCaptureFixture, pytestconfig: pytest.Config
) -> None:
    caplog.set_level("CRITICAL")
    Conservation.steps = 0
    campaign(examples=10_000, steps=60)
    note_soak(pytestconfig, "conservation", {"examples": 10_000, "steps_checked": Conservation.steps, "unaccounted": 0})
