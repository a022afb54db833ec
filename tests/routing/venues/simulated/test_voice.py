"""One report after another, whoever answers."""

from random import Random

import pytest

from ticktree.routing.gateway import VenueRules
from ticktree.routing.reports import Report, ReportKind
from ticktree.routing.venues.simulated import Engine

from .bench import BUY, ONE, quote, ticket


def test_who_answers_a_report_is_served_after_the_reports_before() -> None:
    heard: list[str] = []

    def answer(account: str, report: Report) -> None:
        heard.append(f"{report.client_id} {report.kind}")
        if report.client_id == "1" and report.kind is ReportKind.ACCEPTED:
            engine.submit("a", ticket("2", BUY, 1, 100), 0)
            engine.in_turn(lambda: heard.append(str(engine.account_report("a", 0).positions)))
            heard.append("answered")

    engine = Engine("sim", VenueRules(), Random(1), answer)
    engine.on_quote(quote(ask=(100, 9)))
    engine.submit("a", ticket("1", BUY, 1, 100), 0)
    assert heard == ["1 accepted", "answered", "1 fill", "2 accepted", "2 fill", "{'ONE-USD': 2}"]


def test_one_account_is_heard_by_who_listens_last() -> None:
    engine = Engine("sim", VenueRules(), Random(1))
    first: list[Report] = []
    second: list[Report] = []
    engine.listen("a", first.append)
    engine.submit("a", ticket("1", BUY, 1, 100), 0)
    engine.submit("b", ticket("1", BUY, 1, 100), 0)
    engine.listen("a", second.append)
    engine.cancel("a", "1", 0)
    engine.listen("a", None)
    engine.query("a", "1", 0)
    assert [report.kind for report in first] == [ReportKind.ACCEPTED]
    assert [report.kind for report in second] == [ReportKind.CANCELED]


def test_a_listener_that_raises_loses_no_later_report() -> None:
    heard: list[ReportKind] = []

    def hear(account: str, report: Report) -> None:
        heard.append(report.kind)
        if len(heard) == 1:
            raise RuntimeError("mine")

    engine = Engine("sim", VenueRules(), Random(1), hear)
    engine.on_quote(quote(ask=(100, 9)))
    with pytest.raises(RuntimeError, match="mine"):
        engine.submit("a", ticket("1", BUY, 1, 100), 0)
    engine.query("a", "1", 0)
    assert heard == [ReportKind.ACCEPTED, ReportKind.FILL, ReportKind.STATUS]
    assert engine.position("a", ONE) == 1
