"""What a venue's word means for the leg it is about: how much it counts as filled, and the leg's state.

Words may repeat, come late, and overtake each other. A terminal state stays; what is counted falls by a bust, a
correction, or the answer to a query only, and only by a later word.
"""

from msgspec.structs import replace

from .orders import TERMINAL, OrderState
from .records import LegRecord
from .reports import Report, ReportKind

_SAY_NO_COUNT = frozenset({ReportKind.CANCEL_REJECTED, ReportKind.REPLACE_REJECTED, ReportKind.NOT_FOUND})


def _working(record: LegRecord) -> OrderState:
    """The state of a leg that the venue works."""
    if record.canceling:
        return OrderState.CANCEL_SENT
    return OrderState.REPLACE_SENT if record.pending is not None else OrderState.LIVE


def says_nothing_new(record: LegRecord, status: Report) -> bool:
    """Whether the answer to a query is that everything is as we know it. Live orders are asked about for ever, and
    only what is news is written down."""
    known = record.quantity_increments, record.limit_increments, record.cumulative_increments
    said = status.quantity_increments, status.limit_increments, status.cumulative_increments
    if status.state is None or status.state in TERMINAL or record.contradicted:
        return False
    return known == said and record.state is _working(record) and status.reason in ("", record.reason)


def count(record: LegRecord, report: Report) -> str:
    """Take in what the venue counts. It may fall by a bust or correction only, or by the answer to a query."""
    if report.kind in _SAY_NO_COUNT:
        return ""
    said, known = report.cumulative_increments, record.cumulative_increments
    later = report.sequence == 0 or report.sequence > record.sequence
    if said >= known and not (record.corrected and not later):
        record.cumulative_increments = said
    elif said < known and later:
        if report.kind is ReportKind.STATUS or record.corrected:
            record.cumulative_increments = said
        else:
            record.contradicted = True
            return f"it counts {said} increments filled, after {known}"
    if later:
        record.sequence = report.sequence
        if report.kind is ReportKind.STATUS:
            record.contradicted = False
    return ""


def turn(record: LegRecord, report: Report) -> None:
    """What the word means for the leg's state."""
    former = 0 < report.sequence <= record.replace_sequence  # said before the last replace had left
    record.heard_sequence = max(record.heard_sequence, report.sequence)
    if record.terminal:
        return
    record.reason = report.reason or record.reason
    match report.kind:  # what comes most stands first: each that does not fit takes 40 ns
        case ReportKind.ACCEPTED | ReportKind.FILL:
            record.state = _working(record)
        case ReportKind.CANCELED:
            record.state = OrderState.CANCELED
        case ReportKind.EXPIRED:
            record.state = OrderState.EXPIRED
        case ReportKind.REJECTED:
            record.state = OrderState.REJECTED
        case ReportKind.REPLACED:
            if not former:
                _new_terms(record, report)
            record.state = _working(record)
        case ReportKind.REPLACE_REJECTED:
            if not former:
                keep_terms(record)
        case ReportKind.CANCEL_REJECTED:
            record.state = OrderState.UNKNOWN  # it may be over, or the cancel was never meant for it: to be asked
        case ReportKind.STATUS:
            _status(record, report, former)
        case ReportKind.CORRECTED | ReportKind.NOT_FOUND:
            pass
    # By the latest word, not by an older one: the quantity may have been busted since.
    if record.state not in TERMINAL and record.pending is None and report.sequence == record.sequence:
        full = record.cumulative_increments >= record.quantity_increments
        record.state = OrderState.FILLED if full else record.state


def _status(record: LegRecord, report: Report, former: bool) -> None:
    state = report.state
    if not former and (report.quantity_increments, report.limit_increments) == record.pending:
        _new_terms(record, report)
    elif record.pending is None and report.quantity_increments and report.sequence in (0, record.heard_sequence):
        # Also where it knows the order otherwise than we sent it: what stands there is what may be filled.
        record.quantity_increments, record.limit_increments = report.quantity_increments, report.limit_increments
    if state is not None and state.terminal:
        record.state, record.pending = state, None
    elif report.sequence == 0 or report.sequence >= record.sequence:
        record.state = _working(record)


def _new_terms(record: LegRecord, report: Report) -> None:
    record.quantity_increments, record.limit_increments = report.quantity_increments, report.limit_increments
    record.pending = None
    order = record.order.order
    if len(record.order.legs) == 1:
        record.order.order = replace(
            order, quantity_increments=record.quantity_increments, limit_increments=record.limit_increments
        )


def keep_terms(record: LegRecord) -> None:
    """A replace came to nothing. Where all seems to be filled meanwhile, the venue is to be asked."""
    record.pending = None
    if record.state is OrderState.REPLACE_SENT:
        full = record.cumulative_increments >= record.quantity_increments
        record.state = OrderState.UNKNOWN if full else _working(record)
