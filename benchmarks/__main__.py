"""`python -m benchmarks [NAME ...]`: JSON lines on stdout, progress and a table on stderr."""

import argparse
import asyncio
import contextlib
import difflib
import os
import platform
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from importlib import metadata
from typing import NoReturn

import uvloop

from . import (
    backtest,
    book,
    fanout,
    handoff,
    journal,
    latency,
    mailbox,
    orders,
    overload,
    peers,
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
from .limits import Missing
from .measure import ROUNDS_LEAST, Figure, Plan, pin_to_one_cpu, say, table, with_extra

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
    "peers": peers.figures,
    "scale": scale.figures,
    "tuning": tuning.figures,
}
LONG: dict[str, Benchmark] = {"overload": overload.figures}  # only where they are asked for by name


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; 0, or 2 for a command that makes no sense."""
    asked = _parse(arguments)
    if asked.list:
        for name in BENCHMARKS:
            print(f"{name:<14}{_promise(name)}")
        return 0
    plan, found = Plan(rounds=ROUNDS_TINY if asked.tiny else asked.rounds, tiny=asked.tiny), list[Figure]()
    cpu = pin_to_one_cpu()
    with contextlib.ExitStack() as stack:
        outputs = [sys.stdout]
        if asked.json:
            outputs.append(stack.enter_context(open(asked.json, "w", encoding="utf-8")))

        def publish(figure: Figure) -> None:
            figure = with_extra(figure, conditions=_conditions(cpu))
            found.append(figure)
            for output in outputs:
                print(figure.line(), file=output, flush=True)
            if figure.extra.get("interference"):
                say("")
                print(f"{figure.label}: the yardstick itself varied, measure again in peace", file=sys.stderr)

        for name in asked.names or BENCHMARKS:  # each on a loop of its own
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                try:
                    runner.run(_run(BENCHMARKS[name](plan), publish))
                except Missing as missing:
                    say("")
                    print(f"{name}: not measured: {missing}", file=sys.stderr)
    say("")
    print(table(found), file=sys.stderr)
    return 0


async def _run(figures: AsyncIterator[Figure], publish: Callable[[Figure], None]) -> None:
    async for figure in figures:
        publish(figure)


def _conditions(cpu: int | None) -> dict[str, object]:
    return {
        "python": platform.python_version(),
        "uvloop": metadata.version("uvloop"),
        "cpu": cpu,
        "load": round(os.getloadavg()[0], 2),
    }


def _promise(name: str) -> str:
    document = sys.modules[BENCHMARKS[name].__module__].__doc__ or ""
    return document.partition("\n")[0]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _Parser(prog="benchmarks", description=__doc__, allow_abbrev=False)
    parser.add_argument("names", metavar="NAME", nargs="*", type=_name, help="which benchmarks; all without one")
    parser.add_argument("--list", action="store_true", help="only tell which there are")
    parser.add_argument("--rounds", type=_rounds, default=9, metavar="N", help=f"{ROUNDS_LEAST} or more (9)")
    parser.add_argument("--json", metavar="FILE", help="write the lines to FILE, too")
    parser.add_argument(
        "--tiny", action="store_true", help="only see that everything runs, in 1 round; the figures mean nothing"
    )
    return parser.parse_args(arguments)


def _name(text: str) -> str:
    if text in BENCHMARKS:
        return text
    near = difflib.get_close_matches(text, BENCHMARKS, 1, 0.4)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(BENCHMARKS)}"
    raise argparse.ArgumentTypeError(f"no benchmark is called {text!r}: {hint}")


def _rounds(text: str) -> int:
    if text.isdecimal() and int(text) >= ROUNDS_LEAST:
        return int(text)
    raise argparse.ArgumentTypeError(f"a median needs {ROUNDS_LEAST} rounds or more; not {text!r}")


if __name__ == "__main__":
    sys.exit(main())
