"""A run of the benchmarks in a file: JSON lines, each a figure with its conditions, or why a benchmark has none."""

import os
import re
import tomllib
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import attrs
import msgspec

from .measure import Figure

HOME = Path(__file__).parent
HISTORY = HOME / "history"  # VERSION.jsonl for each release
Key = tuple[str, str, int | None]  # benchmark, figure, actors


class Unreadable(Exception):
    """A file that holds no run, and why."""


@attrs.define
class Run:
    """What was measured. `missing`: why a benchmark has no figures, or not all."""

    figures: list[Figure] = attrs.field(factory=list[Figure])
    missing: dict[str, str] = attrs.field(factory=dict[str, str])

    def find(self, benchmark: str, figure: str, actors: int | None = None) -> Figure | None:
        """The one of that name; None where the run lacks it."""
        return next((one for one in self.figures if one.key == (benchmark, figure, actors)), None)

    def without(self, benchmarks: Collection[str]) -> "Run":
        """What is left when these are measured anew."""
        return Run(
            [figure for figure in self.figures if figure.benchmark not in benchmarks],
            {name: why for name, why in self.missing.items() if name not in benchmarks},
        )

    def lines(self) -> Iterable[str]:
        """As in a file."""
        yield from (figure.line() for figure in self.figures)
        yield from (
            msgspec.json.encode({"benchmark": name, "missing": why}).decode() for name, why in self.missing.items()
        )


class _Absent(msgspec.Struct, forbid_unknown_fields=True):
    benchmark: str
    missing: str


class _Line(msgspec.Struct):
    """What each figure must have, and may; other keys are its extras."""

    benchmark: str
    figure: str
    unit: str
    ours: float
    yardstick: float
    ratio: float
    ratio_min: float
    ratio_max: float
    rounds: int
    interference: list[str] = []


def read(path: Path) -> Run:
    """The run in a file. Raises `Unreadable`."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise Unreadable(f"there is no {path}: `make bench` writes bench.jsonl") from None
    except (OSError, UnicodeDecodeError) as error:
        raise Unreadable(f"{path} cannot be read: {error}") from None
    run = Run()
    for number, line in enumerate(text.splitlines(), 1):
        try:
            _add(run, line)
        except msgspec.ValidationError as error:
            raise Unreadable(f"{path}, line {number}, is no figure of a run: {error}") from None
        except msgspec.DecodeError:
            raise Unreadable(f"{path}, line {number}, is no whole line of JSON: was it cut off?") from None
    if not run.figures:
        raise Unreadable(f"{path} has no figures")
    twice = {figure.label for figure in run.figures if run.find(*figure.key) is not figure}
    if twice:
        raise Unreadable(f"{path} has {', '.join(sorted(twice))} more than once")
    return run


def _add(run: Run, line: str) -> None:
    table = msgspec.json.decode(line, type=dict[str, Any])
    if "missing" in table:
        absent = msgspec.convert(table, _Absent)
        run.missing[absent.benchmark] = absent.missing
        return
    msgspec.convert(table, _Line)
    fields = {one.name: table.pop(one.name) for one in attrs.fields(Figure) if one.name != "extra"}
    run.figures.append(Figure(**fields, extra=table))


def write(path: Path, run: Run) -> None:
    """Put the run in the place of what the file held: all of it, or nothing."""
    beside = path.with_name(f"{path.name}.part")
    beside.write_text("".join(f"{line}\n" for line in run.lines()), encoding="utf-8")
    os.replace(beside, path)


# --- releases ---------------------------------------------------------------------------------------------------------


def version() -> str:
    """The project's, as its pyproject.toml says."""
    return str(tomllib.loads((HOME.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])


def newest(history: Path = HISTORY) -> Path:
    """The run of the latest release. Raises `Unreadable` where none is kept."""
    kept = sorted(history.glob("*.jsonl"), key=_order)
    if not kept:
        raise Unreadable(f"no release has been kept in {history} yet: `make performance` keeps one")
    return kept[-1]


def _order(path: Path) -> list[int]:
    """0.10.0 comes after 0.9.0."""
    return [int(part) for part in re.findall(r"\d+", path.stem)]
