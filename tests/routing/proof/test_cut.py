"""A journal that was cut at any byte: what is left opens, the venues say the rest, and the end is the same."""

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from ticktree.market import Side
from ticktree.routing.blotter import Blotter
from ticktree.routing.facts import AnyFact, Began
from ticktree.routing.journal import Journal, Recovery
from ticktree.routing.orders import OrderState, Terms

from ...actors.support import note_soak
from ...market.samples import BTC
from .machine import DEADLINES, POLICIES, SEQUENTIAL
from .parts import Paper
from .rig import NOON_NS, Rig

OTHERS = 1_000  # seeds from here on: in virtual time every process begins in the same millisecond
SAMPLED = 11  # in each test run, so many bytes from one cut to the next; and every cut between two facts


class OnDisk(Paper):
    """A journal file. What it held is in `facts`, too."""

    def __init__(self, path: Path) -> None:
        super().__init__([])
        self._journal = Journal(path)

    def open(self, apply: Callable[[AnyFact], object]) -> Recovery:
        def take(fact: AnyFact) -> None:
            self.facts.append(fact)
            apply(fact)

        return self._journal.open(take)

    def append(self, fact: AnyFact) -> None:
        self._journal.append(fact)
        super().append(fact)

    def close(self) -> None:
        self._journal.close()

    def again(self) -> "OnDisk":
        return OnDisk(self._journal.path)


def session(path: Path) -> tuple[Rig, bytes, list[int]]:
    """One with fills, a bust, a cut, a restart and orders that are still out: the rig, its journal, where facts end."""
    rig = Rig(POLICIES, 7, deadlines=DEADLINES, sequential=SEQUENTIAL)
    rig.pass_time(0.1)
    for router, side, quantity in (("any", Side.BUY, 9), ("hold", Side.SELL, 6), ("timeout", Side.BUY, 4)):
        rig.order(router, side, quantity)
    rig.pass_time(0.1)
    first, second = list(rig.venues["a"].orders)[:2]
    a = rig.venues["a"]
    rig.act(lambda: a.fill(first, 5, 10_000))
    rig.act(lambda: a.fill(second, 2, 10_010))
    rig.pass_time(0.1)
    rig.act(lambda: a.correct(second, 0, 0, 10_010))
    rig.act(rig.gateways["b"].break_off)
    rig.act(lambda: a.end(first, OrderState.CANCELED))
    rig.pass_time(0.5)
    rig.checks.step()
    for router, side in (("sweep", Side.BUY), ("racing", Side.SELL), ("best", Side.BUY)):
        rig.order(router, side, 5, terms=Terms(max_overfill="5e-4" if router == "racing" else 0))
    rig.pass_time(0.1)
    rig.restart()
    rig.pass_time(0.5)
    rig.order("timeout", Side.BUY, 3)
    rig.pass_time(0.5)
    rig.act(lambda: a.fill(list(a.orders)[-1], 1, 10_000))
    rig.pass_time(0.1)
    rig.checks.step()
    journal, ends = Journal(path), list[int]()
    journal.open(id)
    for fact in rig.journal.facts:
        ends.append(journal.size_bytes)
        journal.append(fact)
    ends.append(journal.size_bytes)
    journal.close()
    rig.close()
    return rig, path.read_bytes(), ends


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> "tuple[Rig, bytes, list[int]]":
    return session(tmp_path_factory.mktemp("session") / "whole.journal")


def opens(path: Path, data: bytes, ends: list[int], facts: list[AnyFact], cut: int) -> None:
    """What was whole is there, and nothing else; the epoch is one that there never was, also in what was cut off."""
    path.write_bytes(data[:cut])
    path.chmod(0o600)
    blotter = Blotter(journal := Journal(path), Random(OTHERS + cut))
    recovery = blotter.begin(NOON_NS)
    journal.close()
    whole = sum(end <= cut for end in ends) - 1 if cut >= ends[0] else 0
    torn = cut not in ends and cut > ends[0]
    assert recovery.records == whole, cut
    assert (recovery.torn_bytes > 0) == torn or cut < ends[0], cut
    assert blotter.ledger.epoch not in {fact.epoch for fact in facts if isinstance(fact, Began)}, cut


def comes_to_the_same_end(path: Path, rig: Rig, data: bytes, cut: int) -> None:
    """A new process with what is left of the journal, and venues that know everything."""
    path.write_bytes(data[:cut])
    path.chmod(0o600)
    venues = [venue.copy() for venue in rig.venues.values()]
    again = Rig(POLICIES, OTHERS + cut, deadlines=DEADLINES, sequential=SEQUENTIAL, journal=OnDisk(path), venues=venues)
    again.checks.partial = True
    try:
        again.pass_time(0.3)
        again.checks.step()
        again.come_to_rest()
        handle = again.order("timeout", Side.BUY, 1)
        again.pass_time(0.3)
        again.checks.step()
        assert handle.done
        again.come_to_rest()
        same_end(again)
        again.journal.close()
    finally:
        again.close()


def same_end(rig: Rig) -> None:
    """Booked, with what was adopted, is what the venues hold; nobody was sent anything twice."""
    for venue in rig.venues.values():
        held = rig.ledger.positions.at_venue(venue.name, BTC.name) + rig.ledger.adopted[venue.name, BTC.name]
        assert held == venue.position(BTC.name)
        assert set(venue.submissions.values()) <= {1}
        assert all(order.state.terminal for order in venue.orders.values())
    sent = [venue for venue in rig.venues.values() if rig.handles[-1].order.id + ".1" in venue.orders]
    assert [venue.name for venue in sent] == ["a"]


def cuts(ends: list[int], size: int, step: int) -> list[int]:
    near = {end + by for end in ends for by in (-1, 0, 1)}
    return sorted({cut for cut in {*range(0, size + 1, step), *near} if 0 <= cut <= size})


def test_a_journal_cut_anywhere_opens_with_what_was_whole(
    tmp_path: Path, whole: "tuple[Rig, bytes, list[int]]"
) -> None:
    rig, data, ends = whole
    for cut in cuts(ends, len(data), SAMPLED):
        opens(tmp_path / f"{cut}.journal", data, ends, rig.journal.facts, cut)


def test_a_journal_cut_at_any_fact_comes_to_the_same_end(tmp_path: Path, whole: "tuple[Rig, bytes, list[int]]") -> None:
    """Between two facts, and within each: which byte of it makes no difference to what is read."""
    rig, data, ends = whole
    for end in ends[:-1]:
        for cut in (end, end + 1):
            comes_to_the_same_end(tmp_path / f"{cut}.journal", rig, data, cut)
    comes_to_the_same_end(tmp_path / "whole.journal", rig, data, len(data))


@pytest.mark.soak
def test_a_journal_cut_at_every_byte_comes_to_the_same_end(
    tmp_path: Path, whole: "tuple[Rig, bytes, list[int]]", pytestconfig: pytest.Config
) -> None:
    rig, data, ends = whole
    for cut in range(len(data) + 1):
        opens(tmp_path / f"{cut}.journal", data, ends, rig.journal.facts, cut)
        comes_to_the_same_end(tmp_path / f"{cut}-again.journal", rig, data, cut)
    note_soak(pytestconfig, "journal_cut", {"bytes": len(data), "facts": len(rig.journal.facts), "lost": 0})
