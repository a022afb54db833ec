"""`ticktree backtest`."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from .running import CONFIG, file_to_be

if TYPE_CHECKING:
    from decimal import Decimal

    from ..backtesting.result import Outcome
    from ..backtesting.running import Manner, Running
    from ..config.changes import Change

EXAMPLES: Final = """\b
Examples:
  ticktree backtest app.toml recordings/ --html report.html
  ticktree backtest app.toml btc.csv --latency 5ms \\
      --sweep strategies.momentum.params.fast=5..20..5 --sweep venues.paper.latency=1ms,10ms

Exit codes: 0 all data were told, or all runs of a sweep done; 1 not: something failed, or it was interrupted, or a file
could not be written; 2 wrong usage, a bad configuration or bad data, and nothing was run."""


def time_given(ctx: click.Context, param: click.Parameter, given: str | None) -> float | None:
    """A time as people write it, in seconds, 0 or above: the callback of an option."""
    from ticktree.market.units import BadUnit, seconds

    try:
        return None if given is None else seconds(given)
    except BadUnit as error:
        raise click.BadParameter(str(error), ctx, param) from error


def amount_given(ctx: click.Context, param: click.Parameter, given: str | None) -> "Decimal | None":
    """An amount of money above 0: the callback of an option."""
    from ticktree.market import BadNumber, exact

    try:
        found = None if given is None else exact(given)
    except BadNumber as error:
        raise click.BadParameter("an amount of money, as in 10000", ctx, param) from error
    if found is not None and found <= 0:
        raise click.BadParameter(f"an amount above 0, as in 10000; not {given}", ctx, param)
    return found


class Refused(click.ClickException):
    """Nothing was run, and why."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        from .watching import lines

        click.echo(f"Error: {lines(self.message)}", err=True)


@click.command(epilog=EXAMPLES)
@CONFIG
@click.argument("data", nargs=-1, required=True, metavar="DATA...")
@click.option(
    "--batch-window", callback=time_given, metavar="TIME",
    help="Rows of tables that came within it reach strategies together, when the last of them came.  [default: 0s]",
)  # fmt: skip
@click.option(
    "--handler-time", callback=time_given, metavar="TIME",
    help="How long strategies take for each message.  [default: 0s]",
)  # fmt: skip
@click.option(
    "--latency", callback=time_given, metavar="TIME",
    help="How far away every venue is, each way.  [default: as the configuration says]",
)  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="What all chance is drawn from.")
@click.option(
    "--align/--no-align", default=None,
    help="Have recordings of several feeds begin at the same time, or play them as they were; one of both must be said "
    "where they are more than a day apart.",
)  # fmt: skip
@click.option("--capital", callback=amount_given, metavar="AMOUNT", help="What drawdowns and returns are shares of.")
@click.option("--html", callback=file_to_be, metavar="FILE", help="Write a page with curves, that stands alone.")
@click.option("--json", "document", callback=file_to_be, metavar="FILE", help="Write all of it for programs.")
@click.option(
    "--set", "sets", multiple=True, metavar="PATH=VALUE",
    help="A value in place of the configuration's, as in strategies.momentum.params.fast=5. May be repeated.",
)  # fmt: skip
@click.option(
    "--sweep", "sweeps", multiple=True, metavar="PATH=VALUES",
    help="Run once with each: V1,V2,... or FROM..TO..STEP. Repeated: with every combination, over processes.",
)  # fmt: skip
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="Processes of a sweep.  [default: the CPUs]")
@click.option("-q", "--quiet", is_flag=True, help="No progress, and of the result the digest alone, or the table.")
@click.option("-v", "--verbose", is_flag=True, help="Log more than warnings; a sweep logs nothing.")
@click.option(
    "--log", type=click.Choice(["human", "json"]), default="human", show_default=True,
    help="How to log, on standard error; json: an object a line, and no progress.",
)  # fmt: skip
def backtest(  # noqa: PLR0913, PLR0917  # a command has as many arguments as it has options
    config: Path, data: tuple[str, ...], batch_window: float | None, handler_time: float | None, latency: float | None,
    seed: int, align: bool | None, capital: "Decimal | None", html: Path | None, document: Path | None,
    sets: tuple[str, ...], sweeps: tuple[str, ...], jobs: int | None, quiet: bool, verbose: bool, log: str,
) -> None:  # fmt: skip
    """Run CONFIG on recorded time, with files in place of exchanges: the same result each time.

    DATA are recordings, .ticks, CSV or Parquet files, or folders of them; FEED=FILE says whose a file is. Feeds,
    strategies, routers and limits are those of a live run; every venue is simulated, and matches against what its feed
    brings. The summary goes to standard output, and is the same for the same data, configuration and seed; progress and
    the log go to standard error.
    """
    if html is not None and document is not None and (html == document or is_same(html, document)):
        raise click.UsageError("--html and --json name the same file")
    if jobs is not None and not sweeps:
        raise click.UsageError("--jobs is how many runs of a --sweep there are at a time, and nothing is swept")
    if html is not None and sweeps:
        raise click.UsageError("--html is of one run: sweep first, then run the best of it with --set and --html")
    with refusing():
        manner, changes = _manner(batch_window, handler_time, latency, seed, align), _changes(sets)
        work = Work(config, data, manner, changes, capital, html, document, quiet, quiet or log == "json")
        _check_kept(work)
        code = _sweep(work, sweeps, jobs) if sweeps else _one(work, verbose, log)
    raise SystemExit(code)


def is_same(one: Path, other: Path) -> bool:
    """Whether both names are of one file."""
    return one.exists() and other.exists() and one.samefile(other)


def _check_kept(work: "Work") -> None:
    """Raises `BadManner` where what is read would be written over."""
    from ..backtesting.data import given
    from ..backtesting.errors import BadManner

    for option, path in (("--html", work.html), ("--json", work.json)):
        if path is None or not path.exists():
            continue
        files = given(work.data, [one.partition("=")[0] for one in work.data])
        if any(is_same(path, one) for one in (work.config, *(each.path for each in files))):
            raise BadManner(
                f"{option} {path} is what the back-test reads, and would be written over: name another file"
            )


@contextmanager
def refusing() -> Generator[None]:
    """What may be wrong with a configuration, with data, or with what is asked of them, is an error of the command."""
    from ticktree.actors.extras import MissingExtra
    from ticktree.feeds.files import FileError
    from ticktree.feeds.recording import RecordingError

    from ..backtesting.errors import BacktestError
    from ..config import BadConfig
    from ..config.changes import BadChange
    from ..parts import BadApp
    from .running import BadConfiguration

    try:
        yield
    except BadConfig as error:
        raise BadConfiguration(str(error)) from error
    except (BacktestError, RecordingError, FileError, BadChange, BadApp, MissingExtra) as error:
        raise Refused(str(error)) from error


class Work(NamedTuple):
    """What is asked for."""

    config: Path
    data: tuple[str, ...]
    manner: "Manner"
    changes: "tuple[Change, ...]"
    capital: "Decimal | None"
    html: Path | None
    json: Path | None
    quiet: bool
    silent: bool  # no progress

    @property
    def told(self) -> str:
        """The configuration, and what is changed of it."""
        changed = ", ".join(f"{one.key}={one.said}" for one in self.changes)
        return f"{self.config}{f' with {changed}' if changed else ''}"


def _manner(
    batch_window: float | None, handler_time: float | None, latency: float | None, seed: int, align: bool | None
) -> "Manner":
    from ticktree.routing.venues.simulated import Latency

    from ..backtesting.running import Manner

    away = None if latency is None else Latency(fixed_s=latency)
    return Manner(batch_window or 0.0, handler_time or 0.0, away, seed, align)


def _changes(sets: tuple[str, ...]) -> "tuple[Change, ...]":
    from ..backtesting.errors import BadManner
    from ..config.changes import change

    found = tuple(change(text, "--set") for text in sets)
    keys = [one.key for one in found]
    twice = next((key for key in keys if keys.count(key) > 1), "")
    if twice:
        raise BadManner(f"{twice} is set twice; once is enough")
    return found


# --- one run ---------------------------------------------------------------------------------------------------------


def _one(work: Work, verbose: bool, log: Any) -> int:
    """The exit code."""
    import logging

    from ..backtesting.running import prepared
    from ..config import load
    from .watching import logged

    _check_extra(work)
    app = load(work.config, work.changes)
    level = logging.ERROR if work.quiet else logging.INFO if verbose else logging.WARNING
    with logged(log, level) as in_its_time:
        running = prepared(app, work.data, work.manner, work.told)
        in_its_time(running)
        outcome = _run(running, not work.silent)
    return _tell(work, outcome)


def _check_extra(work: Work) -> None:
    """Raises `MissingExtra` now, and not when all is done."""
    from importlib.util import find_spec

    from ticktree.actors.extras import MissingExtra

    if work.html is not None and find_spec("plotly") is None:
        raise MissingExtra("--html", "plotly")


def _run(running: "Running", shown: bool) -> "Outcome":
    from ticktree.actors import StartFailed

    from ..logs import brief, one_line
    from .watching import terminable, watched

    try:
        with watched(running, shown), terminable():
            return running.run()
    except StartFailed as error:
        raise click.ClickException(one_line(brief(str(error)))) from error
    except KeyboardInterrupt:
        raise click.ClickException("it was interrupted, and nothing is told of what there was until then") from None


def _tell(work: Work, outcome: "Outcome") -> int:
    """Print it, and write what is to be written."""
    import msgspec

    from ..backtesting.as_json import as_json
    from ..backtesting.page import page
    from ..backtesting.statistics import statistics
    from ..backtesting.text import text, warnings

    figures = statistics(outcome, work.capital)
    timeless = msgspec.structs.replace(outcome, wall_s=0.0)  # two runs print the same
    try:
        click.echo(f"digest {outcome.digest}" if work.quiet else text(timeless, figures))
        if work.quiet:
            for warning in warnings(outcome):
                click.echo(f"WARNING  {warning}", err=True)
        if not work.silent:
            _tell_pace(outcome)
    finally:  # nobody reads that, or it goes to a full disk
        code = _write(work.html, "page", lambda: page(outcome, figures).encode())
        code |= _write(work.json, "JSON", lambda: as_json(outcome, figures))
    if work.capital is not None and figures.capital is None:
        click.echo("--capital is left out: there are prices in several currencies, and nothing is converted", err=True)
    if outcome.incomplete:
        _fail(f"incomplete: {outcome.incomplete}")
    return code | bool(outcome.incomplete)


def _tell_pace(outcome: "Outcome") -> None:
    span_s, wall_s = (outcome.ended_ns - outcome.began_ns) / 1e9, max(outcome.wall_s, 1e-9)
    times = f", {span_s / wall_s:,.0f} x as fast as it happened" if span_s > wall_s else ""
    click.echo(f"{outcome.ticks:,} ticks in {wall_s:,.1f} s: {outcome.ticks / wall_s:,.0f}/s{times}", err=True)


def _write(path: Path | None, what: str, made: Callable[[], bytes]) -> int:
    """0, or 1 where it could not be."""
    from ..writing import write_whole

    if path is None:
        return 0
    try:
        write_whole(path, made())
    except OSError as error:
        _fail(f"the {what} is not written: {path}: {error.strerror or error}")
        return 1
    return 0


def _fail(text: str) -> None:
    from ..logs import one_line

    click.echo(f"Error: {one_line(text)}", err=True)


# --- many ------------------------------------------------------------------------------------------------------------


def _sweep(work: Work, sweeps: tuple[str, ...], jobs: int | None) -> int:
    """The exit code."""
    from ..backtesting.sweeping import Parameter, Sweep
    from ..backtesting.swept import as_json, table
    from ..backtesting.workers import NOT_RUN, swept
    from .running import BadConfiguration
    from .watching import meter

    parameters = tuple(map(Parameter.parsed, sweeps))
    sweep = Sweep(work.config, work.data, parameters, work.changes, work.manner, work.capital)
    with meter(not work.silent) as tell:
        problems = sweep.problems(lambda done: tell(done / sweep.count, f"{done:,} of {sweep.count:,} looked through"))
    if problems:
        raise BadConfiguration("\n".join(problems))
    with meter(not work.silent) as tell:
        runs = swept(sweep, jobs or cpus(), lambda done: tell(done / sweep.count, f"{done:,} of {sweep.count:,} runs"))
    try:
        click.echo(table(sweep, runs))
    finally:
        code = _write(work.json, "JSON", lambda: as_json(sweep, runs))
    failed = [one.error for one in runs if one.error]
    if NOT_RUN in failed:
        _fail(f"interrupted: {failed.count(NOT_RUN):,} of {sweep.count:,} runs were not run to their end")
    elif failed:
        _fail(f"{len(failed):,} of {sweep.count:,} runs did not come to their end; the first: {failed[0]}")
    return code | bool(failed)


def cpus() -> int:
    """How many this process may use."""
    import os

    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
