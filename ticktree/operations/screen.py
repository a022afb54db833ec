"""A status for people: its tables as aligned text where output is piped, with colour in a terminal."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

import attrs

from ticktree.market import plain

from ..tables import aligned, amount, grouped, lasting as lasting, size as size, took as took
from .status import Feed, Node, Order, Status

if TYPE_CHECKING:
    from rich.console import Group

MOST_ORDERS = 10
NOTHING = ("", "-", "0")
WORDS = ("errors", "policy", "legs", "currency")


@attrs.frozen
class Table:
    """The first `words` columns and those of `WORDS` stand left; the others are numbers. Rows of `bad` stand out."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int = 2
    bad: frozenset[int] = frozenset()

    @property
    def left(self) -> tuple[bool, ...]:
        """Of each column, whether it stands left."""
        return tuple(index < self.words or head in WORDS for index, head in enumerate(self.heads))

    def fitting(self, width: int) -> tuple["Table", list[str]]:
        """The columns that fit in `width`, and the heads of the others: those go first in which nothing stands, and
        then the last ones. Nothing is shown in part, for half a number is another number."""
        shown = list(range(len(self.heads)))
        widths = [max(map(len, column)) + 2 for column in zip(self.heads, *self.rows, strict=True)]
        while sum(widths[index] for index in shown) > width and len(shown) > 1:
            empty = [index for index in shown[1:] if all(row[index] in NOTHING for row in self.rows)]
            shown.remove((empty or shown)[-1])
        rows = tuple(tuple(row[index] for index in shown) for row in self.rows)
        words = sum(index < self.words for index in shown)
        heads = tuple(self.heads[index] for index in shown)
        return Table(heads, rows, words, self.bad), [head for head in self.heads if head not in heads]


def tables(status: Status) -> Iterator[Table]:
    """What there is to be seen; tables without rows are left out."""
    made = (
        _feeds(status), _venues(status), _routers(status), _positions(status), _orders(status.orders.oldest),
        _stages(status), _tree(status.tree),
    )  # fmt: skip
    return (table for table in made if table.rows)


def as_text(status: Status) -> str:
    """For pipes and files."""
    blocks = ["\n".join(summary(status)), *("\n".join(_aligned(table)) for table in tables(status))]
    return "\n\n".join(blocks)


def as_rich(status: Status, width: int | None = None) -> "Group":
    """For terminals; in one of `width` columns, tables have no more of theirs than fit."""
    from rich.console import Group
    from rich.table import Table as RichTable
    from rich.text import Text

    first, *lines = summary(status)
    shown: list[Text | RichTable] = [Text(first, "bold red" if status.unwell else "bold green")]
    shown += [Text(line, "red" if line.startswith(NOT_WELL) else "") for line in lines]
    for table in tables(status):
        table, left_out = table.fitting(width) if width is not None else (table, [])
        made = RichTable(box=None, padding=(0, 2, 0, 0), header_style="bold dim")
        for head, left in zip(table.heads, table.left, strict=True):
            made.add_column(Text(head), justify="left" if left else "right", no_wrap=head == table.heads[0])
        for index, row in enumerate(table.rows):
            made.add_row(*map(Text, row), style="red" if index in table.bad else "")
        shown += [Text(), made]
        shown += [Text(f"  no room for: {', '.join(left_out)}", "dim")] if left_out else []
    return Group(*shown)


def harmless(text: str) -> str:
    """Without what could move a cursor: some words are a venue's or an exchange's."""
    return text if text.isprintable() else "".join(one if one.isprintable() else "?" for one in text)


def _aligned(table: Table) -> list[str]:
    return aligned((table.heads, *table.rows), [index for index, left in enumerate(table.left) if left])


def _table(heads: str, rows: Iterable[tuple[Sequence[object], bool]], words: int = 2) -> Table:
    """`heads` are parted by two spaces; each row comes with whether it is bad."""
    named, made = tuple(heads.split("  ")), list(rows)
    cells = tuple(tuple(_cell(cell) for cell in row) for row, _ in made)
    return Table(named, cells, words, frozenset(index for index, (_, bad) in enumerate(made) if bad))


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool | str):
        return harmless(str(value))
    return grouped(value) if isinstance(value, int) else plain(value) if isinstance(value, Decimal) else str(value)


# --- parts -----------------------------------------------------------------------------------------------------------

NOT_WELL = "not well: "


def summary(status: Status) -> list[str]:
    """The lines above the tables."""
    process, loop, gc, orders = status.process, status.loop, status.gc, status.orders
    mode = "PAPER" if status.paper else "LIVE"
    lines = [f"{mode}, up {lasting(status.uptime_s)}, process {process.pid}, ticktree {status.version}"]
    lines += [harmless(f"{NOT_WELL}{reason}") for reason in status.unwell]
    memory = f"memory {size(process.resident_bytes or process.peak_bytes)}, at most {size(process.peak_bytes)}"
    lines.append(
        f"{memory}; processor {process.cpu_s:.1f} s; {loop.kind}, times blocked: {loop.blocked}; "
        f"gc pauses: {gc.count}, longest {took(gc.longest_ns)}"
    )
    if status.venues:
        lines.append(
            f"orders since the start: {orders.opened:,}; of these and former ones: {orders.open:,} open, "
            f"{orders.unknown_legs:,} legs in doubt, {orders.fills:,} fills"
        )
    lines += [harmless(f"quarantined: {name}, {why}") for name, why in orders.quarantined.items()]
    lines += [f"metrics: {status.metrics}"] if status.metrics else []
    return lines


def _feeds(status: Status) -> Table:
    heads = "feed  state  events  messages  received  gaps  duplicates  connections  checksums  errors"
    return _table(heads, ((_feed(name, feed), not feed.live) for name, feed in status.feeds.items()))


def _feed(name: str, feed: Feed) -> tuple[object, ...]:
    checked = feed.checksums_verified + feed.checksums_failed
    checksums = f"{feed.checksums_verified:,}/{checked:,}" if checked else "-"
    errors = " ".join(f"{error}:{count}" for error, count in feed.errors.items()) or "-"
    return (
        name, "live" if feed.live else "not live", feed.events, feed.messages, size(feed.bytes_in), feed.gaps,
        feed.duplicates, feed.connections, checksums, errors,
    )  # fmt: skip


def _venues(status: Status) -> Table:
    return _table(
        "venue  takes orders  open  in doubt  filled  canceled  rejected  expired  fills",
        (
            ((name, _takes(one.closed), one.open, one.unknown, *_ended(one.ended), one.fills),
             bool(one.closed or one.unknown))
            for name, one in status.venues.items()
        ),
    )  # fmt: skip


def _takes(why_not: str) -> str:
    return f"no: {why_not}" if why_not else "yes"


def _ended(ended: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(ended.get(state, 0) for state in ("filled", "canceled", "rejected", "expired"))


def _routers(status: Status) -> Table:
    return _table(
        "router  takes orders  open  filled  canceled  rejected  expired  fills  policy",
        (
            ((name, _takes(one.draining), one.open, *_ended(one.ended), one.fills, one.policy), bool(one.draining))
            for name, one in status.routers.items()
        ),
    )


def _positions(status: Status) -> Table:
    heads = "strategy  instrument  held  average price  price  realised  unrealised  exposure  currency  fills"
    return _table(
        heads,
        (
            ((one.strategy, one.instrument, one.quantity, short(one.average_price), short(one.price),
              short(one.realised), short(one.unrealised), short(one.exposure), one.currency, one.fills), False)
            for one in status.portfolio.holdings
        ),
    )  # fmt: skip


def _orders(orders: Sequence[Order]) -> Table:
    heads = "order  strategy  instrument  side  state  quantity  limit  filled  legs"
    return _table(
        heads,
        (
            ((one.id, one.strategy, one.instrument, one.side, one.state, one.quantity,
              "market" if one.limit is None else one.limit, one.filled, _legs(one)), one.state == "unknown")
            for one in orders[:MOST_ORDERS]
        ),
        words=5,
    )  # fmt: skip


def _legs(order: Order) -> str:
    return " ".join(f"{leg.venue}:{leg.state}" for leg in order.legs) or "-"


def _stages(status: Status) -> Table:
    return _table(
        "venue  stage  orders  p50  p99  p99.9  max",
        (
            ((venue, stage, one.count, took(one.p50_ns), took(one.p99_ns), took(one.p99_9_ns), took(one.max_ns)), False)
            for venue, stages in status.latencies.items()
            for stage, one in stages.items()
            if one.count
        ),
    )


def _tree(tree: Node) -> Table:
    heads = "place  state  restarts  received  delivered  conflated  dropped  queued  capacity  oldest"
    return _table(heads, ((_place(node), _is_bad(node)) for node in tree.walk() if node is not tree))


def _place(node: Node) -> tuple[object, ...]:
    name = "  " * node.path.count("/") + node.path.rpartition("/")[2]
    box = node.mailbox
    if box is None:
        return (name, node.state, node.restarts, *[""] * 7)
    return (
        name, node.state, node.restarts, box.received, box.delivered, box.conflated, box.dropped.total, box.queued,
        box.capacity, took(box.oldest_age_ns),
    )  # fmt: skip


def _is_bad(node: Node) -> bool:
    lost = node.mailbox is not None and node.mailbox.unaccounted != 0
    return lost or node.state in ("restarting", "starting", "vacant")


# --- figures ---------------------------------------------------------------------------------------------------------


def short(value: Decimal | None) -> str | None:
    """Money and averages, rounded; sizes and prices of orders are shown as they are."""
    return None if value is None else plain(Decimal(amount(value)))
