"""What meets in a supervisor: commands, endings, delays and stops that come in the same moment, or in the wrong one."""

import asyncio
from typing import Any

import pytest

from tests.actors.support import (
    Failure,
    Probe,
    Stage,
    assert_conserved,
    assert_nothing_left,
    cell_of,
    group,
    never_mind_cancels,
    settled,
    sleep_long,
    started,
    supervisor_of,
    until,
)
from ticktree.actors import (
    KILLED,
    NORMAL,
    SHUTDOWN,
    AlreadyStarted,
    Backoff,
    Closed,
    Delivery,
    Exit,
    Ignore,
    IntensityExceeded,
    Misuse,
    Reason,
    StartFailed,
    System,
    UnknownActor,
    VirtualClock,
)
from ticktree.actors.supervisor import SupervisorCell

LATER = Backoff(base_s=1_000.0, ceiling_s=1_000.0)


@pytest.fixture
def stage() -> Stage:
    return Stage()


async def let_fail(system: System, path: str) -> None:
    system.ref(path).tell(Failure(path))
    await settled()


# --- commands and the end ------------------------------------------------------------------------------------------


async def test_a_stop_right_after_a_command_is_heard(clock: VirtualClock, stage: Stage) -> None:
    system = System(group(), clock)
    await system.start()
    await system.supervisor().start_child(stage.child("a"))
    await system.stop()  # in the turn of the loop in which the supervisor's task ends
    assert stage.take() == ["+a", "-a"]
    assert_nothing_left(system)


async def test_a_supervisor_that_just_ended_starts_again_and_serves_in_order(clock: VirtualClock, stage: Stage) -> None:
    nested = group(stage.child("a"), id="nested", intensity=0)
    async with started(clock, group(nested)) as system:
        supervisor = supervisor_of(system, "nested")
        system.ref("nested/a").tell(Failure())
        commands: list[asyncio.Task[Any]] = []
        await until(lambda: supervisor.lives == 2)
        for id in "bc":
            commands.append(asyncio.ensure_future(supervisor.start_child(stage.child(id))))
        await asyncio.gather(*commands)
        assert [info.id for info in supervisor.which_children()] == ["a", "b", "c"]
        assert stage.take() == ["+a", "-a", "+a", "+b", "+c"]


async def test_commands_that_wait_when_the_supervisor_stops_are_refused_at_once(
    clock: VirtualClock, stage: Stage
) -> None:
    slow = stage.child("a", stop=sleep_long, shutdown=5.0)
    system = System(group(slow, stage.child("b", stop=sleep_long, shutdown=5.0)), clock)
    await system.start()
    supervisor = system.supervisor()
    commands = [
        asyncio.ensure_future(command)
        for command in (supervisor.terminate_child("a"), supervisor.start_child(stage.child("c")))
    ]
    await settled()
    stopping = asyncio.ensure_future(system.stop())
    await settled()
    for command in commands:
        assert command.done()
        with pytest.raises(Closed, match="root is closed: the supervisor stopped"):
            await command
    with pytest.raises(Closed, match="root is closed: it is stopping"):
        await supervisor.start_child(stage.child("d"))
    await stopping
    with pytest.raises(Closed, match="root is closed: the supervisor does not run"):
        await supervisor.start_child(stage.child("d"))
    assert stage.take() == ["+a", "+b", "-a", "-b"]
    assert_nothing_left(system)


async def test_a_child_that_is_being_added_when_the_supervisor_stops_is_stopped(
    clock: VirtualClock, stage: Stage
) -> None:
    system = System(group(), clock)
    await system.start()
    command = asyncio.ensure_future(system.supervisor().start_child(stage.child("a", start=sleep_long)))
    await settled()
    began_ns = clock.monotonic_ns()
    await system.stop()
    assert clock.monotonic_ns() == began_ns
    with pytest.raises(Closed):
        await command
    assert_nothing_left(system)


async def test_a_cancelled_caller_leaves_no_half_done_command(clock: VirtualClock, stage: Stage) -> None:
    async def take_a_second(_: Probe) -> None:
        await asyncio.sleep(1.0)

    async with started(clock, group()) as system:
        supervisor = system.supervisor()
        begun = asyncio.ensure_future(supervisor.start_child(stage.child("a", start=take_a_second)))
        waiting = asyncio.ensure_future(supervisor.start_child(stage.child("b")))
        await settled()
        begun.cancel()
        waiting.cancel()
        await asyncio.sleep(2.0)
        assert {info.id: info.state for info in supervisor.which_children()} == {"a": "running"}
        assert stage.take() == ["+a"]


async def test_a_start_that_is_cancelled_stops_what_has_started(clock: VirtualClock, stage: Stage) -> None:
    system = System(group(stage.child("a"), stage.child("b", start=sleep_long)), clock)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.0):
            await system.start()
    assert stage.take() == ["+a", "+b", "-a"]
    assert_nothing_left(system)


async def test_a_stop_while_the_tree_starts_ends_the_start(clock: VirtualClock, stage: Stage) -> None:
    nested = group(stage.child("b"), stage.child("c", start=sleep_long), id="nested")
    system = System(group(stage.child("a"), nested), clock)
    starting = asyncio.ensure_future(system.start())
    await settled()
    assert supervisor_of(system).waits_on() == "start of nested"
    assert supervisor_of(system, "nested").waits_on() == "start of c"
    report = await system.stop()
    with pytest.raises(StartFailed, match="it was stopped while starting"):
        await starting
    assert report.reason == SHUTDOWN
    assert stage.take() == ["+a", "+b", "+c", "-b", "-a"]
    assert_nothing_left(system)


async def test_a_plain_on_start_may_stop_the_system(clock: VirtualClock, stage: Stage) -> None:
    def stop_all(probe: Probe) -> None:
        systems[0].begin_stop()

    system = System(group(stage.child("a"), stage.child("b", start=stop_all), stage.child("c")), clock)
    systems = [system]
    with pytest.raises(StartFailed):
        await system.start()
    assert (await system.wait()).reason == SHUTDOWN
    assert stage.take() == ["+a", "+b", "-b", "-a"]
    await settled()
    assert_nothing_left(system)


async def test_a_coroutine_on_start_that_stops_the_system_is_not_waited_for(clock: VirtualClock, stage: Stage) -> None:
    def stop_all(probe: Probe) -> Any:
        systems[0].begin_stop()
        return sleep_long(probe)

    system = System(group(stage.child("a", start=stop_all)), clock)
    systems = [system]
    with pytest.raises(StartFailed):
        await system.start()
    assert clock.monotonic_ns() == 0
    await settled()
    assert_nothing_left(system)


async def test_a_brutal_stop_told_by_a_handler_lets_that_handler_end(clock: VirtualClock, stage: Stage) -> None:
    system = System(group(stage.child("a"), shutdown="brutal_kill"), clock)
    await system.start()

    def stop_all(_: Probe) -> None:
        system.begin_stop()

    for message in (stop_all, "one", "two"):
        system.ref("a").tell(message)
    report = await system.wait()
    assert stage.take() == ["+a", "a: one", "a: two"]  # of the turn that was under way
    assert cell_of(system, "a").last_reason == KILLED
    assert report.reason == KILLED
    assert_nothing_left(system)


# --- restarts and commands -----------------------------------------------------------------------------------------


async def test_a_child_that_is_being_restarted_is_neither_deleted_nor_restarted(
    clock: VirtualClock, stage: Stage
) -> None:
    for strategy in ("one_for_one", "rest_for_one", "one_for_all"):
        root = group(*stage.children("ab"), strategy=strategy, delay=LATER, period_s=1e6)
        async with started(clock, root, seed=1) as system:
            supervisor = system.supervisor()
            await let_fail(system, "a")
            for command in (supervisor.delete_child("a"), supervisor.restart_child("a")):
                with pytest.raises(Misuse, match="a is being restarted: terminate it first"):
                    await command
            with pytest.raises(AlreadyStarted):
                await supervisor.start_child(stage.child("a"))
            await asyncio.sleep(1_000.0)
            assert [info.state for info in supervisor.which_children()] == ["running", "running"]


async def test_a_child_terminated_while_it_waits_for_its_restart_stays_down(clock: VirtualClock, stage: Stage) -> None:
    async with started(clock, group(*stage.children("ab"), delay=LATER), seed=1) as system:
        supervisor = system.supervisor()
        ref = system.ref("a")
        await let_fail(system, "a")
        assert ref.tell("kept for the next life") is Delivery.ACCEPTED
        await supervisor.terminate_child("a")
        assert ref.tell("anything") is Delivery.CLOSED
        await asyncio.sleep(2_000.0)
        assert [info.state for info in supervisor.which_children()] == ["vacant", "running"]
        await supervisor.delete_child("a")
        await supervisor.start_child(stage.child("a"))
        await let_fail(system, "b")
        await asyncio.sleep(2_000.0)
        assert stage.lives == {"a": 2, "b": 2}
        assert_conserved(cell_of(system, "a"))


@pytest.mark.parametrize("strategy", ["rest_for_one", "one_for_all"])
async def test_who_waits_for_the_restart_of_a_terminated_sibling_can_be_started_alone(
    clock: VirtualClock, stage: Stage, strategy: str
) -> None:
    root = group(*stage.children("ab"), strategy=strategy, delay=LATER, period_s=1e6)
    async with started(clock, root, seed=1) as system:
        supervisor = system.supervisor()
        await let_fail(system, "a")
        await supervisor.terminate_child("a")
        assert [info.state for info in supervisor.which_children()] == ["vacant", "vacant"]
        await supervisor.restart_child("b")
        await asyncio.sleep(2_000.0)
        assert stage.lives == {"a": 1, "b": 2}


async def test_commands_find_a_child_that_has_just_died_and_waits_for_its_supervisor(
    clock: VirtualClock, stage: Stage
) -> None:
    busy = stage.child("b", stop=sleep_long, shutdown=1.0)
    async with started(clock, group(stage.child("a"), busy)) as system:
        supervisor = system.supervisor()
        first = asyncio.ensure_future(supervisor.terminate_child("b"))  # keeps the supervisor for a second
        await settled()
        restart = asyncio.ensure_future(supervisor.restart_child("a"))
        delete = asyncio.ensure_future(supervisor.delete_child("a"))
        await settled()
        await let_fail(system, "a")
        await first
        for command in (restart, delete):
            with pytest.raises(AlreadyStarted):
                await command
        await settled()
        assert stage.lives == {"a": 2, "b": 1}
        assert [info.restarts for info in supervisor.which_children()] == [1, 0]


async def test_a_child_that_died_and_is_terminated_is_not_restarted(clock: VirtualClock, stage: Stage) -> None:
    busy = stage.child("b", stop=sleep_long, shutdown=1.0)
    async with started(clock, group(stage.child("a"), busy, intensity=0)) as system:
        supervisor = system.supervisor()
        first = asyncio.ensure_future(supervisor.terminate_child("b"))
        await settled()
        second = asyncio.ensure_future(supervisor.terminate_child("a"))
        await settled()
        await let_fail(system, "a")
        await asyncio.gather(first, second)
        await settled()
        assert [info.state for info in supervisor.which_children()] == ["vacant", "vacant"]


async def test_a_temporary_child_is_replaced_without_a_trace(clock: VirtualClock, stage: Stage) -> None:
    async with started(clock, group()) as system:
        supervisor = supervisor_of(system)
        refs: list[Any] = []
        for _ in range(3):
            refs.append(await supervisor.start_child(stage.child("a", restart="temporary")))
            refs[-1].tell(NORMAL)
            await settled()
        assert supervisor.which_children() == ()
        assert len(set(refs)) == 3
        assert [ref.tell("anything") for ref in refs] == [Delivery.CLOSED] * 3


async def test_children_added_to_a_supervisor_are_gone_in_its_next_life(clock: VirtualClock, stage: Stage) -> None:
    nested = group(*stage.children("ab"), id="nested", intensity=0)
    async with started(clock, group(nested)) as system:
        supervisor = system.supervisor("nested")
        specified = system.ref("nested/a")
        await supervisor.terminate_child("b")
        await supervisor.delete_child("b")
        other = await supervisor.start_child(stage.child("b", restart="transient"))
        added = await supervisor.start_child(stage.child("c"))
        assert other is not None
        assert added is not None
        await let_fail(system, "nested/a")
        assert [(info.id, info.state) for info in supervisor.which_children()] == [("a", "running"), ("b", "running")]
        assert system.ref("nested/a") is specified
        assert system.ref("nested/b") is not other
        assert (other.tell("anything"), added.tell("anything")) == (Delivery.CLOSED, Delivery.CLOSED)


async def test_a_template_child_that_is_ignored_is_not_kept(clock: VirtualClock, stage: Stage) -> None:
    def ignore_the_second(probe: Probe) -> None:
        if probe.life == 2:
            raise Ignore

    root = group(stage.child("t", start=ignore_the_second), strategy="simple_one_for_one")
    async with started(clock, root) as system:
        supervisor = system.supervisor()
        first = await supervisor.start_child()
        assert await supervisor.start_child() is None
        assert supervisor.count_children().specs == 1
        assert first is not None
        await let_fail(system, first.path)
        assert supervisor.count_children().active == 1


async def test_a_ref_of_another_supervisors_child_is_refused(clock: VirtualClock, stage: Stage) -> None:
    nested = group(stage.child("a"), id="nested")
    async with started(clock, group(stage.child("a"), nested)) as system:
        with pytest.raises(UnknownActor, match="no actor at 'nested/a'"):
            await system.supervisor().terminate_child(system.ref("nested/a"))
        await system.supervisor("nested").terminate_child(system.ref("nested/a"))
        assert stage.take() == ["+a", "+a", "-a"]


async def test_an_actor_cannot_command_a_supervisor_that_waits_for_it(clock: VirtualClock, stage: Stage) -> None:
    refused: list[str] = []

    async def add_a_sibling(probe: Probe) -> None:
        for path in ("nested", ""):
            try:
                await systems[0].supervisor(path).start_child(stage.child("b"))
            except Misuse as error:
                refused.append(str(error))

    async def end_oneself(probe: Probe) -> None:
        for path, which in (("nested", "a"), ("", "nested")):
            try:
                await systems[0].supervisor(path).terminate_child(which)
            except Misuse as error:
                refused.append(str(error))

    async def add_another(_: Probe) -> None:
        await system.supervisor().start_child(stage.child("c"))

    nested = group(stage.child("a", start=add_a_sibling), id="nested")
    system = System(group(nested), clock)
    systems = [system]
    await system.start()
    assert refused == [
        "nested/a cannot command nested in its on_start, it would wait for itself",
        "nested/a cannot command root in its on_start, it would wait for itself",
    ]
    refused.clear()
    system.ref("nested/a").tell(end_oneself)
    await settled()
    assert refused == [
        "nested/a cannot wait for the end of nested/a, it would wait for itself: use stop()",
        "nested/a cannot wait for the end of nested, it would wait for itself: use stop()",
    ]
    system.ref("nested/a").tell(add_another)
    await settled()
    assert stage.lives == {"a": 1, "c": 1}
    await system.stop()
    assert_nothing_left(system)


# --- failures and the loop -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", ["one_for_one", "rest_for_one", "one_for_all"])
async def test_a_start_that_always_fails_does_not_keep_the_loop(
    clock: VirtualClock, stage: Stage, strategy: str
) -> None:
    def fail_again(probe: Probe) -> None:
        if probe.life > 1:
            raise Failure

    system = System(group(stage.child("a", start=fail_again), strategy=strategy, intensity=1_000_000), clock)
    await system.start()
    system.ref("a").tell(Failure())
    await until(lambda: stage.lives["a"] == 10)
    await system.supervisor().start_child(stage.child("b"))
    assert (await system.stop()).reason == SHUTDOWN
    assert stage.lives["a"] < 100
    assert_nothing_left(system)


async def test_many_that_fail_at_once_are_restarted_with_turns_for_others_between(
    clock: VirtualClock, stage: Stage
) -> None:
    ids = [f"a{number}" for number in range(100)]
    async with started(clock, group(*map(stage.child, ids), intensity=100)) as system:
        for id in ids:
            system.ref(id).tell(Failure())
        steps: set[int] = set()
        while sum(stage.lives.values()) < 200:
            await asyncio.sleep(0)
            steps.add(sum(stage.lives.values()))
        assert len(steps) > 50


@pytest.mark.parametrize("error", [asyncio.CancelledError, SystemExit, GeneratorExit])
async def test_whatever_a_plain_handler_raises_ends_only_its_life(
    clock: VirtualClock, stage: Stage, error: type[BaseException]
) -> None:
    def fail_to_start(probe: Probe) -> None:
        if probe.life == 3:
            raise error

    def fail_to_stop(probe: Probe, _: Reason) -> None:
        if probe.life == 2:
            raise error

    async with started(clock, group(stage.child("a", start=fail_to_start, stop=fail_to_stop))) as system:
        system.ref("a").tell(error())
        await settled()
        assert stage.take() == ["+a", "-a", "+a"]
        system.ref("a").tell(NORMAL)
        await settled()
        assert stage.take() == ["-a", "+a", "+a"]
        last = [line.rpartition("ended: ")[2] for line in cell_of(system, "a").history]
        assert last == [f"error: {error.__name__}: "] * 3


async def test_an_exit_that_a_failure_overtook_does_not_end_the_next_life(clock: VirtualClock, stage: Stage) -> None:
    def exit_and_fail(probe: Probe) -> None:
        probe.stop()
        raise Failure

    async with started(clock, group(stage.child("a"))) as system:
        system.ref("a").tell(exit_and_fail)
        system.ref("a").tell("hello")
        await settled()
        assert stage.take() == ["+a", "-a", "+a", "a: hello"]
        assert cell_of(system, "a").last_reason == Reason(Exit.ERROR)


async def test_on_start_may_end_its_own_life(clock: VirtualClock, stage: Stage) -> None:
    async def exit_later(probe: Probe) -> None:
        probe.stop()

    children = (
        stage.child("a", start=lambda probe: probe.stop(), restart="transient"),
        stage.child("b", start=exit_later, restart="transient"),
    )
    async with started(clock, group(*children)) as system:
        await settled()
        assert [info.state for info in system.supervisor().which_children()] == ["vacant", "vacant"]
        assert [cell.last_reason for cell in system.cells()] == [NORMAL, NORMAL]
        assert sorted(stage.take()) == ["+a", "+b", "-a", "-b"]


@pytest.mark.parametrize("restart", ["permanent", "temporary"])
async def test_a_second_kill_does_not_lengthen_the_first_ones_grace(
    clock: VirtualClock, stage: Stage, restart: str
) -> None:
    system = System(group(stage.child("a", restart=restart, shutdown=60.0)), clock, budget_s=1.0)
    await system.start()
    system.ref("a").tell(never_mind_cancels)
    await settled()
    cell = cell_of(system, "a")
    stopping = asyncio.ensure_future(system.stop())
    await asyncio.sleep(0.95)
    cell.kill()
    report = await stopping  # at 1 s it is killed again, when its grace is half over
    assert report.duration_s == pytest.approx(1.05, abs=0.001)
    assert [leak.path for leak in report.leaks] == ["a"]
    assert_nothing_left(system)
    await asyncio.sleep(10.0)


async def test_a_killed_child_that_does_not_end_is_not_waited_for_when_it_is_stopped(
    clock: VirtualClock, stage: Stage
) -> None:
    system = System(group(stage.child("a", shutdown=60.0)), clock, budget_s=100.0)
    await system.start()
    system.ref("a").tell(never_mind_cancels)
    await settled()
    cell_of(system, "a").kill()
    report = await system.stop()
    assert report.duration_s == pytest.approx(0.1, abs=0.001)
    assert_nothing_left(system)
    await asyncio.sleep(10.0)


async def test_a_handler_killed_before_its_first_step_leaves_no_coroutine_behind(
    clock: VirtualClock, stage: Stage
) -> None:
    system = System(group(stage.child("a"), intensity=0), clock)
    await system.start()
    system.ref("a").tell(sleep_long)
    await until(lambda: cell_of(system, "a").waits_on() != "")
    cell_of(system, "a").kill()  # a coroutine that was never awaited would be a warning, which is an error here
    report = await system.wait()
    assert isinstance(report.reason.error, IntensityExceeded)
    assert cell_of(system, "a").stats().dropped.cancel == 1


async def test_a_fault_of_the_runtime_itself_kills_the_system_and_nothing_hangs(
    clock: VirtualClock, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    nested = group(*stage.children("ab"), id="nested")
    system = System(group(nested, stage.child("c")), clock)
    await system.start()
    monkeypatch.setattr(SupervisorCell, "_count_restart", break_down)
    system.ref("nested/a").tell(Failure())
    report = await system.wait()
    assert (report.reason.kind, report.exit_code) == (Exit.ERROR, 1)
    assert isinstance(report.reason.error, ZeroDivisionError)
    await settled()
    assert_nothing_left(system)
    assert stage.take() == ["+a", "+b", "+c", "-a"]


async def test_a_supervisor_whose_task_is_cancelled_from_outside_is_a_fault_and_not_a_hang(
    clock: VirtualClock, stage: Stage
) -> None:
    system = System(group(stage.child("a")), clock)
    await system.start()
    command = asyncio.ensure_future(system.supervisor().start_child(stage.child("b", start=sleep_long)))
    await settled()
    task = next(task for task in asyncio.all_tasks() if task.get_name() == "root")
    task.cancel()
    report = await system.wait()
    assert (report.reason.kind, report.exit_code) == (Exit.ERROR, 1)
    with pytest.raises(Closed):
        await command
    await settled()
    assert_nothing_left(system)
