"""How long a process takes that only begins: importing ticktree, its help, all that `ticktree run` needs.

`import`  `import ticktree`, over Python that imports nothing
`help`    `ticktree --help`, over Python that imports click and shows a help of its own with as many commands
`run`     all modules of a running system, over Python that imports the same dependencies

`more_ms` is what ours takes more: the goal is 150 at most, better 50. Each is a process of its own, files cached.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator

from .measure import Figure, Plan, Side, Unit, with_extra

MILLISECONDS = Unit("ms", lambda cost_s: cost_s * 1e3)

HELP = """
import click

@click.group()
def main():
    "Nothing."

for number in range(20):
    main.command(f"command{number}")(lambda: None)

main(["--help"])
"""
DEPENDENCIES = """
import aiohttp.web, attrs, click, msgspec, numpy, picows, prometheus_client, uvloop
"""
PROGRAMS = {
    "import": ("import ticktree", "pass"),
    "help": ("from ticktree.cli import main; main(['--help'])", HELP),
    "run": ("import ticktree.app, ticktree.config", DEPENDENCIES),
}


async def figures(plan: Plan) -> AsyncIterator[Figure]:
    """One figure for each of them."""
    times = plan.size(3, 1)
    for name, (ours, bare) in PROGRAMS.items():
        figure = await plan.compare(("startup", name), MILLISECONDS, _takes(ours, times), _takes(bare, times))
        yield with_extra(figure, more_ms=round(figure.ours - figure.yardstick, 1))


def _takes(program: str, times: int) -> Side:
    """A side: the quickest of so many runs of `program`."""

    async def quickest() -> float:
        return min([await asyncio.to_thread(_seconds, program) for _ in range(times)])

    return quickest


def _seconds(program: str) -> float:
    began_s = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began_s
