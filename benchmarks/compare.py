"""`python -m benchmarks.compare [OLD] [NEW]`: what got worse between two runs, beyond the spread of both."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

import attrs

from .measure import Figure, times
from .runs import Run, Unreadable, newest, read

BENCH = Path("bench.jsonl")  # what `make bench` writes
CONDITIONS = ("machine", "cores", "system", "python")


@attrs.define
class Difference:
    """Figures of two runs, each in one of these. Pairs are old and new."""

    worse: list[tuple[Figure, Figure]] = attrs.field(factory=list[tuple[Figure, Figure]])
    better: list[tuple[Figure, Figure]] = attrs.field(factory=list[tuple[Figure, Figure]])
    same: list[tuple[Figure, Figure]] = attrs.field(factory=list[tuple[Figure, Figure]])
    disturbed: list[tuple[Figure, Figure]] = attrs.field(factory=list[tuple[Figure, Figure]])
    new: list[Figure] = attrs.field(factory=list[Figure])
    gone: list[Figure] = attrs.field(factory=list[Figure])


def difference(old: Run, new: Run) -> Difference:
    """Worse or better is a ratio whose rounds all lie beyond all rounds of the other run."""
    found, before = Difference(), {figure.key: figure for figure in old.figures}
    for figure in new.figures:
        earlier = before.pop(figure.key, None)
        if earlier is None:
            found.new.append(figure)
            continue
        pair = earlier, figure
        if earlier.disturbed or figure.disturbed:
            found.disturbed.append(pair)
        elif figure.ratio_max < earlier.ratio_min:
            found.worse.append(pair)
        elif figure.ratio_min > earlier.ratio_max:
            found.better.append(pair)
        else:
            found.same.append(pair)
    found.gone.extend(before.values())
    return found


def told(found: Difference, missing: dict[str, str]) -> Iterator[str]:
    """For a reader, a line each, what matters most first."""
    for title, pairs in (("worse", found.worse), ("better", found.better)):
        for old, new in pairs:
            yield f"{title:<10}{new.label:<40}{_ratio(old)}  ->  {_ratio(new)}"
    for old, new in found.disturbed:
        which = "both runs" if old.disturbed and new.disturbed else "the old run" if old.disturbed else "the new run"
        yield f"{'unknown':<10}{new.label:<40}disturbed in {which}: {(new.disturbed or old.disturbed)[0]}"
    for figure in found.new:
        yield f"{'new':<10}{figure.label:<40}{_ratio(figure)}"
    for figure in found.gone:
        why = missing.get(figure.benchmark, "the new run has not measured it")
        yield f"{'gone':<10}{figure.label:<40}{why}"
    yield (
        f"{len(found.worse)} worse, {len(found.better)} better, {len(found.same)} the same within the spread, "
        f"{len(found.disturbed)} cannot be compared, {len(found.new)} new, {len(found.gone)} gone"
    )


def _ratio(figure: Figure) -> str:
    mark = "?" if figure.disturbed else ""
    return f"{times(figure.ratio)}{mark} ({times(figure.ratio_min)} to {times(figure.ratio_max)})"


def elsewhere(old: Run, new: Run) -> Iterator[str]:
    """What differs about the machines: ratios shift with it, too."""
    for name in CONDITIONS:
        were, are = (
            sorted({str(one.extra.get("conditions", {}).get(name)) for one in run.figures}) for run in (old, new)
        )
        if were != are:
            yield f"note: {name}: {', '.join(were)} in the old run, {', '.join(are)} in the new one"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """0 where nothing got worse, 1 where something did, 2 where there are no two runs."""
    parser = _Parser(
        prog="python -m benchmarks.compare",
        description="Tell what got worse, and what better, from one run of the benchmarks to another: a figure whose "
        "ratios of all rounds lie beyond all of the other run. What was disturbed in either cannot be compared.",
        epilog="Exit code 1 says that something got worse, 2 that there was nothing to compare. "
        "Ratios of one machine are best compared with ratios of the same.",
    )
    parser.add_argument("old", metavar="OLD", nargs="?", type=Path, help="a run (the latest in benchmarks/history)")
    parser.add_argument("new", metavar="NEW", nargs="?", type=Path, default=BENCH, help=f"another ({BENCH})")
    asked = parser.parse_args(arguments)
    try:
        path = asked.old or newest()
        old, new = read(path), read(asked.new)
    except Unreadable as unreadable:
        print(f"{parser.prog}: {unreadable}", file=sys.stderr)
        return 2
    found = difference(old, new)
    print(f"{path}  ->  {asked.new}")
    for line in (*elsewhere(old, new), *told(found, new.missing)):
        print(line)
    return 1 if found.worse else 0


if __name__ == "__main__":
    sys.exit(main())
