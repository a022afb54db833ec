"""The story of an order, from facts as a journal holds them."""

import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ticktree.cli import main
from ticktree.market import Side
from ticktree.routing import OrderState, Purpose, Report, ReportKind, TimeInForce, UnknownOrder, VenueExecution
from ticktree.routing.facts import (
    Answered,
    AnyFact,
    Began,
    CancelSent,
    Defined,
    Doubted,
    Ended,
    Halted,
    NeverArrived,
    NotReplaced,
    NotSent,
    Opened,
    Quarantined,
    ReplaceSent,
    Reported,
    Resolved,
    Resumed,
    Sent,
    Turned,
)
from ticktree.routing.journal import Journal, journal_path
from ticktree.routing.why import Search, why

T = 1_790_000_000_000_000_000  # 2026-09-21 14:13:20 UTC
US, MS = 1_000, 1_000_000
BEGAN: list[AnyFact] = [Began(T - MS, "e"), Defined(T - MS, "BTC-USDT", "0.01", "0.0001", "1", "0")]
GTC = TimeInForce.GTC
K = ReportKind


def opened(order_id: str, **more: Any) -> Opened:
    quote = ("sim", 17, 63_999.99, 64_000.0, T - 1_200 * US)
    return Opened(
        T, order_id, "momentum", "default", "Timeout('a')", "BTC-USDT", Side.BUY, 100, 6_400_000, quote=quote, **more
    )


def sent(leg_id: str, order_id: str, number: int = 1, venue: str = "a", at_ns: int = 20 * US, **more: Any) -> Sent:
    terms: dict[str, Any] = {"purpose": Purpose.WORK, "side": Side.BUY, "attempt": 1, "quantity": 100, "worst": 100}
    terms |= more
    return Sent(
        T + at_ns, leg_id, order_id, number, terms["attempt"], venue, "acc", terms["purpose"], terms["side"],
        terms["quantity"], 6_400_000, GTC, 0, False, False, terms["worst"],
    )  # fmt: skip


def said(kind: ReportKind, leg_id: str, at_ns: int, filled: int = 0, **more: Any) -> Reported:
    return Reported(T + at_ns, more.pop("venue", "a"), "acc", Report(kind, leg_id, T, filled, **more))


def execution(id: str, quantity: int, revision: int = 0) -> VenueExecution:
    fee = Decimal("0.256")
    return VenueExecution(id, "BTC-USDT", Side.BUY, quantity, 6_400_000, fee, "USDT", revision=revision)


def texts(facts: list[AnyFact], name: str) -> list[str]:
    """Who and what, without times."""
    return [line[42:] for line in why(facts, name)[1:]]


FILLED: list[AnyFact] = [
    *BEGAN, opened("e-1"), sent("e-1.1", "e-1"), said(K.ACCEPTED, "e-1.1", 300 * US),
    said(K.FILL, "e-1.1", 400 * US, 100, execution=execution("x1", 100)), Ended(T + 500 * US, "e-1"),
    Answered(T + 500 * US, "e-1"),
]  # fmt: skip


def test_an_order_that_was_filled_is_told_from_the_tick_to_the_end() -> None:
    assert why(FILLED, "e-1") == [
        "order e-1 of momentum: buy 0.01 BTC-USDT at 64000",
        "2026-09-21 14:13:19.998800Z    -1.200 ms  tick       sim #17: bid 63999.99, ask 64000",
        "2026-09-21 14:13:20.000000Z      +0.0 us  decision   momentum: buy 0.01 BTC-USDT at 64000",
        "2026-09-21 14:13:20.000000Z      +0.0 us  risk       passed",
        "2026-09-21 14:13:20.000000Z      +0.0 us  route      default: Timeout('a')",
        "2026-09-21 14:13:20.000020Z     +20.0 us  leg 1      to a (account acc) as e-1.1: buy 0.01 at 64000, gtc; "
        "worst case of the order 0.01",
        "2026-09-21 14:13:20.000300Z    +300.0 us  a          leg 1 accepted",
        "2026-09-21 14:13:20.000400Z    +400.0 us  a          leg 1 fill 0.01 at 64000, taker, fee 0.256 USDT, "
        "execution x1; 0.01 filled in all",
        "2026-09-21 14:13:20.000500Z    +500.0 us  end        its policy sends no more",
        "2026-09-21 14:13:20.000500Z    +500.0 us  answer     its caller goes on: filled, 0.01 of 0.01 filled",
        "2026-09-21 14:13:20.000500Z    +500.0 us  over       filled, 0.01 of 0.01 filled",
    ]


@pytest.mark.parametrize("name", ["e-1.1", "a/e-1.1"])
def test_a_leg_leads_to_the_story_of_its_order(name: str) -> None:
    assert why(FILLED, name) == why(FILLED, "e-1")
    late = said(K.CORRECTED, "e-1.1", 900 * MS, 0, execution=execution("x1", 0, 1))
    assert texts([*FILLED, late], name)[-2:] == [
        "a          leg 1 busted: execution x1 never happened; 0 filled in all",
        "over       canceled, 0 of 0.01 filled",
    ]


def test_a_leg_that_is_sent_after_others_brings_the_whole_story() -> None:
    facts: list[AnyFact] = [
        *BEGAN,
        opened("e-1"),
        sent("x", "e-1"),
        sent("y", "e-1", 2, "b"),
        sent("z", "e-1", 2, "b", attempt=2),
    ]
    story = texts(facts, "z")
    assert [line[:8].strip() for line in story if line.startswith("leg")] == ["leg 1", "leg 2", "leg 2.2"]
    assert story[-1] == "still open sent, 0 of 0.01 filled, 0.03 may yet be"


def test_what_risk_refuses_is_told_with_limit_value_and_attempt() -> None:
    turned = Turned(T, "e-1", "risk.max_position.BTC-USDT", "0.005", "0.01", "")
    assert texts([*BEGAN, opened("e-1"), turned], "e-1")[1:] == [
        "decision   momentum: buy 0.01 BTC-USDT at 64000",
        "risk       refused: risk.max_position.BTC-USDT: 0.01, where 0.005 is allowed",
        "over       rejected, 0 of 0.01 filled",
    ]


def test_what_a_router_refuses_has_passed_the_risk_limits() -> None:
    turned = Turned(T + MS, "e-1", "venue", "", "", "a takes no orders: it is not connected")
    assert texts([*BEGAN, opened("e-1"), turned], "e-1")[2:5] == [
        "risk       passed",
        "route      default: Timeout('a')",
        "route      refused: venue: a takes no orders: it is not connected",
    ]


def test_doubts_answers_and_late_fills_are_told() -> None:
    facts: list[AnyFact] = [
        *BEGAN, opened("e-1", max_overfill=50), sent("e-1.1", "e-1", worst=150), Answered(T + 5 * MS, "e-1"),
        Doubted(T + 6 * MS, "e-1.1", "a did not answer within 1 s"), CancelSent(T + 7 * MS, "e-1.1"),
        said(K.STATUS, "e-1.1", 8 * MS, 60, state=OrderState.LIVE, quantity_increments=100),
        said(K.FILL, "e-1.1", 9 * MS, 60, execution=execution("x1", 60)),
        said(K.FILL, "e-1.1", 9 * MS, 60, execution=execution("x1", 60)),
        said(K.CANCEL_REJECTED, "e-1.1", 10 * MS, reason="too late"),
        said(K.CANCELED, "e-1.1", 11 * MS, 60, reason="as asked"), Ended(T + 12 * MS, "e-1", "the deadline passed"),
    ]  # fmt: skip
    assert texts(facts, "e-1")[1:] == [
        "decision   momentum: buy 0.01 BTC-USDT at 64000, may be over-filled by 0.005",
        "risk       passed",
        "route      default: Timeout('a')",
        "leg 1      to a (account acc) as e-1.1: buy 0.01 at 64000, gtc; worst case of the order 0.015",
        "answer     its caller goes on: sent, 0 of 0.01 filled, 0.01 may yet be",
        "leg 1      is in doubt: a did not answer within 1 s",
        "leg 1      a cancel is sent",
        "a          leg 1 asked, and it says: live; 0.006 filled in all",
        "a          leg 1 fill late, after the caller went on: 0.006 at 64000, taker, fee 0.256 USDT, execution x1; "
        "0.006 filled in all",
        "a          leg 1 says execution x1 again; 0.006 filled in all",
        "a          leg 1 the cancel is rejected: too late",
        "a          leg 1 canceled: as asked; 0.006 filled in all",
        "end        its policy sends no more: the deadline passed",
        "over       canceled, 0.006 of 0.01 filled, 0.006 of it late",
    ]


def test_replaces_what_never_arrived_and_the_operators_word_are_told() -> None:
    facts: list[AnyFact] = [
        *BEGAN, opened("e-1"), sent("e-1.1", "e-1"), sent("e-1.2", "e-1", 2, "b"), sent("e-1.3", "e-1", 3, "c"),
        ReplaceSent(T + MS, "e-1.1", 200, 6_500_000), NotReplaced(T + MS, "e-1.1", "it is lost"),
        ReplaceSent(T + MS, "e-1.1", 200, None),
        said(K.REPLACED, "e-1.1", MS, quantity_increments=200), said(K.REPLACE_REJECTED, "e-1.1", MS, reason="no"),
        NotSent(T + MS, "e-1.2", "b was lost"), NeverArrived(T + MS, "e-1.3", "c does not know it"),
        Quarantined(T + MS, "a", "e-1.1", "BTC-USDT", "it counts 3 increments"),
        Resolved(T + MS, "a/e-1.1", OrderState.CANCELED, "the operator's word"),
    ]  # fmt: skip
    assert texts(facts, "e-1")[7:-1] == [
        "leg 1      a replace is sent, to 0.02 at 65000",
        "leg 1      is not replaced: it is lost",
        "leg 1      a replace is sent, to 0.02 at the market",
        "a          leg 1 replaced, to 0.02 at the market; 0 filled in all",
        "a          leg 1 the replace is rejected: no",
        "leg 2      was not sent: b was lost",
        "leg 3      never arrived: c does not know it",
        "a          leg 1 is quarantined: it counts 3 increments",
        "operator   leg 1 counts as canceled: the operator's word",
    ]


def test_other_orders_are_not_told_and_not_kept() -> None:
    def facts() -> Iterator[AnyFact]:
        yield from BEGAN
        for number in range(100):
            id = f"e-{number}"
            yield from (opened(id), sent(f"{id}.1", id), Halted(T, "x"), Resumed(T, "x"))
            yield said(K.FILL, f"{id}.1", MS, 100, execution=execution(f"x{number}", 100))
            yield Ended(T + MS, id)

    search = Search("e-70.1")
    for fact in facts():
        search.look_at(fact)
        assert len(search.stories) <= 2
    assert all("e-70" in line for line in why(facts(), "e-70") if " as " in line)
    assert len(why(facts(), "e-70")) == 9


@pytest.mark.parametrize(
    ("facts", "name", "why_not"),
    [
        (FILLED, "e-2", "knows no order or leg 'e-2'; did you mean 'e-1'"),
        (FILLED, "e-1.2", "did you mean 'e-1.1' or 'e-1'"),
        (FILLED, "nothing like it", "the latest is 'e-1.1'"),
        (BEGAN, "e-1", "it holds no order at all"),
    ],
)
def test_of_an_unknown_order_the_nearest_ones_are_named(facts: list[AnyFact], name: str, why_not: str) -> None:
    with pytest.raises(UnknownOrder, match=re.escape(why_not)):
        why(facts, name)


# --- the command ---------------------------------------------------------------------------------------------------


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(journal_path(tmp_path, "orders"))
    journal.open(lambda fact: None)
    for fact in FILLED:
        journal.append(fact)
    yield journal
    journal.close()


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["why", *map(str, arguments)])
    return result.exit_code, result.output


def test_the_command_tells_it_while_somebody_writes_the_journal(journal: Journal) -> None:
    assert run("e-1.1", "--journal", journal.path) == (0, "\n".join(why(FILLED, "e-1")) + "\n")


def test_the_command_explains_what_it_cannot_tell(journal: Journal, tmp_path: Path) -> None:
    code, said = run("e-7", "--journal", journal.path)
    assert (code, "did you mean 'e-1'" in said) == (3, True)
    assert run("e-1", "--journal", tmp_path / "none")[0] == 2
    assert run("e-1")[0] == 2
    foreign = tmp_path / "foreign"
    foreign.write_text("what is no journal" * 10)
    code, said = run("e-1", "--journal", foreign)
    assert (code, "foreign: " in said) == (1, True)
    code, said = run("--help")
    assert "Exit codes: 0 told; 1 the journal cannot be read" in " ".join(said.split())


def test_the_command_tells_what_stands_before_damage(journal: Journal) -> None:
    path = journal.path
    for number in range(2, 5):
        for fact in (opened(f"e-{number}"), Ended(T, f"e-{number}")):
            journal.append(fact)
    data = bytearray(path.read_bytes())
    data[data.index(b"e-3")] ^= 1
    path.write_bytes(data)
    code, said = run("e-1", "--journal", path)
    assert code == 1
    assert said.startswith("order e-1 of momentum")
    assert "that is what stands before the damage" in said
    code, said = run("e-4", "--journal", path)
    assert code == 1
    assert "damaged at byte" in said
