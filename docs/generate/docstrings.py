"""What our docstrings and values look like, made ready for mkdocstrings.

Aligned columns of a docstring become tables. A class of fields (of attrs, of msgspec) is shown with what it is made of,
an enumeration with its members; a comment behind one of these is what there is to say of it. What is laid out in any
other way, and indented, is code to Markdown, and stays as it is.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from griffe import (
    Attribute,
    Class,
    Docstring,
    Expr,
    ExprCall,
    ExprKeyword,
    Extension,
    Function,
    Object,
    Parameter,
    ParameterKind,
    Parameters,
)

ROW: Final = re.compile(r"(\S+(?:,? \S+){0,3})  +(\S.*)")
COMMENT: Final = re.compile(r"  # ((?!noqa|type:|pyright:|fmt:).+)$")
MAKERS: Final = ("attrs.frozen", "attrs.define", "attrs.field", "field", "msgspec.field")
STRUCTS: Final = ("Struct", "msgspec.Struct")
ENUMS: Final = ("Enum", "StrEnum", "IntEnum", "IntFlag", "Flag")


class Values(Extension):
    """Rewrites docstrings that have columns, and shows classes of fields as they are made."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """One object, when all of the package has been read."""
        if obj.docstring is not None:
            obj.docstring.value = with_tables(obj.docstring.value)

    def on_class(self, *, cls: Class, **_: Any) -> None:
        """One class, likewise."""
        attributes = [member for member in cls.members.values() if isinstance(member, Attribute)]
        if any(str(base) in ENUMS for base in cls.bases):
            named = [one for one in attributes if one.value is not None and one.annotation is None]
            _append(cls, [(f"`{one.name}`", f"`{one.value}`", _comment(one)) for one in named])
        elif _is_made_of_fields(cls):
            told = [(f"`{one.name}`", _comment(one)) for one in attributes if _comment(one)]
            _append(cls, told)
            if "__init__" not in cls.members:
                cls.set_member("__init__", _init(cls))


def with_tables(text: str) -> str:
    """`text` with a table in the place of each paragraph of aligned columns."""
    return "\n\n".join(_table_of(paragraph) or paragraph for paragraph in text.split("\n\n"))


def _table_of(paragraph: str) -> str:
    """The paragraph as a table, or nothing where it is none: each line is a row, or goes on where that began."""
    rows, column = list[list[str]](), 0
    for line in paragraph.split("\n"):
        row = ROW.fullmatch(line)
        if row is not None and column in (0, row.start(2)):
            column = row.start(2)
            rows.append([row[1] if "`" in row[1] else f"`{row[1]}`", row[2]])
        elif rows and line.startswith(" ") and len(line) - len(line.lstrip()) == column:
            rows[-1][1] += f" {line.strip()}"
        else:
            return ""
    return _table(rows)


def _table(rows: Sequence[Sequence[str]]) -> str:
    """In Markdown, without a head."""
    if not rows:
        return ""
    width = len(rows[0])
    lines = (f"| {' | '.join(map(_cell, row))} |" for row in rows)
    return "\n".join(["|  " * width + "|", "|---" * width + "|", *lines])


def _cell(text: str) -> str:
    """A bar ends a cell, but for one within code."""
    return "`".join(part if at % 2 else part.replace("|", "\\|") for at, part in enumerate(text.split("`")))


def _append(cls: Class, rows: Sequence[Sequence[str]]) -> None:
    if rows:
        said = "" if cls.docstring is None else f"{cls.docstring.value}\n\n"
        cls.docstring = Docstring(f"{said}{_table(rows)}", parent=cls)


def _comment(attribute: Attribute) -> str:
    lines = attribute.lines
    found = COMMENT.search(lines[-1]) if lines else None
    return "" if found is None else found[1]


# --- what a class is made of ------------------------------------------------------------------------------------------


def _is_made_of_fields(cls: Class) -> bool:
    made = any(str(one.value).startswith(MAKERS[:2]) for one in cls.decorators)
    return made or any(str(base) in STRUCTS for one in _lineage(cls) for base in one.bases)


def _lineage(cls: Class) -> Iterator[Class]:
    """The class, after all of ours that it inherits from."""
    yield from reversed(cls.mro())
    yield cls


def _init(cls: Class) -> Function:
    """As it is called. What must be given goes first, what is given by name last."""
    found = {one.name: one for each in _lineage(cls) for one in _parameters(each)}
    by_place = [one for one in found.values() if one.kind is ParameterKind.positional_or_keyword]
    by_name = [one for one in found.values() if one.kind is ParameterKind.keyword_only]
    itself = Parameter("self", kind=ParameterKind.positional_or_keyword)
    return Function("__init__", parent=cls, parameters=Parameters(itself, *by_place, *by_name))


def _parameters(cls: Class) -> Iterator[Parameter]:
    all_by_name = str(cls.keywords.get("kw_only", "")) == "True"
    for one in cls.members.values():
        if not isinstance(one, Attribute) or one.annotation is None or "property" in one.labels:
            continue
        if str(one.annotation).partition("[")[0] in ("ClassVar", "Final"):
            continue
        said = _arguments(one.value)
        by_name = all_by_name or str(said.get("kw_only")) == "True"
        kind = ParameterKind.keyword_only if by_name else ParameterKind.positional_or_keyword
        name = str(said.get("alias", one.name)).strip("\"'").lstrip("_")
        if str(said.get("init")) != "False":
            yield Parameter(name, annotation=one.annotation, kind=kind, default=_default(one.value, said))


def _arguments(value: Any) -> dict[str, Any]:
    """What `attrs.field(...)` is told; nothing of a plain default."""
    if not _is_field(value):
        return {}
    return {one.name: one.value for one in value.arguments if isinstance(one, ExprKeyword)}


def _is_field(value: Any) -> bool:
    return isinstance(value, ExprCall) and str(value.function) in MAKERS[2:]


def _default(value: Any, said: dict[str, Any]) -> "str | Expr | None":
    factory = said.get("factory", said.get("default_factory"))
    if factory is not None:
        return f"{str(factory).partition('[')[0]}()" if not str(factory).startswith("lambda") else "..."
    given: str | Expr | None = said.get("default") if _is_field(value) else value
    return "..." if str(given).startswith("_") else given
