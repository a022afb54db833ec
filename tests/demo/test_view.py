"""The page that a terminal shows, made of a running system."""

import asyncio
from io import StringIO

import attrs
import pytest
import uvloop
from rich.console import Console

from ticktree.app import App, assemble
from ticktree.demo.picture import Camera, Picture
from ticktree.demo.view import Show, page
from ticktree.strategies import Momentum

SHOW = Show("ticktree demo   PAPER", 30.0, {"simulated": "TCP"}, {"default": "Timeout: paper"})
LOG = tuple(f"line {number} of the log" for number in range(12))


@pytest.fixture(scope="module")
def picture() -> Picture:
    """Of a strategy that has traded on a simulated exchange."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(taken())


async def taken() -> Picture:
    assembly = assemble(App.simulated(Momentum))
    async with asyncio.timeout(20), assembly.system():
        camera = Camera(assembly)
        while not assembly.office.ledger.fills:  # noqa: ASYNC110  # what is awaited tells nobody that it happened
            await asyncio.sleep(0.01)
        return camera.take()


def drawn(picture: Picture, width: int, height: int, first_fill_s: float | None = 1.25) -> list[str]:
    console = Console(
        file=StringIO(), record=True, width=width, height=height, force_terminal=True, color_system="truecolor"
    )
    console.print(page(SHOW, picture, first_fill_s, LOG))
    return console.export_text().splitlines()


async def test_the_page_shows_feeds_strategies_venues_orders_and_the_log(picture: Picture) -> None:
    lines = drawn(picture, 120, 44)
    told = {line.split()[0]: line.split() for line in lines if line.startswith("  ") and line.strip()}
    assert "PAPER" in lines[0]
    assert "s to go" in lines[0]
    assert f"{picture.fills} fills" in lines[1]
    assert "first fill after 1.25 s" in lines[1]
    assert "restarts: none" in lines[1]
    assert told["simulated"][1] == "live"
    assert told["simulated"][-1] == "TCP"
    assert int(told["simulated"][3].replace(",", "")) == picture.feeds[0].events > 0
    assert told["momentum"][1] == "default"
    assert told["paper"][1] == str(picture.orders["default"]["made"])
    assert told["default"][1:] == [*map(str, picture.orders["default"].values()), "Timeout:", "paper"]
    assert [line.rstrip() for line in lines if line.startswith("line ")] == list(LOG)


async def test_no_line_is_wider_than_the_terminal_and_a_low_one_still_shows_everything(picture: Picture) -> None:
    for width, height in ((80, 24), (40, 20), (200, 60)):
        lines = drawn(picture, width, height)
        assert len(lines) <= height
        assert {len(line) for line in lines} == {width}
        assert any(line.startswith("  default") for line in lines)
        assert lines[-1].startswith("line 11 of the log")


async def test_a_terminal_that_is_far_too_low_shows_the_beginning(picture: Picture) -> None:
    lines = drawn(picture, 80, 5)
    assert len(lines) == 5
    assert lines[0].startswith("ticktree demo   PAPER")


async def test_what_is_wrong_is_said(picture: Picture) -> None:
    wrong = attrs.evolve(
        picture,
        restarts={"feeds/simulated": 2},
        halted="the journal failed",
        venues=(attrs.evolve(picture.venues[0], closed="it is not connected: lost", stages={}),),
    )
    lines = drawn(wrong, 160, 44, first_fill_s=None)
    assert "no fill yet" in lines[1]
    assert "restarts: feeds/simulated 2" in lines[1]
    assert "halted: the journal failed" in lines[1]
    assert any("it is not connected: lost" in line for line in lines)


@pytest.mark.parametrize("width", [30, 60, 80, 100, 200])
async def test_numbers_are_whole_or_left_out(width: int, picture: Picture) -> None:
    feed = attrs.evolve(picture.feeds[0], events=123_456_789, events_per_s=9_876_543.0)
    lines = drawn(attrs.evolve(picture, feeds=(feed,)), width, 44)
    heads = next(line for line in lines if line.startswith("feeds "))
    row = next(line for line in lines if line.startswith("  simulated"))
    shown = [
        head for head in ("state", "events/s", "events", "gaps", "reconnects", "restarts") if head in heads.split()
    ]
    assert row.split()[1 : len(shown) + 1] == ["live", "9,876,543", "123,456,789", "0", "0", "0"][: len(shown)]
    assert len(shown) == 6 or width < 80


async def test_in_80_columns_nothing_but_words_is_cut(picture: Picture) -> None:
    lines = drawn(picture, 80, 24)
    assert "s to go" in lines[0]
    assert "restarts: none" in lines[1]
    for head in ("restarts", "profit", "wire to ack", "expired"):
        assert any(head in line.split("   ") or f" {head}" in line for line in lines[2:]), head
