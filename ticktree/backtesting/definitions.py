"""What each statistic means, in one place for pages, texts and documents: label, unit, and a sentence."""

from collections.abc import Iterator
from decimal import Decimal
from enum import StrEnum
from typing import Final

import attrs

from .result import HORIZONS_S
from .statistics import Row


class Unit(StrEnum):
    """How a statistic is written."""

    MONEY = "money"
    SHARE = "share"
    BP = "bp"
    SECONDS = "s"
    COUNT = "count"
    RATIO = "ratio"
    TIME = "time"


@attrs.frozen
class Definition:
    """`path`: where a `Row` has it. `means`: as docs/statistics.md has it under the heading `label`."""

    path: str
    label: str
    unit: Unit
    means: str

    @property
    def group(self) -> str:
        """The heading that it stands under."""
        return GROUPS[self.path.partition(".")[0]]

    @property
    def anchor(self) -> str:
        """Of its heading in docs/statistics.md."""
        return self.label.lower().replace(" ", "-")


GROUPS: Final = {
    "profit": "Profit",
    "activity": "Activity",
    "trips": "Round trips",
    "risk": "Risk",
    "quality": "Execution",
}

Figure = Decimal | float | int | None


def value(row: Row, path: str) -> Figure:
    """What `row` says under a path; None also where there is nothing on the way to it."""
    found: object = row
    for name in path.split("."):
        found = None if found is None else getattr(found, name)
    return found if isinstance(found, Decimal | float | int) else None


def listed(row: Row) -> Iterator[tuple[str, Definition, Figure]]:
    """Each statistic of `row` under its full label: those that have several horizons once for each."""
    for one in DEFINITIONS:
        if not one.path.startswith("quality.markouts."):
            yield one.label, one, value(row, one.path)
            continue
        for markout in row.quality.markouts:
            yield f"{one.label} {markout.after_s:g} s", one, getattr(markout, one.path.rpartition(".")[2])


_AFTER: Final = ", ".join(f"{horizon:g}" for horizon in HORIZONS_S)

DEFINITIONS: Final = tuple(
    Definition(path, label, unit, means)
    for path, label, unit, means in (
        ("profit.net", "Net profit", Unit.MONEY, "Realised + unrealised profit - fees."),
        ("profit.realised", "Realised profit", Unit.MONEY, "Profit of what was closed, by average cost, before fees."),
        ("profit.unrealised", "Unrealised profit", Unit.MONEY,
         "What is still held, at the last middle, less its average cost."),
        ("profit.fees", "Fees", Unit.MONEY, "Fees that were paid in this currency; a rebate counts below zero."),
        ("profit.turnover", "Turnover", Unit.MONEY, "The sum of price x quantity x multiplier over all fills."),
        ("profit.fees_bp", "Fees in basis points", Unit.BP,
         "Fees of these fills in the currency of their price / turnover x 10,000."),
        ("activity.orders", "Orders", Unit.COUNT, "Orders that the strategies gave."),
        ("activity.fills", "Fills", Unit.COUNT, "Executions."),
        ("activity.fill_ratio", "Fill ratio", Unit.SHARE,
         "The mean over all orders of filled / ordered quantity, each at most 1."),
        ("activity.maker_share", "Maker share", Unit.SHARE, "The share of the turnover that came from resting orders."),
        ("trips.count", "Finished round trips", Unit.COUNT, "How often a position went from flat to flat."),
        ("trips.open", "Open round trips", Unit.COUNT, "Positions that were not flat at the end."),
        ("trips.win_rate", "Win rate", Unit.SHARE, "Round trips that earned something after fees / round trips."),
        ("trips.profit_factor", "Profit factor", Unit.RATIO, "Gross profit / gross loss without its sign."),
        ("trips.expectancy", "Expectancy", Unit.MONEY, "The mean profit of a round trip, after fees."),
        ("trips.gross_profit", "Gross profit", Unit.MONEY,
         "The sum of the profits of round trips that earned something, after fees."),
        ("trips.gross_loss", "Gross loss", Unit.MONEY,
         "The sum of the profits of round trips that lost something, after fees; never above zero."),
        ("trips.average_win", "Average win", Unit.MONEY, "Gross profit / round trips that earned something."),
        ("trips.average_loss", "Average loss", Unit.MONEY, "Gross loss / round trips that lost something."),
        ("trips.largest_win", "Largest win", Unit.MONEY, "The greatest profit of a round trip, after fees."),
        ("trips.largest_loss", "Largest loss", Unit.MONEY, "The greatest loss of a round trip, after fees."),
        ("trips.holding_s", "Holding time", Unit.SECONDS,
         "The mean time from the first to the last fill of a round trip."),
        ("trips.in_market", "Time in market", Unit.SHARE, "The share of the time with at least one position."),
        ("risk.drawdown.amount", "Maximal drawdown", Unit.MONEY,
         "The deepest fall of the sampled net profit from its highest so far."),
        ("risk.drawdown.share", "Drawdown share", Unit.SHARE,
         "Maximal drawdown / (capital + net profit at the peak before it)."),
        ("risk.drawdown.began_ns", "Drawdown began", Unit.TIME, "The time of the peak before the maximal drawdown."),
        ("risk.drawdown.lowest_ns", "Drawdown lowest", Unit.TIME,
         "The time of the lowest point of the maximal drawdown."),
        ("risk.drawdown.recovered_ns", "Drawdown recovered", Unit.TIME, "When the net profit was back at that peak."),
        ("risk.drawdown.length_s", "Drawdown length", Unit.SECONDS, "From the peak to the recovery, or to the end."),
        ("risk.sharpe", "Sharpe ratio", Unit.RATIO,
         "The mean of the periods' gains / their standard deviation x root of periods a year."),
        ("risk.sharpe_error", "Sharpe standard error", Unit.RATIO,
         "The root of (1 + S x S / 2) / periods, S the ratio of one period, x root of periods a year."),
        ("risk.sortino", "Sortino ratio", Unit.RATIO,
         "The mean of the periods' gains / the root of the mean square of those below zero x root of periods a year."),
        ("risk.calmar", "Calmar ratio", Unit.RATIO,
         "The mean of the periods' gains x periods a year / maximal drawdown."),
        ("risk.period_s", "Return period", Unit.SECONDS,
         "The period of the ratios: the longest of a day, an hour and a minute that the data have at least 30 of."),
        ("risk.periods", "Return periods", Unit.COUNT, "How many whole periods the ratios stand on."),
        ("risk.exposure_mean", "Mean exposure", Unit.MONEY,
         "The mean over the samples of what is held, long or short, at the middle."),
        ("risk.exposure_max", "Highest exposure", Unit.MONEY, "The greatest exposure of all samples."),
        ("quality.slippage_bp", "Slippage", Unit.BP, "How much worse than the middle at the fill the price was."),
        ("quality.shortfall_bp", "Implementation shortfall", Unit.BP,
         "How much worse than the middle at the decision the price was."),
        ("quality.effective_spread_bp", "Effective spread", Unit.BP,
         "Twice the distance of the price from the middle at the fill, in the direction of the fill."),
        ("quality.markouts.markout_bp", "Markout", Unit.BP,
         f"How far the middle was beyond the price, in the direction of the fill, {_AFTER} s later."),
        ("quality.markouts.realised_spread_bp", "Realised spread", Unit.BP,
         f"Twice the distance of the price from the middle {_AFTER} s later, in the direction of the fill."),
        ("quality.to_fill_median_s", "Decision to fill", Unit.SECONDS,
         "The median time from the decision of an order to its fills."),
        ("quality.to_fill_p95_s", "Decision to fill p95", Unit.SECONDS,
         "The time within which 95 % of the turnover was filled after the decision."),
        ("quality.counted", "Turnover with a middle", Unit.SHARE,
         "The share of the turnover of which the middle at the fill was known."),
    )
)  # fmt: skip
