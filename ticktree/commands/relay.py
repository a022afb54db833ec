"""`ticktree relay`."""

from pathlib import Path
from typing import Any

import click

from .running import CONFIG, EXIT_CODES, manners


@click.command(epilog=EXIT_CODES)
@CONFIG
@click.option(
    "--listen",
    multiple=True,
    metavar="URL",
    help="Where: tcp://, unix:// or ws://; may be given often.  [default: as the configuration says]",
)
@manners
def relay(config: Path, listen: tuple[str, ...], **manner: Any) -> None:
    """Run the feeds of CONFIG alone, and serve what they bring to other processes, until Ctrl-C.

    To those a relay is a feed: type = "relay", url = one of the addresses. Strategies, routers and venues of CONFIG
    stay out. Beyond this machine it needs [relay] token.
    """
    import attrs

    from ..parts import RelayPart
    from .running import Run, feeds_alone, loaded

    app = loaded(config)
    part = app.relay
    if listen:
        part = attrs.evolve(part, listen=listen) if part is not None else RelayPart(listen)
    if part is None:
        raise click.UsageError(f"say where to listen: --listen tcp://127.0.0.1:7400, or [relay] listen in {config}")
    alone = attrs.evolve(feeds_alone(app), relay=part)
    feeds = ", ".join(feed.name for feed in alone.feeds)
    Run(config, **manner).perform(alone, f"RELAY: {feeds}; nothing can be ordered")
