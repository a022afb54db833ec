"""`ticktree status`, `halt`, `resume`, `drain`, `flatten`, `resolve`: the operator's words to a running system."""

import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec

import click

if TYPE_CHECKING:
    from ..operations.client import Client
    from ..operations.words import Command, Ending

P = ParamSpec("P")
CODES = "Exit codes: 0 done; 1 it failed; 2 wrong usage, or several systems are running; 3 no running system"
LOOK_S = 1.0


class NotThere(click.ClickException):
    """No such system, or no such order."""

    exit_code = 3


def _which(command: Callable[P, None]) -> Callable[P, None]:
    """Options that say which system is meant, and errors in words."""

    @click.option(
        "--socket", type=click.Path(path_type=Path), metavar="PATH", help="The system that answers at this socket."
    )
    @click.option(
        "--config",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="CONFIG",
        help="The system that runs this configuration. Without either: the only one there is.",
    )
    @wraps(command)
    def told(*args: P.args, **kwargs: P.kwargs) -> None:
        from ..operations.client import Several, Unreadable
        from ..operations.errors import NotRunning, OperationsError, Refused

        try:
            command(*args, **kwargs)
        except Several as error:
            raise click.UsageError(str(error)) from error
        except NotRunning as error:
            raise NotThere(str(error)) from error
        except Refused as error:
            raise (NotThere if error.status == 404 else click.ClickException)(str(error)) from error
        except (Unreadable, OperationsError) as error:
            raise click.ClickException(str(error)) from error

    return told


def _system(socket: Path | None, config: Path | None) -> "Client":
    from ..operations.client import Client, find

    if socket is not None and config is not None:
        raise click.UsageError("--socket and --config name the system twice: say one of them")
    return Client(find(socket, config))


def _say(client: "Client", command: "Command", takes_s: float = 0.0) -> None:
    from ..operations.screen import harmless

    click.echo(harmless(client.say(command, takes_s).said))


def _reason(command: Callable[P, None]) -> Callable[P, None]:
    return click.option(
        "--reason",
        default="the operator's word",
        show_default=True,
        metavar="TEXT",
        help="For log and journal.",
    )(command)


# --- status ----------------------------------------------------------------------------------------------------------


@click.command(epilog=f"{CODES}.")
@_which
@click.option("--json", "as_json", is_flag=True, help="All of it, as JSON; with --watch a line each time.")
@click.option("--watch", is_flag=True, help="Again every second, until the system ends or Ctrl-C.")
def status(socket: Path | None, config: Path | None, as_json: bool, watch: bool) -> None:
    """Show how a running system is: feeds, venues, orders, positions, latencies, and every place of its tree.

    As aligned text where the output is piped.
    """
    client = _system(socket, config)
    if watch:
        _watch(client, as_json)
    elif as_json:
        import msgspec

        click.echo(msgspec.json.format(client.get("/status"), indent=2))
    else:
        _show(client)


def _show(client: "Client") -> None:
    from ..operations import screen
    from ..operations.status import Status

    now = client.read("/status", Status)
    if not sys.stdout.isatty():
        click.echo(screen.as_text(now))
        return
    from rich.console import Console

    console = Console()
    console.print(screen.as_rich(now, console.width))


def _watch(client: "Client", as_json: bool) -> None:
    """Once it was seen, its end is no failure."""
    import time

    from ..operations.errors import NotRunning, Refused

    show = _shown_anew(client, as_json)
    try:
        show()
        while True:
            time.sleep(LOOK_S)
            show()
    except KeyboardInterrupt:
        return
    except (NotRunning, Refused) as error:
        if isinstance(error, Refused) and error.status != 503:
            raise
        click.echo("the system has ended", err=True)


def _shown_anew(client: "Client", as_json: bool) -> Callable[[], None]:
    from ..operations import screen
    from ..operations.status import Status

    if as_json:
        return lambda: click.echo(client.get("/status"))
    if not sys.stdout.isatty():
        return lambda: click.echo(f"{screen.as_text(client.read('/status', Status))}\n")
    from rich.console import Console

    console = Console()

    console.clear()

    def show() -> None:
        seen = screen.as_rich(client.read("/status", Status), console.width)
        with console.capture() as capture:
            console.print(seen)
        sys.stdout.write(capture.get() if console.is_dumb_terminal else _over(capture.get(), console.height))
        sys.stdout.flush()

    return show


def _over(text: str, height: int) -> str:
    """What draws `text` over what stands on a screen of that height, at once and without a flicker."""
    lines = text.splitlines()
    if len(lines) >= height:
        more = len(lines) - height + 2
        lines = [
            *lines[: height - 2],
            f"{more} more lines: a higher terminal shows them, and so does `ticktree status`",
        ]
    return "\x1b[H" + "".join(f"{line}\x1b[K\n" for line in lines) + "\x1b[J"


# --- commands --------------------------------------------------------------------------------------------------------


@click.command(epilog=f"{CODES}.")
@_which
@_reason
def halt(socket: Path | None, config: Path | None, reason: str) -> None:
    """Send no new orders. Cancels, fills, and what only reduces a position go on."""
    from ..operations.words import Halt

    _say(_system(socket, config), Halt(reason))


@click.command(epilog=f"{CODES}.")
@_which
@_reason
def resume(socket: Path | None, config: Path | None, reason: str) -> None:
    """Take orders again, after a halt, a drain or a flatten."""
    from ..operations.words import Resume

    _say(_system(socket, config), Resume(reason))


@click.command(epilog=f"{CODES}.")
@_which
def drain(socket: Path | None, config: Path | None) -> None:
    """Take no more orders and cancel all that are open, until `ticktree resume`. Positions stay."""
    from ..operations.words import Drain

    _say(_system(socket, config), Drain())


@click.command(epilog=f"{CODES}.")
@_which
@click.option("--strategy", metavar="NAME", help="The positions of this one alone; else everybody's.")
@click.option(
    "--within", default="5s", show_default=True, metavar="TIME", help="How long cancels may take, at most 5m."
)
@click.option("--yes", is_flag=True, help="Do not ask, where real orders would be sent.")
def flatten(socket: Path | None, config: Path | None, strategy: str | None, within: str, yes: bool) -> None:
    """Halt, cancel what is open, and close positions at the market. `ticktree resume` lets trading go on."""
    from ticktree.market.units import BadUnit, seconds

    from ..operations.words import LONGEST_S, Flatten

    try:
        within_s = seconds(within)
    except BadUnit as error:
        raise click.BadParameter(str(error), param_hint="--within") from error
    if not 0 < within_s <= LONGEST_S:
        raise click.BadParameter(f"it is above 0 and at most {LONGEST_S:g}s; not {within}", param_hint="--within")
    client = _system(socket, config)
    if not yes:
        _confirm(client, strategy)
    _say(client, Flatten(strategy, within_s), within_s)


def _confirm(client: "Client", strategy: str | None) -> None:
    """Real orders are worth a question, where there is somebody to ask."""
    from ..operations.status import Status

    if sys.stdin.isatty() and not client.read("/status", Status).paper:
        whose = f"the positions of {strategy}" if strategy else "all positions"
        click.confirm(f"This system is LIVE. Close {whose} at the market?", abort=True)


@click.command(epilog=f"{CODES}, or it knows no such order.")
@_which
@click.argument("name")
@click.option(
    "--as",
    "ending",
    type=click.Choice(["canceled", "filled", "rejected", "expired"]),
    default="canceled",
    show_default=True,
    help="What became of it, as the venue's own records say.",
)
@_reason
def resolve(socket: Path | None, config: Path | None, name: str, ending: "Ending", reason: str) -> None:
    """Say what became of an order that no venue explains, or release what is quarantined.

    NAME is an order's id, one of its legs', or the VENUE/NAME that `ticktree status` names as quarantined. What is
    not booked of an order counts as the state given with --as; what its venue says later is booked all the same.
    """
    from ..operations.words import Resolve

    _say(_system(socket, config), Resolve(name, ending, reason))
