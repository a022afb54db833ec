"""Real captures of exchanges. They lie beside the repository, not in it: a test that needs one skips without it."""

import gzip
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import msgspec
import pytest

from ticktree.feeds.recording import Entry, read

FOLDER = Path(__file__).parents[1].parent / "shared" / "recordings"


class Recorded(msgspec.Struct, frozen=True):
    """One line: `data` came from `url`, or over connection `conn`, at `t` (unix seconds).

    `kind`: http (an answer), connect (a WebSocket was opened), sent, received.
    """

    t: float
    kind: str
    conn: int = 0
    url: str = ""
    data: str = ""


def recording(name: str) -> Iterator[Recorded]:
    """The lines of the capture of that name, in order."""
    return iter(_lines(path(name)))


def entries(name: str) -> tuple[Entry, ...]:
    """What the capture of that name holds."""
    return _entries(path(name))


def path(name: str) -> Path:
    """Where it lies. Skips the test where it does not."""
    found = FOLDER / f"{name}.jsonl.gz"
    if not found.exists():
        pytest.skip(f"the recording {found.name} is not in ../shared/recordings")
    return found


@cache
def _entries(path: Path) -> tuple[Entry, ...]:
    return tuple(read(path))


@cache
def _lines(path: Path) -> tuple[Recorded, ...]:
    decode = msgspec.json.Decoder(Recorded).decode
    with gzip.open(path, "rb") as lines:
        return tuple(map(decode, lines))
