"""docs/performance.md of a run: prose stands in templates here, and every number comes from the run.

    performance.md.j2   the page; it includes
    tuning.md.j2        the tuning guide
    limits.md.j2        what cannot be reached, and why
    curves/NAME.md      what the bends of a curve come from, for the curves whose names begin with NAME

In any of them a figure is named as `benchmark figure`, or `benchmark figure 10` for that with 10 actors:

    {{ ours("tcp_batch batch_full") }}   26.5 M ticks/s; likewise `yardstick`, `ratio` and `spread`
    {{ told("tcp_batch batch_full") }}   0.64 (0.58 to 0.74)
    {{ extra("startup help", "more_ms") }}   what else its line has
    {% call table() %} ... {% endcall %}   a line each `benchmark figure: what it says`, `*` for any: a table of what
                                         the run has of them, and these words

What a run lacks is said to be missing, with the reason; what was disturbed has a question mark.
"""

import fnmatch
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import attrs
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ..goals import GOALS, Verdict, judged
from ..measure import Figure, short, times
from ..runs import Key, Run
from . import charts

HOME = Path(__file__).parent
FOLDER = "performance"  # of the pictures, beside the page


@attrs.frozen
class Page:
    """The text, and the pictures by name."""

    text: str
    pictures: dict[str, str]


def page(run: Run) -> Page:
    """The page of a run: the same run gives the same page."""
    pictures = charts.pictures(run)
    environment = Environment(
        loader=FileSystemLoader(HOME), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True, autoescape=False,  # it makes Markdown, of our own words
    )  # fmt: skip
    words = Words(run)
    text = environment.get_template("performance.md.j2").render(
        ours=words.ours, yardstick=words.yardstick, ratio=words.ratio, spread=words.spread, told=words.told,
        extra=words.extra, table=words.table, others=words.others, goals=words.goals(), conditions=words.conditions(),
        count=len(run.figures), doubts=words.doubts(), missing=run.missing, why=words.why,
        measured={figure.benchmark for figure in run.figures},
        pictures=[words.picture(name) for name in pictures],
    )  # fmt: skip
    return Page(text, pictures)


@attrs.define
class Words:
    """A run in words."""

    run: Run
    tabled: set[Key] = attrs.field(factory=set[Key])

    # --- one figure, within a sentence ---

    def ours(self, name: str) -> str:
        """With its unit."""
        return self._of(name, lambda figure: amount(figure.ours, figure.unit))

    def yardstick(self, name: str) -> str:
        """With its unit."""
        return self._of(name, lambda figure: amount(figure.yardstick, figure.unit))

    def ratio(self, name: str) -> str:
        """The bare number."""
        return self._of(name, lambda figure: times(figure.ratio))

    def spread(self, name: str) -> str:
        """From the least round to the greatest."""
        return self._of(name, _spread)

    def told(self, name: str) -> str:
        """The ratio, and its spread."""
        return self._of(name, lambda figure: f"{times(figure.ratio)} ({_spread(figure)})")

    def extra(self, name: str, key: str) -> str:
        """What else the figure's line says."""
        return self._of(name, lambda figure: _shown(figure.extra.get(key, "(missing: this run does not tell)")))

    def _of(self, name: str, told: Callable[[Figure], str]) -> str:
        benchmark, figure, *actors = name.split()
        found = self.run.find(benchmark, figure, int(actors[0]) if actors else None)
        return f"(missing: {self.why(benchmark)})" if found is None else f"{told(found)}{_mark(found)}"

    def why(self, benchmark: str) -> str:
        """It has no figures, or not all."""
        return self.run.missing.get(benchmark, "this run has not measured it")

    # --- tables ---

    def table(self, caller: Callable[[], str]) -> str:
        """Of the lines between `call` and `endcall`."""
        seen, notes, doubts = list[Figure](), list[str](), list[str]()
        for line in filter(str.strip, caller().splitlines()):
            pattern, _, note = line.strip().partition(": ")
            found = [one for one in self.run.figures if fnmatch.fnmatchcase(f"{one.benchmark} {one.figure}", pattern)]
            seen.extend(found)
            missing = "" if found else f" **Missing**: {self.why(pattern.partition(' ')[0])}."
            notes.append(f"- `{pattern}`: {note}{missing}")
            doubts.extend(_doubt(figure) for figure in found if figure.disturbed)
            self.tabled.update(figure.key for figure in found)
        head = ["| figure | ours | yardstick | ratio | least to greatest | rounds |", "|---|---|---|---|---|---|"]
        parts = ["\n".join([*head, *map(_row, seen)])] if seen else []
        peers = dict.fromkeys(str(one.extra["peer"]) for one in seen if "peer" in one.extra)
        beside = [f"Measured beside {', '.join(peers)}."] if peers else []
        return "\n\n".join([*parts, "\n".join([*notes, *doubts]), *beside]) + "\n"

    def others(self) -> str:
        """A table of what no other has told: a figure that is new, and has no words yet."""
        left = [figure for figure in self.run.figures if figure.key not in self.tabled and "curve" not in figure.extra]
        names = dict.fromkeys(f"{figure.benchmark} {figure.figure}" for figure in left)
        lines = "\n".join(f"{name}: what its benchmark says of it." for name in names)
        return self.table(lambda: lines) if left else ""

    def goals(self) -> list[dict[str, str]]:
        """A row for each goal."""
        return [self._goal(verdict) for verdict in judged(self.run, GOALS)]

    def _goal(self, verdict: Verdict) -> dict[str, str]:
        goal, figure = verdict.goal, verdict.figure
        actors = "" if goal.actors is None else f", {goal.actors}"
        mark = "?" if figure is not None and figure.disturbed else ""
        return {
            "number": goal.number,
            "figure": f"`{goal.benchmark} {goal.figure}`{actors}",
            "goal": goal.measure.told(goal.goal),
            "moonshot": "" if goal.moonshot is None else goal.measure.shown(goal.moonshot),
            "measured": "" if verdict.value is None else f"{goal.measure.shown(verdict.value)}{mark}",
            "verdict": f"missing: {self.why(goal.benchmark)}" if figure is None else verdict.words,
        }

    def doubts(self) -> int:
        """How many figures were disturbed."""
        return sum(bool(figure.disturbed) for figure in self.run.figures)

    def conditions(self) -> list[tuple[str, str]]:
        """What the run was made with: each condition, and all values that it had."""
        named = {
            "date": "measured", "version": "ticktree", "machine": "CPU", "cores": "cores", "system": "system",
            "python": "Python", "uvloop": "uvloop", "numpy": "numpy", "msgspec": "msgspec", "picows": "picows",
            "aiohttp": "aiohttp",
        }  # fmt: skip
        rows = list[tuple[str, str]]()
        for key, name in named.items():
            values = sorted({str(one.extra.get("conditions", {}).get(key, "not told")) for one in self.run.figures})
            rows.append((name, f"{values[0]} to {values[-1]}" if key == "date" and values[1:] else ", ".join(values)))
        return rows

    # --- pictures ---

    def picture(self, name: str) -> dict[str, Any]:
        """What the page says of one."""
        points = [one for one in self.run.figures if charts.family(one) == name and "curve" in one.extra]
        return {
            "name": name,
            "link": f"{FOLDER}/{name}.svg",
            "text": f"curves/{name}.md",
            "points": [_point(figure) for figure in points],
            "doubts": [_doubt(figure) for figure in points if figure.disturbed],
        }


def _spread(figure: Figure) -> str:
    return f"{times(figure.ratio_min)} to {times(figure.ratio_max)}"


def _row(figure: Figure) -> str:
    mark, actors = _mark(figure), figure.extra.get("actors")
    cells = [
        f"`{figure.benchmark} {figure.figure}`" + ("" if actors is None else f", {actors}"),
        amount(figure.ours, figure.unit) + mark,
        amount(figure.yardstick, figure.unit) + mark,
        times(figure.ratio) + mark,
        _spread(figure),
        str(figure.rounds),
    ]
    return f"| {' | '.join(cells)} |"


def _point(figure: Figure) -> str:
    mark, least, most = _mark(figure), 1 / figure.ratio_max, 1 / figure.ratio_min
    return (
        f"| `{figure.extra['curve']}` | {figure.extra['at']:,} | {amount(figure.ours, figure.unit)}{mark} "
        f"| {times(1 / figure.ratio)}{mark} | {times(least)} to {times(most)} |"
    )


def _doubt(figure: Figure) -> str:
    return f"- **?** `{figure.label}`: {'; '.join(figure.disturbed)}."


def _mark(figure: Figure) -> str:
    return " ?" if figure.disturbed else ""


def amount(value: float, unit: str) -> str:
    """3.19 M ticks/s."""
    if unit.endswith("/s"):
        for scale, prefix in ((1e6, "M "), (1e4, "k ")):
            if value >= scale:
                return f"{short(value / min(scale, 1e6 if prefix == 'M ' else 1e3))} {prefix}{unit}"
    return f"{short(value)} {unit}"


def _shown(value: object) -> str:
    return short(value) if isinstance(value, float) else str(value)


def written(made: Page, out: Path) -> Iterable[Path]:
    """Write the page, and its pictures into a folder beside it; old ones go. The files that are there now."""
    folder = out.parent / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.svg"):
        path.unlink()
    out.write_text(made.text, encoding="utf-8")
    yield out
    yield from _pictures(made, folder)


def _pictures(made: Page, folder: Path) -> Iterator[Path]:
    for name, text in made.pictures.items():
        path = folder / f"{name}.svg"
        path.write_text(text, encoding="utf-8")
        yield path
