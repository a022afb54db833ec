"""The machine that measures: what it is, and what else it did in the meantime.

Interleaving makes both sides pay alike for a machine that is slow. It does not help where somebody takes the CPU of the
process that sends, so that both sides wait for it and seem equal, nor with the slowest of a hundred. So a figure is
doubted where others were at work and our processes had to wait for a CPU, whatever its rounds look like. Others alone
do no harm to what runs on one CPU of two; and our own processes wait for each other, when nobody else is there.
"""

import contextlib
import os
import platform
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import attrs

# Shares of all CPUs, and of the time that our processes wanted to run. With nobody else here others took up to 2 % (4 %
# beside a disk that writes for us), and ours waited for 2 % (12 % where a thread of theirs has the same CPU); a program
# that computes beside them takes 50 %, and has them wait for 15 to 30 %. Preemptions tell nothing: a disk alone causes
# 4,500 a second, that program 900.
OTHERS_BOUND, STOLEN_BOUND, WAITED_BOUND = 0.08, 0.05, 0.05
LEAST_S = 0.2  # /proc/stat counts in hundredths of a second: of less than that it says nothing
PACKAGES = ("uvloop", "msgspec", "numpy", "picows", "aiohttp")
PROC = Path("/proc")


@attrs.frozen
class Usage:
    """What has been used since the machine began, in seconds of CPU: by all, by us, by processes that are not ours."""

    at_s: float
    busy_s: float = 0.0
    ours_s: float = 0.0
    theirs_s: float = 0.0
    stolen_s: float = 0.0
    waited_ns: Mapping[str, int] = attrs.field(factory=dict[str, int])  # each of our threads, ready and without a CPU
    preempted: int = 0


@attrs.frozen
class Taken:
    """What others took while something was measured.

    others, stolen   shares of all CPUs: of other processes, and of the host that this machine is a guest of
    waited           how much of the time that our processes wanted to run they waited for a CPU
    preempted_per_s  how often the measuring process lost its own
    """

    seconds: float = 0.0
    others: float = 0.0
    stolen: float = 0.0
    waited: float = 0.0
    preempted_per_s: float = 0.0

    @classmethod
    def between(cls, before: Usage, after: Usage, cpus: int) -> "Taken":
        """Others are what was busy and not us, or the processes that are not ours: whichever is more.

        Many kernels charge interrupts to our processes but count them apart, so that the former is too little; from
        within a container the latter is.
        """
        seconds = max(after.at_s - before.at_s, 1e-9)
        ours_s = after.ours_s - before.ours_s
        others_s = max(after.busy_s - before.busy_s - ours_s, after.theirs_s - before.theirs_s, 0.0)
        waited_s = sum(ns - before.waited_ns.get(thread, 0) for thread, ns in after.waited_ns.items()) / 1e9
        return cls(
            seconds,
            others=others_s / seconds / cpus,
            stolen=(after.stolen_s - before.stolen_s) / seconds / cpus,
            waited=waited_s / max(waited_s + ours_s, 1e-9),
            preempted_per_s=(after.preempted - before.preempted) / seconds,
        )

    def reasons(self) -> list[str]:
        """Why what was measured meanwhile is to be doubted; none where it is not."""
        told = list[str]()
        if self.others > OTHERS_BOUND and self.waited > WAITED_BOUND:
            told.append(
                f"others took {self.others:.0%} of the machine, and ours waited {self.waited:.0%} of their time"
            )
        if self.stolen > STOLEN_BOUND:
            told.append(f"the host took {self.stolen:.0%} of the machine")
        return told

    def conditions(self) -> dict[str, float]:
        """For the line of a figure."""
        return {
            "seconds": round(self.seconds, 1),
            "others": round(self.others, 3),
            "stolen": round(self.stolen, 3),
            "waited": round(self.waited, 3),
            "preempted_per_s": round(self.preempted_per_s, 1),
        }


class Watch:
    """Says what others took since it was asked last. Figures that come at once were measured together."""

    def __init__(self) -> None:
        self._before = usage()
        self._taken = Taken()

    def taken(self) -> Taken:
        """Since the last time; as then where less than `LEAST_S` has passed."""
        if time.monotonic() - self._before.at_s >= LEAST_S:
            after = usage()
            self._taken = Taken.between(self._before, after, os.cpu_count() or 1)
            self._before = after
        return self._taken


def usage(proc: Path = PROC) -> Usage:
    """As of now. Where there is no /proc only preemptions are known."""
    now_s = time.monotonic()
    try:
        total = (proc / "stat").read_text(encoding="ascii").partition("\n")[0].split()
        processes = _processes(proc)
    except OSError:
        return Usage(now_s, preempted=_preemptions())
    user, nice, system, *_, stolen = (int(field) for field in total[1:9])
    tree = _tree(processes, os.getpid())
    ours = sum(processes[pid].ticks for pid in tree)
    theirs = sum(process.ticks for process in processes.values()) - ours
    tick_s = 1 / os.sysconf("SC_CLK_TCK")
    return Usage(
        now_s, (user + nice + system) * tick_s, ours * tick_s, theirs * tick_s, stolen * tick_s,
        dict(_waited(proc, tree)), _preemptions(),
    )  # fmt: skip


@attrs.frozen
class Process:
    """One line of `/proc/PID/stat`: whose child it is, and its ticks with those of children that it outlived."""

    parent: int
    ticks: int


def _processes(proc: Path) -> dict[int, Process]:
    found = dict[int, Process]()
    for entry in proc.iterdir():
        if entry.name.isdecimal():
            try:
                line = (entry / "stat").read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue  # it has just ended
            fields = line.rpartition(")")[2].split()  # a name may hold spaces and brackets
            found[int(entry.name)] = Process(int(fields[1]), sum(map(int, fields[11:15])))
    return found


def _tree(processes: Mapping[int, Process], root: int) -> set[int]:
    """`root`, its children, and theirs."""
    found, added = set[int](), {root} & processes.keys()
    while added:
        found |= added
        added = {pid for pid, process in processes.items() if process.parent in added} - found
    return found


def _waited(proc: Path, pids: Iterable[int]) -> Iterator[tuple[str, int]]:
    """Each thread, and for how many ns it was ready to run and did not. Nothing where the kernel does not count it."""
    for pid in pids:
        for file in proc.glob(f"{pid}/task/*/schedstat"):
            with contextlib.suppress(OSError):  # it has just ended
                yield file.parent.name, int(file.read_text(encoding="ascii").split()[1])


def _preemptions() -> int:
    """How often the kernel took the CPU from this process."""
    if sys.platform == "win32":
        return 0
    import resource  # noqa: PLC0415  # not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw


# --- where and with what ----------------------------------------------------------------------------------------------


def conditions(version: str) -> dict[str, object]:
    """Of a run as a whole, as far as it can matter to its figures."""
    return {
        "version": version,
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": _model(),
        "cores": os.cpu_count() or 1,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in PACKAGES},
    }


def _model() -> str:
    try:
        lines = (PROC / "cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()


def pin_to_one_cpu() -> int | None:
    """Keep this process on the CPU that has just been the idlest; which one, or None where that cannot be had."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    cpus = os.sched_getaffinity(0)
    idle = _idle_ticks()
    time.sleep(0.2)
    rested = {cpu: ticks - idle.get(cpu, 0) for cpu, ticks in _idle_ticks().items()}
    cpu = max(cpus, key=lambda cpu: rested.get(cpu, 0))
    os.sched_setaffinity(0, {cpu})
    return cpu


def _idle_ticks() -> dict[int, int]:
    try:
        lines = (PROC / "stat").read_text(encoding="ascii").splitlines()
    except OSError:
        return {}
    fields = (line.split() for line in lines if line.startswith("cpu") and line[3].isdigit())
    return {int(one[0][3:]): int(one[4]) for one in fields}
