"""Parts of a page: every text that goes into one is escaped here, and nowhere else."""

from collections.abc import Iterable, Sequence
from html import escape

import attrs


class Html(str):
    """Markup that stands as it is; every other text is escaped."""

    __slots__ = ()


Content = str | Html


def html(content: Content) -> Html:
    """As it may stand in a page, between tags or in an attribute."""
    return content if isinstance(content, Html) else Html(escape(content))


def tag(name: str, content: Content = "", **attributes: str) -> Html:
    """An element; `class_` and `for_` are written without their end."""
    given = "".join(f' {key.rstrip("_").replace("_", "-")}="{escape(text)}"' for key, text in attributes.items())
    return Html(f"<{name}{given}>{html(content)}</{name}>")


def joined(parts: Iterable[Content], between: str = "") -> Html:
    return Html(between.join(map(html, parts)))


@attrs.frozen
class Table:
    """Rows under heads; the first cell of each names the row. Those of `left` are text, all others numbers."""

    caption: str
    heads: Sequence[Content]
    rows: Sequence[Sequence[Content]]
    left: frozenset[int] = frozenset({0})
    grouped: bool = False  # a row of one cell is a heading

    def html(self) -> Html:
        heads = joined(
            tag("th", head, scope="col", class_="text" if index in self.left else "number")
            for index, head in enumerate(self.heads)
        )
        body = joined(map(self._row, self.rows), "\n")
        content = joined([tag("caption", self.caption), tag("thead", tag("tr", heads)), tag("tbody", body)], "\n")
        return tag("div", tag("table", content), class_="scroll", tabindex="0", role="region", aria_label=self.caption)

    def _row(self, row: Sequence[Content]) -> Html:
        if self.grouped and len(row) == 1:
            head = tag("th", row[0], scope="rowgroup", class_="group", colspan=str(len(self.heads)))
            return tag("tr", head, class_="group")
        name, *others = row
        cells = (
            tag("td", cell, class_="text" if index in self.left else "number") for index, cell in enumerate(others, 1)
        )
        return tag("tr", joined([tag("th", name, scope="row"), *cells]))


def described(pairs: Iterable[tuple[Content, Content]], class_: str = "facts") -> Html:
    """Names and what is said of each."""
    items = (tag("div", joined([tag("dt", name), tag("dd", said)])) for name, said in pairs)
    return tag("dl", joined(items), class_=class_)
