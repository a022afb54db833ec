"""`result = await backtest(...)`: a back-test from a notebook, or a program, and its result with everything at hand."""

import asyncio
from decimal import Decimal, InvalidOperation
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from ticktree.strategies import Strategy

from ..config import load
from ..parts import App, class_name
from ..writing import write_whole
from .as_json import as_json
from .errors import BadManner
from .result import Outcome
from .running import AS_IT_WAS, Manner, prepared
from .statistics import BadCapital, Statistics, statistics
from .text import text

if TYPE_CHECKING:
    import polars as pl

What = App | type[Strategy] | str | PathLike[str]


@attrs.frozen
class Result:
    """What a back-test came to. `str(result)` is the summary; `outcome` and `statistics` have all of it, as values.

    Data frames are of polars (`pip install "ticktree[backtest]"`), made when they are asked for; `.to_pandas()` makes
    one of pandas'. They raise `MissingExtra` where the library is not there.
    """

    outcome: Outcome
    statistics: Statistics  # as docs/statistics.md defines them

    @property
    def digest(self) -> str:
        """Two runs that did the same have the same."""
        return self.outcome.digest

    # --- data frames -----------------------------------------------------------------------------------------------

    @property
    def fills(self) -> "pl.DataFrame":
        """A row for each execution: what, when, at which price, and the middles around it."""
        from .frames import fills_frame

        return fills_frame(self.outcome)

    @property
    def orders(self) -> "pl.DataFrame":
        """A row for each order."""
        from .frames import orders_frame

        return orders_frame(self.outcome)

    @property
    def equity(self) -> "pl.DataFrame":
        """A row for each sample and currency: profit and fees by then, over all strategies, and the drawdown."""
        from .frames import equity_frame

        return equity_frame(self.outcome)

    @property
    def prices(self) -> "pl.DataFrame":
        """Bid and ask of each instrument, at each sample."""
        from .frames import prices_frame

        return prices_frame(self.outcome)

    @property
    def positions(self) -> "pl.DataFrame":
        """What each strategy held, at each sample."""
        from .frames import positions_frame

        return positions_frame(self.outcome)

    # --- to keep, and to look at -----------------------------------------------------------------------------------

    def save_html(self, path: str | PathLike[str]) -> Path:
        """Write the page, which needs nothing beside it. Raises `MissingExtra`, `OSError`."""
        from .page import page

        return write_whole(Path(path), page(self.outcome, self.statistics).encode())

    def save_json(self, path: str | PathLike[str]) -> Path:
        """Write all of it. Raises `OSError`."""
        return write_whole(Path(path), as_json(self.outcome, self.statistics))

    def __str__(self) -> str:
        return text(self.outcome, self.statistics)

    def _repr_html_(self) -> str:
        from .cell import notebook_html

        return notebook_html(self.outcome, self.statistics)


async def backtest(
    what: What,
    *data: str | PathLike[str],
    manner: Manner = AS_IT_WAS,
    capital: Decimal | int | str | None = None,
) -> Result:
    """Back-test a configuration (its path), an `App`, or a strategy alone, on files, or folders of them.

    It runs in a thread of its own, on a loop and a clock of its own. `manner`: what it takes for granted. `capital`:
    what the statistics take percentages of.

    Raises `BadConfig`, `BacktestError`, `RecordingError`, `FileError`, `StartFailed`.
    """
    stake = None if capital is None else _stake(capital)
    app, config = await asyncio.to_thread(_app, what)
    running = await asyncio.to_thread(prepared, app, [fspath(one) for one in data], manner, config)
    try:
        outcome = await asyncio.to_thread(running.run)
    except asyncio.CancelledError:
        running.interrupt()
        raise
    return Result(outcome, await asyncio.to_thread(statistics, outcome, stake))


def _stake(capital: Decimal | int | str) -> Decimal:
    """Looked at before anything runs: else all would be lost at the end."""
    try:
        stake = Decimal(capital)
    except InvalidOperation:
        raise BadManner(f"capital is an amount of money, as in 10000; not {capital!r}") from None
    if not (stake.is_finite() and stake > 0):
        raise BadCapital(stake)
    return stake


def _app(what: Any) -> tuple[App, str]:
    """It, and what it is called in the result."""
    if isinstance(what, App):
        return what, ""
    if isinstance(what, str | PathLike):
        path: str = fspath(what)
        return load(path), path
    return App.simulated(what), class_name(what)
