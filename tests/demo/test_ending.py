"""The summary, and what must never stand in it."""

import attrs
import pytest

from ticktree.app import App, ExitReport, assemble, run_assembly
from ticktree.curtain import curtain
from ticktree.demo.ending import Usage, ending, wrong
from ticktree.demo.picture import Camera, Picture
from ticktree.demo.story import Milestones
from ticktree.strategies import Momentum
from ticktree.tables import titled as table

USAGE = Usage(peak_mb=75.4, companion_peak_mb=70, cpu_s=1.25, companion_cpu_s=2)


@pytest.fixture(scope="module")
def run() -> tuple[ExitReport, Picture]:
    """A short one."""
    assembly = assemble(App.simulated(Momentum))
    camera = Camera(assembly)
    return run_assembly(assembly, curtain(assembly.system, 0.2)), camera.take()


def test_the_summary_says_what_was_seen_and_where_it_went(run: tuple[ExitReport, Picture]) -> None:
    report, picture = run
    said = ending(report, picture, Milestones(1.5, {"north": 12.4}), USAGE)
    events = f"{report.accounts['simulated'].events:,}"
    assert next(line for line in said.splitlines() if line.startswith("  simulated")).split()[1] == events
    assert "\nfirst fill after 1.50 s\nnorth was lost, and flowed again after 12 ms\nthe stop took " in said
    assert "unaccounted for: 0\npeak memory 75 MB here, 70 MB in the street; processor time 1.2 s and 2.0 s" in said
    assert wrong(report) == []


def test_a_run_without_a_fill_says_so(run: tuple[ExitReport, Picture]) -> None:
    assert "there was no fill" in ending(*run, Milestones(), USAGE)


def test_what_must_never_be_is_named(run: tuple[ExitReport, Picture]) -> None:
    orders = attrs.evolve(run[0].orders, open=2, unknown_legs=1, overfilled_beyond=3, halted="the journal failed")
    stop = attrs.evolve(run[0].stop, overran=("strategies/momentum",))
    assert wrong(attrs.evolve(run[0], orders=orders, stop=stop)) == [
        "2 orders are still open",
        "1 legs are in doubt",
        "3 orders were filled beyond what was granted",
        "1 parts had to be killed at the stop",
        "trading was halted: the journal failed",
    ]


def test_columns_are_as_wide_as_they_must_be() -> None:
    assert table([["feeds", "events"], ["north", "1,234,567"], ["a", ""]]) == [
        "feeds       events",
        "  north  1,234,567",
        "  a",
    ]
