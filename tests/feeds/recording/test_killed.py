"""The recorder's process is killed, or its disk is full: what is in the file is a prefix of what was sent."""

import socket
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import numpy as np
import pytest

from ticktree.feeds.recording import EntryKind, Hole, Reading
from ticktree.market.ticks import encoded

from ..test_wire_feed import trades
from .replaying import recorded_in

ROOT = Path(__file__).parents[3]
ENDLESS = 1 << 60
BLOCK = encoded(trades(2_000))


def stream() -> Iterator[bytes]:
    """Numbered trades, without an end."""
    block = BLOCK.copy()
    while True:
        yield block.tobytes()
        block["sequence"] += np.uint64(len(block))


@contextmanager
def recorder(folder: Path, wanted: int, *most: int) -> Generator[tuple[socket.socket, "subprocess.Popen[bytes]"]]:
    """A process that records what is sent to it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        arguments = (listener.getsockname()[1], folder, wanted, *most)
        command = [sys.executable, "-m", "tests.feeds.recording.recording_process", *map(str, arguments)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        try:
            client, _ = listener.accept()
            client.settimeout(60)
            with client:
                yield client, process
        finally:
            process.kill()
            process.communicate()


def written(folder: Path) -> tuple[bytes, Hole, Reading]:
    """What the file has of the messages, what is missing, and how it was read."""
    (path,) = recorded_in(folder)
    reading, data, missing = Reading(path), bytearray(), Hole(0, 0)
    for block in reading.blocks():
        if block.kind is EntryKind.RECEIVED:
            data += block.body
        elif block.kind is EntryKind.HOLE:
            hole = Hole.parse(block.body)
            missing = missing.plus(hole.messages, hole.size)
    return bytes(data), missing, reading


def killed(folder: Path, random: Random) -> int:
    """Kill it after some bytes; how many it had written by then, which are the first that were sent."""
    sent, most = bytearray(), random.randrange(20_000_000)
    with recorder(folder, ENDLESS) as (client, process):
        for block in stream():
            sent += block
            client.sendall(block)
            if len(sent) >= most:
                break
        process.kill()
        process.wait()
    data, missing, reading = written(folder)
    progress = reading.progress()
    assert sent.startswith(data)
    assert missing == Hole(0, 0)
    assert progress.bytes_done + progress.torn_bytes == progress.bytes_total
    return len(data)


@pytest.mark.parametrize("seed", range(5))
def test_what_a_killed_recorder_wrote_is_a_prefix_of_what_was_sent(seed: int, tmp_path: Path) -> None:
    killed(tmp_path, Random(seed))


@pytest.mark.soak
def test_what_200_killed_recorders_wrote_are_prefixes_of_what_was_sent(tmp_path: Path) -> None:
    random = Random(1)
    lengths = list[int]()
    for number in range(200):
        (folder := tmp_path / str(number)).mkdir()
        lengths.append(killed(folder, random))
        for path in recorded_in(folder):
            path.unlink()
    assert sum(length > 0 for length in lengths) > 100


def ended(folder: Path, *most: int) -> tuple[bytes, dict[str, Any]]:
    """Have 8 MB recorded; what was sent, and what the process says at its end."""
    wanted, sent = 8_000_000, bytearray()
    with recorder(folder, wanted, *most) as (client, process):
        for block in stream():
            sent += block
            client.sendall(block)
            if len(sent) >= wanted:
                break
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return bytes(sent), msgspec.json.decode(output)


def test_a_recorder_that_ends_has_written_everything(tmp_path: Path) -> None:
    sent, told = ended(tmp_path)
    data, missing, reading = written(tmp_path)
    assert data == sent[: len(data)]
    assert len(data) >= 8_000_000
    assert (missing, reading.progress().torn_bytes, told["missed_bytes"], told["error"]) == (Hole(0, 0), 0, 0, "")


def test_a_full_disk_costs_the_recording_and_not_the_feed(tmp_path: Path) -> None:
    sent, told = ended(tmp_path, 1_000_000)
    data, missing, reading = written(tmp_path)
    assert told["error"].endswith("File too large")
    assert told["unrecorded"] == 1
    assert told["recorded_bytes"] + told["missed_bytes"] == told["arrived_bytes"] >= 8_000_000
    assert data == sent[: len(data)]
    assert 0 < len(data) < 1_000_000
    assert missing == Hole(told["missed_messages"], told["missed_bytes"])
    assert reading.progress().torn_bytes == 0
