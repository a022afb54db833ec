"""`python -m tests.feeds.recording.recording_process PORT FOLDER BYTES [MOST_FILE_BYTES]`: records bare trades.

Says on stdout, once so many bytes were read, what became of them; then ends.
"""

import asyncio
import resource
import sys
from pathlib import Path

import msgspec
import uvloop

from ticktree.actors import ChildSpec, DropOldest, Mailbox, Supervisor, System
from ticktree.feeds import RecordFeed, Source
from ticktree.feeds.recording import Recorder
from ticktree.market import Batch, Port, Topic

from ..json_feed import BTC


class Sink:
    def __init__(self, wanted: int) -> None:
        self.left, self.done = wanted, asyncio.Event()

    def attach(self, port: Port) -> None: ...

    def mark(self, mark: object) -> None: ...

    def publish(self, batch: Batch) -> None:
        self.left -= 64 * len(batch)
        if self.left <= 0:
            self.done.set()


async def main(port: str, folder: str, wanted: str, most: str = "") -> None:
    if most:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(most), int(most)))
    recorder, sink = Recorder(Path(folder)), Sink(int(wanted))
    source = Source("test", (Topic.parse("test/*/trade"),), sink, tap=recorder)
    url = f"tcp://127.0.0.1:{port}"
    feed = ChildSpec("feed", lambda: RecordFeed(source, url, (BTC,)), Mailbox(100, DropOldest()))
    async with System(Supervisor((feed,))):
        await sink.done.wait()
    stats = recorder.stats()
    fields = ("arrived_messages", "arrived_bytes", "recorded_bytes", "missed_messages", "missed_bytes", "error")
    told = {name: getattr(stats, name) for name in fields}
    print(msgspec.json.encode({**told, "unrecorded": source.account.unrecorded}).decode())


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(*sys.argv[1:]))
