"""What a person reads while an application runs, and when it has ended: plain lines of text."""

import logging
import sys
import time
from decimal import Decimal
from typing import TYPE_CHECKING, TextIO

from ticktree.market import plain
from ticktree.routing.latency import LatencySummary, Stage

if TYPE_CHECKING:
    from .app import ExitReport


class Lines(logging.Formatter):
    """Seconds since the start, the room, the message; a failure's cause in one line, with `tracebacks` in full."""

    def __init__(self, tracebacks: bool) -> None:
        super().__init__()
        self._tracebacks = tracebacks
        self._began = time.time()

    def format(self, record: logging.LogRecord) -> str:
        room = record.name.removeprefix("ticktree.")
        line = f"{max(0.0, record.created - self._began):8.3f} s  {room:<8}  {record.getMessage()}"
        if record.exc_info and (error := record.exc_info[1]) is not None:
            if self._tracebacks:
                return f"{line}\n{self.formatException(record.exc_info)}"
            return f"{line}: {type(error).__name__}: {error}"
        return line


def log_to_stdout(tracebacks: bool = True, stream: TextIO | None = None) -> None:
    """Print what ticktree logs, from INFO on, unless logging is set up already."""
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(Lines(tracebacks))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def summary(report: "ExitReport") -> str:
    """How a run ended: the order of the stop, where every tick and byte went, how long venues took, what is held."""
    parts = (_ending(report), _mailboxes(report), _feeds(report), _venues(report), _held(report))
    return "\n\n".join("\n".join(part) for part in parts if part)


def _ending(report: "ExitReport") -> list[str]:
    stop, actors = report.stop, {node.path for node in report.actors}
    lines = [f"stopped in {stop.duration_s:.3f} s, in this order:"]
    lines += [f"  {step.path}" for step in stop.steps if step.path in actors]
    if stop.overran:
        lines.append(f"killed, because they took too long: {', '.join(stop.overran)}")
    if report.exit_code:
        lines.append(f"exit {report.exit_code}: {stop.reason}")
    return lines


def _mailboxes(report: "ExitReport") -> list[str]:
    lines = [f"{'ticks, by mailbox':<26} received = delivered + conflated + dropped + queued + in hand"]
    for node in report.actors:
        box = node.mailbox
        lines.append(
            f"  {node.path:<24} {box.received:>8,} = {box.delivered:>9,} + {box.conflated:>9,} + "
            f"{box.dropped.total:>7,} + {box.queued:>6,} + {box.in_handler:>7,}"
        )
    left_over = sum(abs(node.mailbox.unaccounted) for node in report.actors)
    return [*lines, f"  unaccounted for: {left_over}"]


def _feeds(report: "ExitReport") -> list[str]:
    lines = [f"{'bytes, by feed':<26} received =   decoded +   skipped + buffered"]
    for name, account in report.accounts.items():
        lines.append(
            f"  {name:<24} {account.bytes_in:>8,} = {account.decoded:>9,} + {account.skipped:>9,} + "
            f"{account.buffered:>8,}   ({account.events:,} events over {account.connections} connection(s))"
        )
    return lines


STAGES = (Stage.DECISION_TO_JOURNAL, Stage.JOURNAL_TO_WIRE, Stage.WIRE_TO_ACK, Stage.ACK_TO_FILL)


def _venues(report: "ExitReport") -> list[str]:
    """A line for each venue that answered an order: how long each stage took, p50 / p99 / max."""
    heads = "".join(f"{stage:>23}" for stage in STAGES)
    lines = [f"{'orders: p50/p99/max':<22}{'sent':>6}{heads}"]
    for venue, stages in report.latencies.items():
        sent = stages[Stage.WIRE_TO_ACK].count
        took = "".join(f"{_took(stages[stage]):>23}" for stage in STAGES)
        lines += [f"  {venue:<20}{sent:>6,}{took}"] if sent else []
    return lines if len(lines) > 1 else []


def _took(summary: LatencySummary) -> str:
    """In the unit of the longest: 12.1/40.2/41.0 us."""
    if not summary.count:
        return "-"
    unit, name = next(((unit, name) for unit, name in UNITS if summary.max_ns >= unit), UNITS[-1])
    return "/".join(f"{ns / unit:.1f}" for ns in (summary.p50_ns, summary.p99_ns, summary.max_ns)) + f" {name}"


UNITS = ((1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us"))


def _held(report: "ExitReport") -> list[str]:
    orders = report.orders
    lines = [f"fills: {orders.fills:,}{_if(orders.overfilled_beyond, 'orders filled beyond what was granted')}"]
    held = [holding for holding in report.portfolio.holdings if holding.fills]
    for holding in held:
        unrealised = "" if holding.unrealised is None else f", unrealised {_money(holding.unrealised)}"
        fees = "".join(f", fees {plain(fee)} {currency}" for currency, fee in holding.fees.items() if fee)
        lines.append(
            f"  {holding.strategy} holds {plain(holding.quantity)} {holding.instrument}: realised "
            f"{_money(holding.realised)}{unrealised} {holding.currency}{fees}"
        )
    if not held:
        lines.append("  nothing is held")
    if orders.open:
        lines.append(f"orders still open: {orders.open:,}{_if(orders.unknown_legs, 'legs of them in doubt (unknown)')}")
    lines += [f"quarantined, until it is resolved: {name}" for name in orders.quarantined]
    return [*lines, f"trading was halted: {orders.halted}"] if orders.halted else lines


def _if(count: int, what: str) -> str:
    return f", {what}: {count:,}" if count else ""


def _money(value: Decimal) -> str:
    return f"{value:.4f}"
