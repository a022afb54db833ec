"""A picture as a page for a terminal: lines of columns, made of few segments.

A page of 40 lines takes 1.6 ms to draw; the same made of rich's tables took 20.
"""

from collections.abc import Iterable, Iterator, Sequence

import attrs
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style

from ticktree.routing import OrderState, Stage

from ..logs import one_line
from ..tables import cut, grouped
from .picture import STAGES, FeedLook, Picture, StrategyLook, VenueLook, held, money, took
from .tally import ENDS, MADE, OPEN

PLAIN, DIM, BOLD = Style(), Style(dim=True), Style(bold=True)
TITLE, GOOD, BAD, WARM = Style(bold=True, color="cyan"), Style(color="green"), Style(color="red"), Style(color="yellow")
NAME_WIDTH, WIDTH, STAGE_WIDTH, LEAST_WORDS = 18, 11, 18, 12  # characters, where there is room
ROOM_FOR_WORDS = 24
LEAST_LOG = 5  # lines

Line = list[Segment]
Cell = tuple[str, Style]


@attrs.frozen
class Table:
    """Columns of numbers, and behind them words. The first head is its title; each row has its name, its numbers, and
    words. A terminal that is too narrow gets narrow columns, then fewer: half a number would be a wrong one."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...], Cell], ...]
    words: str = ""

    def lines(self, width: int) -> Iterator[Line]:
        """In that many characters."""
        widths = self._widths(width)
        ends = width - sum(widths) - 3
        ends = ends if ends >= LEAST_WORDS else 0
        numbers = zip(self.heads[1:], widths[1:], strict=False)
        heads = "".join(head.rjust(wide) for head, wide in numbers)
        yield [
            Segment(cut(self.heads[0], widths[0]).ljust(widths[0]), TITLE),
            Segment(heads + (f"   {cut(self.words, ends)}" if ends else ""), DIM),
        ]
        for name, cells, (words, style) in self.rows:
            shown = zip(cells, widths[1:], strict=False)
            yield [
                Segment(cut(f"  {name}", widths[0]).ljust(widths[0]), BOLD),
                *(Segment(text.rjust(wide), look) for (text, look), wide in shown),
                Segment(f"   {cut(words, ends)}" if ends else "", style),
            ]

    def _widths(self, width: int) -> list[int]:
        """Of the columns that fit in `width`; the first always does."""
        least = [max([len(self.heads[0]), *(len(name) + 2 for name, _, _ in self.rows)])]
        for index, head in enumerate(self.heads[1:]):
            least.append(max(len(head), *(len(cells[index][0]) for _, cells, _ in self.rows), 0) + 2)
        roomy = [max(NAME_WIDTH, least[0]), *(max(WIDTH, one) for one in least[1:])]
        widths = roomy if sum(roomy) + ROOM_FOR_WORDS <= width else least
        while sum(widths) > width and len(widths) > 1:
            widths.pop()
        return [min(widths[0], width), *widths[1:]]


@attrs.frozen
class Show:
    """What is the same in every picture."""

    title: str
    for_s: float
    feeds: dict[str, str]  # how each is read
    policies: dict[str, str]  # by router


@attrs.frozen
class Page:
    """What rich draws: two lines, tables, and below them as much of the log as fits.

    A terminal that is too low for the gaps between them goes without.
    """

    head: tuple[Line, ...]
    tables: tuple[Table, ...]
    log: tuple[str, ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        height = options.height or options.max_height
        for line in self._lines(options.max_width, height)[:height]:
            yield from Segment.adjust_line_length(line, options.max_width)
            yield Segment.line()

    def _lines(self, width: int, height: int) -> list[Line]:
        gap: list[Line] = [[Segment("")]]
        blocks = [list(self.head), *(list(table.lines(width)) for table in self.tables)]
        lines = [line for block in blocks for line in (*block, *gap)]
        if len(lines) + LEAST_LOG > height:
            lines = [line for block in blocks for line in block]
        room = height - len(lines)
        return [*lines, *([Segment(cut(one_line(line), width))] for line in self.log[-room:] if room > 0)]


def page(show: Show, picture: Picture, first_fill_s: float | None, log: tuple[str, ...]) -> Page:
    """Everything there is to see."""
    tables = (
        _feeds(show, picture.feeds),
        _strategies(picture.strategies),
        _venues(picture.venues),
        _orders(show, picture.orders),
    )
    return Page(_head(show, picture, first_fill_s), tables, log)


def _head(show: Show, picture: Picture, first_fill_s: float | None) -> tuple[Line, Line]:
    left_s = max(0.0, show.for_s - picture.elapsed_s)
    filled = "no fill yet" if first_fill_s is None else f"first fill after {first_fill_s:.2f} s"
    restarts = ", ".join(f"{path} {count}" for path, count in picture.restarts.items()) or "none"
    return (
        [
            Segment(f"{show.title}  ", TITLE), Segment(f"{picture.elapsed_s:6.1f} s, {left_s:.0f} s to go", BOLD),
            Segment(f"   {picture.actors} actors"),
        ],
        [
            Segment(f"{picture.fills:,} fills, ", BOLD),
            Segment(f"profit {money(picture.profit)}", _by_sign(picture.profit.values())),
            Segment(f"   {filled}   restarts: "),
            Segment(restarts, WARM if picture.restarts else PLAIN),
            Segment(f"   halted: {one_line(picture.halted)}" if picture.halted else "", BAD),
        ],
    )  # fmt: skip


def _feeds(show: Show, feeds: Iterable[FeedLook]) -> Table:
    heads = "feeds", "state", "events/s", "events", "gaps", "reconnects", "restarts"
    rows = (
        (
            feed.name,
            (
                (feed.state, GOOD if feed.state == "live" else BAD), (f"{feed.events_per_s:,.0f}", PLAIN),
                (grouped(feed.events), PLAIN), _count(feed.gaps), _count(feed.reconnects), _count(feed.restarts),
            ),
            (show.feeds.get(feed.name, ""), DIM),
        )
        for feed in feeds
    )  # fmt: skip
    return Table(heads, tuple(rows), "read by")


def _strategies(strategies: Iterable[StrategyLook]) -> Table:
    heads = "strategies", "router", "queued", "oldest", "ticks", "fills", "profit"
    rows = (
        (
            one.name,
            (
                (one.router, PLAIN), (f"{one.queued / one.capacity:.0%}", PLAIN),
                (f"{one.oldest_age_ms:.1f} ms", PLAIN), (grouped(one.delivered), PLAIN), (grouped(one.fills), PLAIN),
                (_amounts(one), _by_sign(one.profit.values())),
            ),
            (held(one.held), PLAIN),
        )
        for one in strategies
    )  # fmt: skip
    return Table(heads, tuple(rows), "holds")


def _venues(venues: Iterable[VenueLook]) -> Table:
    heads = "venues: p50 / p99", "orders", "decision to wire", "wire to ack"
    rows = list[tuple[str, tuple[Cell, ...], Cell]]()
    for venue in venues:
        sent = venue.stages.get(Stage.WIRE_TO_ACK)
        durations = ((took(venue.stages.get(stage)).rjust(STAGE_WIDTH), PLAIN) for stage in STAGES)
        cells = (grouped(sent.count if sent else 0), PLAIN), *durations
        rows.append((venue.name, cells, (one_line(venue.closed), BAD)))
    return Table(heads, tuple(rows))


def _orders(show: Show, orders: dict[str, dict[str, int]]) -> Table:
    rows = (
        (
            router,
            tuple((grouped(counts[state]), BAD if _is_bad(state, counts) else PLAIN) for state in (MADE, OPEN, *ENDS)),
            (show.policies.get(router, ""), DIM),
        )
        for router, counts in orders.items()
    )
    return Table(("orders by router", MADE, OPEN, *ENDS), tuple(rows))


def _is_bad(state: str, counts: dict[str, int]) -> bool:
    return state is OrderState.REJECTED and counts[state] > 0


def _amounts(look: StrategyLook) -> str:
    return ", ".join(f"{amount:+.2f}" for amount in look.profit.values()) or "0"


def _count(count: int) -> Cell:
    return grouped(count), WARM if count else PLAIN


def _by_sign(amounts: Iterable[object]) -> Style:
    signs: Sequence[str] = [str(amount)[:1] for amount in amounts]
    return BAD if "-" in signs else GOOD if signs else PLAIN
