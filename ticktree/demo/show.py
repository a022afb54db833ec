"""The demo, from its first line to its last.

The street is started first, and what else is needed imported while it starts: that saves half a second.
"""

import logging
import os
import signal
import sys
from collections import deque
from typing import Literal

import attrs

from .. import logs
from ..companion import Companion
from ..scratch import scratch
from .places import VENUES

PAPER = "PAPER: every exchange and venue is simulated on this machine"
CUT_AT = 0.7  # part of the time
LINES_KEPT = 16


@attrs.frozen
class Wishes:
    """What the command was asked for. `began_ns`: when it began, in monotonic time."""

    for_s: float
    seed: int
    loop: Literal["uvloop", "asyncio"]
    plain: bool
    began_ns: int


class Kept(logging.Handler):
    """Keeps the last lines, for a screen, and for afterwards the demo's own, with what went wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logs.Human())
        self.lines, self.story = deque[str](maxlen=LINES_KEPT), deque[str](maxlen=2 * LINES_KEPT)

    def emit(self, record: logging.LogRecord) -> None:
        line = self.format(record)
        self.lines.append(line)
        if record.levelno >= logging.ERROR or record.name == "ticktree.demo":
            self.story.append(line)


class Interrupts:
    """Ctrl-C while nothing runs yet is remembered, and heeded once there is something to stop. Who asks once more at
    the end gets what is being said anyway: this process has nothing else to do."""

    def __init__(self) -> None:
        self.asked = False

    def __enter__(self) -> "Interrupts":
        signal.signal(signal.SIGINT, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def _ask(self, *_: object) -> None:
        self.asked = True


def play(wishes: Wishes) -> int:
    """Run it; the exit code: 0, unless something happened that must not. Raises `StartFailed`, `CompanionFailed`."""
    with Interrupts() as interrupts:
        print(PAPER, flush=True)
        kept = _listen(wishes.plain)
        return _play(wishes, kept, interrupts)


def _play(wishes: Wishes, kept: Kept | None, interrupts: Interrupts) -> int:
    arguments = str(wishes.seed), f"{CUT_AT * wishes.for_s:.3f}"
    with (
        scratch("ticktree-demo-") as folder,
        Companion("the street", "ticktree.demo.street", *arguments) as street,
    ):
        from ..assembly import assemble
        from .ending import Usage, ending
        from .performance import Performance
        from .trading import application

        urls = street.addresses(2 + len(VENUES))
        if interrupts.asked:
            print("stopped before it began", flush=True)
            return 0
        app = application(urls, folder / "orders.journal", wishes.loop)
        performance = Performance(wishes, assemble(app), street)
        report = performance.play(kept)
    picture, usage = performance.camera.take(), Usage.now()
    wrongs = performance.wrong(report)
    lines = [*(kept.story if kept is not None else ()), "", ending(report, picture, performance.milestones, usage)]
    print("\n".join([*lines, *(f"wrong: {what}" for what in wrongs)]), flush=True)
    return report.exit_code or int(bool(wrongs))


def _listen(plain: bool) -> Kept | None:
    """Have the log printed, or kept for the screen, where there is one."""
    if plain or not sys.stdout.isatty() or os.environ.get("TERM", "dumb") == "dumb":
        logs.set_up()
        return None
    kept = Kept()
    logging.getLogger().addHandler(kept)
    logging.getLogger(logs.ROOT).setLevel(logging.INFO)
    return kept
