"""The journal's place in the tree: first to start, last to stop."""

import os
from pathlib import Path
from random import Random

import pytest

from ticktree.actors import ChildSpec, StartFailed, Supervisor, System, VirtualClock, simulate
from ticktree.routing.blotter import Blotter
from ticktree.routing.errors import JournalForeign
from ticktree.routing.facts import Began
from ticktree.routing.journal import Journal
from ticktree.routing.keeper import JournalKeeper

from ..market.samples import BTC
from .trading import BOX, Trading, trading


def system(clock: VirtualClock, blotter: Blotter) -> System:
    return System(Supervisor((ChildSpec("journal", lambda: JournalKeeper(blotter), BOX),)), clock)


def test_a_start_fails_with_what_is_wrong_with_the_journal(tmp_path: Path) -> None:
    path = tmp_path / "orders.journal"
    path.write_bytes(b"no journal at all, but long enough to be one")
    path.chmod(0o600)

    async def main(clock: VirtualClock) -> None:
        with pytest.raises(StartFailed) as caught:
            await system(clock, Blotter(Journal(path))).start()
        assert isinstance(caught.value.__cause__, JournalForeign)

    simulate(main)


def test_the_journal_is_open_from_the_start_until_the_stop(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "orders.journal"
    caplog.set_level("INFO")

    async def main(clock: VirtualClock) -> None:
        blotter = Blotter(Journal(path), Random(7))
        async with system(clock, blotter):
            assert blotter.begun
            blotter.halt("enough", 0)
        again = Blotter(Journal(path), Random(7))
        async with system(clock, again):
            assert again.ledger.halted == "enough"
            assert "the journal holds 2 facts; 0 orders are open" in caplog.text

    open_before = len(os.listdir("/dev/fd"))
    simulate(main)
    assert len(os.listdir("/dev/fd")) == open_before


@trading()
async def test_a_second_life_neither_reads_nor_closes_the_journal(t: Trading) -> None:
    leg = await t.live()
    t.a.fill(leg, 4)
    t.system.ref("journal").tell("nonsense")
    await t.rest()
    assert t.journal.closed == 0
    assert (t.ledger.position(BTC.name), len(t.facts(Began))) == (4, 1)
    assert (await t.sent()).leg.id
    await t.stop()
    assert t.journal.closed == 1
    await t.start()
