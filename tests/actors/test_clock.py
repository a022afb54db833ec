"""Time, live and virtual."""

import asyncio
import os
import threading
import time
from functools import partial

import pytest
from hypothesis import given, settings, strategies as st

from tests.actors.harness import clock_here, settle
from ticktree.actors import Clock, Deadlock, LiveClock, VirtualClock, VirtualLoop, clock as clock_module, simulate

HOUR_S = 3600.0


async def never_early_and_in_order(clock: Clock, delays_ns: list[int]) -> None:
    began_ns, rang = clock.monotonic_ns(), list[tuple[int, int]]()

    def ring(delay_ns: int) -> None:
        rang.append((delay_ns, clock.monotonic_ns() - began_ns))

    for delay_ns in delays_ns:
        clock.call_at(began_ns + delay_ns, partial(ring, delay_ns))
    await clock.sleep(max(delays_ns) / 1e9 + 0.01)
    assert len(rang) == len(delays_ns)
    assert all(after_ns >= delay_ns for delay_ns, after_ns in rang)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 10**18), min_size=1, max_size=30))
def test_virtual_alarms_are_never_early(delays_ns: list[int]) -> None:
    simulate(lambda clock: never_early_and_in_order(clock, delays_ns))


@pytest.mark.live
async def test_live_alarms_are_never_early() -> None:
    await never_early_and_in_order(LiveClock(), [n * 700_001 for n in range(60)] + [0, 1, 999_999, 1_000_001])


def test_live_alarms_are_never_early_on_asyncio_either() -> None:
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(never_early_and_in_order(LiveClock(), [n * 1_300_001 for n in range(20)]))


async def test_virtual_alarms_ring_in_the_order_of_their_times(clock: VirtualClock) -> None:
    rang: list[int] = []
    for delay_s in (3, 1, 2, 5, 4):
        clock.call_at(clock.monotonic_ns() + delay_s * 10**9, partial(rang.append, delay_s))
    await clock.sleep(10.0)
    assert rang == [1, 2, 3, 4, 5]


async def test_a_cancelled_alarm_does_not_ring(clock: VirtualClock) -> None:
    rang: list[int] = []
    alarm = clock.call_at(10**9, lambda: rang.append(1))
    await clock.sleep(0.5)
    alarm.cancel()
    alarm.cancel()
    await clock.sleep(1.0)
    late = clock.call_at(0, lambda: rang.append(2))  # due in the past: at once
    await settle()
    late.cancel()
    assert rang == [2]


async def test_virtual_time_takes_no_real_time_and_stands_still_while_anything_runs(clock: VirtualClock) -> None:
    began = time.perf_counter()
    await clock.sleep(365 * 24 * HOUR_S)
    assert time.perf_counter() - began < 5.0
    assert clock.monotonic_ns() == pytest.approx(365 * 24 * HOUR_S * 1e9)
    before_ns = clock.monotonic_ns()
    for _ in range(1_000):
        await asyncio.sleep(0)
    assert clock.monotonic_ns() == before_ns


async def test_a_cancelled_sleep_leaves_no_alarm(clock: VirtualClock) -> None:
    sleep = asyncio.ensure_future(clock.sleep(HOUR_S))
    await settle()
    sleep.cancel()
    await asyncio.gather(sleep, return_exceptions=True)
    await clock.sleep(1.0)
    assert clock.monotonic_ns() < 2e9


async def test_asyncio_itself_runs_in_virtual_time(clock: VirtualClock) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(30.0):
            await asyncio.sleep(HOUR_S)
    assert clock.monotonic_ns() == pytest.approx(30e9)
    assert asyncio.get_running_loop().time() == pytest.approx(30.0)


def test_virtual_wall_time_starts_where_it_is_told() -> None:
    async def main(clock: VirtualClock) -> tuple[int, int]:
        start_ns = clock.now_ns()
        await clock.sleep(1.5)
        return start_ns, clock.now_ns()

    start_ns, end_ns = simulate(main, wall_ns=1_700_000_000 * 10**9)
    assert start_ns == 1_700_000_000 * 10**9
    assert end_ns - start_ns == pytest.approx(1.5e9, abs=10)


def test_waiting_for_what_will_never_happen_is_a_deadlock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock_module, "_PATIENCE_S", 0.01)

    async def main(clock: VirtualClock) -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(Deadlock, match="what is awaited will never happen"):
        simulate(main)


def test_waiting_for_a_thread_or_a_socket_is_no_deadlock() -> None:
    async def main(clock: VirtualClock) -> str:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[str] = loop.create_future()
        threading.Timer(0.05, lambda: loop.call_soon_threadsafe(done.set_result, "from a thread")).start()
        return await done

    assert simulate(main) == "from a thread"


def test_what_is_ready_goes_before_the_next_timer() -> None:
    async def main(clock: VirtualClock) -> tuple[bytes, int]:
        read, write = os.pipe()
        got: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().add_reader(read, lambda: got.set_result(os.read(read, 9)))
        os.write(write, b"ready")
        clock.call_at(1, lambda: None)
        data = await got
        asyncio.get_running_loop().remove_reader(read)
        os.close(read)
        os.close(write)
        return data, clock.monotonic_ns()

    assert simulate(main) == (b"ready", 0)


@pytest.mark.live
@pytest.mark.parametrize("jump_s", [HOUR_S, -HOUR_S])
async def test_a_jump_of_the_wall_clock_changes_nothing(jump_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    jumped_s, real, real_ns = [0.0], time.time, time.time_ns
    monkeypatch.setattr(time, "time", lambda: real() + jumped_s[0])
    monkeypatch.setattr(time, "time_ns", lambda: real_ns() + round(jumped_s[0] * 1e9))
    clock = clock_here()
    before_ns, rang = clock.now_ns(), list[int]()
    clock.call_at(clock.monotonic_ns() + 100_000_000, lambda: rang.append(1))
    jumped_s[0] = jump_s
    began_ns = time.monotonic_ns()
    await clock.sleep(0.02)
    assert rang == []
    await clock.sleep(0.1)
    assert rang == [1]
    assert 0.1 < (time.monotonic_ns() - began_ns) / 1e9 < 5.0
    assert 0 < clock.now_ns() - before_ns < 5e9


@pytest.mark.live
async def test_a_live_sleep_is_never_short() -> None:
    clock = clock_here()
    for seconds in (0.0, 0.000_1, 0.001_5, 0.003):
        began_ns = time.monotonic_ns()
        await clock.sleep(seconds)
        assert time.monotonic_ns() - began_ns >= seconds * 1e9


def test_virtual_loops_have_clocks_of_their_own() -> None:
    one, other = VirtualLoop(), VirtualLoop()
    one.run_until_complete(asyncio.sleep(5.0))
    assert (round(one.time()), other.time()) == (5, 0.0)
    one.close()
    other.close()


def test_at_the_end_of_virtual_time_threads_are_waited_for() -> None:
    gate, waiting = threading.Event(), list[asyncio.Future[bool]]()

    async def main(clock: VirtualClock) -> None:
        waiting.append(asyncio.get_running_loop().run_in_executor(None, gate.wait, 10))
        threading.Timer(0.05, gate.set).start()  # while the loop ends

    simulate(main)  # a limit that passed would be a warning, and warnings are errors
    assert gate.is_set()


# --- data in virtual time --------------------------------------------------------------------------------------------


async def test_data_come_before_alarms_of_their_instant_and_by_rank(clock: VirtualClock) -> None:
    rang: list[str] = []
    due_ns = clock.monotonic_ns() + 10**9
    clock.call_at(due_ns, partial(rang.append, "alarm"))
    clock.bring_at(due_ns, 2, partial(rang.append, "third"))
    clock.bring_at(due_ns, 0, partial(rang.append, "first"))
    clock.bring_at(due_ns, 0, partial(rang.append, "second"))
    clock.bring_at(due_ns - 1, 9, partial(rang.append, "earlier"))
    await clock.sleep(2.0)
    assert rang == ["earlier", "first", "second", "third", "alarm"]
    assert clock.data_awaited == 0


async def test_data_come_only_when_nothing_is_left_to_be_done_about_what_came_before(clock: VirtualClock) -> None:
    done: list[str] = []

    async def work(name: str) -> None:
        for _ in range(5):
            await asyncio.sleep(0)
        done.append(name)

    works = list[asyncio.Task[None]]()
    due_ns = clock.monotonic_ns() + 10**9
    for name in ("one", "two"):
        clock.bring_at(due_ns, 0, lambda name=name: works.append(asyncio.create_task(work(name))))  # type: ignore[misc]
    clock.call_at(due_ns, partial(done.append, "alarm"))
    await clock.sleep(2.0)
    assert done == ["one", "two", "alarm"]


async def test_an_alarm_waits_for_data_of_its_instant_that_are_asked_for_while_others_come(clock: VirtualClock) -> None:
    rang: list[str] = []
    due_ns = clock.monotonic_ns() + 10**9

    async def told() -> None:
        for row in range(3):
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            clock.bring_at(due_ns, 0, partial(clock_module.settle, turn))
            await turn
            rang.append(f"row {row}")

    clock.call_at(due_ns, partial(rang.append, "alarm"))
    telling = asyncio.create_task(told())
    await clock.sleep(2.0)
    await telling
    assert rang == ["row 0", "row 1", "row 2", "alarm"]


async def test_what_is_next_is_the_earliest_of_data_alarms_and_asyncios_own_timers(clock: VirtualClock) -> None:
    now_ns = clock.monotonic_ns()
    assert clock.next_due_ns() is None
    handle = asyncio.get_running_loop().call_later(3.0, lambda: None)
    assert clock.next_due_ns() == now_ns + 3 * 10**9
    alarm = clock.call_at(now_ns + 2 * 10**9, lambda: None)
    assert clock.next_due_ns() == now_ns + 2 * 10**9
    clock.bring_at(now_ns + 10**9, 0, lambda: None)
    assert clock.next_due_ns() == now_ns + 10**9
    await clock.sleep(1.5)
    assert clock.next_due_ns() == now_ns + 2 * 10**9
    alarm.cancel()
    assert clock.next_due_ns() == now_ns + 3 * 10**9
    handle.cancel()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["data", "alarm"]), st.integers(0, 2)), max_size=30))
def test_everything_rings_by_time_then_data_by_rank_then_as_it_was_asked_for(said: list[tuple[int, str, int]]) -> None:
    async def main(clock: VirtualClock) -> list[int]:
        rang: list[int] = []
        for number, (due, kind, rank) in enumerate(said):
            if kind == "data":
                clock.bring_at(due * 1000, rank, partial(rang.append, number))
            else:
                clock.call_at(due * 1000, partial(rang.append, number))
        await clock.sleep(1.0)
        return rang

    def place(number: int) -> tuple[int, bool, int, int]:
        due, kind, rank = said[number]
        return due, kind == "alarm", rank if kind == "data" else 0, number

    assert simulate(main) == sorted(range(len(said)), key=place)


def test_while_data_come_threads_are_heard_all_the_same() -> None:
    async def main(clock: VirtualClock) -> int:
        loop, count = asyncio.get_running_loop(), 0
        answer: asyncio.Future[None] = loop.create_future()
        threading.Thread(target=lambda: loop.call_soon_threadsafe(answer.set_result, None)).start()

        def bring() -> None:
            nonlocal count
            count += 1
            if not answer.done():
                clock.bring_at(clock.monotonic_ns() + 1_000, 0, bring)

        bring()
        await answer
        return count

    assert simulate(main) >= 1


@pytest.mark.parametrize("how", ["alarms", "turns"])
def test_time_that_will_never_move_is_a_deadlock(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock_module, "_MOST_TURNS", 500)

    async def main(clock: VirtualClock) -> None:
        def again() -> None:
            clock.call_at(clock.monotonic_ns(), again)

        if how == "alarms":
            again()
            await asyncio.get_running_loop().create_future()
        while True:  # noqa: ASYNC110  # what is not to be done
            await asyncio.sleep(0)

    with pytest.raises(Deadlock, match="time stands still: something runs again and again without waiting"):
        simulate(main)


def test_however_much_comes_at_one_instant_is_no_deadlock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock_module, "_MOST_TURNS", 50)

    async def main(clock: VirtualClock) -> int:
        rows: list[int] = []
        for row in range(400):
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            clock.bring_at(1_000, 0, partial(clock_module.settle, turn))
            await turn
            rows.append(row)
        return len(rows)

    assert simulate(main) == 400


async def test_looks_come_after_all_else_of_their_instant_and_end_no_window(clock: VirtualClock) -> None:
    seen = list[str]()
    clock.look_at(5, lambda: seen.append("look"))
    clock.call_at(5, lambda: seen.append("alarm"))
    clock.bring_at(5, 0, lambda: seen.append("data"))
    clock.look_at(3, lambda: seen.append("early look"))
    assert clock.next_due_ns() == 5
    await clock.sleep(1e-8)
    assert seen == ["early look", "data", "alarm", "look"]


def test_looks_alone_keep_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock_module, "_PATIENCE_S", 0.01)

    async def main(clock: VirtualClock) -> None:
        clock.look_at(1, lambda: None)
        await asyncio.get_running_loop().create_future()

    with pytest.raises(Deadlock, match="what is awaited will never happen"):
        simulate(main)


def test_a_look_that_fails_is_told_as_any_callback_is() -> None:
    async def main(clock: VirtualClock) -> list[str]:
        told = list[str]()

        def fail(what: str) -> None:
            raise ValueError(what)

        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: told.append(repr(context["exception"])))
        clock.look_at(1, partial(fail, "a look"))
        clock.bring_at(2, 0, partial(fail, "data"))
        await clock.sleep(1.0)
        return told

    assert simulate(main) == ["ValueError('a look')", "ValueError('data')"]


async def test_all_that_data_set_going_is_done_in_order_before_the_next_come(clock: VirtualClock) -> None:
    seen, loop = list[str](), asyncio.get_running_loop()

    def bring(name: str) -> None:
        seen.append(name)
        loop.call_soon(seen.append, f"{name} then")
        loop.call_soon(lambda: loop.call_soon(seen.append, f"{name} last"))
        loop.call_soon(seen.append, "never").cancel()

    for name in ("a", "b", "c"):
        clock.bring_at(5, 0, partial(bring, name))
    clock.bring_at(6, 0, partial(bring, "d"))
    clock.call_at(5, lambda: seen.append("alarm"))
    await clock.sleep(1e-8)
    done = [each for name in "abcd" for each in (name, f"{name} then", f"{name} last")]
    assert seen == [*done[:9], "alarm", *done[9:]]


async def test_a_timer_of_asyncio_that_data_set_going_rings_before_data_that_come_later(clock: VirtualClock) -> None:
    seen, loop = list[str](), asyncio.get_running_loop()

    def bring() -> None:
        loop.call_later(1e-6, seen.append, "timer")

    clock.bring_at(1_000, 0, bring)
    clock.bring_at(9_000, 0, lambda: seen.append("later"))
    await clock.sleep(1e-4)
    assert seen == ["timer", "later"]


@pytest.mark.parametrize("turns", [1, 500])
def test_what_data_set_going_and_never_ends_is_a_deadlock(turns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock_module, "_MOST_TURNS", turns)

    async def main(clock: VirtualClock) -> None:
        loop = asyncio.get_running_loop()

        def again() -> None:
            loop.call_soon(again)

        for _ in range(3):
            clock.bring_at(1_000, 0, again)
        await loop.create_future()

    with pytest.raises(Deadlock, match="time stands still"):
        simulate(main)


def test_a_loop_that_is_stopped_by_what_data_set_going_brings_no_more() -> None:
    clock, seen = VirtualClock(), list[int]()
    loop = VirtualLoop(clock)
    try:
        clock.bring_at(1, 0, loop.stop)
        clock.bring_at(2, 0, lambda: seen.append(clock.monotonic_ns()))
        loop.run_forever()
        assert (clock.monotonic_ns(), seen) == (1, [])
    finally:
        loop.close()
