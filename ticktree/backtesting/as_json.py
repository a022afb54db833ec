"""A back-test as one document of JSON, for programs: docs/statistics.md has its shape.

Exact numbers are text: no digit is lost. Times are nanoseconds since 1970. `msgspec.json.decode(data, type=Document)`
reads it back.
"""

from importlib.metadata import PackageNotFoundError, version
from typing import Final

import msgspec

from .result import Outcome, Value
from .statistics import Statistics

VERSION: Final = 1


class Document(Value, frozen=True, gc=False, kw_only=True):
    """The whole. `version`: of this shape."""

    version: int = VERSION
    ticktree: str
    statistics: Statistics
    outcome: Outcome


def as_json(outcome: Outcome, statistics: Statistics) -> bytes:
    """All of it in one line, with its end."""
    document = Document(ticktree=_installed(), statistics=statistics, outcome=outcome)
    return msgspec.json.encode(document) + b"\n"


def _installed() -> str:
    try:
        return version("ticktree")
    except PackageNotFoundError:  # a source tree that was never installed
        return "unknown"
