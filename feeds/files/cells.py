"""Columns of a table as arrays, without a Python object a row: times, numbers, and words."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from ticktree.actors.extras import library

T = TypeVar("T")
Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

# A whole number tells its unit by its size, from 1973 to 5138: seconds below the first bound, and so on.
_MOST_NS = (1 << 63) - 1
_UNITS = ((100_000_000_000, 1_000_000_000), (100_000_000_000_000, 1_000_000), (100_000_000_000_000_000, 1_000))


class BadCell(Exception):
    """Row `index` of what was looked at has a value that cannot be."""

    def __init__(self, index: int, why: str) -> None:
        super().__init__(why)
        self.index, self.why = index, why


def times(column: Any, name: str) -> Codes:
    """Nanoseconds since 1970: of whole numbers, of timestamps, or of ISO 8601 text; without a zone it is UTC."""
    arrow = _arrow()
    _complete(column, name)
    column = _flat(column)
    if arrow.types.is_string(column.type) or arrow.types.is_large_string(column.type):
        first = column[0].as_py()
        if not first.isdecimal():
            return _instants(column, "UTC" if _has_zone(first) else None, name)
        column = _converted(column, lambda part: part.cast(arrow.int64()), name, "is no whole number")
    if arrow.types.is_integer(column.type):
        values = _cast(column, arrow.int64(), name)
        return values if name.lower().endswith("_ns") else _scaled(values, name)
    if arrow.types.is_timestamp(column.type):
        return _instants(column, column.type.tz, name)
    raise BadCell(0, f"{name} is of {column.type}: times are whole numbers, ISO 8601 text, or timestamps")


def numbers(column: Any, name: str) -> tuple[Floats, Mask | None]:
    """Its numbers, and which are missing, if any; those are NaN."""
    arrow = _arrow()
    missing: Mask | None = None
    column = _flat(column)
    if column.null_count:
        missing = column.is_null().to_numpy(zero_copy_only=False)
    if arrow.types.is_float32(column.type):
        column = _converted(
            column, lambda part: part.cast(arrow.string()), name, "is no number"
        )  # 0.1, not 0.10000000149
    if not arrow.types.is_float64(column.type):
        column = _converted(column, lambda part: part.cast(arrow.float64()), name, "is no number")
    if missing is not None:
        column = column.fill_null(float("nan"))
    values: Floats = column.to_numpy(zero_copy_only=False)
    return values, missing


def whole_numbers(column: Any, name: str) -> Codes:
    """Its numbers, none below 0; 0 for what is missing."""
    arrow = _arrow()
    column = _converted(_flat(column), lambda part: part.cast(arrow.int64()), name, "is no whole number")
    values: Codes = column.fill_null(0).to_numpy(zero_copy_only=False)
    if len(values) and values.min() < 0:
        raise BadCell(int(values.argmin()), f"{name} {values.min()} is below 0")
    return values


def words(column: Any, code_of: Callable[[str | None], int | str]) -> Codes:
    """What `code_of` makes of each of its words (None: it is missing); a text that it returns says why it cannot be."""
    arrow = _arrow()
    if arrow.types.is_boolean(column.type):
        column = column.cast(arrow.string())
    if not arrow.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    listed = [*column.dictionary.to_pylist(), None]  # a row without a word has the last
    indices: npt.NDArray[np.int32] = column.indices.fill_null(len(listed) - 1).to_numpy(zero_copy_only=False)
    codes = np.zeros(len(listed), np.int64)
    for place in np.unique(indices).tolist():
        word = listed[place]
        code = code_of(None if word is None else str(word))
        if isinstance(code, str):
            raise BadCell(int((indices == place).argmax()), code)
        codes[place] = code
    return codes[indices]


def word_of(meanings: Mapping[str, int], what: str, missing: int | None = None) -> Callable[[str | None], int | str]:
    """For `words`: what each word means, whatever its case; `missing`, where none is."""

    def code_of(word: str | None) -> int | str:
        code = missing if word is None or not word.strip() else meanings.get(word.strip().lower())
        if code is not None:
            return code
        said = "is missing" if word is None or not word.strip() else f"is {word[:40]!r}"
        return f"{what} {said}, and is one of {', '.join(meanings)}"

    return code_of


def _scaled(values: Codes, name: str) -> Codes:
    if not len(values):
        return values
    least, greatest = int(values.min()), int(values.max())
    for bound, factor in _UNITS:
        if greatest < bound:
            if greatest > _MOST_NS // factor:
                raise BadCell(int(values.argmax()), f"{name} {greatest} is beyond the year 2262")
            return values * factor
        if least < bound:  # some are of another unit
            smaller = _scaled(np.where(values < bound, values, 0), name)
            return np.where(values < bound, smaller, _scaled(np.maximum(values, bound), name))
    return values


def _instants(column: Any, zone: str | None, name: str) -> Codes:
    arrow = _arrow()
    kind = arrow.timestamp("ns", zone)
    said = "is no time" + (
        " with a zone, as the first is, from 1678 to 2261" if zone else " as 2024-01-31T23:59:59.123, or whole number"
    )
    return _cast(_converted(column, lambda part: part.cast(kind), name, said), arrow.int64(), name)


def _has_zone(text: str) -> bool:
    clock = text.strip()[10:]
    return clock.endswith(("Z", "z")) or "+" in clock or "-" in clock


def _cast(column: Any, kind: Any, name: str) -> Codes:
    values: Codes = _converted(column, lambda part: part.cast(kind), name, "is no whole number").to_numpy(
        zero_copy_only=False
    )
    return values


def _flat(column: Any) -> Any:
    """Words by their dictionary, one by one."""
    return column.dictionary_decode() if _arrow().types.is_dictionary(column.type) else column


def _complete(column: Any, name: str) -> None:
    if column.null_count:
        raise BadCell(int(column.is_null().to_numpy(zero_copy_only=False).argmax()), f"{name} is missing")


def _converted(column: Any, convert: Callable[[Any], T], name: str, said: str) -> T:
    """`convert(column)`; where that fails, it is said of the first cell that it fails of."""
    invalid = _arrow().ArrowException
    try:
        return convert(column)
    except invalid as error:
        for index in range(len(column)):
            try:
                convert(column.slice(index, 1))
            except invalid:
                raise BadCell(index, f"{name} {column[index].as_py()!r:.60} {said}") from None
        raise BadCell(0, f"{name}: {error}") from None


def _arrow() -> Any:
    return library("pyarrow", "reading CSV and Parquet")
