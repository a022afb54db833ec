"""`ticktree feeds`, `ticktree strategies`, `ticktree venues`."""

from collections.abc import Callable

import click

EPILOG = "Exit codes: 0 told; 1 it is there and cannot be used; 2 wrong usage, no such name."
Names = Callable[[click.Context, click.Parameter, str], list[str]]
Command = Callable[[str | None, bool], None]


def _names_of(group: str) -> Names:
    """What a shell may complete NAME to. Imports no plug-in."""

    def names(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
        from importlib.metadata import entry_points

        return sorted(name for name in entry_points(group=group).names if name.startswith(incomplete))

    return names


def _listing(group: str) -> Callable[[Command], click.Command]:
    def command(function: Command) -> click.Command:
        function = click.option("--json", "as_json", is_flag=True, help="The same as JSON.")(function)
        function = click.argument("name", required=False, shell_complete=_names_of(group))(function)
        return click.command(epilog=EPILOG)(function)

    return command


def _tell(what: str, name: str | None, as_json: bool) -> None:
    import os
    import sys
    from contextlib import redirect_stdout

    from ticktree.actors import AmbiguousPlugin, PluginError, UnknownPlugin

    from . import catalogue

    if name and ":" in name:
        sys.path.append(os.getcwd())  # as where a configuration stands, its folder's modules are found
    try:
        with redirect_stdout(sys.stderr):  # modules that print when they are imported
            told = catalogue.listed(what) if name is None else catalogue.described(what, name)
    except (UnknownPlugin, AmbiguousPlugin) as error:
        raise click.UsageError(str(error)) from error
    except PluginError as error:
        raise click.ClickException(str(error)) from error
    click.echo(told.json if as_json else told.text)


@_listing("ticktree.feeds")
def feeds(name: str | None, as_json: bool) -> None:
    """List the feeds that are installed, or tell what one takes.

    NAME is what a configuration calls its `type`: a name from the list, or package.module:Class. With it come the
    kinds of data it brings, its options, and lines to paste into a configuration.
    """
    _tell("feeds", name, as_json)


@_listing("ticktree.strategies")
def strategies(name: str | None, as_json: bool) -> None:
    """List the strategies that are installed, or tell what one takes.

    NAME is what a configuration calls its `type`: a name from the list, or package.module:Class. With it come its
    topics, its parameters, its mailbox, and lines to paste into a configuration.
    """
    _tell("strategies", name, as_json)


@_listing("ticktree.venues")
def venues(name: str | None, as_json: bool) -> None:
    """List the kinds of venue that are installed, or tell what one takes.

    NAME is what a configuration calls its `type`: a name from the list, or package.module:Class. With it come its
    options, and lines to paste into a configuration.
    """
    _tell("venues", name, as_json)
