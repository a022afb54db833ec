"""The tables of docs/configuration.md, from the definitions that configurations are read by."""

from msgspec import Struct

from ticktree.config import sections
from ticktree.config.reading import known_keys
from ticktree.config.values import default_of, example, words, written

HEAD = "| key | what stands there | unless told | what it means |\n|---|---|---|---|\n"


def table(kind: type[Struct]) -> str:
    """A row for each key of a section."""
    meanings = sections.meanings(kind)
    rows = list[str]()
    for key, field in known_keys(kind).items():
        default = "**needed**" if field.required else _code(written(default_of(field)))
        meaning = meanings[key].replace("|", "\\|")
        as_in = example(field.type)
        what = words(field.type)
        shown = f"{what}: {_code(as_in)}" if as_in and as_in not in what else what
        rows.append(f"| `{key}` | {shown} | {default} | {meaning} |")
    return HEAD + "\n".join(rows) + "\n"


def _code(text: str) -> str:
    return f"`{text}`" if text and text != '""' else ""
