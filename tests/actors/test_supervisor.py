"""The 44 cases of supervision (Erlang/OTP's semantics), each in virtual time."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from tests.actors.support import (
    ROOMY,
    Failure,
    Probe,
    Stage,
    StartHook,
    assert_nothing_left,
    cell_of,
    group,
    never_mind_cancels,
    settled,
    sleep_long,
    started,
    supervisor_of,
)
from ticktree.actors import (
    KILLED,
    NORMAL,
    SHUTDOWN,
    AlreadyPresent,
    AlreadyStarted,
    Backoff,
    ChildCount,
    ChildSpec,
    Closed,
    Exit,
    Ignore,
    IntensityExceeded,
    Reason,
    SpecError,
    StartFailed,
    StartTimeout,
    Supervisor,
    System,
    UnknownActor,
    VirtualClock,
)

NS = 1_000_000_000
FAILED = Reason(Exit.ERROR)


@pytest.fixture
def stage() -> Stage:
    return Stage()


def in_life(number: int, act: StartHook) -> StartHook:
    """A start hook that acts in one life only."""
    return lambda probe: act(probe) if probe.life == number else None


def after_life(number: int, act: StartHook) -> StartHook:
    """A start hook that acts in all lives after one."""
    return lambda probe: act(probe) if probe.life > number else None


def fail(_: Probe) -> None:
    raise Failure("on_start")


async def fail_later(_: Probe) -> None:
    await asyncio.sleep(1.0)
    raise Failure("on_start")


def ignore(_: Probe) -> None:
    raise Ignore


async def ignore_later(_: Probe) -> None:
    await asyncio.sleep(1.0)
    raise Ignore


async def take_a_second(_: object, __: object = None) -> None:
    await asyncio.sleep(1.0)


async def let_fail(system: System, path: str) -> None:
    """Have the actor at `path` fail, and everything happen that follows at once."""
    system.ref(path).tell(Failure(path))
    await settled()


def states(system: System, path: str = "") -> dict[str, str]:
    """The children's states."""
    return {info.id: info.state for info in system.supervisor(path).which_children()}


# --- start ---------------------------------------------------------------------------------------------------------


async def test_case_01_children_start_in_order_and_stop_in_reverse(clock: VirtualClock, stage: Stage) -> None:
    system = System(group(*stage.children("ab"), stage.child("c", start=take_a_second)), clock)
    await system.start()
    assert stage.take() == ["+a", "+b", "+c"]
    assert states(system) == {"a": "running", "b": "running", "c": "running"}
    assert system.supervisor().count_children() == ChildCount(specs=3, active=3, supervisors=0, actors=3)
    report = await system.stop()
    assert stage.take() == ["-c", "-b", "-a"]
    assert (report.reason, report.exit_code) == (SHUTDOWN, 0)
    assert [step.path for step in report.steps] == ["c", "b", "a"]
    assert_nothing_left(system)


@pytest.mark.parametrize("init", [ignore, ignore_later])
async def test_case_02_an_init_that_says_ignore_is_gone_on_without(
    clock: VirtualClock, stage: Stage, init: StartHook
) -> None:
    async with started(clock, group(stage.child("a"), stage.child("b", start=init), stage.child("c"))) as system:
        assert stage.take() == ["+a", "+b", "+c"]
        assert states(system) == {"a": "running", "b": "vacant", "c": "running"}
        assert system.ref("b").tell("anything").value == "closed"
    assert stage.take() == ["-c", "-a"]


@pytest.mark.parametrize("init", [fail, fail_later])
async def test_case_03_an_init_that_raises_stops_earlier_siblings_in_reverse(
    clock: VirtualClock, stage: Stage, init: StartHook
) -> None:
    children = (*stage.children("ab"), stage.child("c", start=init), stage.child("d"))
    system = System(group(*children), clock)
    with pytest.raises(StartFailed, match="c did not start: Failure: on_start") as caught:
        await system.start()
    assert caught.value.path == "c"
    assert isinstance(caught.value.__cause__, Failure)
    assert stage.take() == ["+a", "+b", "+c", "-b", "-a"]
    report = await system.wait()
    assert (report.reason.kind, report.exit_code) == (Exit.ERROR, 1)
    assert_nothing_left(system)


async def test_case_03_a_nested_supervisor_that_cannot_start_fails_its_parent(
    clock: VirtualClock, stage: Stage
) -> None:
    nested = group(stage.child("b"), stage.child("c", start=fail), id="nested")
    system = System(group(stage.child("a"), nested, stage.child("d")), clock)
    with pytest.raises(StartFailed, match="nested/c did not start"):
        await system.start()
    assert stage.take() == ["+a", "+b", "+c", "-b", "-a"]
    assert_nothing_left(system)


async def test_case_04_an_invalid_spec_is_refused_before_anything_starts(clock: VirtualClock, stage: Stage) -> None:
    with pytest.raises(SpecError, match="a child is a ChildSpec or a Supervisor"):
        System(group(stage.child("a"), "b"), clock)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # the mistake
    with pytest.raises(SpecError, match="a system's root is a Supervisor"):
        System(stage.child("a"), clock)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # the mistake
    assert stage.take() == []
    async with started(clock, group(stage.child("a"))) as system:
        with pytest.raises(SpecError, match="a child is a ChildSpec or a Supervisor"):
            await system.supervisor().start_child("b")
        with pytest.raises(SpecError, match="takes one"):
            await system.supervisor().start_child(*stage.children("bc"))
        assert stage.take() == ["+a"]
        assert states(system) == {"a": "running"}


async def test_case_05_a_duplicate_id_is_refused(clock: VirtualClock, stage: Stage) -> None:
    with pytest.raises(SpecError, match="more than one child is called a"):
        group(*stage.children("aba"))
    async with started(clock, group(stage.child("a"))) as system:
        with pytest.raises(AlreadyStarted, match="a is running already"):
            await system.supervisor().start_child(stage.child("a"))
        assert stage.take() == ["+a"]


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ({"strategy": "one_for_some"}, "strategy is one of one_for_one, .*; not 'one_for_some'"),
        ({"intensity": -1}, "intensity is a number of restarts, 0 or more; not -1"),
        ({"intensity": 1.5}, "intensity is .*; not 1.5"),
        ({"period_s": 0}, "period_s is a number of seconds above 0; not 0"),
        ({"period_s": float("inf")}, "period_s is .*; not inf"),
    ],
)
def test_case_06_a_bad_strategy_intensity_or_period_is_refused(more: dict[str, Any], complaint: str) -> None:
    with pytest.raises(SpecError, match=complaint):
        Supervisor((), **more)


async def test_case_07_an_ignored_permanent_child_keeps_its_spec(clock: VirtualClock, stage: Stage) -> None:
    async with started(clock, group(stage.child("a", start=in_life(1, ignore)))) as system:
        assert system.supervisor().count_children() == ChildCount(specs=1, active=0, supervisors=0, actors=1)
        await system.supervisor().restart_child("a")
        assert states(system) == {"a": "running"}
        system.ref("a").tell("hello")
        await settled()
        assert stage.take() == ["+a", "+a", "a: hello"]


async def test_case_08_an_ignored_temporary_child_drops_its_spec(clock: VirtualClock, stage: Stage) -> None:
    async with started(clock, group(stage.child("a", start=ignore, restart="temporary"))) as system:
        assert system.supervisor().which_children() == ()
        with pytest.raises(UnknownActor):
            await system.supervisor().restart_child("a")
        assert await system.supervisor().start_child(stage.child("b", start=ignore, restart="temporary")) is None
        assert system.supervisor().count_children().specs == 0


async def test_case_09_a_child_is_already_started_or_already_present(clock: VirtualClock, stage: Stage) -> None:
    async with started(clock, group(stage.child("a"))) as system:
        supervisor = system.supervisor()
        for refused in (
            supervisor.start_child(stage.child("a")),
            supervisor.restart_child("a"),
            supervisor.delete_child("a"),
        ):
            with pytest.raises(AlreadyStarted):
                await refused
        await supervisor.terminate_child("a")
        assert states(system) == {"a": "vacant"}
        with pytest.raises(AlreadyPresent):
            await supervisor.start_child(stage.child("a"))
        await supervisor.restart_child("a")
        assert stage.take() == ["+a", "-a", "+a"]
        await supervisor.terminate_child("a")
        await supervisor.delete_child("a")
        assert supervisor.which_children() == ()
        with pytest.raises(UnknownActor):
            await supervisor.delete_child("a")
        ref = await supervisor.start_child(stage.child("a"))
        assert ref is not None
        assert states(system) == {"a": "running"}


@pytest.mark.parametrize(("init", "after_s", "leaks"), [(sleep_long, 2.0, 0), (never_mind_cancels, 2.1, 1)])
async def test_case_10_an_init_that_hangs_fails_at_its_timeout(
    clock: VirtualClock, stage: Stage, init: StartHook, after_s: float, leaks: int
) -> None:
    children = stage.child("a"), stage.child("b", start=init, start_timeout_s=2.0)
    system = System(group(*children), clock)
    began_ns = clock.monotonic_ns()
    with pytest.raises(StartTimeout, match=r"b did not start: on_start was still running after 2 s, waiting on "):
        await system.start()
    assert (clock.monotonic_ns() - began_ns) / NS == pytest.approx(after_s, abs=0.001)
    assert stage.take() == ["+a", "+b", "-a"]
    assert [leak.path for leak in system.leaks] == ["b"] * leaks
    assert_nothing_left(system)
    await asyncio.sleep(10.0)
    assert system.leaked_tasks == ()


# --- restart type and exit -----------------------------------------------------------------------------------------


async def lives_after(clock: VirtualClock, stage: Stage, restart: str, reason: Reason | Failure) -> tuple[int, int]:
    """Lives of a child that ended with `reason`, and how many specifications are left."""
    async with started(clock, group(stage.child("a", restart=restart), stage.child("b"))) as system:
        cell = cell_of(system, "a")
        system.ref("a").tell(reason)
        await settled()
        assert cell.last_reason == (reason if isinstance(reason, Reason) else FAILED)
        assert stage.lives["b"] == 1
        specs = system.supervisor().count_children().specs
        running = sum(info.state == "running" for info in system.supervisor().which_children())
        assert running == system.supervisor().count_children().active
        if stage.lives["a"] == 2:
            assert running == 2
            assert system.ref("a").tell("hello").value == "accepted"
        else:
            assert cell.ref.tell("hello").value == "closed"
    return stage.lives["a"], specs


async def test_case_11_permanent_restarts_after_normal(clock: VirtualClock, stage: Stage) -> None:
    assert await lives_after(clock, stage, "permanent", NORMAL) == (2, 2)


async def test_case_12_permanent_restarts_after_shutdown(clock: VirtualClock, stage: Stage) -> None:
    assert await lives_after(clock, stage, "permanent", SHUTDOWN) == (2, 2)


async def test_case_13_permanent_restarts_after_an_error(clock: VirtualClock, stage: Stage) -> None:
    assert await lives_after(clock, stage, "permanent", Failure()) == (2, 2)


async def test_case_14_transient_stays_down_after_normal(clock: VirtualClock, stage: Stage) -> None:
    assert await lives_after(clock, stage, "transient", NORMAL) == (1, 2)


async def test_case_15_transient_stays_down_after_shutdown(clock: VirtualClock, stage: Stage) -> None:
    assert await lives_after(clock, stage, "transient", SHUTDOWN) == (1, 2)


@pytest.mark.parametrize("reason", [Failure(), KILLED])
async def test_case_16_transient_restarts_after_an_error(
    clock: VirtualClock, stage: Stage, reason: Reason | Failure
) -> None:
    assert await lives_after(clock, stage, "transient", reason) == (2, 2)


async def test_case_17_temporary_is_forgotten_after_normal(clock: VirtualClock, stage: Stage) -> None:
    assert await lives_after(clock, stage, "temporary", NORMAL) == (1, 1)


async def test_case_18_temporary_is_forgotten_after_shutdown(clock: VirtualClock, stage: Stage) -> None:
    assert await lives_after(clock, stage, "temporary", SHUTDOWN) == (1, 1)


@pytest.mark.parametrize("reason", [Failure(), KILLED])
async def test_case_19_temporary_is_forgotten_after_an_error(
    clock: VirtualClock, stage: Stage, reason: Reason | Failure
) -> None:
    assert await lives_after(clock, stage, "temporary", reason) == (1, 1)


# --- strategy ------------------------------------------------------------------------------------------------------


async def test_case_20_one_for_one_isolates(clock: VirtualClock, stage: Stage) -> None:
    async with started(clock, group(*stage.children("abc"), strategy="one_for_one")) as system:
        stage.take()
        for path in "abc":
            system.ref(path).tell("before")
        await let_fail(system, "b")
        for path in "abc":
            system.ref(path).tell("after")
        await settled()
        assert stage.lives == {"a": 1, "b": 2, "c": 1}
        assert stage.take() == [
            *("a: before", "b: before", "-b", "c: before", "+b"),
            *("a: after", "b: after", "c: after"),
        ]
        stats = cell_of(system, "b").stats()
        assert (stats.received, stats.delivered, stats.dropped.crash) == (3, 2, 1)


async def test_case_20_one_for_one_isolates_also_while_a_sibling_waits_for_its_restart(
    clock: VirtualClock, stage: Stage
) -> None:
    delay = Backoff(base_s=1_000.0, ceiling_s=1_000.0)
    async with started(clock, group(*stage.children("abc"), delay=delay), seed=1) as system:
        await let_fail(system, "a")
        assert states(system) == {"a": "restarting", "b": "running", "c": "running"}
        supervisor = system.supervisor()
        async with asyncio.timeout(1.0):
            await supervisor.start_child(stage.child("d"))
            await supervisor.terminate_child("c")
        await let_fail(system, "b")
        await asyncio.sleep(1_000.0)
        assert states(system) == {"a": "running", "b": "running", "c": "vacant", "d": "running"}
        assert stage.lives == {"a": 2, "b": 2, "c": 1, "d": 1}


async def test_case_21_rest_for_one_restarts_the_later_ones_only(clock: VirtualClock, stage: Stage) -> None:
    async with started(clock, group(*stage.children("abcd"), strategy="rest_for_one")) as system:
        stage.take()
        await let_fail(system, "b")
        assert stage.take() == ["-b", "-d", "-c", "+b", "+c", "+d"]
        await let_fail(system, "d")
        assert stage.take() == ["-d", "+d"]


async def test_case_21_rest_for_one_with_a_delay_stops_the_later_ones_at_once(
    clock: VirtualClock, stage: Stage
) -> None:
    delay = Backoff(base_s=1_000.0, ceiling_s=1_000.0)
    root = group(*stage.children("abc"), strategy="rest_for_one", delay=delay, period_s=1e6)
    async with started(clock, root, seed=1) as system:
        stage.take()
        await let_fail(system, "b")
        assert stage.take() == ["-b", "-c"]
        assert states(system) == {"a": "running", "b": "restarting", "c": "restarting"}
        await let_fail(system, "a")
        assert states(system) == {"a": "restarting", "b": "restarting", "c": "restarting"}
        await asyncio.sleep(2_000.0)  # the restart of a took that of b over
        assert stage.take() == ["-a", "+a", "+b", "+c"]


async def test_case_22_one_for_all_restarts_all(clock: VirtualClock, stage: Stage) -> None:
    async with started(clock, group(*stage.children("abc"), strategy="one_for_all")) as system:
        stage.take()
        await let_fail(system, "b")
        assert stage.take() == ["-b", "-c", "-a", "+a", "+b", "+c"]


async def sibling_fails_while_it_is_stopped(clock: VirtualClock, stage: Stage, strategy: str) -> list[str]:
    async def fail_in_the_end(probe: Probe, _: Reason) -> None:
        await asyncio.sleep(1.0)
        if probe.life == 1:
            raise Failure

    children = stage.child("a"), stage.child("b"), stage.child("c", stop=fail_in_the_end), stage.child("d")
    async with started(clock, group(*children, strategy=strategy, intensity=1)) as system:
        stage.take()
        await let_fail(system, "b")
        await asyncio.sleep(2.0)
        assert cell_of(system, "c").last_reason == FAILED
        assert set(states(system).values()) == {"running"}
        return stage.take()


async def sibling_fails_to_start_again(clock: VirtualClock, stage: Stage, strategy: str) -> list[str]:
    children = stage.child("a"), stage.child("b"), stage.child("c", start=in_life(2, fail)), stage.child("d")
    async with started(clock, group(*children, strategy=strategy, intensity=2)) as system:
        stage.take()
        await let_fail(system, "b")
        await settled()
        assert set(states(system).values()) == {"running"}
        return stage.take()


async def sibling_fails_when_just_restarted(clock: VirtualClock, stage: Stage, strategy: str) -> list[str]:
    """b is up again and fails while c takes its second to start."""
    children = stage.child("a"), stage.child("b"), stage.child("c", start=in_life(2, take_a_second)), stage.child("d")
    async with started(clock, group(*children, strategy=strategy, intensity=2)) as system:
        stage.take()
        await let_fail(system, "b")
        await let_fail(system, "b")
        assert states(system)["c"] == "starting"
        await asyncio.sleep(2.0)
        assert set(states(system).values()) == {"running"}
        return stage.take()


async def test_case_23_a_sibling_fails_during_a_rest_for_one_restart(clock: VirtualClock) -> None:
    assert await sibling_fails_while_it_is_stopped(clock, Stage(), "rest_for_one") == [
        *("-b", "-d", "-c", "+b", "+c", "+d"),
    ]
    assert await sibling_fails_to_start_again(clock, Stage(), "rest_for_one") == [
        *("-b", "-d", "-c", "+b", "+c"),  # b is up; from c on they are tried again
        *("+c", "+d"),
    ]
    assert await sibling_fails_when_just_restarted(clock, Stage(), "rest_for_one") == [
        *("-b", "-d", "-c", "+b", "+c", "-b", "+d"),
        *("-d", "-c", "+b", "+c", "+d"),
    ]


async def test_case_24_a_sibling_fails_during_a_one_for_all_restart(clock: VirtualClock) -> None:
    assert await sibling_fails_while_it_is_stopped(clock, Stage(), "one_for_all") == [
        *("-b", "-d", "-c", "-a", "+a", "+b", "+c", "+d"),
    ]
    assert await sibling_fails_to_start_again(clock, Stage(), "one_for_all") == [
        *("-b", "-d", "-c", "-a", "+a", "+b", "+c"),
        *("-b", "-a", "+a", "+b", "+c", "+d"),
    ]
    assert await sibling_fails_when_just_restarted(clock, Stage(), "one_for_all") == [
        *("-b", "-d", "-c", "-a", "+a", "+b", "+c", "-b", "+d"),
        *("-d", "-c", "-a", "+a", "+b", "+c", "+d"),
    ]


@pytest.mark.parametrize("strategy", ["rest_for_one", "one_for_all"])
async def test_case_25_a_temporary_bystander_is_not_restarted(clock: VirtualClock, stage: Stage, strategy: str) -> None:
    children = stage.child("a"), stage.child("b", restart="temporary"), stage.child("c")
    async with started(clock, group(*children, strategy=strategy)) as system:
        stage.take()
        await let_fail(system, "a")
        assert stage.take() == ["-a", "-c", "-b", "+a", "+c"]
        assert states(system) == {"a": "running", "c": "running"}


async def test_case_26_a_restart_keeps_the_order(clock: VirtualClock, stage: Stage) -> None:
    system = System(group(*stage.children("abcd")), clock)
    await system.start()
    for path in "bca":
        await let_fail(system, path)
    await system.supervisor().terminate_child("b")
    await system.supervisor().restart_child("b")
    assert [info.id for info in system.supervisor().which_children()] == ["a", "b", "c", "d"]
    stage.take()
    await system.stop()
    assert stage.take() == ["-d", "-c", "-b", "-a"]


# --- intensity -----------------------------------------------------------------------------------------------------


async def test_case_27_exactly_as_many_restarts_as_allowed_survive(clock: VirtualClock, stage: Stage) -> None:
    async with started(clock, group(*stage.children("ab"), intensity=3, period_s=10.0)) as system:
        for path in "aba":
            await let_fail(system, path)
            await asyncio.sleep(3.0)
        assert states(system) == {"a": "running", "b": "running"}
        assert [info.restarts for info in system.supervisor().which_children()] == [2, 1]


async def test_case_28_one_restart_more_escalates(clock: VirtualClock, stage: Stage) -> None:
    system = System(group(*stage.children("abc"), intensity=3, period_s=10.0), clock)
    await system.start()
    began_ns = clock.monotonic_ns()
    for path in "aba":
        await let_fail(system, path)
    stage.take()
    await asyncio.sleep(10.0 - (clock.monotonic_ns() - began_ns) / NS)  # the first of them is exactly a period ago
    system.ref("b").tell(Failure("the last"))
    report = await system.wait()
    assert stage.take() == ["-b", "-c", "-a"]
    assert report.reason == SHUTDOWN
    error = report.reason.error
    assert isinstance(error, IntensityExceeded)
    assert (error.path, error.intensity, error.period_s) == ("root", 3, 10.0)
    assert "Failure: the last" in str(error)
    assert report.exit_code == 1
    assert_nothing_left(system)


async def test_case_28_an_intensity_of_none_escalates_at_the_first_failure(clock: VirtualClock, stage: Stage) -> None:
    system = System(group(*stage.children("ab"), intensity=0), clock)
    await system.start()
    await let_fail(system, "a")
    assert isinstance((await system.wait()).reason.error, IntensityExceeded)
    assert stage.lives == {"a": 1, "b": 1}


async def test_case_29_old_restarts_expire(clock: VirtualClock, stage: Stage) -> None:
    async with started(clock, group(*stage.children("ab"), intensity=2, period_s=10.0)) as system:
        for _ in range(10):
            await let_fail(system, "a")
            await asyncio.sleep(5.001)  # so there are never more than 2 in 10 s
        assert stage.lives == {"a": 11, "b": 1}
        assert states(system) == {"a": "running", "b": "running"}


@pytest.mark.parametrize("init", [fail, fail_later])
@pytest.mark.parametrize("strategy", ["one_for_one", "rest_for_one", "one_for_all"])
async def test_case_30_failures_of_init_count(
    clock: VirtualClock, stage: Stage, strategy: str, init: StartHook
) -> None:
    child = stage.child("a", start=after_life(1, init))
    system = System(group(child, stage.child("b"), intensity=3, strategy=strategy), clock)
    await system.start()
    await let_fail(system, "a")
    report = await system.wait()
    assert stage.lives["a"] == 1 + 3
    assert isinstance(report.reason.error, IntensityExceeded)
    assert "a did not start: Failure: on_start" in str(report.reason.error)
    assert cell_of(system, "a").restarts == 3
    assert_nothing_left(system)


async def test_case_31_escalation_restarts_the_parents_subtree(clock: VirtualClock, stage: Stage) -> None:
    nested = group(*stage.children("bc"), id="nested", intensity=1)
    async with started(clock, group(stage.child("a"), nested, stage.child("d"))) as system:
        stage.take()
        ref = system.ref("nested/c")
        await let_fail(system, "nested/b")
        assert stage.take() == ["-b", "+b"]
        await let_fail(system, "nested/b")
        assert stage.take() == ["-b", "-c", "+b", "+c"]
        assert stage.lives == {"a": 1, "b": 3, "c": 2, "d": 1}
        supervisor = supervisor_of(system, "nested")
        assert (supervisor.lives, supervisor.restarts, supervisor.state) == (2, 1, "running")
        assert supervisor.last_reason == SHUTDOWN
        assert "nested gave up: more than 1 restarts within 10 s" in supervisor.history[0]
        ref.tell("still the same place")
        await let_fail(system, "nested/b")  # a new life counts anew
        assert stage.take() == ["c: still the same place", "-b", "+b"]


async def test_case_31_escalation_climbs_three_levels(clock: VirtualClock, stage: Stage) -> None:
    low = group(stage.child("c"), id="low", intensity=0)
    middle = group(stage.child("b"), low, id="middle", intensity=0)
    async with started(clock, group(stage.child("a"), middle, intensity=1)) as system:
        stage.take()
        await let_fail(system, "middle/low/c")
        assert stage.take() == ["-c", "-b", "+b", "+c"]
        assert [supervisor_of(system, path).lives for path in ("middle/low", "middle", "")] == [2, 2, 1]
        system.ref("middle/low/c").tell(Failure())
        report = await system.wait()
        assert stage.take() == ["-c", "-b", "-a"]
        assert isinstance(report.reason.error, IntensityExceeded)
        assert report.reason.error.path == "root"


async def test_case_31_a_transient_supervisor_that_gave_up_stays_down(clock: VirtualClock, stage: Stage) -> None:
    nested = group(stage.child("b"), id="nested", intensity=0, restart="transient")
    async with started(clock, group(stage.child("a"), nested)) as system:
        ref = system.ref("nested/b")
        await let_fail(system, "nested/b")
        assert states(system) == {"a": "running", "nested": "vacant"}
        assert ref.tell("anything").value == "closed"


@pytest.mark.parametrize("strategy", ["one_for_one", "rest_for_one", "one_for_all"])
async def test_case_32_a_supervisor_answers_and_stops_during_a_hanging_restart(
    clock: VirtualClock, stage: Stage, strategy: str
) -> None:
    children = stage.child("a"), stage.child("b", start=after_life(1, sleep_long)), stage.child("c")
    system = System(group(*children, strategy=strategy), clock)
    await system.start()
    await let_fail(system, "b")
    assert states(system)["b"] == "starting"
    assert supervisor_of(system).waits_on() == (
        "restart of b" if strategy == "one_for_one" else "restart of b, restart of c"
    )
    others = {"one_for_one": 2, "rest_for_one": 1, "one_for_all": 1}[strategy]
    assert system.supervisor().count_children() == ChildCount(specs=3, active=1 + others, supervisors=0, actors=3)
    command = asyncio.ensure_future(system.supervisor().start_child(stage.child("d")))
    await settled()
    began_ns = clock.monotonic_ns()
    report = await system.stop()
    assert clock.monotonic_ns() == began_ns
    assert (report.reason, report.exit_code) == (SHUTDOWN, 0)
    with pytest.raises(Closed):
        await command
    assert "d" not in stage.lives
    assert_nothing_left(system)


async def test_case_32_a_supervisor_stops_during_the_delay_of_a_restart(clock: VirtualClock, stage: Stage) -> None:
    delay = Backoff(base_s=1_000.0, ceiling_s=1_000.0)
    system = System(group(*stage.children("ab"), delay=delay), clock, seed=1)
    await system.start()
    await let_fail(system, "a")
    assert states(system) == {"a": "restarting", "b": "running"}
    began_ns = clock.monotonic_ns()
    await system.stop()
    assert clock.monotonic_ns() == began_ns
    assert_nothing_left(system)
    await asyncio.sleep(2_000.0)
    assert stage.lives == {"a": 1, "b": 1}


# --- stop ----------------------------------------------------------------------------------------------------------


async def test_case_33_a_stop_goes_in_reverse_order(clock: VirtualClock, stage: Stage) -> None:
    nested = group(stage.child("b", stop=take_a_second), stage.child("c", stop=take_a_second), id="nested")
    system = System(group(stage.child("a"), nested, stage.child("d", stop=take_a_second)), clock)
    await system.start()
    stage.take()
    report = await system.stop()
    assert stage.take() == ["-d", "-c", "-b", "-a"]
    assert [step.path for step in report.steps] == ["d", "nested/c", "nested/b", "nested", "a"]
    assert [round(step.duration_s, 3) for step in report.steps] == [1.0, 1.0, 1.0, 2.0, 0.0]
    assert_nothing_left(system)


@pytest.mark.parametrize(("hang", "leaks"), [(sleep_long, 0), (never_mind_cancels, 1)])
@pytest.mark.parametrize("where", ["on_stop", "handler"])
async def test_case_34_past_its_deadline_a_child_is_killed_and_its_siblings_get_shutdown(
    clock: VirtualClock, stage: Stage, hang: Callable[..., Awaitable[None]], leaks: int, where: str
) -> None:
    reasons: list[Reason] = []

    def note(_: Probe, reason: Reason) -> None:
        reasons.append(reason)

    slow = stage.child("b", stop=hang if where == "on_stop" else None, shutdown=2.0)
    system = System(group(stage.child("a", stop=note), slow, stage.child("c", stop=note)), clock)
    await system.start()
    if where == "handler":
        system.ref("b").tell(hang)
        await settled()
    stage.take()
    report = await system.stop()
    assert stage.take() == (["-c", "-b", "-a"] if where == "on_stop" else ["-c", "-a"])
    assert reasons == [SHUTDOWN, SHUTDOWN]
    assert cell_of(system, "b").last_reason == KILLED
    assert report.duration_s == pytest.approx(2.0 + 0.1 * leaks, abs=0.001)
    assert (report.overran, report.exit_code, len(report.leaks)) == (("b",), 1, leaks)
    assert_nothing_left(system)
    await asyncio.sleep(10.0)
    assert system.leaked_tasks == ()


async def test_case_34_a_supervisor_past_its_deadline_has_all_below_killed(clock: VirtualClock, stage: Stage) -> None:
    slow = stage.child("b", stop=sleep_long, shutdown="infinity")
    nested = group(stage.child("a"), slow, id="nested", shutdown=2.0)
    system = System(group(nested, stage.child("c")), clock)
    await system.start()
    stage.take()
    report = await system.stop()
    assert stage.take() == ["-c", "-b"]
    assert report.duration_s == pytest.approx(2.0, abs=0.001)
    assert cell_of(system, "nested/a").last_reason == KILLED
    assert supervisor_of(system, "nested").last_reason == KILLED
    assert_nothing_left(system)


async def test_case_35_a_brutal_kill_takes_no_time_and_no_on_stop(clock: VirtualClock, stage: Stage) -> None:
    busy = stage.child("b", shutdown="brutal_kill", stop=sleep_long)
    system = System(group(stage.child("a"), busy, stage.child("c", shutdown="brutal_kill")), clock)
    await system.start()
    cancelled: list[str] = []

    async def work(probe: Probe) -> None:
        try:
            await asyncio.sleep(1_000.0)
        except asyncio.CancelledError:
            cancelled.append(probe.id)
            raise

    system.ref("b").tell(work)
    await settled()
    stage.take()
    report = await system.stop()
    assert stage.take() == ["-a"]
    assert cancelled == ["b"]
    assert [step.reason for step in report.steps] == [KILLED, KILLED, SHUTDOWN]
    assert (report.duration_s, report.overran, report.exit_code) == (0.0, (), 0)
    assert cell_of(system, "b").stats().dropped.cancel == 1
    assert_nothing_left(system)


async def test_case_36_infinity_waits_however_long_it_takes(clock: VirtualClock, stage: Stage) -> None:
    slow = stage.child("b", stop=sleep_long, shutdown="infinity")
    system = System(group(stage.child("a"), slow), clock, budget_s=1e8)
    await system.start()
    report = await system.stop()
    assert report.duration_s == pytest.approx(3_600_000.0)
    assert (cell_of(system, "b").last_reason, report.exit_code) == (SHUTDOWN, 0)
    assert_nothing_left(system)


async def end_by_itself(probe: Probe, reason: Reason) -> None:
    """What a child does that ends with `reason`: by a failure, by a kill, or because it wants to."""
    match reason.kind:
        case Exit.ERROR:
            raise Failure
        case Exit.KILLED:
            raise asyncio.CancelledError
        case Exit.NORMAL | Exit.SHUTDOWN:
            probe.stop(reason)


@pytest.mark.parametrize("reason", [NORMAL, SHUTDOWN, KILLED, FAILED], ids=lambda reason: str(reason.kind))
@pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
async def test_case_37_a_child_exits_by_itself_during_the_stop_and_its_true_reason_is_kept(
    clock: VirtualClock, stage: Stage, restart: str, reason: Reason
) -> None:
    """a ends before its turn to be stopped has come, b when it is being stopped already."""
    cells: list[Any] = []
    ended_before_its_turn: list[bool] = []

    async def end_a(_: Probe, __: Reason) -> None:
        if reason == KILLED:
            cells[0].kill()
        else:
            cells[0].ref.tell(partial(end_by_itself, reason=reason))
        await asyncio.sleep(1.0)
        ended_before_its_turn.append(cells[0].life is None)

    async def end_later(probe: Probe) -> None:
        await asyncio.sleep(2.0)
        if reason == KILLED:
            cells[1].kill()
        await end_by_itself(probe, reason)

    children = stage.child("a", restart=restart), stage.child("b", restart=restart), stage.child("c", stop=end_a)
    system = System(group(*children), clock)
    await system.start()
    cells += [cell_of(system, "a"), cell_of(system, "b")]
    system.ref("b").tell(end_later)
    await settled()
    report = await system.stop()
    assert ended_before_its_turn == [True]
    assert [cell.last_reason for cell in cells] == [reason, reason]
    assert [step.path for step in report.steps] == ["c", "b"]
    assert stage.lives == {"a": 1, "b": 1, "c": 1}
    assert (report.reason, report.overran) == (SHUTDOWN, ())
    assert_nothing_left(system)


async def test_case_38_nothing_is_restarted_once_stopping(clock: VirtualClock, stage: Stage) -> None:
    system = System(group(*stage.children("ab"), stage.child("c", stop=take_a_second)), clock)
    await system.start()
    stopping = asyncio.ensure_future(system.stop())
    await settled()
    await let_fail(system, "b")
    assert states(system) == {"a": "running", "b": "vacant", "c": "stopping"}
    await stopping
    assert stage.take() == ["+a", "+b", "+c", "-c", "-b", "-a"]
    assert_nothing_left(system)


@pytest.mark.parametrize("strategy", ["rest_for_one", "one_for_all"])
async def test_case_38_a_group_restart_under_way_does_not_start_anybody_once_stopping(
    clock: VirtualClock, stage: Stage, strategy: str
) -> None:
    children = *stage.children("ab"), stage.child("c", stop=take_a_second)
    system = System(group(*children, strategy=strategy), clock)
    await system.start()
    stage.take()
    await let_fail(system, "a")
    await system.stop()
    assert stage.take() == ["-a", "-c", "-b"]
    assert_nothing_left(system)


# --- dynamic children ----------------------------------------------------------------------------------------------


def pool(stage: Stage, **more: Any) -> Supervisor:
    """Children from a template."""
    template = {key: more.pop(key) for key in ("start", "stop", "restart", "shutdown", "significant") if key in more}
    return group(stage.child("t", **template), id="pool", strategy="simple_one_for_one", **more)


async def test_case_39_a_template_is_one_child_and_its_children_start_and_stop_by_reference(
    clock: VirtualClock, stage: Stage
) -> None:
    for children in ((), stage.children("ab"), (group(id="nested"),)):
        with pytest.raises(SpecError, match="exactly one ChildSpec as its template"):
            Supervisor(children, "simple_one_for_one")
    async with started(clock, group(pool(stage), stage.child("a"))) as system:
        supervisor = system.supervisor("pool")
        assert supervisor.count_children() == ChildCount(specs=0, active=0, supervisors=0, actors=0)
        first, second = await supervisor.start_child(), await supervisor.start_child()
        assert first is not None
        assert second is not None
        assert [info.path for info in supervisor.which_children()] == [first.path, second.path]
        with pytest.raises(UnknownActor):
            await supervisor.terminate_child(system.ref("a"))
        await supervisor.terminate_child(first)
        assert first.tell("anything").value == "closed"
        assert second.tell("hello").value == "accepted"
        await settled()
        assert [info.path for info in supervisor.which_children()] == [second.path]
        with pytest.raises(UnknownActor):
            await supervisor.terminate_child(first)
        await supervisor.terminate_child(second.path.rpartition("/")[2])
        assert supervisor.which_children() == ()
        assert stage.take() == ["+a", "+t", "+t", "-t", "t: hello", "-t"]


async def test_case_40_the_arguments_of_a_start_are_its_own_also_after_a_restart(clock: VirtualClock) -> None:
    seen: list[tuple[Any, ...]] = []

    class Noting(Probe):
        def on_start(self) -> None:
            seen.append(self.arguments)
            if not self.arguments:
                raise Failure("arguments are missing")

    stage = Stage()
    template = ChildSpec("t", lambda *arguments: Noting(stage, "t", None, None, arguments), ROOMY)
    async with started(clock, group(template, strategy="simple_one_for_one")) as system:
        supervisor = system.supervisor()
        one = await supervisor.start_child("one", [1])
        await supervisor.start_child("two")
        with pytest.raises(StartFailed, match="arguments are missing"):
            await supervisor.start_child()
        assert supervisor.count_children().active == 2
        assert one is not None
        one.tell(Failure())
        await settled()
        assert seen == [("one", [1]), ("two",), (), ("one", [1])]


async def test_case_41_a_thousand_children_stop_in_parallel(clock: VirtualClock, stage: Stage) -> None:
    async def overrun_some(probe: Probe, _: Reason) -> None:
        await asyncio.sleep(1.0 if probe.life % 100 else 1_000.0)

    system = System(group(pool(stage, stop=overrun_some, shutdown=2.0), stage.child("a")), clock)
    await system.start()
    for _ in range(1_000):
        await system.supervisor("pool").start_child()
    assert system.supervisor("pool").count_children() == ChildCount(specs=1000, active=1000, supervisors=0, actors=1000)
    report = await system.stop()
    assert report.duration_s == pytest.approx(2.0, abs=0.001)
    assert sorted(round(step.duration_s, 3) for step in report.steps) == [0.0] + [1.0] * 990 + [2.0] * 11
    assert (len(report.overran), report.exit_code) == (10, 1)
    assert_nothing_left(system)


# --- significant children ------------------------------------------------------------------------------------------


def significant(stage: Stage, ids: str, restart: str = "transient") -> tuple[ChildSpec, ...]:
    return stage.children(ids, significant=True, restart=restart)


@pytest.mark.parametrize("restart", ["transient", "temporary"])
async def test_case_42_any_significant_child_ends_its_supervisor(
    clock: VirtualClock, stage: Stage, restart: str
) -> None:
    children = *significant(stage, "ab", restart), stage.child("c")
    system = System(group(*children, auto_shutdown="any_significant"), clock)
    await system.start()
    stage.take()
    system.ref("b").tell(NORMAL)
    report = await system.wait()
    assert stage.take() == ["-b", "-c", "-a"]
    assert (report.reason, report.exit_code) == (SHUTDOWN, 0)
    assert_nothing_left(system)


@pytest.mark.parametrize("restart", ["transient", "temporary"])
async def test_case_42_all_significant_children_end_their_supervisor(
    clock: VirtualClock, stage: Stage, restart: str
) -> None:
    children = *significant(stage, "ab", restart), stage.child("c", restart="transient")
    system = System(group(*children, auto_shutdown="all_significant"), clock)
    await system.start()
    for path in "cb":
        system.ref(path).tell(NORMAL)
        await settled()
        assert system.supervisor().count_children().active > 0
    stage.take()
    system.ref("a").tell(NORMAL)
    assert (await system.wait()).reason == SHUTDOWN
    assert stage.take() == ["-a"]


async def test_case_42_a_significant_child_that_is_to_be_restarted_still_counts(
    clock: VirtualClock, stage: Stage
) -> None:
    for delay_s in (1e-9, 100.0):  # b ended in the same moment; b waits for its restart
        delay = Backoff(base_s=delay_s, ceiling_s=delay_s)
        root = group(*significant(stage, "ab"), auto_shutdown="all_significant", delay=delay)
        async with started(clock, root, seed=1) as system:
            if delay_s == 100.0:
                await let_fail(system, "b")
            else:
                system.ref("b").tell(Failure())
            system.ref("a").tell(NORMAL)
            await asyncio.sleep(delay_s)
            await settled()
            assert states(system) == {"a": "vacant", "b": "running"}


async def test_case_42_a_supervisor_that_ended_with_a_significant_child_is_restarted_if_permanent(
    clock: VirtualClock, stage: Stage
) -> None:
    lasting = group(*significant(stage, "a"), id="lasting", auto_shutdown="any_significant")
    passing = group(*significant(stage, "b"), id="passing", auto_shutdown="any_significant", restart="transient")
    async with started(clock, group(lasting, passing)) as system:
        system.ref("lasting/a").tell(NORMAL)
        system.ref("passing/b").tell(NORMAL)
        await settled()
        assert states(system) == {"lasting": "running", "passing": "vacant"}
        assert stage.lives == {"a": 2, "b": 1}


async def test_case_42_all_children_of_a_template_may_be_significant(clock: VirtualClock, stage: Stage) -> None:
    root = pool(stage, restart="temporary", significant=True, auto_shutdown="all_significant")
    system = System(root, clock)
    await system.start()
    first, second = [await system.supervisor().start_child() for _ in range(2)]
    assert first is not None
    assert second is not None
    first.tell(NORMAL)
    await settled()
    assert system.supervisor().count_children().active == 1
    second.tell(Failure())
    assert (await system.wait()).reason == SHUTDOWN


async def test_case_43_significant_and_permanent_or_under_never_is_refused(clock: VirtualClock, stage: Stage) -> None:
    with pytest.raises(SpecError, match="a: a significant child cannot be permanent"):
        stage.child("a", significant=True, restart="permanent")
    with pytest.raises(SpecError, match="nested: a significant child cannot be permanent"):
        group(id="nested", significant=True)
    with pytest.raises(SpecError, match="root/a: a significant child needs a supervisor with auto_shutdown"):
        group(*significant(stage, "a"))
    async with started(clock, group()) as system:
        with pytest.raises(SpecError, match="root/a: a significant child needs"):
            await system.supervisor().start_child(*significant(stage, "a"))
    assert stage.take() == []


@pytest.mark.parametrize("auto_shutdown", ["any_significant", "all_significant"])
@pytest.mark.parametrize("strategy", ["rest_for_one", "one_for_all"])
@pytest.mark.parametrize("restart", ["transient", "temporary"])
async def test_case_44_a_bystanders_restart_is_no_end_of_a_significant_child(
    clock: VirtualClock, stage: Stage, restart: str, strategy: str, auto_shutdown: str
) -> None:
    children = stage.child("a"), *significant(stage, "b", restart), stage.child("c")
    async with started(clock, group(*children, strategy=strategy, auto_shutdown=auto_shutdown)) as system:
        await let_fail(system, "a")
        running = {"a": "running", "b": "running", "c": "running"}
        if restart == "temporary":
            del running["b"]
        assert states(system) == running
        await let_fail(system, "c")
        if restart == "transient":
            await let_fail(system, "b")  # it is restarted, so it is no end either
            await system.supervisor().terminate_child("b")
            running["b"] = "vacant"
        assert states(system) == running
