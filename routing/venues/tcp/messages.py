"""Orders, reports, accounts and quotes as the order-entry protocol writes them: one msgpack array each, no session.

docs/order-entry-protocol.md is the description for people.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Final

import msgspec

from ticktree.market import Instrument, MarketError, Side, TradingStatus, plain

from ...errors import BadOrder
from ...gateway import Fees, VenueRules
from ...orders import Ticket, TimeInForce
from ...reports import AccountReport, Report, ReportKind, VenueExecution, VenueQuote
from .session import BODY_AT, MOST_BODY, GapFill, Malformed

MOST_INCREMENTS: Final = (1 << 63) - 1
MOST_LEVELS: Final = 100  # of a side of a QUOTE
_ROOM: Final = MOST_BODY - 1024  # for the parts of what may be long; the rest is for what stands around them
_FEE_DIGITS: Final = 30

Count = Annotated[int, msgspec.Meta(ge=1, le=MOST_INCREMENTS)]
Amount = Annotated[int, msgspec.Meta(ge=0, le=MOST_INCREMENTS)]
Time = Annotated[int, msgspec.Meta(ge=0, le=MOST_INCREMENTS)]
ClientId = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Name = Annotated[str, msgspec.Meta(max_length=64)]
Text = Annotated[str, msgspec.Meta(max_length=500)]
Decimals = Annotated[str, msgspec.Meta(max_length=64)]


# --- what is agreed with a login -----------------------------------------------------------------------------------


class Rules(msgspec.Struct, frozen=True, array_like=True):
    """What a venue declares; see `VenueRules`."""

    times_in_force: tuple[TimeInForce, ...]
    post_only: bool
    reduce_only: bool
    market_orders: bool
    replaces: bool
    quotes: bool
    client_id_length: Annotated[int, msgspec.Meta(ge=8, le=64)]
    client_id_alphabet: Annotated[str, msgspec.Meta(min_length=2, max_length=256)]
    retransmits: bool
    not_found_grace_s: Annotated[float, msgspec.Meta(ge=0.0, le=86_400.0)]
    trading_days: bool
    maker_fee: Decimals
    taker_fee: Decimals


class Definition(msgspec.Struct, frozen=True, array_like=True):
    """What increments of an instrument are worth; decimals as text. Another definition has another `number`."""

    number: Annotated[int, msgspec.Meta(ge=1, le=MOST_INCREMENTS)]
    name: Name
    price_increment: Decimals
    size_increment: Decimals
    multiplier: Decimals
    min_notional: Decimals
    status: TradingStatus


# --- the client's --------------------------------------------------------------------------------------------------


class NewOrder(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=16):
    """A ticket. `definition` is the number of the definition whose increments these are."""

    client_id: ClientId
    instrument: Name
    definition: int
    side: Side
    quantity: Count
    limit: Count | None
    time_in_force: TimeInForce
    expires_ns: Time = 0
    post_only: bool = False
    reduce_only: bool = False


class Cancel(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=17):
    """Take an order back."""

    client_id: ClientId


class Replace(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=18):
    """Change an order to this whole quantity, what is filled included, and limit."""

    client_id: ClientId
    quantity: Count
    limit: Count | None


class QueryOrder(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=19):
    """What became of an order? A REPORT: `status` or `not_found`."""

    client_id: ClientId


class QueryFills(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=20):
    """All executions of an order: REPORTs `fill` and `corrected`, then `status`; or `not_found`."""

    client_id: ClientId


class QueryAccount(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=21):
    """Open orders and positions: ACCOUNT."""


class QueryQuote(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=22):
    """What is displayed of an instrument: QUOTE."""

    instrument: Name


# --- the server's --------------------------------------------------------------------------------------------------


class ReportSaid(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=32):
    """The venue's word about an order. `received_ns` of it is the reader's own, and 0 here."""

    report: Report


class AccountPart(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=33):
    """A part of the answer to request number `request`; `last` ends it."""

    request: Count
    open_orders: tuple[Report, ...]
    positions: dict[Name, Annotated[int, msgspec.Meta(ge=-MOST_INCREMENTS, le=MOST_INCREMENTS)]]
    time_ns: int
    last: bool = True


Levels = Annotated[tuple[tuple[Count, Count], ...], msgspec.Meta(max_length=MOST_LEVELS)]


class QuoteSaid(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=34):
    """The answer to request number `request`. `age_ns`: how long ago that was so; None: nothing is known."""

    request: Count
    venue: Name
    instrument: Name
    bids: Levels
    asks: Levels
    age_ns: Time | None


class Reject(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=35):
    """Message number `number` could not be understood, and had no effect. `kind` and `client_id` as far as told."""

    number: Count
    kind: int
    client_id: Name
    reason: Text
    time_ns: int


ClientMessage = NewOrder | Cancel | Replace | QueryOrder | QueryFills | QueryAccount | QueryQuote | GapFill
ServerMessage = ReportSaid | AccountPart | QuoteSaid | Reject

encoder = msgspec.msgpack.Encoder()
encode = encoder.encode
_client = msgspec.msgpack.Decoder[ClientMessage](ClientMessage)
_server = msgspec.msgpack.Decoder[ServerMessage](ServerMessage)
_rules = msgspec.msgpack.Decoder(Rules)
_definitions = msgspec.msgpack.Decoder(tuple[Definition, ...])
_WRONG = (ValueError, RecursionError)  # msgspec's errors are ValueErrors


def read_client(frame: memoryview | bytes) -> ClientMessage:
    """What a client says in a numbered frame. Raises `Malformed`."""
    try:
        message: ClientMessage = _client.decode(frame[BODY_AT:])
    except _WRONG as error:
        raise Malformed(f"no message of a client: {error}", bytes(frame[:24])) from None
    return message


def read_server(frame: memoryview | bytes) -> ServerMessage:
    """What a server says in a numbered frame. Raises `Malformed`."""
    try:
        message: ServerMessage = _server.decode(frame[BODY_AT:])
    except _WRONG as error:
        raise Malformed(f"no message of a server: {error}", bytes(frame[:24])) from None
    if type(message) is ReportSaid:
        _check(message.report)
    elif type(message) is AccountPart:
        for report in message.open_orders:
            _check(report)
    return message


# Bound once: an attribute of an Enum takes 100 ns and more on CPython 3.11.
_FILL, _CORRECTED, _STATUS = ReportKind.FILL, ReportKind.CORRECTED, ReportKind.STATUS


def _check(report: Report) -> None:
    """What the types do not say. Raises `Malformed`."""
    kind, execution = report.kind, report.execution
    if report.cumulative_increments < 0 or report.quantity_increments < 0 or not report.client_id:
        raise Malformed("a report of less than nothing, or of no order")
    if kind is _FILL or kind is _CORRECTED:
        if execution is None:
            raise Malformed(f"a report {kind} without its execution")
        _check_execution(execution, least=1 if kind is _FILL else 0)
    elif kind is _STATUS and report.state is None:
        raise Malformed("a report status without a state")


def _check_execution(execution: VenueExecution, least: int) -> None:
    if not execution.id or not least <= execution.quantity_increments <= MOST_INCREMENTS:
        raise Malformed("an execution without an id, or of less than nothing")
    fee = execution.fee
    if fee and not (fee.is_finite() and -_FEE_DIGITS <= fee.adjusted() <= _FEE_DIGITS):
        raise Malformed("an execution's fee is no number that can be")


def told(frame: memoryview | bytes) -> tuple[int, str]:
    """Kind and client id of a message that could not be read, as far as it says them; 0 and "" else."""
    try:
        found: Any = msgspec.msgpack.decode(frame[BODY_AT:])
    except _WRONG:
        return 0, ""
    if not isinstance(found, list):
        return 0, ""
    values: list[Any] = [*found, None, None][:2]  # pyright: ignore[reportUnknownVariableType]  # whatever came
    kind, client_id = values
    small = isinstance(kind, int) and not isinstance(kind, bool) and 0 <= kind < 256
    return kind if small else 0, client_id if isinstance(client_id, str) and len(client_id) <= 64 else ""


# --- to and from what the rest of the room knows -------------------------------------------------------------------


def new_order(ticket: Ticket, definition: int) -> bytes:
    """The body of NEW_ORDER. Raises `BadOrder` for numbers that do not fit."""
    return _encoded(
        NewOrder(
            ticket.client_id, ticket.instrument.name, definition, ticket.side, ticket.quantity_increments,
            ticket.limit_increments, ticket.time_in_force, ticket.expires_ns, ticket.post_only, ticket.reduce_only,
        ),
    )  # fmt: skip


def replace(client_id: str, quantity_increments: int, limit_increments: int | None) -> bytes:
    """The body of REPLACE. Raises `BadOrder` for numbers that do not fit."""
    return _encoded(Replace(client_id, quantity_increments, limit_increments))


def _encoded(message: NewOrder | Replace) -> bytes:
    quantity, limit = message.quantity, message.limit
    if not 0 < quantity <= MOST_INCREMENTS or (limit is not None and not 0 < limit <= MOST_INCREMENTS):
        raise BadOrder(
            f"{message.client_id}: quantity and limit are 1 to 2**63 - 1 increments; not {quantity}, {limit}"
        )
    return encode(message)


def ticket(order: NewOrder, instrument: Instrument) -> Ticket:
    """What a server makes of NEW_ORDER."""
    return Ticket(
        order.client_id, instrument, order.side, order.quantity, order.limit, order.time_in_force,
        order.expires_ns, order.post_only, order.reduce_only,
    )  # fmt: skip


def account_parts(request: int, account: AccountReport) -> Iterator[AccountPart]:
    """`account` in parts that fit a frame each."""
    parts: list[tuple[list[Report], dict[str, int]]] = [([], {})]
    room = _ROOM
    entries: list[tuple[Report | str, int]] = [(report, len(encode(report))) for report in account.open_orders]
    entries += [(name, 4 * len(name) + 16) for name in account.positions]
    for entry, size in entries:
        if size > room:
            parts.append(([], {}))
            room = _ROOM
        room -= size
        if isinstance(entry, str):
            parts[-1][1][entry] = account.positions[entry]
        else:
            parts[-1][0].append(entry)
    for place, (reports, positions) in enumerate(parts):
        yield AccountPart(request, tuple(reports), positions, account.time_ns, place == len(parts) - 1)


def account(parts: Iterable[AccountPart]) -> AccountReport:
    """The account that came in `parts`."""
    reports, positions, time_ns = list[Report](), dict[str, int](), 0
    for part in parts:
        reports += part.open_orders
        positions |= part.positions
        time_ns = part.time_ns
    return AccountReport(tuple(reports), positions, time_ns)


def quote(said: QuoteSaid, received_ns: int) -> VenueQuote | None:
    """What QUOTE says, on the clock of who received it."""
    if said.age_ns is None:
        return None
    return VenueQuote(said.venue, said.instrument, said.bids, said.asks, received_ns - said.age_ns)


def rules_said(rules: VenueRules) -> bytes:
    """`rules` as LOGGED_IN carries them."""
    return encode(
        Rules(
            tuple(sorted(rules.times_in_force)), rules.post_only, rules.reduce_only, rules.market_orders,
            rules.replaces, rules.quotes, rules.client_id_length, rules.client_id_alphabet, rules.retransmits,
            rules.not_found_grace_s, rules.trading_days, plain(rules.fees.maker), plain(rules.fees.taker),
        )
    )  # fmt: skip


def rules(content: msgspec.Raw) -> VenueRules:
    """The rules of LOGGED_IN. Raises `Malformed`."""
    try:
        told = _rules.decode(content)
        fees = Fees(Decimal(told.maker_fee), Decimal(told.taker_fee))
    except (*_WRONG, InvalidOperation) as error:
        raise Malformed(f"no rules of a venue: {error}") from None
    if not (fees.maker.is_finite() and fees.taker.is_finite()):
        raise Malformed("a fee that is no number")
    return VenueRules(
        frozenset(told.times_in_force), told.post_only, told.reduce_only, told.market_orders, told.replaces,
        told.quotes, told.client_id_length, told.client_id_alphabet, told.retransmits, told.not_found_grace_s,
        told.trading_days, fees,
    )  # fmt: skip


def definition(number: int, instrument: Instrument) -> Definition:
    """`instrument` as INSTRUMENTS tells it."""
    return Definition(
        number, instrument.name, plain(instrument.price_increment), plain(instrument.size_increment),
        plain(instrument.multiplier), plain(instrument.min_notional), instrument.status,
    )  # fmt: skip


def definitions_said(definitions: Iterable[Definition]) -> list[bytes]:
    """The contents of as many INSTRUMENTS as it takes, at least one."""
    every = tuple(definitions)
    return [encode(every[at : at + 200]) for at in range(0, max(len(every), 1), 200)]  # of at most 300 bytes each


def definitions(content: msgspec.Raw) -> dict[int, Instrument]:
    """The instruments of INSTRUMENTS by their numbers. Raises `Malformed`."""
    try:
        return {one.number: _instrument(one) for one in _definitions.decode(content)}
    except (*_WRONG, InvalidOperation, MarketError) as error:
        raise Malformed(f"no definition of an instrument: {error}") from None


def _instrument(told: Definition) -> Instrument:
    return Instrument(
        told.name, 0, Decimal(told.price_increment), Decimal(told.size_increment), Decimal(told.min_notional),
        Decimal(told.multiplier), told.status,
    )  # fmt: skip
