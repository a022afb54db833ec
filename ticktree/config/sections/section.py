"""What all sections are: tables with keys of their own, whose docstrings say what these mean."""

import inspect
import re
from typing import Annotated, Final

from msgspec import Meta, Struct

from ..values import Amount

_KEY: Final = re.compile(r"^(\w+) {2,}(.*(?:\n {2,}.*)*)", re.MULTILINE)

Natural = Annotated[int, Meta(ge=1)]
Whole = Annotated[int, Meta(ge=0)]
Capacity = Annotated[int, Meta(ge=1, le=1_000_000_000)]
Probability = Annotated[float, Meta(ge=0, le=1)]
Amounts = dict[str, Amount]


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table with keys of its own."""


def meanings(kind: type) -> dict[str, str]:
    """What the keys of a section mean, by its docstring and those it inherits from."""
    found = dict[str, str]()
    for base in reversed(kind.__mro__):
        for key, text in _KEY.findall(inspect.cleandoc(vars(base).get("__doc__") or "")):
            found[key] = " ".join(text.split())
    return found


def purpose(kind: type) -> str:
    """What a section is for: its docstring's first paragraph."""
    return " ".join(inspect.cleandoc(kind.__doc__ or "").partition("\n\n")[0].split())


def eg(*examples: object) -> Meta:
    """Examples; the first stands in messages."""
    return Meta(examples=list(examples))
