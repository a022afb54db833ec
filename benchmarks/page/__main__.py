"""`python -m benchmarks.page RUN.jsonl`: docs/performance.md and its pictures, of a run."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from ..runs import HISTORY, HOME, Unreadable, read, version, write
from . import page, written

OUT = HOME.parent / "docs" / "performance.md"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """0, or 2 where there is no run."""
    parser = _Parser(
        prog="python -m benchmarks.page",
        description="Write the page on performance, and its pictures, from a run of the benchmarks.",
    )
    parser.add_argument("run", metavar="RUN.jsonl", type=Path, help="what `make bench` wrote")
    parser.add_argument("--out", metavar="FILE", type=Path, default=OUT, help="the page (docs/performance.md)")
    parser.add_argument("--keep", action="store_true", help="keep the run as this version's, in benchmarks/history")
    asked = parser.parse_args(arguments)
    try:
        run = read(asked.run)
    except Unreadable as unreadable:
        print(f"{parser.prog}: {unreadable}", file=sys.stderr)
        return 2
    if asked.keep:
        kept = HISTORY / f"{version()}.jsonl"
        HISTORY.mkdir(exist_ok=True)
        write(kept, run)
        print(kept)
    for path in written(page(run), asked.out):
        print(path)
    disturbed = [figure.label for figure in run.figures if figure.disturbed]
    if disturbed:
        print(
            f"{len(disturbed)} of {len(run.figures)} figures were disturbed, and have a question mark", file=sys.stderr
        )
    for name, why in run.missing.items():
        print(f"{name} is missing: {why}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
