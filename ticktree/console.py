"""What a person reads while an application runs, and when it has ended: plain lines of text."""

import logging
import sys
import time
from typing import TYPE_CHECKING, TextIO

from ticktree.market import plain

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
    """How a run ended: the order of the stop, where every tick and byte went, what is held."""
    parts = (_ending(report), _mailboxes(report), _feeds(report), _held(report))
    return "\n\n".join("\n".join(part) for part in parts)


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


def _held(report: "ExitReport") -> list[str]:
    held = [f"  {strategy} holds {plain(size)} {name}" for (strategy, name), size in report.positions.items()]
    return [f"fills: {report.fills}", *(held or ["  nothing is held"])]
