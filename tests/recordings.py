"""Real captures of exchanges. They lie beside the repository, not in it: a test that needs one skips without it."""

import gzip
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import msgspec
import pytest

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
    path = FOLDER / f"{name}.jsonl.gz"
    if not path.exists():
        pytest.skip(f"the recording {path.name} is not in ../shared/recordings")
    return iter(_lines(path))


@cache
def _lines(path: Path) -> tuple[Recorded, ...]:
    decode = msgspec.json.Decoder(Recorded).decode
    with gzip.open(path, "rb") as lines:
        return tuple(map(decode, lines))
