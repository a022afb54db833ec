"""What a person reads of a back-test in a terminal: plain lines, what is wrong with it first."""

from collections import Counter
from collections.abc import Iterable

from ticktree.feeds import NotAsked
from ticktree.routing import OrderState
from ticktree.tables import aligned, cut, grouped, labelled, size, titled

from .figures import NOT_KNOWN, bp, money, ratio, seconds, share, span
from .result import HORIZONS_S, MATCHING, DataUsed, Outcome
from .statistics import Row, Statistics

WIDTH = 100
NAME = 16  # columns for a strategy, and its currency where there are several


def text(outcome: Outcome, statistics: Statistics) -> str:
    """A summary in at most 100 columns, but for names and warnings that are longer."""
    rows = statistics.strategies + (statistics.total if len(_names(statistics)) > 1 else ())
    parts = (
        _trouble(outcome), _head(outcome), _assumed(outcome), _profit(rows, statistics), _trading(rows),
        _risk(rows), _execution(rows), _orders(outcome),
    )  # fmt: skip
    return "\n\n".join("\n".join(lines) for lines in parts if lines)


def _names(statistics: Statistics) -> set[str]:
    return {row.strategy for row in statistics.strategies}


def warnings(outcome: Outcome) -> list[str]:
    """All that lessens its worth, the worst first."""
    incomplete = [f"INCOMPLETE: {outcome.incomplete}"] if outcome.incomplete else []
    notes = [f"{used.path}: {used.note}" for used in outcome.data if used.note]
    return [*incomplete, *outcome.warnings, *notes, *_flaws(outcome)]


def _flaws(outcome: Outcome) -> Iterable[str]:
    """Of its feeds."""
    for feed in outcome.feeds:
        wrong = [f"{grouped(feed.gaps)} gaps"] if feed.gaps else []
        wrong += [f"{grouped(count)} x {name}" for name, count in feed.errors.items() if name != NotAsked.__name__]
        if wrong:
            yield f"feed {feed.feed}: {', '.join(wrong)}"


def _trouble(outcome: Outcome) -> list[str]:
    return [f"WARNING  {warning}" for warning in warnings(outcome)]


def _head(outcome: Outcome) -> list[str]:
    span_s = (outcome.ended_ns - outcome.began_ns) / 1e9
    took = f" in {seconds(outcome.wall_s)}" if outcome.wall_s > 0 else ""
    pace = f": {grouped(int(outcome.ticks / outcome.wall_s))}/s" if outcome.wall_s > 0 else ""
    times = f", {grouped(int(span_s / outcome.wall_s))} x as fast as it happened" if 0 < outcome.wall_s < span_s else ""
    return [
        f"back-test of {outcome.config}",
        *labelled(
            (
                ("data", "\n".join(map(_used, outcome.data)) or "none"),
                ("span", span(outcome.began_ns, outcome.ended_ns)),
                ("ticks", f"{grouped(outcome.ticks)}{took}{pace}{times}"),
                ("digest", f"{outcome.digest[:8]}  (sha256 {outcome.digest})"),
            ),
            edge=13,
        ),
    ]


def _used(data: DataUsed) -> str:
    return f"{data.path}  ({data.feed}, {data.format}, {size(data.size_bytes)})"


def _assumed(outcome: Outcome) -> list[str]:
    assumed = outcome.assumptions
    venues = [
        (f"venue {venue.name}", f"prices of {venue.prices}\nlatency {venue.latency}\nfees {venue.fees}")
        for venue in assumed.venues
    ]
    others = (
        ("matching", "\n".join(MATCHING)),
        ("batch window", seconds(assumed.batch_window_s)),
        ("handler time", seconds(assumed.handler_time_s)),
        ("seed", str(assumed.seed)),
    )
    return ["assumed, and live it may be otherwise:", *labelled([*venues, *others], edge=13)]


def _name(row: Row, rows: Iterable[Row]) -> str:
    """Whose row it is; with its currency, where there are several."""
    currency = f" {row.currency}" if len({one.currency for one in rows}) > 1 else ""
    return f"{cut(row.strategy or 'all', NAME - len(currency))}{currency}"


def _currency(rows: Iterable[Row]) -> str:
    found = {row.currency for row in rows}
    return f" in {found.pop()}" if len(found) == 1 else ""


def _profit(rows: tuple[Row, ...], statistics: Statistics) -> list[str]:
    if not rows:
        return ["nothing was ordered"]
    heads = [f"profit{_currency(rows)}", "net =", "realised +", "unrealised -", "fees", "turnover", "exposure"]
    found = [
        [_name(row, rows), *map(money, (row.profit.net, row.profit.realised, row.profit.unrealised, row.profit.fees)),
         f"{row.profit.turnover:,.0f}", _exposure(row)]
        for row in rows
    ]  # fmt: skip
    note = f"  capital {money(statistics.capital)}" if statistics.capital is not None else ""
    return [*titled([heads, *found]), *([note] if note else [])]


def _exposure(row: Row) -> str:
    highest = row.risk.exposure_max if row.risk is not None else None
    return NOT_KNOWN if highest is None else f"{highest:,.0f}"


def _trading(rows: tuple[Row, ...]) -> list[str]:
    heads = ["trading", "orders", "fills", "filled", "maker", "trips", "won", "factor", "expectancy", "held"]
    found = [
        [
            _name(row, rows), grouped(row.activity.orders), grouped(row.activity.fills), share(row.activity.fill_ratio),
            share(row.activity.maker_share), grouped(row.trips.count), share(row.trips.win_rate),
            ratio(row.trips.profit_factor), money(row.trips.expectancy), seconds(row.trips.holding_s),
        ]
        for row in rows
    ]  # fmt: skip
    return titled([heads, *found]) if rows else []


def _risk(rows: tuple[Row, ...]) -> list[str]:
    """Drawdown and ratios; one line says why there are no ratios, where there are none."""
    heads = ["risk", "drawdown", "share", "for", "in market", "sharpe", "+-", "sortino", "calmar"]
    found = list[list[str]]()
    notes = dict[str, None]()
    for row in rows:
        if row.risk is None:
            continue
        risk, fallen = row.risk, row.risk.drawdown
        found.append([
            _name(row, rows), money(fallen.amount) if fallen else "0", share(fallen.share if fallen else None),
            seconds(fallen.length_s) if fallen else NOT_KNOWN, share(row.trips.in_market),
            *map(ratio, (risk.sharpe, risk.sharpe_error, risk.sortino, risk.calmar)),
        ])  # fmt: skip
        notes[_footing(row)] = None
    return [*titled([heads, *found]), *(f"  {note}" for note in notes)] if found else []


def _footing(row: Row) -> str:
    """What the ratios stand on."""
    risk = row.risk
    if risk is None or risk.note:
        return f"ratios: n/a ({risk.note if risk else ''})"
    return f"ratios: of {risk.periods} periods of {seconds(risk.period_s)}, for a year of 365 days"


def _execution(rows: tuple[Row, ...]) -> list[str]:
    """Costs and markouts; by notional."""
    after = [f"{horizon:g} s" for horizon in HORIZONS_S]
    heads = ["execution in bp", "slippage", "shortfall", "spread", *(f"mark {one}" for one in after), "fees", "to fill"]
    found = [
        [
            _name(row, rows),
            *(_bp(one) for one in (row.quality.slippage_bp, row.quality.shortfall_bp, row.quality.effective_spread_bp)),
            *(_bp(one.markout_bp) for one in row.quality.markouts), _bp(row.profit.fees_bp),
            seconds(row.quality.to_fill_median_s),
        ]
        for row in rows if row.activity.fills
    ]  # fmt: skip
    return titled([heads, *found]) if found else []


def _bp(value: float | None) -> str:
    return bp(value).removesuffix(" bp")


def reasons(outcome: Outcome, most: int) -> list[tuple[OrderState, str, int]]:
    """Why orders ended otherwise than filled: the reasons that were given most often."""
    ended = ((order.state, order.reason) for order in outcome.orders if order.state is not OrderState.FILLED)
    counts = Counter(one for one in ended if one[1])
    return [(state, reason, count) for (state, reason), count in counts.most_common(most)]


def _orders(outcome: Outcome) -> list[str]:
    """By state at the end."""
    if not outcome.orders:
        return []
    counts = Counter(order.state for order in outcome.orders)
    rows = [[str(state), grouped(counts[state])] for state in OrderState if counts[state]]
    lines = [f"  {line}" for line in aligned(rows)]
    told = [f"  {grouped(count)} x {state}: {reason}" for state, reason, count in reasons(outcome, 3)]
    return ["orders, by state", *lines, *(cut(line, WIDTH) for line in told)]
