"""docs/order-entry-protocol.md says what is: its examples are read and written, its tables compared with the code."""

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ticktree.net import Oversize
from ticktree.routing.reports import Report, ReportKind, VenueExecution
from ticktree.routing.venues.tcp import guest, messages, session

PAGE = (Path(__file__).parents[4] / "docs" / "order-entry-protocol.md").read_text()
EXAMPLES = re.findall(r"```hex\n(.*?)```", PAGE, re.DOTALL)
TYPES: dict[str, type[msgspec.Struct]] = {
    "LOGIN": session.Login, "LOGGED_IN": session.LoggedIn, "LOGIN_REFUSED": session.LoginRefused,
    "LOGOUT": session.Logout, "LOGGED_OUT": session.LoggedOut, "HEARTBEAT": session.Heartbeat,
    "RESET": session.Reset, "INSTRUMENTS": session.Instruments, "GAP_FILL": session.GapFill,
    "NEW_ORDER": messages.NewOrder, "CANCEL": messages.Cancel, "REPLACE": messages.Replace,
    "QUERY_ORDER": messages.QueryOrder, "QUERY_FILLS": messages.QueryFills,
    "QUERY_ACCOUNT": messages.QueryAccount, "QUERY_QUOTE": messages.QueryQuote, "REPORT": messages.ReportSaid,
    "ACCOUNT": messages.AccountPart, "QUOTE": messages.QuoteSaid, "REJECT": messages.Reject,
}  # fmt: skip


def tables(first: str) -> list[list[list[str]]]:
    """The rows of all the page's tables whose first head is `first`."""
    found = list[list[list[str]]]()
    for table in re.findall(rf"(?<=\n\n)\| {re.escape(first)} \|.*\n(?:\|.*\n)+", PAGE):
        found.append([[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()[2:]])
    assert found, first
    return found


def taken_apart(example: str) -> tuple[int, Any, bytes]:
    """Number, array and bytes of an example."""
    lines = example.splitlines()
    hexes = [line for line in lines if re.fullmatch(r"[0-9a-f]{2}( [0-9a-f]{2})*", line)]
    number, _, shown = " ".join(line for line in lines if line not in hexes).partition(" ")
    return int(number), json.loads(shown), bytes.fromhex("".join(hexes))


def typed(number: int, data: bytes) -> msgspec.Struct:
    (frame,), taken, error = session.FRAMING.cut(memoryview(data), 0)
    assert (taken, error) == (len(data), None)
    assert session.number_of(frame) == number
    kind = msgspec.msgpack.decode(frame[session.BODY_AT :])[0]
    if number == 0:
        return session.read(frame)
    return messages.read_server(frame) if kind >= 32 else messages.read_client(frame)


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_what_is_said_of_it_is_read_and_is_written(example: str) -> None:
    number, shown, data = taken_apart(example)
    message = typed(number, data)
    body = messages.encode(message)
    assert session.frame(number, body) == data
    assert msgspec.msgpack.decode(body) == shown


def test_every_message_has_an_example_and_the_kind_that_the_page_says() -> None:
    (kinds,) = tables("kind")
    assert {name: int(kind) for kind, name, *_ in kinds} == {
        name: each.__struct_config__.tag for name, each in TYPES.items()
    }
    shown = {type(typed(number, data)): number for number, _, data in map(taken_apart, EXAMPLES)}
    assert set(shown) == set(TYPES.values())
    assert {name: numbered for _, name, _, numbered in kinds} == {
        name: "yes" if shown[type] else "no" for name, type in TYPES.items()
    }


def fields(type: Any) -> list[str]:
    return [field.name.removesuffix("_increments") for field in msgspec.structs.fields(type)]


def test_the_fields_stand_in_the_order_of_the_page() -> None:
    of = {name: [row[0] for row in rows] for name, rows in zip(
        ("LOGIN", "LOGGED_IN", "LOGIN_REFUSED", "NEW_ORDER", "ACCOUNT", "QUOTE", "REJECT"), tables("field"), strict=True
    )}  # fmt: skip
    for name, said in of.items():
        assert said == fields(TYPES[name]), name
    others = {
        "rule": messages.Rules, "of a definition": messages.Definition, "of a report": Report,
        "of an execution": VenueExecution,
    }  # fmt: skip
    for head, type in others.items():
        (rows,) = tables(head)
        assert [row[0] for row in rows] == fields(type), head


def test_fields_that_may_be_left_out_are_those_with_a_default() -> None:
    for head, type in (("of a report", Report), ("of an execution", VenueExecution)):
        (rows,) = tables(head)
        optional = [name for name, what, *_ in rows if "=" in what]
        required = [field.name.removesuffix("_increments") for field in msgspec.structs.fields(type) if field.required]
        assert [name for name, *_ in rows] == required + optional


def test_the_kinds_of_a_report_are_all_there() -> None:
    (rows,) = tables("kind of a report")
    assert [row[0].strip("`") for row in rows] == [str(kind) for kind in ReportKind]


def test_the_reasons_are_those_that_are_said() -> None:
    (rows,) = tables("reason")
    said = {row[0].strip("`") for row in rows}
    assert {session.ANOTHER_SESSION, session.CLOSING, session.MALFORMED, session.GOODBYE} < said
    assert said - {"version", "credentials", "busy"} == {
        session.ANOTHER_SESSION, session.CLOSING, session.MALFORMED, session.GOODBYE,
    }  # fmt: skip


def test_the_limits() -> None:
    (rows,) = tables("limit")
    assert [float(value.replace(",", "").strip(" |")) for _, value in rows] == [
        session.MOST_BYTES, session.LOGIN_S, session.MOST_KEPT, session.MOST_KEPT_BYTES, guest.MOST_UNSENT,
        session.CONFIRM_EVERY, session.MOST_UNCONFIRMED, messages.MOST_LEVELS, session.MOST_TEXT, 64,
    ]  # fmt: skip
    _, _, error = session.FRAMING.cut(memoryview((65_533).to_bytes(4, "little")), 0)
    assert isinstance(error, Oversize)
    assert session.FRAMING.cut(memoryview((65_532).to_bytes(4, "little")), 0)[2] is None
