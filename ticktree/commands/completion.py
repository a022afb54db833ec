"""`ticktree completion`."""

import click

SHELLS = ("bash", "zsh", "fish")


@click.command(epilog="Exit codes: 0 printed; 2 wrong usage.")
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print what makes a shell complete ticktree's commands, options and names.

    \b
    bash    put into ~/.bashrc:     eval "$(ticktree completion bash)"
    zsh     put into ~/.zshrc:      eval "$(ticktree completion zsh)"
    fish    ticktree completion fish > ~/.config/fish/completions/ticktree.fish

    Then open a new shell. It works in bash 4.4 and newer, and for zsh after `autoload -Uz compinit && compinit`.
    """
    from click.shell_completion import get_completion_class

    from ..cli import main

    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(main, {}, "ticktree", "_TICKTREE_COMPLETE").source())
