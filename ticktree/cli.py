"""The command line: which commands there are, and where each one lives."""

import os
import sys
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import click

# In the order of `ticktree --help`: name -> module in `commands/` and function.
COMMANDS = {
    "run": "run:run",
    "check": "check:check",
    "demo": "demo:demo",
    "new": "new:new",
    "backtest": "backtest:backtest",
    "rehearse": "rehearse:rehearse",
    "record": "record:record",
    "relay": "relay:relay",
    "serve-recording": "serve_recording:serve_recording",
    "exchange": "exchange:exchange",
    "status": "operator:status",
    "halt": "operator:halt",
    "resume": "operator:resume",
    "drain": "operator:drain",
    "flatten": "operator:flatten",
    "resolve": "operator:resolve",
    "why": "why:why",
    "feeds": "listings:feeds",
    "strategies": "listings:strategies",
    "venues": "listings:venues",
    "schema": "schema:schema",
    "completion": "completion:completion",
}

# What `ticktree --help` says of each, whole in 80 columns.
BRIEF = {
    "run": "Run what a configuration describes, until Ctrl-C.",
    "check": "Say what is wrong with a configuration, or what runs.",
    "demo": "Show all of it on this machine, in 30 seconds.",
    "new": "Begin a strategy or a feed of your own, with tests.",
    "backtest": "Run a configuration on recorded data, to a result.",
    "rehearse": "Run a configuration against recorded exchanges.",
    "record": "Record what the feeds of a configuration bring.",
    "relay": "Serve what the feeds of a configuration bring.",
    "serve-recording": "Tell a recording to feeds, as the exchange did.",
    "exchange": "Serve a simulated exchange, with faults.",
    "status": "Show how a running system is.",
    "halt": "Send no new orders.",
    "resume": "Take orders again, after a halt, a drain or a flatten.",
    "drain": "Take no new orders, and cancel all that are open.",
    "flatten": "Halt, cancel, and close positions at the market.",
    "resolve": "Say what became of an order that no venue explains.",
    "why": "Tell an order's story, from tick to end.",
    "feeds": "List the feeds, or tell what one takes.",
    "strategies": "List the strategies, or tell what one takes.",
    "venues": "List the kinds of venue, or tell what one takes.",
    "schema": "Print the JSON Schema of configurations.",
    "completion": "Print what makes a shell complete all this.",
}


class Commands(click.Group):
    """Imports a command when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        where = COMMANDS.get(cmd_name)
        if where is None:
            return None
        module, _, function = where.partition(":")
        command: click.Command = getattr(import_module(f"ticktree.commands.{module}"), function)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(BRIEF.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        near = get_close_matches(name, COMMANDS, n=1)
        if near and name not in COMMANDS:
            ctx.fail(f"No such command {name!r}. Did you mean {near[0]!r}?")
        return super().resolve_command(ctx, args)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """As of every group; and what the system refuses, a full disk or a folder of others, is said in one line."""
        sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115  # `>&-`: nobody gave us one; until we end
        sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115  # likewise
        try:
            return super().main(*args, **kwargs)
        except OSError as error:
            from .logs import complain, printed

            complain(f"{error.filename or 'what is printed'}: {error.strerror or error}")
            printed()
            raise SystemExit(1) from None


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done; 1 failed; 2 wrong usage or a bad configuration; 3 no such order or running system. "
    "`ticktree COMMAND --help` says more.",
)
@click.version_option(package_name="ticktree", prog_name="ticktree")
def main() -> None:
    """Market data in, orders out: feeds, strategies and routers as one supervised tree of actors.

    `ticktree demo` shows all of it running on this machine, without any account or network.
    """
