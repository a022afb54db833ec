"""The page of all commands, as the program itself tells of them: what `ticktree COMMAND --help` says, in one page."""

import inspect
from collections.abc import Iterator
from typing import Final

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

PLACE: Final = "commands.md"
WIDTH: Final = 100
HEAD: Final = """# Commands

What `ticktree COMMAND --help` says of each: `-h` will do, too.
"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the page."""
    files.append(File.generated(config, PLACE, content=page()))
    return files


def page() -> str:
    """The page, as Markdown."""
    from ticktree.cli import main  # noqa: PLC0415  # the site's other pages can be built without the program

    context = click.Context(main, info_name="ticktree", max_content_width=WIDTH, **main.context_settings)
    return "\n\n".join([HEAD, *_told(main, context, 2)]) + "\n"


def _told(command: click.Command, context: click.Context, level: int) -> Iterator[str]:
    """A command: its heading, what it is for, its usage, its options; then the commands that it has."""
    yield f"{'#' * level} `{context.command_path}`"
    yield _prose(inspect.cleandoc(command.help or command.get_short_help_str()))
    yield f"```text\n{' '.join([context.command_path, *command.collect_usage_pieces(context)])}\n```"
    rows = [_row(parameter, context) for parameter in command.get_params(context)]
    if any(rows):
        yield "\n".join(["| option | what it is | unless told |", "|---|---|---|", *filter(None, rows)])
    if command.epilog:
        yield _prose(command.epilog)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            child = click.Context(inner, context, info_name=name, max_content_width=WIDTH)
            yield from _told(inner, child, level + 1 if context.parent else level)


def _row(parameter: click.Parameter, context: click.Context) -> str:
    """An option in a row of the table; nothing for an argument, which the usage has."""
    record = parameter.get_help_record(context)
    if record is None or isinstance(parameter, click.Argument) or parameter.name == "help":
        return ""
    names, about = record
    said, _, extra = about.rpartition("  [") if about.endswith("]") else (about, "", "")
    return f"| `{names}` | {_cell(_safe(said))} | {_cell(_safe(_default(extra.removesuffix(']'))))} |"


def _default(extra: str) -> str:
    """Of "default: 1; x>=1; required" what counts in the place of the option."""
    return "; ".join(
        "**needed**" if one == "required" else one.removeprefix("default: ") for one in extra.split("; ") if one
    )


def _prose(text: str) -> str:
    """Paragraphs; what click is told to leave as it is (after a backspace) is laid out."""
    paragraphs = text.replace("\f", "").split("\n\n")
    return "\n\n".join(
        f"```text\n{paragraph.removeprefix(chr(8)).strip(chr(10))}\n```" if "\b" in paragraph else _safe(paragraph)
        for paragraph in paragraphs
    )


def _safe(text: str) -> str:
    return text.replace("*", "\\*").replace("<", "&lt;") if "`" not in text else text


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
