"""`ticktree schema`."""

import click


@click.command(epilog="Exit codes: 0 printed; 2 wrong usage.")
def schema() -> None:
    """Print the JSON Schema of configurations, for editors that check what is written.

    `ticktree schema > ticktree.schema.json`. It knows the options of installed plug-ins; `ticktree check` says more.
    """
    import json

    from ..config.schema import schema as of_configurations

    click.echo(json.dumps(of_configurations(), indent=2, ensure_ascii=False))
