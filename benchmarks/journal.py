"""The order journal: what a fact costs before an order may be sent, and how fast a restart knows them all.

`append_os`        one fact, over a bare `os.write` of the same bytes
`append_fsync`     one fact and its commit, over `os.write` and `os.fdatasync` of the same bytes in the loop's thread
`append_fsync_32`  a fact when 32 are committed together, over `os.write` and `os.fdatasync` for each
`recovery`         a fact at `open`, over reading the file whole, CRC-32 and a msgpack decoder that knows no types

Half of the facts are legs about to be sent, half are fills in a venue's words. The files lie where Python makes
temporary files (`TMPDIR`). `append_fsync` pays for two changes of the thread, and leaves the loop to others meanwhile.
"""

import asyncio
import os
import struct
import tempfile
import time
import zlib
from collections.abc import AsyncIterator
from decimal import Decimal
from itertools import islice
from pathlib import Path

import attrs
import msgspec

from ticktree.market import Side
from ticktree.routing.facts import AnyFact, Reported, Sent
from ticktree.routing.journal import Durability, Journal
from ticktree.routing.journal.commits import sync
from ticktree.routing.journal.format import FRAME, HEADER, Framing
from ticktree.routing.orders import Purpose, TimeInForce
from ticktree.routing.reports import Report, ReportKind, VenueExecution

from .measure import Figure, Inexact, Plan, Unit, per_second

NOW_NS = 1_700_000_000_000_000_000
TOGETHER = 32
MICROSECONDS = Unit("us", lambda cost_s: cost_s * 1e6)


def facts(count: int) -> list[AnyFact]:
    """As many, in turn of both kinds."""
    found = list[AnyFact]()
    for number in range(count // 2):
        leg = f"e7k2-{number}-1"
        found.append(
            Sent(NOW_NS, leg, f"e7k2-{number}", 1, 1, "kraken", "main", Purpose.WORK, Side.BUY, 1_000, 6_543_210,
                 TimeInForce.IOC, 0, False, False, 1_000)
        )  # fmt: skip
        execution = VenueExecution(f"T{number}", "BTC-USDT", Side.BUY, 1_000, 6_543_210, Decimal("0.17"), "USDT")
        report = Report(ReportKind.FILL, leg, NOW_NS, 1_000, execution=execution, received_ns=NOW_NS)
        found.append(Reported(NOW_NS, "kraken", "main", report))
    return found


@attrs.frozen
class Appending:
    """The same facts to a journal, and as bytes to a bare file."""

    journal: Journal
    fd: int
    facts: list[AnyFact]
    frames: list[bytes]

    async def to_journal(self) -> float:
        """Seconds a fact."""
        append, before = self.journal.append, self.journal.records
        began_s = time.perf_counter()
        for fact in self.facts:
            append(fact)
        return self._cost_s(began_s, before)

    async def to_file(self) -> float:
        """Seconds for its bytes."""
        fd, write = self.fd, os.write
        began_s = time.perf_counter()
        for frame in self.frames:
            write(fd, frame)
        return (time.perf_counter() - began_s) / len(self.frames)

    async def committed(self) -> float:
        """Seconds a fact, each waited for."""
        append, committed, before = self.journal.append, self.journal.committed, self.journal.records
        began_s = time.perf_counter()
        for fact in self.facts:
            append(fact)
            commit = committed()
            if commit is not None:
                await commit
        return self._cost_s(began_s, before)

    async def committed_together(self) -> float:
        """Seconds a fact, so many waited for at once."""
        journal, before, rest = self.journal, self.journal.records, iter(self.facts)
        began_s = time.perf_counter()
        while batch := list(islice(rest, TOGETHER)):
            waiting = list[asyncio.Future[None]]()
            for fact in batch:
                journal.append(fact)
                if (commit := journal.committed()) is not None:
                    waiting.append(commit)
            await asyncio.gather(*waiting)
        return self._cost_s(began_s, before)

    async def to_disk(self) -> float:
        """Seconds for its bytes, each waited for."""
        began_s = time.perf_counter()
        for frame in self.frames:
            os.write(self.fd, frame)
            sync(self.fd)
        return (time.perf_counter() - began_s) / len(self.frames)

    def _cost_s(self, began_s: float, before: int) -> float:
        elapsed_s = time.perf_counter() - began_s
        if self.journal.records - before != len(self.facts) or self.journal.committed() is not None:
            raise Inexact("the journal does not hold, or has not committed, what it was given")
        return elapsed_s / len(self.facts)


@attrs.frozen
class Recovering:
    """A journal of so many facts."""

    path: Path
    count: int

    async def opened(self) -> float:
        """Seconds a fact."""
        journal, found = Journal(self.path), 0

        def apply(_: AnyFact) -> None:
            nonlocal found
            found += 1

        began_s = time.perf_counter()
        journal.open(apply)
        cost_s = time.perf_counter() - began_s
        journal.close()
        return self._checked(cost_s, found)

    async def decoded(self) -> float:
        """Seconds to check and decode one, without a question asked."""
        decode, head, crc32 = msgspec.msgpack.Decoder().decode, struct.Struct("<IIIQ").unpack_from, zlib.crc32
        began_s, found, at = time.perf_counter(), 0, HEADER.size
        data = memoryview(self.path.read_bytes())
        while at < len(data):
            _, _, length, _ = head(data, at)
            end = at + FRAME.size + length
            crc32(data[at:end])
            decode(data[at + FRAME.size : end])
            found, at = found + 1, end
        return self._checked(time.perf_counter() - began_s, found)

    def _checked(self, cost_s: float, found: int) -> float:
        if found != self.count:
            raise Inexact(f"{found} facts of {self.count} were found")
        return cost_s / self.count


async def figures(plan: Plan) -> AsyncIterator[Figure]:
    """`journal`."""
    with tempfile.TemporaryDirectory() as folder:
        for durability, count in ((Durability.OS, plan.size(20_000, 64)), (Durability.FSYNC, plan.size(512, 64))):
            journal = Journal(Path(folder, f"{durability}.journal"), durability)
            journal.open(id)
            fd = os.open(Path(folder, f"{durability}.bare"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                given, framing = facts(count), Framing(1)
                sides = Appending(journal, fd, given, [bytes(framing.frame(fact, 1)) for fact in given])
                async for figure in _appending(plan, sides):
                    yield figure
            finally:
                journal.close()
                os.close(fd)
        recovering = _filled(Path(folder, "recovery.journal"), plan.size(200_000, 1_000))
        name = ("journal", "recovery")
        yield await plan.compare(name, per_second("facts"), recovering.opened, recovering.decoded)


async def _appending(plan: Plan, sides: Appending) -> AsyncIterator[Figure]:
    if sides.journal.durability is Durability.OS:
        yield await plan.compare(("journal", "append_os"), MICROSECONDS, sides.to_journal, sides.to_file)
        return
    yield await plan.compare(("journal", "append_fsync"), MICROSECONDS, sides.committed, sides.to_disk)
    name = ("journal", f"append_fsync_{TOGETHER}")
    yield await plan.compare(name, MICROSECONDS, sides.committed_together, sides.to_disk)


def _filled(path: Path, count: int) -> Recovering:
    journal = Journal(path)
    journal.open(id)
    for fact in facts(count):
        journal.append(fact)
    journal.close()
    return Recovering(path, count)
