"""What a person reads before an application runs, and when it has ended: plain lines of text."""

from functools import partial
from typing import TYPE_CHECKING, Any, TextIO

from ticktree.actors import ChildSpec, Supervisor
from ticktree.market import plain
from ticktree.net.errors import without_secrets
from ticktree.routing import OrderState
from ticktree.routing.latency import LatencySummary, Stage

from . import logs
from .parts import App, GatewayPart, TcpVenuePart, VenuePart
from .tables import amount, grouped, labelled, titled, took_each

if TYPE_CHECKING:
    from .app import ExitReport


def log_to_stdout(tracebacks: bool = True, stream: TextIO | None = None) -> None:
    """Print what ticktree logs, from INFO on, unless logging is set up already."""
    logs.set_up(tracebacks=tracebacks, stream=stream)


def money_at_stake(app: App) -> str:
    """Whether real orders can leave, and for where: the first that is said of a run."""
    if not app.venues:
        return "NO VENUES: nothing can be ordered"
    real = [venue for venue in app.venues if not isinstance(venue, VenuePart)]
    paper = ", ".join(venue.name for venue in app.venues if isinstance(venue, VenuePart))
    if not real:
        return f"PAPER: every venue is simulated in this process: {paper}"
    where = ", ".join(f"{venue.name} ({_where(venue)})" for venue in real)
    return f"LIVE: orders go to {where}{f'; simulated in this process: {paper}' if paper else ''}"


def _where(venue: TcpVenuePart | GatewayPart) -> str:
    """An address without secrets; of a gateway that was given none, what it is."""
    if isinstance(venue, TcpVenuePart):
        return without_secrets(venue.url)
    from .config.maker import Maker

    made: Any = venue.make
    given: object = None
    if isinstance(made, Maker):
        made, given = made.kind, made.option("url")
    elif isinstance(made, partial):
        made, given = made.func, made.keywords.get("url")
    return without_secrets(given) if isinstance(given, str) else getattr(made, "__name__", type(made).__name__)


def starting(tree: Supervisor) -> list[str]:
    """What starts, in order: a line for each child of the root, those below it beside it."""
    return ["starts, in this order:", *labelled((child.id, _below(child)) for child in tree.children)]


def _below(spec: ChildSpec | Supervisor) -> str:
    if isinstance(spec, ChildSpec):
        return ""
    inner = ((child.id, _below(child)) for child in spec.children)
    return ", ".join(f"{id} ({below})" if below else id for id, below in inner) or "-"


def summary(report: "ExitReport") -> str:
    """How a run ended: the order of the stop, where every tick and byte went, how long venues took, what is held."""
    parts = _ending, _restarts, _mailboxes, _feeds, _routers, _venues, _held
    return "\n\n".join("\n".join(lines) for part in parts if (lines := part(report)))


def _ending(report: "ExitReport") -> list[str]:
    stop, actors = report.stop, {node.path for node in report.actors}
    steps = [f"  {step.path}" for step in stop.steps if step.path in actors]
    lines = [f"stopped in {stop.duration_s:.3f} s, in this order:", *steps] if steps else ["ended by itself"]
    if stop.overran:
        lines.append(f"killed, because they took too long: {', '.join(stop.overran)}")
    if report.exit_code:
        lines.append(f"exit {report.exit_code}: {logs.one_line(logs.brief(str(stop.reason)))}")
    return lines


def _restarts(report: "ExitReport") -> list[str]:
    lives = {node.path: node.life for node in report.actors if node.life > 1}
    return [f"restarted: {', '.join(f'{path} {life - 1} x' for path, life in lives.items())}"] if lives else []


def _mailboxes(report: "ExitReport") -> list[str]:
    """A row for each that received anything."""
    boxes = {node.path: node.mailbox for node in report.actors}
    rows = [
        [path, *map(grouped, (box.received, box.delivered, box.conflated, box.dropped.total, box.queued,
                              box.in_handler))]
        for path, box in boxes.items() if box.received
    ]  # fmt: skip
    heads = ["ticks, by mailbox", "received =", "delivered +", "conflated +", "dropped +", "queued +", "in hand"]
    idle = len(boxes) - len(rows)
    return [
        *titled([heads, *rows]),
        *([f"  {idle} more received nothing"] if idle else []),
        f"  unaccounted for: {sum(abs(box.unaccounted) for box in boxes.values())}",
    ]


def _feeds(report: "ExitReport") -> list[str]:
    heads = ["bytes, by feed", "received =", "decoded +", "skipped +", "buffered", "events", "gaps", "connections"]
    rows = [
        [name, *map(grouped, (one.bytes_in, one.decoded, one.skipped, one.buffered, one.events, one.gaps,
                              one.connections))]
        for name, one in report.accounts.items()
    ]  # fmt: skip
    return titled([heads, *rows]) if rows else []


ENDS = OrderState.FILLED, OrderState.CANCELED, OrderState.REJECTED, OrderState.EXPIRED


def _routers(report: "ExitReport") -> list[str]:
    """A line for each router that had orders: how many ended how."""
    rows = [
        [name, *map(grouped, (*(one.ended.get(end, 0) for end in ENDS), one.open, one.fills))]
        for name, one in report.routers.items()
        if one.open or one.ended
    ]
    return titled([["orders, by router", *ENDS, "open", "fills"], *rows]) if rows else []


STAGES = (Stage.DECISION_TO_JOURNAL, Stage.JOURNAL_TO_WIRE, Stage.WIRE_TO_ACK, Stage.ACK_TO_FILL)


def _venues(report: "ExitReport") -> list[str]:
    """A line for each venue that answered an order: how long each stage took, p50 / p99 / max."""
    rows = [
        [venue, grouped(stages[Stage.WIRE_TO_ACK].count), *(_took(stages[stage]) for stage in STAGES)]
        for venue, stages in report.latencies.items()
        if stages[Stage.WIRE_TO_ACK].count
    ]
    return titled([["orders: p50/p99/max", "sent", *STAGES], *rows]) if rows else []


def _took(summary: LatencySummary) -> str:
    return took_each(summary.p50_ns, summary.p99_ns, summary.max_ns) if summary.count else "-"


def _held(report: "ExitReport") -> list[str]:
    orders = report.orders
    whose = ", over the whole journal" if report.app is not None and report.app.journal is not None else ""
    lines = [f"fills: {orders.fills:,}{whose}{_if(orders.overfilled_beyond, 'orders filled beyond what was granted')}"]
    held = [holding for holding in report.portfolio.holdings if holding.fills]
    for holding in held:
        unrealised = "" if holding.unrealised is None else f", unrealised {amount(holding.unrealised)}"
        fees = "".join(f", fees {plain(fee)} {currency}" for currency, fee in holding.fees.items() if fee)
        lines.append(
            f"  {holding.strategy} holds {plain(holding.quantity)} {holding.instrument}: realised "
            f"{amount(holding.realised)}{unrealised} {holding.currency}{fees}"
        )
    if not held:
        lines.append("  nothing is held")
    if orders.open:
        lines.append(f"orders still open: {orders.open:,}{_if(orders.unknown_legs, 'legs of them in doubt (unknown)')}")
    lines += [f"quarantined, until it is resolved: {name}" for name in orders.quarantined]
    return [*lines, f"trading was halted: {logs.one_line(orders.halted)}"] if orders.halted else lines


def _if(count: int, what: str) -> str:
    return f", {what}: {count:,}" if count else ""
