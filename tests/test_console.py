"""What is said before a run: what is at stake, and what starts."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest

from ticktree import App
from ticktree.actors import ActorNode, Exit, IntensityExceeded, MailboxStats, Reason, StopReport
from ticktree.actors.mailbox import Dropped
from ticktree.app import ExitReport, JournalPart, assemble
from ticktree.config.maker import Maker
from ticktree.console import money_at_stake, starting
from ticktree.parts import AnyVenue, GatewayPart, RelayPart, TcpVenuePart
from ticktree.routing import OrderCounts, PortfolioSnapshot
from ticktree.routing.venues.tcp import TcpGateway
from ticktree.strategies import Momentum

APP = App.simulated(Momentum)
PAPER = APP.venues[0]
SECRET = "tcp://me:hush@venue.example:7000?key=hush"
Make = Callable[[], Any]


def app(*venues: AnyVenue) -> App:
    return attrs.evolve(APP, venues=(PAPER, *venues), journal=JournalPart(Path("orders.journal")))


def made_by(make: Make) -> str:
    return money_at_stake(app(GatewayPart("x", make)))


def test_paper_is_said_where_every_venue_is_simulated_here() -> None:
    assert money_at_stake(APP) == "PAPER: every venue is simulated in this process: paper"


def test_without_venues_nothing_can_be_ordered() -> None:
    alone = attrs.evolve(APP, venues=(), routers=(), strategies=())
    assert money_at_stake(alone) == "NO VENUES: nothing can be ordered"


def test_live_is_said_with_the_address_of_every_real_venue_and_no_secret() -> None:
    other = GatewayPart("x", partial(TcpGateway, url=SECRET, account="me"))
    said = money_at_stake(app(TcpVenuePart("main", SECRET, "me", "hush"), other))
    assert said == (
        "LIVE: orders go to main (tcp://venue.example:7000?...), x (tcp://venue.example:7000?...); "
        "simulated in this process: paper"
    )


@pytest.mark.parametrize(
    ("make", "where"),
    [
        (Maker(TcpGateway, {"url": SECRET, "token": "hush"}), "tcp://venue.example:7000?..."),
        (Maker(TcpGateway, {"token": "hush"}), "TcpGateway"),
        (TcpGateway, "TcpGateway"),
    ],
)
def test_a_venue_that_was_given_no_address_is_told_by_its_class(make: Make, where: str) -> None:
    assert made_by(make).startswith(f"LIVE: orders go to x ({where})")


def test_what_starts_is_a_line_for_each_room_in_order() -> None:
    lines = starting(assemble(attrs.evolve(APP, relay=RelayPart(("tcp://127.0.0.1:0",)))).tree)
    assert lines[0] == "starts, in this order:"
    assert [line.split()[0] for line in lines[1:]] == [
        "journal", "venues", "routers", "portfolio", "controls", "hub", "opening", "strategies", "relay", "feeds",
    ]  # fmt: skip
    assert "  feeds       simulated-exchange, simulated" in lines


def test_a_run_that_ended_by_itself_says_why_with_the_latest_failure_alone() -> None:
    error = IntensityExceeded(
        "ticktree", 3, 30.0, ["a 1 s: life 1 ended: error: x\ny", "a 2 s: life 2 ended: error: z"]
    )
    stop = StopReport(Reason(Exit.SHUTDOWN, error), 0.0, (), (), (), 0)
    orders = OrderCounts(0, 0, (), 0, 0, 0, "")
    lines = str(ExitReport(stop, (), {}, PortfolioSnapshot((), (), {}), orders, {})).splitlines()
    assert lines[:2] == [
        "ended by itself",
        "exit 1: shutdown: IntensityExceeded: ticktree gave up: more than 3 restarts within 30 s; "
        "the latest: a 2 s: life 2 ended: error: z",
    ]


NEVER = MailboxStats(1, 0, 0, 0, Dropped(), 0, 0, 0, 0, 0)
REPORT = ExitReport(
    StopReport(Reason(Exit.SHUTDOWN), 0.0, (), (), (), 0), (), {}, PortfolioSnapshot((), (), {}),
    OrderCounts(0, 0, (), 0, 0, 0, ""), {},
)  # fmt: skip


def node(path: str, mailbox: MailboxStats) -> ActorNode:
    return ActorNode(path, "gone", 1, 0, "", "", mailbox, ())


def test_the_columns_of_the_summary_are_as_wide_as_they_must_be_and_idle_mailboxes_are_counted() -> None:
    long, idle = "strategies/binance/momentum-of-the-morning", "journal"
    busy = attrs.evolve(NEVER, received=123_456_789_012, delivered=123_456_789_012)
    report = attrs.evolve(REPORT, actors=(node(long, busy), node(idle, NEVER)))
    heads, row, others, total = str(report).split("\n\n")[1].splitlines()
    assert row.split() == [long, "123,456,789,012", "123,456,789,012", "0", "0", "0", "0"]
    assert len(heads) == len(row)
    assert (others, total) == ("  1 more received nothing", "  unaccounted for: 0")


def test_what_was_restarted_stands_in_the_summary() -> None:
    report = attrs.evolve(REPORT, actors=(attrs.evolve(node("feeds/north", NEVER), life=3),))
    assert "restarted: feeds/north 2 x" in str(report).splitlines()
