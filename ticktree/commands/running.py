"""How commands run what a configuration describes: what is said first, what is logged, and how it ended."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

if TYPE_CHECKING:
    from ticktree.actors import ChildSpec

    from ..app import ExitReport
    from ..assembly import Assembly
    from ..parts import App

F = TypeVar("F", bound=Callable[..., Any])

EXIT_CODES = (
    "Exit codes: 0 ended cleanly, by itself or by SIGINT or SIGTERM; 1 did not, or could not start (the last lines "
    "name who); 2 wrong usage or a bad configuration, and nothing was started. A second signal cuts short what is "
    "still queued. A signal that comes before anything has started ends the process at once."
)
CONFIG = click.argument("config", type=click.Path(exists=True, dir_okay=False, path_type=Path))


def duration(ctx: click.Context, param: click.Parameter, given: str | None) -> float | None:
    """A time as people write it, in seconds: the callback of an option."""
    from ticktree.market.units import BadUnit, seconds

    try:
        found = None if given is None else seconds(given)
    except BadUnit as error:
        raise click.BadParameter(str(error), ctx, param) from error
    if found == 0:
        raise click.BadParameter("a time above 0, as in 30s", ctx, param)
    return found


def file_to_be(ctx: click.Context, param: click.Parameter, given: str | None) -> Path | None:
    """A file that can be written when the time has come: the callback of an option."""
    import os

    path = Path(given or "")
    if given is None:
        return None
    folder = path.absolute().parent
    if path.is_dir():
        raise click.BadParameter(f"{path} is a folder; name a file in it", ctx, param)
    if not folder.is_dir():
        raise click.BadParameter(f"there is no folder {folder}; make it first", ctx, param)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise click.BadParameter(f"nothing may be written to {folder}", ctx, param)
    return path


class BadConfiguration(click.ClickException):
    """A line for each problem."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        click.echo(self.message, err=True)


UNTIL = "How long to run, as in 30s; else until Ctrl-C."
REPORT = "Write what the run came to as JSON, when it has ended."
LOG = "How to log; json: all output is one object a line.  [default: as the configuration says]"
LOOP = "The event loop.  [default: as the configuration says]"
OPTIONS = (
    click.option("--for", "for_s", callback=duration, metavar="TIME", help=UNTIL),
    click.option("--report", callback=file_to_be, metavar="FILE", help=REPORT),
    click.option("--log", type=click.Choice(["human", "json"]), help=LOG),
    click.option("--loop", type=click.Choice(["uvloop", "asyncio"]), help=LOOP),
    click.option("-v", "--verbose", is_flag=True, help="Log details, too: each leg and retry."),
    click.option("-q", "--quiet", is_flag=True, help="Log only what is wrong, and leave out the summary."),
    click.option("--tracebacks", is_flag=True, help="Print failures in full."),
)


def manners(command: F) -> F:
    """The options that all of these commands have; they arrive as `**manner`."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def loaded(config: Path) -> "App":
    """What `config` describes; or the command ends with all that is wrong with it.

    Where that wants libraries preloaded the process begins anew with them: nothing may have been opened yet.
    """
    from ..config import BadConfig, load
    from ..preload import NotPreloaded, preload

    try:
        app = load(config)
    except BadConfig as error:
        raise BadConfiguration(str(error)) from error
    try:
        preload(app.system.preload)
    except NotPreloaded as error:
        raise click.ClickException(str(error)) from error
    return app


def feeds_alone(app: "App") -> "App":
    """`app` without whoever trades, and without its relay."""
    import attrs

    supervision = attrs.evolve(
        app.supervision, groups={room: of for room, of in app.supervision.groups.items() if room == "feeds"}
    )
    return attrs.evolve(
        app, venues=(), routers=(), strategies=(), servers=(), relay=None, journal=None, supervision=supervision
    )


class Run:
    """One run of an application, in the manner that the options ask for."""

    def __init__(  # noqa: PLR0913  # as many as there are options
        self,
        config: Path,
        *,
        for_s: float | None = None,
        report: Path | None = None,
        log: str | None = None,
        loop: str | None = None,
        verbose: bool = False,
        quiet: bool = False,
        tracebacks: bool = False,
    ) -> None:
        self.config, self.quiet = config, quiet
        self._for_s, self._report, self._log, self._loop = for_s, report, log, loop
        self._verbose, self._tracebacks = verbose, tracebacks
        self._unprinted = False  # what was to be said last

    def perform(
        self,
        app: "App",
        first: str,
        audience: "Callable[[Assembly, Run], tuple[ChildSpec, ...]]" = lambda assembly, run: (),
        last: "Callable[[ExitReport], list[str]] | None" = None,
        incomplete: "Callable[[ExitReport], str]" = lambda report: "",
    ) -> NoReturn:
        """Say `first` and what starts, run it beside `audience`, write the report, and say how it ended: `last`, or
        the summary. `incomplete`: why it did not do what it was for, if so. Ends the process."""
        import attrs

        from ..app import attempt
        from ..assembly import assemble
        from ..console import starting
        from ..curtain import curtain
        from ..logs import printed
        from ..preload import NotPreloaded, preloaded

        self._log = self._log or app.system.log
        self._set_up_logs()
        try:
            assembly = assemble(app)
        except ValueError as error:  # what no reader of configurations could know
            raise BadConfiguration(f"{self.config}: {error}") from error
        self.say(first, always=True)
        if libraries := preloaded():
            self.say(f"preloaded: {', '.join(libraries)}")
        self.say("\n".join(starting(assembly.tree)))
        ends = (curtain(assembly.system, self._for_s),) if self._for_s is not None else ()
        try:
            report = attempt(assembly, *audience(assembly, self), *ends, loop=self._loop, deaf_at_end=True)
        except NotPreloaded as error:
            raise click.ClickException(str(error)) from error
        report = attrs.evolve(report, incomplete=incomplete(report) or report.incomplete)
        code = report.exit_code | self._write(report)
        self._tell(report, last)
        raise SystemExit(code | int(not printed() or self._unprinted))

    def say(self, text: str, always: bool = False) -> None:
        """Lines for whoever looks on; where all is JSON, one object each."""
        import logging
        import sys

        from ..logs import RUN, complain, unread

        if self.quiet and not always:
            return
        if self._log == "json":
            log, level = logging.getLogger(RUN), logging.WARNING if self.quiet else logging.INFO
            for line in text.splitlines():
                if line.strip():
                    log.log(level, "%s", line)
        else:
            try:
                click.echo(text)
                self._unprinted = False
            except BrokenPipeError:
                unread(sys.stdout)
            except OSError as error:  # a full disk is no reason to end what runs
                if not self._unprinted:
                    complain(f"what is printed is not written: {error.strerror}")
                self._unprinted = True

    def fail(self, text: str) -> None:
        """The one line that says why the exit code is what it is."""
        import logging

        from ..logs import RUN, one_line

        if self._log == "json":
            logging.getLogger(RUN).error("%s", text)
        else:
            click.echo(f"Error: {one_line(text)}", err=True)

    def _set_up_logs(self) -> None:
        import logging

        from .. import logs

        level = logging.DEBUG if self._verbose else logging.WARNING if self.quiet else logging.INFO
        logs.set_up("json" if self._log == "json" else "human", level=level, tracebacks=self._tracebacks)

    def _write(self, report: "ExitReport") -> int:
        """0, or 1 where it could not be."""
        from ..report import write

        if self._report is None:
            return 0
        try:
            write(self._report, report, str(self.config))
        except OSError as error:
            self.fail(f"the report is not written: {self._report}: {error.strerror or error}")
            return 1
        return 0

    def _tell(self, report: "ExitReport", last: "Callable[[ExitReport], list[str]] | None") -> None:
        from ..logs import catch_up

        catch_up()
        if report.failed is not None:
            self._tell_failed(report.failed)
            return
        self.say("\n".join(last(report)) if last is not None else f"\n{report}")
        if report.exit_code:
            self.fail(_why(report))

    def _tell_failed(self, error: BaseException) -> None:
        import traceback

        if self._tracebacks:
            click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
        self.fail(str(error).split("\n    ")[0] + _what_to_do(error))


def _why(report: "ExitReport") -> str:
    from ..logs import brief

    if report.incomplete:
        return report.incomplete
    stop = report.stop
    said = [brief(str(stop.reason.error))] if stop.reason.error is not None else []
    said += [f"killed, because they took too long: {', '.join(stop.overran)}"] if stop.overran else []
    said += [f"could not be cancelled: {', '.join(leak.path for leak in stop.leaks)}"] if stop.leaks else []
    return f"this run did not end cleanly: {'; '.join(said) or stop.reason}"


def _what_to_do(error: BaseException | None) -> str:
    """By the error at the root of it."""
    import errno

    while error is not None:
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            return "; another program has that address: end it, or choose another one (port 0 takes a free one)"
        error = error.__cause__
    return ""
