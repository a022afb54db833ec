"""Batches as lists of rows, where `Row.last` ends what belongs together (a book's update, a trade's legs)."""

from collections.abc import Sequence
from typing import Any, TypeGuard

import attrs


@attrs.frozen
class Row:
    """One row; after one that is `last` the batch may be cut."""

    name: str
    last: bool = True

    def __repr__(self) -> str:
        return self.name + ("." if self.last else "")


def is_batch(message: Any) -> TypeGuard[list[Row]]:
    """Whether `message` is rows; marks and requests are not."""
    return isinstance(message, list)


@attrs.frozen
class Skipped:
    """The mark that stands where `rows` rows were lost."""

    rows: int


class Lasts:
    """Cuts after `last` rows; leaves `Skipped`."""

    def floor(self, batch: Sequence[Row], rows: int) -> int:
        return next((n for n in range(min(rows, len(batch)), 0, -1) if batch[n - 1].last), 0)

    def ceiling(self, batch: Sequence[Row], rows: int) -> int:
        return next((n for n in range(max(rows, 1), len(batch)) if batch[n - 1].last), len(batch))

    def skipped(self, mark: Skipped | None, lost: Sequence[Row]) -> Skipped | None:
        if not is_batch(lost):  # another message than a batch was lost
            return mark
        return Skipped((mark.rows if mark else 0) + len(lost))


class Silent(Lasts):
    """Cuts in the same places, and leaves nothing."""

    def skipped(self, mark: Skipped | None, lost: Sequence[Row]) -> Skipped | None:
        return mark


def rows(text: str) -> list[Row]:
    """`rows("a b. c.")` is three rows, the latter two of them last ones."""
    return [Row(word.rstrip("."), word.endswith(".")) for word in text.split()]
