"""`ticktree why`."""

from pathlib import Path

import click


class NoSuchOrder(click.ClickException):
    """The journal can be read, and does not know the order."""

    exit_code = 3


@click.command(
    epilog="Exit codes: 0 told; 1 the journal cannot be read, or not to its end; 2 wrong usage; 3 no such order."
)
@click.argument("order_id", metavar="ORDER_ID")
@click.option(
    "--journal",
    "path",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The file that the application wrote its orders to: [system] journal, in its configuration.",
)
def why(order_id: str, path: Path) -> None:
    """Tell the story of an order, from the journal: tick, decision, risk, route, legs, reports, answer, end.

    ORDER_ID is an order's, as in the log, or one of its legs'. Each line says when, how long after the decision, who,
    and what. It may be asked while the application runs.
    """
    from collections.abc import Iterator

    from ticktree.routing.errors import JournalError, UnknownOrder
    from ticktree.routing.facts import AnyFact
    from ticktree.routing.journal import read
    from ticktree.routing.why import why as story

    damage: list[JournalError] = []

    def readable() -> Iterator[AnyFact]:
        try:
            yield from read(path)
        except JournalError as error:  # what comes before it can be told all the same
            damage.append(error)

    try:
        lines = story(readable(), order_id)
    except UnknownOrder as error:
        raise (click.ClickException(str(damage[0])) if damage else NoSuchOrder(str(error))) from error
    click.echo("\n".join(lines))
    if damage:
        raise click.ClickException(f"that is what stands before the damage: {damage[0]}")
