"""What the JSON of all exchanges has in common: numbers within bounds, and keys that come once.

msgspec checks the bounds in C. They refuse infinity, and NaN, which is above nothing; and numbers of 30 digits.
"""

import json
from collections.abc import Callable
from typing import Annotated, Any, cast

import msgspec
from msgspec import Meta

from ticktree.market.strict_json import once

MOST = 1e20  # far above any price or size that an exchange lets anyone write

Price = Annotated[float, Meta(gt=0, le=MOST)]
Size = Annotated[float, Meta(ge=0, le=MOST)]
Whole = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
Levels = tuple[tuple[Price, Size], ...]


def decoder(type: Any) -> Callable[[memoryview | bytes], Any]:
    """Reads JSON as `type`, and numbers also from texts. Raises `ValueError`, `RecursionError`."""
    return msgspec.json.Decoder(type, strict=False).decode


def parsed(data: bytes) -> Any:
    """JSON, as whatever it is. Raises `ValueError` and `RecursionError`, also for a key that comes twice."""
    found = msgspec.json.decode(data)
    if _keys(found) != data.count(b":"):  # a colon in a text, or a key that was there before: slower, it can be told
        json.loads(data, object_pairs_hook=once)
    return found


def _keys(found: object) -> int:
    if isinstance(found, dict):
        members = cast(dict[str, object], found)
        return len(members) + sum([_keys(member) for member in members.values()])
    return sum([_keys(item) for item in cast(list[object], found)]) if isinstance(found, list) else 0
