"""Records Gate's trades and books of BTC-USDT until Ctrl-C, or plays a recording: `python record.py FOLDER_OR_FILE`.

Addresses after FOLDER stand for the exchange's own: of its WebSocket, and of what it answers over HTTP.
"""

import sys
from pathlib import Path

from gate_feed import GateFeed

from ticktree.actors import ChildSpec, DropOldest, Mailbox, Supervisor, System, run_system
from ticktree.feeds import Source
from ticktree.feeds.recording import Recorder
from ticktree.market import Batch, Mark, Port, Topic

TOPICS = tuple(map(Topic.parse, ("gate/BTC-USDT/trade", "gate/BTC-USDT/book")))
BOX = Mailbox(100, DropOldest())


class Printer:
    """Where data go: here, to the screen."""

    def attach(self, port: Port) -> None:
        """A life of the feed begins."""

    def publish(self, batch: Batch) -> None:
        """Data came."""
        for event in batch.events:
            print(event, flush=True)

    def mark(self, mark: Mark) -> None:
        """The feed says what its data are worth."""
        print(mark, flush=True)


def recorded(folder: Path, *urls: str) -> GateFeed:
    """A feed that brings what the exchange says, and keeps it as it came in a file in `folder`."""
    return GateFeed(Source("gate", TOPICS, Printer(), tap=Recorder(folder)), *urls)


def played(file: Path) -> GateFeed:
    """The same feed, which takes the file for the exchange: its stream, and its answers over HTTP."""
    return GateFeed(Source("gate", TOPICS, Printer()), file.absolute().as_uri())


def system(where: str, *urls: str) -> System:
    """The feed alone, under a supervisor."""
    path = Path(where)
    spec = ChildSpec("gate", lambda: recorded(path, *urls) if path.is_dir() else played(path), BOX)
    return System(Supervisor((spec,)))


if __name__ == "__main__":
    run_system(lambda: system(*sys.argv[1:]))
