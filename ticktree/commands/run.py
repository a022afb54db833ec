"""`ticktree run`."""

from pathlib import Path
from typing import Any

import click

from .running import CONFIG, EXIT_CODES, manners


@click.command(epilog=EXIT_CODES)
@CONFIG
@manners
def run(config: Path, **manner: Any) -> None:
    """Run what CONFIG describes: feeds, strategies, routers and venues, until Ctrl-C.

    The first line says whether real orders can leave: PAPER, LIVE with the addresses, or NO VENUES.
    """
    from ..console import money_at_stake
    from .running import Run, loaded

    app = loaded(config)
    Run(config, **manner).perform(app, money_at_stake(app))
