"""Tables and figures for people: columns as wide as they must be, durations and sizes in the unit that suits them."""

from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal
from typing import Final

DURATIONS: Final = ((1e9, "s"), (1e6, "ms"), (1e3, "us"), (1.0, "ns"))
SIZES: Final = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
GAP: Final = "  "


def aligned(rows: Sequence[Sequence[str]], left: Collection[int] = (0,)) -> list[str]:
    """Lines of columns, two spaces apart: those of `left` begin at one edge, all others end there, as numbers do."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [GAP.join(_cells(row, widths, left)).rstrip() for row in rows]


def titled(rows: Sequence[Sequence[str]], left: Collection[int] = (0,)) -> list[str]:
    """The same with a title: the first row are the heads, and names stand a little further in than their head."""
    heads, *others = rows
    return aligned([heads, *([f"{GAP}{row[0]}", *row[1:]] for row in others)], left)


def labelled(pairs: Iterable[tuple[str, str]], edge: int = 0) -> list[str]:
    """Names, and beside each what is said of it, over as many lines as that has; names are at least `edge` wide."""
    found = list(pairs)
    width = max([edge, *(len(name) for name, _ in found)])
    lines = list[str]()
    for name, text in found:
        for index, line in enumerate(text.splitlines() or [""]):
            lines.append(f"{GAP}{'' if index else name:<{width}}{GAP}{line}".rstrip())
    return lines


def _cells(row: Sequence[str], widths: Sequence[int], left: Collection[int]) -> list[str]:
    return [
        cell.ljust(width) if index in left else cell.rjust(width)
        for index, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]


def cut(text: str, width: int) -> str:
    """`text` in `width` characters; where it does not fit, that is to be seen."""
    return text if len(text) <= width else f"{text[: max(width - 2, 0)]}.."[: max(width, 0)]


def grouped(count: int) -> str:
    """12,345."""
    return f"{count:,}"


def amount(value: Decimal) -> str:
    """Money and averages: four places, or as many as four digits of a small amount take: 12.3400, 0.000006370."""
    small = value and value.adjusted() < -3
    return f"{value:.{3 - value.adjusted() if small else 4}f}"


def took(ns: int) -> str:
    """A duration in the unit that suits it: 12.3 ms."""
    return took_each(ns) if ns else "0"


def took_each(*ns: int) -> str:
    """Several, in the unit of the longest: 12.1/40.2/41.0 us."""
    unit, name = next((one for one in DURATIONS if max(ns) >= one[0]), DURATIONS[-1])
    return f"{'/'.join(f'{one / unit:.1f}' for one in ns)} {name}"


def size(count: int) -> str:
    """Bytes in the unit that suits them: 70.5 MB."""
    unit, name = next((one for one in SIZES if count >= one[0]), (1.0, "B"))
    return f"{count / unit:.1f} {name}" if unit > 1 else f"{count} {name}"


def lasting(seconds: float) -> str:
    """A long time in its two largest units: 2 h 13 m."""
    whole = int(seconds)
    parts = [(whole // 86_400, "d"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "m"), (whole % 60, "s")]
    first = next((index for index, (count, _) in enumerate(parts) if count), 3)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2])
