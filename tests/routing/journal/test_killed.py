"""The process that writes is killed: what it was told is written is there, and nothing but what it wrote."""

import contextlib
import os
import select
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path
from random import Random

import attrs
import pytest

from ticktree.routing.journal import read

from ...actors.support import note_soak
from .journal_process import numbered
from .some import opened

ROOT = Path(__file__).parents[3]
PIPE_BYTES = 1 << 16
LONGEST_S = 0.05  # of a life, after it was ready


@attrs.define
class Lives:
    """One journal through the lives of many writers that were killed."""

    path: Path
    random: Random
    durability: str = "os"
    kills: int = 0
    torn: int = 0
    acknowledged: int = 0
    facts: int = 0

    def one(self) -> None:
        """A life that goes on where the one before was killed."""
        with self._writer() as (process, said):
            time_s = self.random.random() ** 2 * LONGEST_S
            told = self._hear(process, said, time_s)
        assert told.startswith(b"ready\n")
        lines = told.split(b"\n")[:-1]  # what was said in part was not said
        acknowledged = int(lines[-1]) if len(lines) > 1 else self.facts
        found = list(read(self.path))
        journal, facts, recovery = opened(self.path)
        journal.close()
        assert facts == found
        assert facts == [numbered(number) for number in range(len(facts))]
        assert len(facts) >= acknowledged
        self.kills += 1
        self.torn += recovery.torn_bytes > 0
        self.acknowledged += acknowledged - self.facts
        self.facts = len(facts)

    @contextlib.contextmanager
    def _writer(self) -> Generator[tuple["subprocess.Popen[bytes]", int]]:
        command = [sys.executable, "-m", "tests.routing.journal.journal_process", str(self.path), self.durability]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            try:
                yield process, process.stdout.fileno()
            finally:
                process.kill()

    def _hear(self, process: "subprocess.Popen[bytes]", said: int, time_s: float) -> bytes:
        """All that it said until it was killed, `time_s` after it was ready."""
        told = os.read(said, PIPE_BYTES)
        until_s = time.monotonic() + time_s
        while (left_s := until_s - time.monotonic()) > 0 and select.select([said], [], [], left_s)[0]:
            told += os.read(said, PIPE_BYTES)
        process.kill()
        process.wait()
        while data := os.read(said, PIPE_BYTES):
            told += data
        return told


@pytest.mark.parametrize(("seed", "durability"), [(1, "os"), (2, "os"), (3, "fsync"), (4, "fsync")])
def test_a_killed_writer_loses_nothing_it_was_told_is_written(seed: int, durability: str, tmp_path: Path) -> None:
    lives = Lives(tmp_path / "main.journal", Random(seed), durability)
    for _ in range(3):
        lives.one()
    assert lives.acknowledged > 0


@pytest.mark.soak
def test_200_killed_writers_lose_nothing_they_were_told_is_written(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    counts = dict[str, int]()
    for durability in ("os", "fsync"):
        for journal in range(10):  # each read as often as it has lives
            lives = Lives(tmp_path / f"{durability}-{journal}.journal", Random(journal), durability)
            for _ in range(10):
                lives.one()
            for name, value in attrs.asdict(lives, filter=lambda field, _: field.type is int).items():
                counts[f"{durability}_{name}"] = counts.get(f"{durability}_{name}", 0) + value
    assert counts["os_kills"] == counts["fsync_kills"] == 100
    assert min(counts["os_acknowledged"], counts["fsync_acknowledged"]) > 100
    note_soak(pytestconfig, "journal_killed", {**counts, "lost": 0})
