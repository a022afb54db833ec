"""A picture of the whole tree: states, figures, what each actor waits on."""

import asyncio
import functools
import inspect
from typing import Any

import pytest

from tests.actors.harness import Question, Recorder, awaiting, cell_of, child, plain, restarted, running, settle, tree
from ticktree.actors import (
    Actor,
    ActorNode,
    Backoff,
    Block,
    Mailbox,
    Restart,
    RestartStrategy,
    Supervisor,
    SupervisorNode,
    System,
    VirtualClock,
)
from ticktree.actors.mailbox import DropOldest


class Waiting(Actor[Any]):
    async def on_start(self) -> None:
        await asyncio.sleep(1.0)

    async def on_message(self, message: Any) -> None:
        await asyncio.sleep(10.0)  # here it waits

    async def on_stop(self, reason: Any) -> None:
        await asyncio.sleep(1.0)


def node(system: System, path: str) -> ActorNode:
    return next(actor for actor in system.snapshot().actors() if actor.path == path)


def line_of(function: Any, text: str) -> str:
    lines, first = inspect.getsourcelines(function)
    return f"{__file__}:{first + next(n for n, line in enumerate(lines) if text in line)}"


async def test_states_follow_a_life(clock: VirtualClock) -> None:
    system = System(tree([child("a", Waiting, shutdown=2.0)]), clock)
    assert node(system, "a").state == "vacant"
    start = asyncio.ensure_future(system.start())
    await settle()
    assert (node(system, "a").state, system.snapshot().root.state) == ("starting", "starting")
    await start
    await settle()
    assert (node(system, "a").state, system.snapshot().root.state) == ("running", "running")
    system.ref("a").tell("wait")
    assert system.snapshot().runnable == 1
    await settle()
    assert (node(system, "a").state, system.snapshot().runnable) == ("suspended", 0)
    stop = asyncio.ensure_future(system.stop())
    await settle()
    assert (node(system, "a").state, system.snapshot().root.state) == ("draining", "stopping")
    await stop
    assert (node(system, "a").state, system.snapshot().root.state) == ("vacant", "vacant")


async def test_an_on_stop_that_waits_is_stopping(clock: VirtualClock) -> None:
    async with running(child("a", Waiting)) as system:
        await clock.sleep(2.0)
        stop = asyncio.ensure_future(system.stop())
        await settle()
        assert node(system, "a").state == "stopping"
        await stop


async def test_a_restart_that_waits_for_its_delay_is_restarting(clock: VirtualClock) -> None:
    root = Supervisor(
        (plain("a", lambda actor, message: 1 / 0), child("b", Actor)), intensity=9, delay=Backoff(100.0, 100.0)
    )
    system = System(root, clock, seed=1)
    await system.start()
    await settle()
    system.ref("a").tell("fail")
    await settle()
    tree_now = system.snapshot()
    assert [(actor.path, actor.state) for actor in tree_now.actors()] == [("a", "restarting"), ("b", "running")]
    assert tree_now.root.waits_on == "restart of a"
    await clock.sleep(200.0)
    assert [(actor.state, actor.life, actor.restarts) for actor in system.snapshot().actors()] == [
        ("running", 2, 1),
        ("running", 1, 0),
    ]
    await system.stop()


async def test_what_an_actor_waits_on_is_a_line_of_its_source() -> None:
    async with running(child("a", Waiting, start_timeout_s=9.0), awaiting("b", _ask_c), plain("c", _keep)) as system:
        system.ref("b").tell("ask")
        await settle()
        line = line_of(_ask_c, "await actor")
        waits_on = node(system, "b").waits_on
        assert waits_on.startswith("an answer of c to Question, ")
        assert node(system, "c").waits_on == ""
        assert line.split(":")[0] not in waits_on  # the innermost frame is the runtime's: `ask` itself
        assert waits_on.endswith(" in ask")


async def _ask_c(actor: Actor[Any], message: Any) -> None:
    await actor.find("c").ask(Question(), 5.0)


def _keep(actor: Actor[Any], message: Any) -> None:
    """Never replies."""


async def test_what_waits_on_a_future_of_its_own_is_named_by_its_own_line() -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def handle(actor: Actor[Any], message: Any) -> None:
        await future

    async with running(awaiting("a", handle)) as system:
        system.ref("a").tell("wait")
        await settle()
        assert node(system, "a").waits_on == f"{line_of(handle, 'await future')} in handle"
        future.set_result(None)


async def test_the_source_is_the_class_that_lives_there_or_what_makes_it(clock: VirtualClock) -> None:
    spec = child("a", functools.partial(Recorder, []), restart=Restart.TRANSIENT)
    async with running(spec, child("b", lambda: Recorder([]))) as system:
        assert node(system, "a").source == _source(Recorder)
        assert node(system, "b").source == _source(Recorder)
        await system.supervisor().terminate_child("a")
        await system.supervisor().terminate_child("b")
        assert node(system, "b").source == line_of(
            test_the_source_is_the_class_that_lives_there_or_what_makes_it, "lambda: Recorder"
        )


def _source(kind: type) -> str:
    return f"{inspect.getsourcefile(kind)}:{inspect.getsourcelines(kind)[1]}"


async def test_the_source_never_shows_what_a_factory_was_given() -> None:
    async with running(child("a", functools.partial(Recorder, ["hunter2"]))) as system:
        await system.supervisor().terminate_child("a")
        assert "hunter2" not in str(system.snapshot())
        assert "hunter2" not in node(system, "a").source


async def test_a_class_without_a_file_is_named() -> None:
    scope: dict[str, Any] = {"Actor": Actor, "__name__": "nowhere"}
    exec("class Typed(Actor): pass", scope)
    async with running(child("a", scope["Typed"])) as system:
        assert node(system, "a").source == "Typed"


async def test_the_figures_are_those_of_the_mailbox(clock: VirtualClock) -> None:
    async with running(child("a", Waiting, Mailbox(5, DropOldest()))) as system:
        await clock.sleep(2.0)
        for n in range(4):
            system.ref("a").tell(n, 2)
            await settle()
        box = node(system, "a").mailbox
        assert box == system.ref("a").stats()
        assert (box.received, box.in_handler, box.queued, box.dropped.overflow) == (8, 2, 4, 2)


async def test_the_history_tells_the_last_endings() -> None:
    async with running(plain("a", lambda actor, message: 1 / 0)) as system:
        for _ in range(12):
            system.ref("a").tell("fail")
            await settle()
        history = node(system, "a").history
    assert len(history) == 8
    assert history[-1].endswith("life 12 ended: error: ZeroDivisionError: division by zero")
    assert history[0].endswith("life 5 ended: error: ZeroDivisionError: division by zero")


async def test_the_drawing_shows_the_tree_with_what_matters(clock: VirtualClock) -> None:
    inner = Supervisor((awaiting("hung", lambda actor, message: asyncio.sleep(99.0)),), id="inner")
    group = Supervisor((child("idle", Actor), inner), RestartStrategy.REST_FOR_ONE, id="group")
    async with running(group, plain("fails", lambda actor, message: 1 / 0, Mailbox(7, Block()))) as system:
        system.ref("group/inner/hung").tell("wait")
        system.ref("fails").tell("fail", 2)
        await settle()
        lines = str(system.snapshot()).splitlines()
        await restarted(system, "group/inner/hung")
    assert lines[0].startswith("ticktree at 0.000 s: 0 runnable, loop blocked 0 times (longest 0 ms), ")
    assert lines[0].endswith(" 0 leaked handlers")
    assert lines[1] == "root  running  life 1  restarts 0  one_for_one"
    assert lines[2] == "  group  running  life 1  restarts 0  rest_for_one"
    assert lines[3].startswith("    idle  running  life 1  restarts 0  received 0 delivered 0 ")
    assert lines[4] == "    inner  running  life 1  restarts 0  one_for_one"
    assert lines[5].startswith("      hung  suspended  life 1 ")
    assert "  waits on " in lines[5]
    assert lines[6].startswith("  fails  running  life 2  restarts 1  received 2 delivered 0 conflated 0 dropped 2 ")
    assert "queued 0/7 (oldest 0.0 ms)" in lines[6]
    assert lines[6].endswith("  last: 0.000 s: life 1 ended: error: ZeroDivisionError: division by zero")
    assert len(lines) == 7


async def test_the_drawing_names_leaks(clock: VirtualClock) -> None:
    released = asyncio.Event()

    async def hold_on(actor: Actor[Any], message: Any) -> None:
        while not released.is_set():
            try:
                await released.wait()
            except asyncio.CancelledError:
                pass

    async with running(awaiting("a", hold_on)) as system:
        system.ref("a").tell("begin")
        await settle()
        cell_of(system, "a").kill()
        await clock.sleep(1.0)
        lines = str(system.snapshot()).splitlines()
        assert "1 leaked handlers" in lines[0]
        assert lines[-1].startswith("leaked: a life 1, waiting on ")
        assert lines[-1].endswith(" in wait")
        released.set()
        await settle()


async def test_the_tree_is_a_value() -> None:
    group = Supervisor((child("a", Actor),), id="group")
    async with running(group) as system:
        root = system.snapshot().root
        assert isinstance(root.children[0], SupervisorNode)
        with pytest.raises(AttributeError):
            root.state = "other"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]  # the mistake
