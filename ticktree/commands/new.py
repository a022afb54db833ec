"""`ticktree new strategy` and `ticktree new feed`."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..blueprint import File, Kind

EPILOG = "Exit codes: 0 made; 1 it could not be, and nothing is left of it; 2 wrong usage, or there is such a folder."
INSTALL = 'pip install -e ".[test]"'
NEXT = {
    "strategy": (INSTALL, "pytest", "ticktree check {name}.toml", "ticktree run {name}.toml --for 30s"),
    "feed": (
        INSTALL,
        "pytest",
        "ticktree check {name}.toml",
        "python pretend.py    # in another terminal",
        "ticktree run {name}.toml --for 30s",
    ),
}


@click.group(epilog=EPILOG)
def new() -> None:
    """Begin a package of your own: a strategy or a feed that runs, with its tests and configurations.

    \b
    ticktree new strategy mean_reversion     makes the folder mean_reversion
    ticktree new feed acme --into ~/feeds    makes ~/feeds/acme

    Then it says what to type next.
    """


def _command(function: Callable[[str, Path], None]) -> click.Command:
    kind = click.Path(exists=True, file_okay=False, path_type=Path)
    about = "The folder to make it in.  [default: the current one]"
    function = click.option("--into", type=kind, default=".", metavar="DIR", help=about)(function)
    return new.command(epilog=EPILOG)(click.argument("name")(function))


@_command
def strategy(name: str, into: Path) -> None:
    """Begin a strategy of your own, in a new folder NAME.

    It buys what fell and sells what came back, which is to be replaced by what you have in mind. With it come tests in
    virtual time, a configuration that runs it on a simulated market, and one for recorded ones.

    NAME is lower-case words with _ between them, as in mean_reversion: that of the folder, of the Python module, and of
    the strategy in configurations. Nothing that is there already is overwritten.
    """
    _begin("strategy", name, into)


@_command
def feed(name: str, into: Path) -> None:
    """Begin a feed of your own, in a new folder NAME.

    It reads trades and quotes of an exchange of our own invention, which comes with it; how yours speaks is to be
    written in its place. The tests are those that every feed must pass.

    NAME is lower-case words with _ between them, as in acme: that of the folder, of the Python module, and of the feed
    in configurations. Nothing that is there already is overwritten.
    """
    _begin("feed", name, into)


def _begin(kind: "Kind", name: str, into: Path) -> None:
    from ..blueprint import BadName, blueprint

    folder = into / name
    try:
        files = blueprint(kind, name)
        _make(folder, files)
    except BadName as error:
        raise click.BadParameter(str(error), param_hint="NAME") from error
    except OSError as error:
        raise click.ClickException(f"{folder} is not made: {error.strerror or error}") from error
    width = max(len(file.name) for file in files)
    made = [f"  {file.name:<{width}}  {file.about}" for file in files]
    then = [f"  {line}" for line in _next(kind, folder)]
    click.echo("\n".join([f"made {folder}", *made, "", "next:", *then]))


def _make(folder: Path, files: "tuple[File, ...]") -> None:
    """All of them, or none: in a folder beside it, which is then called `folder`. Raises OSError."""
    import shutil
    from secrets import token_hex

    if is_taken(folder):
        raise click.UsageError(f"{folder} is there already, and is never overwritten; choose another name, or --into")
    draft = folder.with_name(f".{folder.name}-{token_hex(4)}")
    try:
        draft.mkdir()
        for file in files:
            (draft / file.name).write_text(file.text, "utf-8", newline="\n")
        draft.rename(folder)  # which takes the place of an empty folder, and of nothing else
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def is_taken(folder: Path) -> bool:
    """Whether there is anything that would be lost."""
    if folder.is_symlink() or not folder.is_dir():
        return folder.is_symlink() or folder.exists()
    return any(folder.iterdir())


def _next(kind: "Kind", folder: Path) -> list[str]:
    """What to type; programs with their folder where they would not be found without it."""
    import os
    import shlex
    import sys

    programs = Path(sys.executable).parent
    found = str(programs) in os.environ.get("PATH", "").split(os.pathsep)
    before = "" if found else shlex.quote(f"{programs}/")
    return [f"cd {shlex.quote(str(folder))}", *(before + line.format(name=folder.name) for line in NEXT[kind])]
