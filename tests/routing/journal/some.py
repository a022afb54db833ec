"""Facts to fill journals with, and what tests do with journals over and over."""

import types
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_origin

import msgspec
from hypothesis import strategies as st

from ticktree.market import Side
from ticktree.routing.facts import Answered, AnyFact, Began, Doubted, Opened, Reported, Sent
from ticktree.routing.journal import Journal, Recovery
from ticktree.routing.orders import Purpose, TimeInForce
from ticktree.routing.reports import Report, ReportKind, VenueExecution

NOW_NS = 1_700_000_000_000_000_000
SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    int: st.integers(-(1 << 63), (1 << 63) - 1),
    float: st.floats(allow_nan=False),
    str: st.text(max_size=20),
    bool: st.booleans(),
    type(None): st.none(),
    Decimal: st.decimals(allow_nan=False),
}


def values(kind: Any) -> st.SearchStrategy[Any]:
    """All that a field of this type may hold."""
    if kind in SCALARS:
        return SCALARS[kind]
    if get_origin(kind) is tuple:
        return st.tuples(*map(values, get_args(kind)))
    if isinstance(kind, types.UnionType) or get_args(kind):
        return st.one_of(*map(values, get_args(kind)))
    if issubclass(kind, Enum):
        return st.sampled_from(kind)
    return st.builds(kind, **{field.name: values(field.type) for field in msgspec.structs.fields(kind)})


def sent(number: int) -> Sent:
    """A leg about to leave."""
    return Sent(
        NOW_NS, f"e1-{number}-1", str(number), 1, 1, "kraken", "main", Purpose.WORK, Side.BUY, 1_000, 250_000,
        TimeInForce.IOC, 0, False, False, 1_000,
    )  # fmt: skip


def reported(number: int) -> Reported:
    """A fill, in a venue's words."""
    execution = VenueExecution(f"x{number}", "BTC-USDT", Side.BUY, 1_000, 250_000, Decimal("0.1"), "USDT")
    report = Report(ReportKind.FILL, f"e1-{number}-1", NOW_NS, 1_000, execution=execution, received_ns=NOW_NS)
    return Reported(NOW_NS, "kraken", "main", report)


def story(orders: int) -> list[AnyFact]:
    """What is known of so many orders, four facts each and one before."""
    facts: list[AnyFact] = [Began(NOW_NS, "e1")]
    for number in range(orders):
        opened = Opened(NOW_NS, str(number), "maker", "main", "timeout", "BTC-USDT", Side.BUY, 1_000, 250_000)
        facts += [opened, sent(number), reported(number), Answered(NOW_NS, str(number))]
    return facts


def doubts(count: int, reason: str = "") -> list[AnyFact]:
    """Short facts, numbered."""
    return [Doubted(number, str(number), reason) for number in range(count)]


def opened(path: Path, **options: Any) -> tuple[Journal, list[AnyFact], Recovery]:
    """The journal at `path`, open, with what was in it."""
    journal, facts = Journal(path, **options), list[AnyFact]()
    recovery = journal.open(facts.append)
    assert (journal.records, recovery.records) == (len(facts), len(facts))
    return journal, facts, recovery


def held(path: Path) -> list[AnyFact]:
    """What a journal that nobody has holds, in `open`'s view."""
    journal, facts, _ = opened(path)
    journal.close()
    return facts


def written(path: Path, facts: list[AnyFact]) -> bytes:
    """A journal of these `facts` at `path`; its bytes."""
    journal, _, _ = opened(path)
    for fact in facts:
        journal.append(fact)
    journal.close()
    return path.read_bytes()
