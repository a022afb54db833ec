"""Curves of a run as SVG: how cost grows, and how long it stays. The same run gives the same text; light pages and dark
ones suit it both.
"""

import io
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import groupby
from math import nan

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure as Picture
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from ..measure import Figure
from ..runs import Run

GREY = "#858585"  # 3.7 : 1 on white, 4.5 : 1 on the dark page
UNITS = {"_mib": "MiB", "_ms": "ms"}  # of a series, by how its name ends
LINES = ("#2f8fd8", "#d9822b", "#2fa37a", "#b567c4", "#c2504a")
AXES = {"instruments": "instruments", "subscribers": "subscribers", "feeds": "feeds", "batch": "rows a batch"}


def family(figure: Figure) -> str | None:
    """Which picture has it: curves whose names begin alike share one; what is told over time, that of its benchmark."""
    if "series" in figure.extra:
        return figure.benchmark
    curve = figure.extra.get("curve")
    return None if curve is None else str(curve).partition("_")[0]


def pictures(run: Run) -> dict[str, str]:
    """Each picture's SVG, in the order of the run."""
    names = dict.fromkeys(name for figure in run.figures if (name := family(figure)) is not None)
    return {name: _drawn(name, [one for one in run.figures if family(one) == name]) for name in names}


def _drawn(name: str, figures: Sequence[Figure]) -> str:
    series = figures[0].extra.get("series")
    with _style():
        return _svg(_grown(name, figures) if series is None else _lasted(series))


def _grown(name: str, points: Sequence[Figure]) -> Picture:
    """Cost over size, a panel a unit."""
    units = list(dict.fromkeys(point.unit for point in points))
    picture = _picture(len(units))
    for at, unit in enumerate(units, 1):
        axes = picture.add_subplot(1, len(units), at)
        axes.set_xscale("log")
        axes.set_yscale("log")
        _label(axes, AXES.get(name, name), unit)
        curves = groupby((one for one in points if one.unit == unit), key=lambda one: str(one.extra["curve"]))
        for (curve, along), colour in zip(curves, LINES * 3, strict=False):
            _line(axes, curve, list(along), colour)
        _legend(axes)
    return picture


def _lasted(series: Mapping[str, Sequence[float]]) -> Picture:
    """What was looked at again and again, over minutes: a panel for each of `UNITS`."""
    minutes = [at_s / 60 for at_s in series["t_s"]]
    panels = {unit: [key for key in series if key.endswith(ending)] for ending, unit in UNITS.items()}
    picture = _picture(len(panels))
    for at, (unit, keys) in enumerate(panels.items(), 1):
        axes = picture.add_subplot(1, len(panels), at)
        _label(axes, "minutes", unit)
        for key, colour in zip(keys, LINES * 2, strict=False):
            values = [value or nan for value in series[key]]  # 0: nothing came
            axes.plot(minutes, values, color=colour, linewidth=1, label=key.rpartition("_")[0].replace("_", " "))
        if unit == "ms":
            axes.set_yscale("log")
        else:
            axes.set_ylim(0, 1.1 * max(max(series[key]) for key in keys))
        _ticks(axes.yaxis, axes.get_yscale())
        _legend(axes)
    return picture


def _picture(panels: int) -> Picture:
    return Picture(figsize=(4.2 * panels + 2.6, 3.6), layout="constrained")


def _style() -> AbstractContextManager[None]:
    return mpl.rc_context({
        "svg.hashsalt": "ticktree",
        "svg.fonttype": "none",  # text stays text: it is found, and read aloud
        "font.family": "sans-serif",
        "font.size": 11,
        "text.color": GREY,
        "axes.edgecolor": GREY,
        "axes.labelcolor": GREY,
        "xtick.color": GREY,
        "ytick.color": GREY,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "legend.frameon": False,
    })  # fmt: skip


def _label(axes: Axes, below: str, unit: str) -> None:
    axes.set_xlabel(below)
    axes.set_ylabel(unit)
    axes.grid(alpha=0.25, color=GREY)


def _ticks(axis: Axis, scale: str, steps: Sequence[float] = (1, 2, 5)) -> None:
    """Plain numbers; on a logarithmic axis enough of them where it is less than a decade."""
    if scale == "log":
        axis.set_major_locator(LogLocator(subs=steps))
        axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(_plain))


def _legend(axes: Axes) -> None:
    """Above the lines, in their colours."""
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, labelcolor="linecolor", fontsize=9)


def _plain(value: float, _: object) -> str:
    return f"{value:,g}"


def _line(axes: Axes, curve: str, points: Sequence[Figure], colour: str) -> None:
    """Medians, with all rounds as a band: multiples of the first point, whose cost was measured in the same round."""
    first = points[0].yardstick
    at = [int(point.extra["at"]) for point in points]
    axes.fill_between(
        at, [first / one.ratio_max for one in points], [first / one.ratio_min for one in points],
        alpha=0.2, color=colour, linewidth=0,
    )  # fmt: skip
    _ticks(axes.xaxis, "log", (1,))
    _ticks(axes.yaxis, "log")
    costs = [first / one.ratio for one in points]
    axes.plot(at, costs, color=colour, label=curve.replace("_", " "))
    for x, y, point in zip(at, costs, points, strict=True):  # hollow: disturbed
        hollow = bool(point.disturbed)
        axes.plot(x, y, "o", color=colour, markersize=8 if hollow else 5, fillstyle="none" if hollow else "full")


def _svg(picture: Picture) -> str:
    out = io.StringIO()
    picture.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"
