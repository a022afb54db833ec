"""Orders and reports as bytes: every message survives the way there and back, and nonsense is named."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from ticktree.market import Instrument, Side, TradingStatus
from ticktree.routing.errors import BadOrder
from ticktree.routing.gateway import Fees, VenueRules
from ticktree.routing.orders import OrderState, Ticket, TimeInForce
from ticktree.routing.reports import AccountReport, Report, ReportKind, VenueExecution
from ticktree.routing.venues.tcp import Malformed, messages
from ticktree.routing.venues.tcp.session import BODY_AT, FRAMING, MOST_BYTES, Login, SessionMessage, frame, read, said

from .rig import BTC, ETH, ticket

ids = st.text("abcdefghijklmnopqrstuvwxyz0123456789-.", min_size=1, max_size=36)
counts = st.integers(1, 2**63 - 1)
amounts = st.integers(0, 2**63 - 1)
sides = st.sampled_from(Side)
tickets = st.builds(
    Ticket, ids, st.just(BTC), sides, counts, st.none() | counts, st.sampled_from(TimeInForce), amounts,
    st.booleans(), st.booleans(),
)  # fmt: skip
fees = st.decimals(allow_nan=False, allow_infinity=False, min_value=-1000, max_value=1000, places=8)
executions = st.builds(
    VenueExecution, ids, st.just("BTC-USDT"), sides, counts, counts, fees, st.sampled_from(["", "USDT"]),
    st.booleans(), st.sampled_from(["", "2026-01-01"]), st.integers(0, 9),
)  # fmt: skip
plain_kinds = st.sampled_from([kind for kind in ReportKind if kind not in (ReportKind.FILL, ReportKind.CORRECTED)])
reports = st.builds(
    Report, plain_kinds, ids, amounts, amounts, amounts, st.none() | counts, st.sampled_from(OrderState), st.none(),
    st.text(max_size=100),
) | st.builds(
    Report, st.sampled_from([ReportKind.FILL, ReportKind.CORRECTED]), ids, amounts, amounts, execution=executions
)  # fmt: skip
levels = st.lists(st.tuples(counts, counts), max_size=10).map(tuple)
positions = st.dictionaries(st.sampled_from(["BTC-USDT", "ETH-USDT"]), st.integers(-(2**63) + 1, 2**63 - 1))
server_messages = (
    st.builds(messages.ReportSaid, reports)
    | st.builds(messages.AccountPart, counts, st.lists(reports, max_size=3).map(tuple), positions, amounts)
    | st.builds(messages.QuoteSaid, counts, ids, ids, levels, levels, st.none() | amounts)
    | st.builds(messages.Reject, counts, st.integers(0, 255), ids, st.text(max_size=100), amounts)
)
client_messages = (
    st.builds(messages.Cancel, ids)
    | st.builds(messages.Replace, ids, counts, st.none() | counts)
    | st.builds(messages.QueryOrder, ids)
    | st.builds(messages.QueryFills, ids)
    | st.just(messages.QueryAccount())
    | st.builds(messages.QueryQuote, ids)
)


def body(data: bytes) -> bytes:
    """`data` as the frame that a receiver sees."""
    return frame(1, data)[4:]


@given(tickets)
def test_a_ticket_arrives_as_it_was_sent(sent: Ticket) -> None:
    order = messages.read_client(body(messages.new_order(sent, 7)))
    assert isinstance(order, messages.NewOrder)
    assert (messages.ticket(order, BTC), order.definition) == (sent, 7)


@given(client_messages)
def test_what_a_client_says_arrives_as_it_was_said(message: messages.ClientMessage) -> None:
    assert messages.read_client(body(messages.encode(message))) == message


@given(server_messages)
def test_what_a_server_says_arrives_as_it_was_said(message: messages.ServerMessage) -> None:
    assert messages.read_server(body(messages.encode(message))) == message


@given(st.binary(max_size=200))
def test_noise_is_malformed_or_a_message(noise: bytes) -> None:
    for reader in (messages.read_client, messages.read_server, read):
        try:
            reader(body(noise))
        except Malformed:
            pass
    messages.told(body(noise))


@settings(max_examples=max(100, settings().max_examples))
@given(server_messages | client_messages, st.data())
def test_a_message_with_changed_bytes_is_malformed_or_a_message(message: Any, data: st.DataObject) -> None:
    encoded = bytearray(messages.encode(message))
    encoded[data.draw(st.integers(0, len(encoded) - 1))] = data.draw(st.integers(0, 255))
    for reader in (messages.read_client, messages.read_server):
        try:
            reader(body(bytes(encoded)))
        except Malformed:
            pass
    messages.told(body(bytes(encoded)))


FILL = VenueExecution("x1", "BTC-USDT", Side.BUY, 5, 6_400_000)


@pytest.mark.parametrize(
    "report",
    [
        Report(ReportKind.FILL, "a", 1),
        Report(ReportKind.STATUS, "a", 1),
        Report(ReportKind.ACCEPTED, "", 1),
        Report(ReportKind.ACCEPTED, "a", 1, cumulative_increments=-1),
        Report(ReportKind.FILL, "a", 1, execution=msgspec.structs.replace(FILL, quantity_increments=0)),
        Report(ReportKind.FILL, "a", 1, execution=msgspec.structs.replace(FILL, id="")),
        Report(ReportKind.FILL, "a", 1, execution=msgspec.structs.replace(FILL, fee=Decimal("NaN"))),
        Report(ReportKind.FILL, "a", 1, execution=msgspec.structs.replace(FILL, fee=Decimal("1e9999"))),
    ],
)
def test_a_report_that_cannot_be_is_malformed(report: Report) -> None:
    with pytest.raises(Malformed):
        messages.read_server(body(messages.encode(messages.ReportSaid(report))))
    with pytest.raises(Malformed):
        messages.read_server(body(messages.encode(messages.AccountPart(1, (report,), {}, 1))))


@pytest.mark.parametrize("wrong", [
    [16, "", "BTC-USDT", 1, 1, 5, None, "gtc"], [16, "a", "BTC-USDT", 1, 3, 5, None, "gtc"],
    [16, "a", "BTC-USDT", 1, 1, 0, None, "gtc"], [16, "a", "BTC-USDT", 1, 1, 5, 0, "gtc"],
    [16, "a", "BTC-USDT", 1, 1, 2**63, None, "gtc"], [16, "a", "BTC-USDT", 1, 1, 5, None, "day"], [18, "a", -1, None],
    [99], [], {}, 16, None])  # fmt: skip
def test_an_order_that_cannot_be_is_malformed(wrong: Any) -> None:
    with pytest.raises(Malformed):
        messages.read_client(body(msgspec.msgpack.encode(wrong)))


def test_what_later_versions_add_is_passed_over_and_defaults_may_be_left_out() -> None:
    longer = [16, "a", "BTC-USDT", 1, 1, 5, None, "gtc", 0, False, False, "news"]
    shorter = longer[:8]
    assert messages.read_client(body(msgspec.msgpack.encode(longer))) == messages.read_client(
        body(msgspec.msgpack.encode(shorter))
    )


def test_numbers_that_do_not_fit_are_refused_where_they_are_written() -> None:
    for quantity, limit in ((0, 1), (2**63, 1), (1, 0), (1, 2**63), (-1, None)):
        with pytest.raises(BadOrder):
            messages.new_order(ticket(quantity, limit), 1)
        with pytest.raises(BadOrder):
            messages.replace("a", quantity, limit)


def test_what_a_broken_message_still_tells() -> None:
    assert messages.told(body(msgspec.msgpack.encode([16, "a-1", 5]))) == (16, "a-1")
    for nothing in (b"\xc1", msgspec.msgpack.encode({}), msgspec.msgpack.encode([True, 5]), b"\x91" * 2000):
        assert messages.told(body(nothing)) == (0, "")


def test_an_account_of_any_size_comes_in_parts_that_fit() -> None:
    orders = tuple(
        Report(ReportKind.STATUS, f"e1-{n:026}", 10**18, 5, 10**9, 10**7, OrderState.LIVE, reason="x" * 100)
        for n in range(3_000)
    )
    held = {f"C{n:05}-USDT": n + 1 for n in range(3_000)}
    sent = AccountReport(orders, held, 17)
    parts = list(messages.account_parts(4, sent))
    assert len(parts) > 5
    assert [part.last for part in parts] == [False] * (len(parts) - 1) + [True]
    read_parts = list[messages.AccountPart]()
    for part in parts:
        data = frame(1, messages.encode(part))
        assert len(data) <= MOST_BYTES
        message = messages.read_server(data[4:])
        assert isinstance(message, messages.AccountPart)
        read_parts.append(message)
    assert messages.account(read_parts) == sent
    (empty,) = messages.account_parts(4, AccountReport((), {}, 17))
    assert empty.last


def test_rules_and_definitions_arrive_as_they_were_told() -> None:
    rules = VenueRules(
        frozenset({TimeInForce.IOC}),
        post_only=False,
        retransmits=True,
        fees=Fees(Decimal("-0.0001"), Decimal("0.0004")),
    )
    assert messages.rules(msgspec.Raw(messages.rules_said(rules))) == rules
    halted = Instrument(
        "ETH-USDT", 5, Decimal("0.1"), Decimal("1E+2"), Decimal(5), Decimal("0.01"), TradingStatus.HALTED
    )
    (content,) = messages.definitions_said([messages.definition(1, BTC), messages.definition(2, halted)])
    told = messages.definitions(msgspec.Raw(content))
    assert told == {1: BTC, 2: halted}
    assert told[2].status is TradingStatus.HALTED


def test_many_definitions_come_in_parts_that_fit() -> None:
    many = [messages.definition(n + 1, ETH) for n in range(450)]
    contents = messages.definitions_said(many)
    assert sum(len(messages.definitions(msgspec.Raw(content))) for content in contents) == 450
    assert all(len(content) < MOST_BYTES - 100 for content in contents)
    assert messages.definitions_said([]) == [b"\x90"]


@pytest.mark.parametrize("wrong", [b"\xc0", msgspec.msgpack.encode([[1, "BTC-USDT", "0", "1", "1", "0", "trading"]]),
    msgspec.msgpack.encode([[1, "BTC-USDT", "x", "1", "1", "0", "trading"]])])  # fmt: skip
def test_definitions_that_cannot_be_are_malformed(wrong: bytes) -> None:
    with pytest.raises(Malformed):
        messages.definitions(msgspec.Raw(wrong))


@pytest.mark.parametrize("fee", ["NaN", "x", "Infinity"])
def test_a_fee_that_is_no_number_is_malformed(fee: str) -> None:
    said_rules: list[Any] = msgspec.msgpack.decode(messages.rules_said(VenueRules()))
    said_rules[-1] = fee
    with pytest.raises(Malformed):
        messages.rules(msgspec.Raw(msgspec.msgpack.encode(said_rules)))


def test_a_token_is_in_no_text() -> None:
    login = Login(1, "alpha", "open sesame", "one")
    assert "sesame" not in repr(login) + str(login)
    broken = bytearray(said(login))
    broken[broken.index(b"alpha") - 1] = 0xFF
    message: SessionMessage | None = None
    with pytest.raises(Malformed) as raised:
        message = read(bytes(broken[4:]))
    assert message is None
    assert "sesame" not in str(raised.value) + repr(raised.value)
    assert FRAMING.most_bytes == MOST_BYTES
    assert BODY_AT == 8
