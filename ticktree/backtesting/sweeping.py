"""Many back-tests of one configuration, over processes: every combination of the values that parameters may have.

A process has one run at a time, and ends with the one that started it, however that ends. What a run came to is the
same as by itself: the configuration is read anew for each.
"""

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import product
from math import prod
from pathlib import Path
from typing import Any, Final

import attrs

from ticktree.market import plain

from ..config import BadConfig, load
from ..config.changes import BadChange, Change, key_and_text, value_of
from ..config.problems import is_list, key_text, shown
from .errors import BadSweep
from .result import Value
from .running import AS_IT_WAS, Manner, prepared
from .statistics import Statistics, statistics
from .text import warnings

MOST: Final = 10_000  # runs
MOST_TOLD: Final = 30  # problems
OPTION: Final = "--sweep"
_NUMBER: Final = r"([-+]?\d+(?:\.\d+)?)([a-z]*)"
_RANGE: Final = re.compile(rf"{_NUMBER}\.\.{_NUMBER}\.\.{_NUMBER}")
_BAD_RANGE: Final = re.compile(rf"{_NUMBER}\.\..*", re.DOTALL)
_HOW: Final = "a range is FROM..TO..STEP, as in 1..10..3, 0.1..0.3..0.1 or 1ms..5ms..2ms"


@attrs.frozen
class Parameter:
    """A key of the configuration, and the values that it is to have, one after the other."""

    path: tuple[str, ...]
    values: tuple[Any, ...]

    def __attrs_post_init__(self) -> None:
        seen = set[str]()
        for value in self.values:
            if repr(value) in seen:
                raise BadSweep(f"{shown(value)} stands there twice; once is enough")
            seen.add(repr(value))

    @property
    def key(self) -> str:
        """Its path as TOML writes it."""
        return key_text(self.path)

    @property
    def changes(self) -> list[Change]:
        """What each of its values comes to."""
        return [Change(self.path, value, OPTION) for value in self.values]

    @classmethod
    def parsed(cls, text: str) -> "Parameter":
        """`PATH=V1,V2`, `PATH=[V1, V2]` or `PATH=FROM..TO..STEP`. Raises `BadSweep`."""
        try:
            path, values = key_and_text(text)
        except BadChange as error:
            raise BadSweep(f"{OPTION}: {error}") from error
        try:
            return cls(path, tuple(_values(values)))
        except (BadChange, BadSweep) as error:
            raise BadSweep(f"{OPTION} {key_text(path)}: {error}") from error


def _values(text: str) -> list[Any]:
    if _BAD_RANGE.fullmatch(text):
        return _range(text)
    found = [value_of(part) for part in _parts(text)]
    if len(found) == 1 and is_list(found[0]):
        if not found[0]:
            raise BadSweep("an empty list has no values: name one or more, as in =1,2,3")
        return list(found[0])
    return found


_PIECE: Final = re.compile(r""""(?:\\.|[^"\\])*"|'[^']*'|.""", re.DOTALL)


def _parts(text: str) -> Iterator[str]:
    """`text` at its commas, but for those in quotes and brackets."""
    depth, part = 0, ""
    for match in _PIECE.finditer(text):
        piece = match[0]
        depth += (piece in "[{") - (piece in "]}")
        if piece == "," and depth == 0:
            yield part.strip()
            part = ""
        else:
            part += piece
    yield part.strip()


def _range(text: str) -> list[Any]:
    """Exact: 0.1..0.3..0.1 is 0.1, 0.2, 0.3."""
    match = _RANGE.fullmatch(text)
    if match is None:
        raise BadSweep(f"{_HOW}; not {shown(text)}")
    first, last, step = (Decimal(match[number]) for number in (1, 3, 5))
    units = {match[number] for number in (2, 4, 6)}
    if len(units) > 1:
        raise BadSweep(f"{_HOW}, all in one unit; not {shown(text)}")
    if not step or (last - first) * step < 0:
        raise BadSweep(f"steps of {plain(step)} never come from {plain(first)} to {plain(last)}: {_HOW}")
    count = int((last - first) / step) + 1
    if count > MOST:
        raise BadSweep(f"{shown(text)} has {count:,} values, and {MOST:,} runs are the most: take larger steps")
    whole = all(number == int(number) for number in (first, step)) and "." not in text.replace("..", "")
    numbers = [first + number * step for number in range(count)]
    unit = units.pop()
    if unit:
        return [f"{plain(number)}{unit}" for number in numbers]
    return [int(number) if whole else float(number) for number in numbers]


# --- a sweep ---------------------------------------------------------------------------------------------------------


@attrs.frozen
class Sweep:
    """What is to be run. `changes`: of the configuration, for all runs."""

    config: Path
    data: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    changes: tuple[Change, ...] = ()
    manner: Manner = AS_IT_WAS
    capital: Decimal | None = None

    def __attrs_post_init__(self) -> None:
        paths = [*(one.path for one in self.changes), *(one.path for one in self.parameters)]
        for number, one in enumerate(paths):
            inside = next((other for other in paths[:number] if other[: len(one)] == one), None)
            if inside is not None:
                raise BadSweep(f"{key_text(one)} would be given twice: {key_text(inside)} is, already")
        if self.count > MOST:
            factors = " x ".join(f"{len(one.values):,}" for one in self.parameters)
            raise BadSweep(f"{factors} = {self.count:,} runs, and {MOST:,} are the most: sweep fewer values at a time")

    @property
    def count(self) -> int:
        """How many runs there are."""
        return prod(len(one.values) for one in self.parameters)

    def combinations(self) -> list[tuple[Change, ...]]:
        """What is swept, for each run; the last parameter changes fastest."""
        return list(product(*(one.changes for one in self.parameters)))

    def problems(self, told: Callable[[int], None] = lambda done: None) -> list[str]:
        """All that is wrong with the configuration of any run. Looks at the data, too: raises what `prepared` does."""
        found = dict[tuple[str, str], str]()  # of a misspelt key once, however many values it was to have
        for done, combination in enumerate(self.combinations()):
            told(done)
            try:
                app = load(self.config, (*self.changes, *combination))
            except BadConfig as error:
                for problem in error.problems:
                    found.setdefault((problem.key, problem.message), str(problem))
            else:
                if done == 0:
                    prepared(app, self.data, self.manner)
        lines = list(found.values())
        more = len(lines) - MOST_TOLD
        return [*lines[:MOST_TOLD], *([f"and {more:,} more"] if more > 0 else [])]


class Ran(Value, frozen=True, gc=False):
    """What one run came to. `error`: why it has no statistics, or, where it has, why it is incomplete."""

    error: str = ""
    digest: str = ""
    ticks: int = 0
    began_ns: int = 0
    ended_ns: int = 0
    warnings: tuple[str, ...] = ()
    statistics: Statistics | None = None


def ran(sweep: Sweep, combination: tuple[Change, ...]) -> Ran:
    """Run one of them, in this process."""
    changes = (*sweep.changes, *combination)
    outcome = prepared(load(sweep.config, changes), sweep.data, sweep.manner, str(sweep.config)).run()
    return Ran(
        outcome.incomplete, outcome.digest, outcome.ticks, outcome.began_ns, outcome.ended_ns,
        tuple(warnings(outcome)), statistics(outcome, sweep.capital),
    )  # fmt: skip
