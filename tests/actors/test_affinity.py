"""Staying on certain CPUs."""

import os

import pytest

from tests.actors.harness import program
from ticktree.actors import SpecError
from ticktree.actors.affinity import pin

linux = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux can pin")


@linux
def test_a_system_stays_on_its_cpus() -> None:
    running = program("""
        class Idle(Actor[Any]):
            def on_start(self) -> None:
                say(sorted(os.sched_getaffinity(0)))
                os.kill(os.getpid(), signal.SIGTERM)

        cpu = min(os.sched_getaffinity(0))
        say([cpu])
        run_system(lambda: System(Supervisor((ChildSpec("idle", Idle, ROOM),)), cpus=[cpu]))
    """)
    wanted, got = running.communicate(timeout=60)[0].splitlines()
    assert wanted == got


@linux
@pytest.mark.parametrize("cpus", [[], [100_000], [-1]])
def test_cpus_that_are_not_there_are_refused(cpus: list[int]) -> None:
    before = os.sched_getaffinity(0)
    with pytest.raises(SpecError, match="are not all among those this process may use"):
        pin(cpus)
    assert os.sched_getaffinity(0) == before


def test_a_system_that_cannot_pin_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_setaffinity", raising=False)
    with pytest.raises(SpecError, match="leave `cpus` out"):
        pin([0])
