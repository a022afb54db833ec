"""A back-test as one page of HTML: it needs nothing from anywhere, and lets nothing in.

Its content security policy names the hashes of its own two scripts, so that no other can run, and allows no request.
"""

import re
from base64 import b64encode
from hashlib import sha256
from importlib.resources import files
from typing import Final

import msgspec

from ticktree.actors.extras import library
from ticktree.tables import grouped, size

from .charts import PageData, page_data
from .definitions import DEFINITIONS, Definition, listed
from .figures import NOT_KNOWN, bp, money, ratio, seconds, share, span, time, written
from .markup import Content, Html, Table, described, html, joined, tag
from .result import MATCHING, Outcome
from .statistics import Row, Statistics
from .text import reasons, warnings

MOST_REASONS: Final = 10


def page(outcome: Outcome, statistics: Statistics) -> str:
    """The page. Raises `MissingExtra` without plotly."""
    plotly: str = library("plotly.offline", "the page").get_plotlyjs()
    data, drawing, script = page_data(outcome, statistics), _closed(plotly), _closed(_file("page.js"))
    parts: dict[str, Content] = {
        "policy": _policy(drawing, script),
        "title": f"Back-test of {_names(outcome)}",
        "style": Html(_file("page.css")),
        "heading": _names(outcome),
        "span": _span(outcome),
        "banner": _banner(outcome),
        "results": _results(statistics),
        "assumptions": _assumptions(outcome),
        "course_label": _course_label(data),
        "course_note": " ".join(("Drag to zoom, double-click to see all; all rows share one time axis.", *data.notes)),
        "execution": Html(_file("execution.html") if outcome.fills else ""),
        "statistics": _statistics(statistics) or tag("p", "Nothing was ordered.", class_="note"),
        "tables": joined((_orders(outcome), _reasons(outcome), _feeds(outcome), _data(outcome)), "\n"),
        "definitions": _definitions(),
        "footer": _footer(outcome),
        "data": embedded(data),
        "library": Html(drawing),
        "script": Html(script),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda found: html(parts[found[1]]), _file("page.html"))


def embedded(data: PageData) -> Html:
    """As JSON that no text in it can end."""
    return Html(msgspec.json.encode(data).decode().replace("<", "\\u003c"))


def _file(name: str) -> str:
    return files("ticktree.backtesting").joinpath(name).read_text("utf-8").strip()


def _closed(script: str) -> str:
    """What no part of it can end."""
    return script.replace("</script", "<\\/script")


def _policy(*scripts: str) -> str:
    hashes = " ".join(f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" for script in scripts)
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; "
        "form-action 'none'"
    )


# --- what stands at the top -------------------------------------------------------------------------------------------


def _names(outcome: Outcome) -> str:
    names = {order.strategy for order in outcome.orders} | {series.strategy for series in outcome.samples.money}
    return ", ".join(sorted(names - {""})) or outcome.config or "no strategy"


def _span(outcome: Outcome) -> Html:
    instruments = ", ".join(sorted({order.instrument for order in outcome.orders}))
    parts = [span(outcome.began_ns, outcome.ended_ns), instruments, tag("code", outcome.config)]
    return joined([part for part in parts if part], " · ")


def _banner(outcome: Outcome) -> Html:
    found = warnings(outcome)
    if not found:
        return Html("")
    head = "It did not come to its end" if outcome.incomplete else "Warnings"
    items = tag("ul", joined(tag("li", warning) for warning in found))
    return tag("div", joined([tag("p", tag("strong", head)), items]), class_="banner", role="alert")


def _results(statistics: Statistics) -> Html:
    nothing = tag("p", "Nothing was ordered.", class_="note")
    return joined((_headline(row) for row in statistics.total), "\n") or nothing


def _headline(row: Row) -> Html:
    """The few figures that are looked at first."""
    risk, fallen, currency = row.risk, row.risk.drawdown if row.risk else None, row.currency
    won = "" if row.trips.win_rate is None else f"{share(row.trips.win_rate)} won"
    fills = f"{grouped(row.activity.fills)} fill{'s' * (row.activity.fills != 1)}"
    pairs = (
        (f"Net profit, {currency}", money(row.profit.net), f"realised {money(row.profit.realised)}"),
        (f"Fees, {currency}", money(row.profit.fees), bp(row.profit.fees_bp)),
        (f"Drawdown, {currency}", money(fallen.amount) if fallen else "0",
         f"{share(fallen.share)}, {seconds(fallen.length_s)}".removeprefix(f"{NOT_KNOWN}, ") if fallen else ""),
        ("Sharpe, a year", ratio(risk.sharpe if risk else None), _footing(row)),
        ("Round trips", grouped(row.trips.count), won),
        (f"Turnover, {currency}", f"{row.profit.turnover:,.0f}", fills),
        ("Slippage", bp(row.quality.slippage_bp), "against the middle, by notional"),
    )  # fmt: skip
    return described(((name, joined([figure, tag("small", more)])) for name, figure, more in pairs), "headline")


def _footing(row: Row) -> str:
    """What its ratio of Sharpe is worth."""
    risk = row.risk
    if risk is None or risk.sharpe is None or risk.sharpe_error is None:
        return risk.note if risk else ""
    noise = ", within noise" if abs(risk.sharpe) < 2 * risk.sharpe_error else ""
    return f"\N{PLUS-MINUS SIGN} {ratio(risk.sharpe_error)}{noise}; {risk.periods} x {seconds(risk.period_s)}"


def _assumptions(outcome: Outcome) -> Html:
    assumed = outcome.assumptions
    pairs = list[tuple[Content, Content]]()
    for venue in assumed.venues:
        pairs += [
            (f"Latency of {venue.name}", venue.latency),
            (f"Fees of {venue.name}", venue.fees),
            (f"{venue.name} matches against", venue.prices),
        ]
    pairs += [
        ("Matching", " ".join(MATCHING)),
        ("Batch window", seconds(assumed.batch_window_s)),
        ("Time a handler takes", seconds(assumed.handler_time_s)),
        ("Seed", str(assumed.seed)),
    ]
    return described(pairs)


def _course_label(data: PageData) -> str:
    drawn = [f"{one.instrument} with {len(one.fills.time_ms)} fills" for one in data.instruments]
    return f"Prices of {', '.join(drawn) or 'nothing'}, positions, net profit and drawdown over time"


# --- tables -----------------------------------------------------------------------------------------------------------


def _statistics(statistics: Statistics) -> Html:
    whole = statistics.total if len({row.strategy for row in statistics.strategies}) != 1 else ()
    tables = (("All, and by strategy", (*whole, *statistics.strategies)), ("By instrument", statistics.instruments))
    return joined((_figures(caption, rows) for caption, rows in tables if rows), "\n")


def _figures(caption: str, rows: tuple[Row, ...]) -> Html:
    """A line for each statistic that any row has, a column for each row."""
    columns = [[(label, one, written(one, figure, row)) for label, one, figure in listed(row)] for row in rows]
    lines, group = list[list[Content]](), ""
    for line in zip(*columns, strict=True):
        label, one, _ = line[0]
        cells = [cell for _, _, cell in line]
        if all(cell == NOT_KNOWN for cell in cells):
            continue
        if one.group != group:
            group = one.group
            lines.append([group])
        lines.append([_explained(label, one), *cells])
    heads = [f"{row.strategy or row.instrument or 'all'}, {row.currency}" for row in rows]
    return Table(caption, ["statistic", *heads], lines, grouped=True).html()


def _explained(label: str, definition: Definition) -> Html:
    return tag("a", label, href=f"#means-{definition.anchor}", title=definition.means)


def _definitions() -> Html:
    items = joined(
        tag("div", joined([tag("dt", one.label), tag("dd", one.means)]), id=f"means-{one.anchor}")
        for one in DEFINITIONS
    )
    return tag("dl", items, class_="definitions")


def _orders(outcome: Outcome) -> Html:
    if not outcome.orders:
        return Html("")
    states = sorted({order.state for order in outcome.orders})
    strategies = sorted({order.strategy for order in outcome.orders})
    rows = [
        [strategy, *(grouped(sum((one.strategy, one.state) == (strategy, state) for one in outcome.orders))
                     for state in states)]
        for strategy in strategies
    ]  # fmt: skip
    return Table("Orders by state at the end", ["strategy", *states], rows).html()


def _reasons(outcome: Outcome) -> Html:
    rows = [[reason, state, grouped(count)] for state, reason, count in reasons(outcome, MOST_REASONS)]
    table = Table("Why orders ended unfilled, most often first", ["reason", "state", "orders"], rows, frozenset({0, 1}))
    return table.html() if rows else Html("")


def _feeds(outcome: Outcome) -> Html:
    kinds = sorted({kind for feed in outcome.feeds for kind in feed.ticks})
    rows = [
        [
            feed.feed, *(grouped(feed.ticks.get(kind, 0)) for kind in kinds),
            *map(grouped, (feed.messages, feed.gaps, sum(feed.errors.values()))),
        ]
        for feed in outcome.feeds
    ]  # fmt: skip
    return Table("Ticks by feed and kind", ["feed", *kinds, "messages", "gaps", "errors"], rows).html()


def _data(outcome: Outcome) -> Html:
    rows = [[used.path, used.feed, used.format, size(used.size_bytes), used.note] for used in outcome.data]
    heads = ["file", "feed", "format", "size", "note"]
    return Table("Data that was read", heads, rows, frozenset({0, 1, 2, 4})).html()


def _footer(outcome: Outcome) -> Html:
    pace = f", {grouped(int(outcome.ticks / outcome.wall_s))}/s" if outcome.wall_s > 0 else ""
    return joined(
        [
            tag("p", joined(["Digest ", tag("code", outcome.digest), ": two runs that did the same have the same."])),
            tag("p", f"{grouped(outcome.ticks)} ticks in {seconds(outcome.wall_s)}{pace}. "
                f"From {time(outcome.began_ns)} to {time(outcome.ended_ns)}."),
        ],
        "\n",
    )  # fmt: skip
