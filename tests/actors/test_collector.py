"""Python's cyclic garbage collector: kept away from what is alive, and measured."""

import gc

from tests.actors.harness import child, running
from ticktree.actors import Actor
from ticktree.actors.collector import Collector, GcPauses


async def test_what_is_alive_after_the_start_is_out_of_the_collectors_sight_until_the_stop() -> None:
    gc.unfreeze()
    async with running(child("idle", Actor)):
        assert gc.get_freeze_count() > 1_000
    assert gc.get_freeze_count() == 0


async def test_pauses_are_counted_while_the_system_runs() -> None:
    async with running(child("idle", Actor)) as system:
        gc.disable()  # so that only our own collection counts
        before = system.snapshot().gc
        gc.collect()
        after = system.snapshot().gc
    gc.collect()
    gc.enable()
    assert after.count == before.count + 1
    assert 0 < after.longest_ns <= after.total_ns
    assert system.snapshot().gc.count == after.count


def test_stopping_what_never_started_changes_nothing() -> None:
    callbacks = list(gc.callbacks)
    collector = Collector()
    collector.stop()
    assert gc.callbacks == callbacks
    assert collector.pauses() == GcPauses()
