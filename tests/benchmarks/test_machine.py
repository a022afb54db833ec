"""What others took is told from what we took ourselves, and only harm is doubted."""

import os
from pathlib import Path

import pytest

from benchmarks.machine import Taken, Usage, Watch, conditions, usage

BEFORE = Usage(
    at_s=100.0, busy_s=500.0, ours_s=50.0, theirs_s=400.0, stolen_s=10.0, waited_ns={"7": 10**9}, preempted=5
)


def _after(**changes: float) -> Taken:
    """Ten seconds on two CPUs, of which ours took one."""
    waited_ns = {"7": 10**9 + round(changes.get("waited_s", 0.0) * 1e9)}
    after = Usage(
        110.0,
        510.0 + changes.get("busy_s", 0.0),
        60.0,
        400.0 + changes.get("theirs_s", 0.0),
        10.0 + changes.get("stolen_s", 0.0),
        waited_ns,
        55,
    )
    return Taken.between(BEFORE, after, cpus=2)


def test_in_peace_nothing_is_doubted() -> None:
    taken = _after()
    assert (taken.others, taken.stolen, taken.waited, taken.reasons()) == (0.0, 0.0, 0.0, [])
    assert (taken.seconds, taken.preempted_per_s) == (10.0, 5.0)


def test_others_who_take_a_cpu_that_ours_wait_for_are_told() -> None:
    taken = _after(busy_s=5.0, waited_s=2.5)
    assert (taken.others, taken.waited) == (0.25, 0.2)
    assert taken.reasons() == ["others took 25% of the machine, and ours waited 20% of their time"]


def test_others_on_a_cpu_that_nobody_of_ours_wants_do_no_harm() -> None:
    assert not _after(busy_s=10.0).reasons()


def test_ours_that_wait_for_each_other_are_not_disturbed() -> None:
    assert not _after(waited_s=8.0).reasons()


@pytest.mark.parametrize("seen", ["busy_s", "theirs_s"])
def test_others_count_whether_the_whole_or_the_processes_show_them(seen: str) -> None:
    assert _after(**{seen: 5.0}).others == 0.25


def test_interrupts_that_the_kernel_charges_to_us_are_not_others_below_zero() -> None:
    assert _after(busy_s=-2.0).others == 0.0


def test_what_the_host_takes_is_told_whoever_waits() -> None:
    assert _after(stolen_s=2.0).reasons() == ["the host took 10% of the machine"]


def test_a_process_that_ended_meanwhile_has_not_waited_less_than_nothing() -> None:
    after = Usage(110.0, 510.0, 60.0, 400.0, 10.0, {"8": 10**9}, 5)
    assert Taken.between(BEFORE, after, 2).waited == pytest.approx(1 / 11)


# --- /proc ---


def _proc(folder: Path, *, stolen: int, processes: dict[int, tuple[int, str, int, int]]) -> Path:
    """Processes by their ids: parent, name, ticks, ns that its only thread has waited."""
    (folder / "stat").write_text(f"cpu  100 20 30 4000 50 6 7 {stolen} 0 0\ncpu0 1 2 3 4\n")
    for pid, (parent, name, ticks, waited_ns) in processes.items():
        thread = folder / str(pid) / "task" / str(pid)
        thread.mkdir(parents=True)
        (folder / str(pid) / "stat").write_text(f"{pid} ({name}) S {parent} 1 1 0 -1 0 0 0 0 0 {ticks} 0 0 0 20 0\n")
        (thread / "schedstat").write_text(f"123 {waited_ns} 4\n")
    (folder / "uptime").write_text("1 1\n")
    return folder


def test_ours_are_this_process_and_all_that_it_started(tmp_path: Path) -> None:
    ours, tick_s = os.getpid(), 1 / os.sysconf("SC_CLK_TCK")
    processes = {
        1: (0, "init", 1_000, 1),
        ours: (1, "python", 30, 5),
        ours + 1: (ours, "a (strange) name", 4, 6),
        ours + 2: (ours + 1, "grandchild", 2, 7),
        ours + 3: (1, "neighbour", 500, 8),
    }
    seen = usage(_proc(tmp_path, stolen=9, processes=processes))
    told = [seen.busy_s, seen.stolen_s, seen.ours_s, seen.theirs_s]
    assert told == pytest.approx([150 * tick_s, 9 * tick_s, 36 * tick_s, 1_500 * tick_s])
    assert seen.waited_ns == {str(ours): 5, str(ours + 1): 6, str(ours + 2): 7}


def test_without_proc_nothing_is_known_of_others_and_nothing_doubted(tmp_path: Path) -> None:
    before, after = usage(tmp_path / "nowhere"), usage(tmp_path / "nowhere")
    assert not Taken.between(before, after, 2).reasons()


def test_figures_that_come_at_once_were_measured_together() -> None:
    watch = Watch()
    assert watch.taken() is watch.taken()


def test_the_conditions_name_the_machine_and_what_matters_of_its_software() -> None:
    told = conditions("1.2.3")
    assert told["version"] == "1.2.3"
    assert {"date", "machine", "cores", "system", "python", "uvloop", "numpy"} <= set(told)
    assert all(told.values())
