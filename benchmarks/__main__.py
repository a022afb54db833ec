"""`python -m benchmarks [NAME ...]`: JSON lines on stdout or in a file; progress, and then a table, on stderr."""

import argparse
import asyncio
import difflib
import os
import sys
import time
import traceback
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from pathlib import Path
from typing import NoReturn

import attrs
import uvloop

from . import (
    backtest,
    book,
    fanout,
    handoff,
    journal,
    latency,
    machine,
    mailbox,
    orders,
    overload,
    record,
    relay,
    replay,
    scale,
    spawn,
    startup,
    supervise,
    tcp,
    tuning,
    websocket,
)
from .goals import GOALS, judged
from .limits import Missing
from .measure import ROUNDS_LEAST, Figure, Plan, doubted, say, table, with_extra
from .peers import actors, bus, decode, engine
from .runs import Run, Unreadable, read, version, write

ROUNDS_TINY = 1
Benchmark = Callable[[Plan], AsyncIterator[Figure]]

BENCHMARKS: dict[str, Benchmark] = {
    "mailbox": mailbox.figures,
    "handoff": handoff.figures,
    "spawn": spawn.figures,
    "supervise": supervise.figures,
    "tcp_batch": tcp.batch_figures,
    "tcp_event": tcp.event_figures,
    "ws_json": websocket.figures,
    "fanout": fanout.figures,
    "feed_latency": latency.figures,
    "book": book.figures,
    "relay": relay.figures,
    "record": record.figures,
    "journal": journal.figures,
    "tick_to_order": orders.tick_to_order,
    "route": orders.route,
    "startup": startup.figures,
    "replay_batch": replay.batch_figures,
    "replay_event": replay.event_figures,
    "backtest": backtest.figures,
    "peers_actors": actors.figures,
    "peers_bus": bus.figures,
    "peers_decode": decode.figures,
    "peers_backtest": engine.figures,
    "scale": scale.figures,
    "tuning": tuning.figures,
}
LONG: dict[str, Benchmark] = {"overload": overload.figures}  # only where they are asked for by name
ALL = BENCHMARKS | LONG


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; 0, or 1 where a benchmark failed, or 2 for a command that makes no sense."""
    asked = _parse(arguments)
    if asked.list:
        for name in ALL:
            print(f"{name:<16}{_promise(name)}" + (" (only by name)" if name in LONG else ""))
        return 0
    names = list(dict.fromkeys(asked.names)) or list(BENCHMARKS)
    plan = Plan(rounds=ROUNDS_TINY if asked.tiny else asked.rounds, tiny=asked.tiny)
    try:
        suite = Suite(plan, asked.json, _kept(asked.json, names) if asked.names else Run())
    except Unreadable as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    for name in names:
        suite.run(name, len(names))
    _tell(suite)
    return 1 if suite.failed else 0


def _kept(path: Path | None, names: Collection[str]) -> Run:
    """What a file has of other benchmarks."""
    return read(path).without(names) if path is not None and path.exists() else Run()


@attrs.define
class Suite:
    """Benchmarks, one after the other. `kept`: what the file has already, and keeps."""

    plan: Plan
    path: Path | None
    kept: Run
    found: Run = attrs.field(factory=Run)
    failed: list[str] = attrs.field(factory=list[str])
    done: int = 0
    cpu: int | None = attrs.field(factory=machine.pin_to_one_cpu)
    began_s: float = attrs.field(factory=time.monotonic)
    watch: machine.Watch = attrs.field(factory=machine.Watch)
    conditions: dict[str, object] = attrs.field(factory=lambda: machine.conditions(version()))

    def run(self, name: str, of: int) -> None:
        """One of so many, on a loop of its own. What it could not measure is noted, and what fails in it told."""
        began_s, outcome = time.monotonic(), ""
        self.watch.taken()
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._collect(ALL[name](self.plan)))
        except Missing as missing:
            outcome = f"not measured: {missing}"
            self.found.missing[name] = str(missing)
        except Exception as error:  # the other benchmarks are worth having, too
            say("")
            traceback.print_exception(error)
            outcome = f"failed: {error!r}"
            self.found.missing[name] = outcome
            self.failed.append(name)
        self._write()
        self.done += 1
        say("")
        now_s = time.monotonic()
        took = f"{now_s - began_s:.0f} s   ({self.done} of {of}, {_minutes(now_s - self.began_s)})"
        print(f"{name}: {f'{outcome}   ' if outcome else ''}{took}", file=sys.stderr, flush=True)

    async def _collect(self, figures: AsyncIterator[Figure]) -> None:
        async for figure in figures:
            taken = self.watch.taken()
            conditions = {
                **self.conditions,
                "cpu": self.cpu,
                "load": round(os.getloadavg()[0], 2),
                **taken.conditions(),
            }
            figure = with_extra(doubted(figure, [] if self.plan.tiny else taken.reasons()), conditions=conditions)
            self.found.figures.append(figure)
            if self.path is None:
                print(figure.line(), flush=True)

    def _write(self) -> None:
        """After each benchmark: a run of minutes that is broken off leaves what it had."""
        if self.path is not None:
            both = Run(self.kept.figures + self.found.figures, self.kept.missing | self.found.missing)
            write(self.path, both)


def _tell(suite: Suite) -> None:
    """The table, what to make of it, and how long it took."""
    verdicts = judged(suite.found, GOALS)

    def told(figure: Figure) -> str:
        here = [one for one in verdicts if one.figure is figure and not figure.disturbed]
        return "; ".join(f"goal {one.goal.number}, {one.goal.measure.told(one.goal.goal)}: {one.words}" for one in here)

    figures = suite.found.figures
    print(table(figures, told), file=sys.stderr)
    for name, why in suite.found.missing.items():
        print(f"{name}: not measured: {why}", file=sys.stderr)
    disturbed = [figure for figure in figures if figure.disturbed]
    if disturbed:
        again = " ".join(dict.fromkeys(figure.benchmark for figure in disturbed))
        print(f"{len(disturbed)} of {len(figures)} figures were disturbed (?): they mean little.", file=sys.stderr)
        print(f'When nothing else runs here, measure again: make bench NAME="{again}"', file=sys.stderr)
    print(f"{len(figures)} figures in {_minutes(time.monotonic() - suite.began_s)}", file=sys.stderr)


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60} m {int(seconds) % 60:02d} s"


def _promise(name: str) -> str:
    document = sys.modules[ALL[name].__module__].__doc__ or ""
    return document.partition("\n")[0]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _Parser(
        prog="python -m benchmarks",
        description="Each figure beside what it is held against, in turn, on this machine, with medians and spread.",
        epilog="A figure with ? was disturbed, and why stands beside it. docs/performance.md tells what each means.",
        allow_abbrev=False,
    )
    parser.add_argument("names", metavar="NAME", nargs="*", type=_name, help="which benchmarks; all without one")
    parser.add_argument("--list", action="store_true", help="only tell which there are")
    parser.add_argument(
        "--rounds", type=_rounds, default=ROUNDS_LEAST, metavar="N", help=f"{ROUNDS_LEAST} (unless told) or more"
    )
    parser.add_argument(
        "--json",
        metavar="FILE",
        type=_file,
        help="write the lines to FILE; with names, what it has of other benchmarks stays there",
    )
    parser.add_argument(
        "--tiny", action="store_true", help="only see that everything runs, in 1 round; the figures mean nothing"
    )
    return parser.parse_args(arguments)


def _name(text: str) -> str:
    if text in ALL:
        return text
    near = difflib.get_close_matches(text, ALL, 1, 0.4)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(ALL)}"
    raise argparse.ArgumentTypeError(f"no benchmark is called {text!r}: {hint}")


def _file(text: str) -> Path:
    path = Path(text)
    if path.parent.is_dir() and not path.is_dir():
        return path
    raise argparse.ArgumentTypeError(f"{text!r} cannot be written: there is no such folder, or it is one itself")


def _rounds(text: str) -> int:
    if text.isdecimal() and int(text) >= ROUNDS_LEAST:
        return int(text)
    raise argparse.ArgumentTypeError(f"a median needs {ROUNDS_LEAST} rounds or more; not {text!r}")


if __name__ == "__main__":
    sys.exit(main())
