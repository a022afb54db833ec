"""`ticktree check`."""

from pathlib import Path

import click


@click.command(epilog="Exit codes: 0 it can be run; 2 it cannot, or wrong usage.")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--quiet", "-q", is_flag=True, help="Print what is wrong, if anything, and else nothing.")
def check(config: Path, quiet: bool) -> None:
    """Say everything that is wrong with CONFIG, or what it would run.

    Nothing is started, and nothing connected to. Plug-ins are imported, and secrets looked up. Each problem is a line,
    FILE:LINE: KEY: what is wrong and what to write instead.
    """
    from ..config import BadConfig, load
    from ..config.summary import summary

    try:
        app = load(config)
    except BadConfig as error:
        click.echo(f"{error}\n{error.count}", err=True)
        raise SystemExit(2) from None
    if not quiet:
        click.echo(summary(app))
