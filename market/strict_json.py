"""JSON into messages, or a reason why not: what a lenient parser lets pass is refused.

msgspec already refuses NaN, numbers beyond 64 bits, depth, and fields that are not in the message. It takes the last
of two equal keys, and skims over what it skips; both are caught here.
"""

import json
from typing import Any, Generic, TypeVar

import msgspec

T = TypeVar("T", bound=msgspec.Struct)


class Strict(Generic[T]):
    """Reads one JSON object as one of the tagged `types`, none of which takes a field it does not know."""

    def __init__(self, *types: type[T]) -> None:
        if not all(type.__struct_config__.forbid_unknown_fields for type in types):
            raise TypeError("a message that takes unknown fields cannot be read strictly")
        union: Any = types[0]
        for other in types[1:]:
            union = union | other
        self._decoder: msgspec.json.Decoder[T] = msgspec.json.Decoder(union)
        self._keys = {type: _required_keys(type) for type in types}

    def decode(self, data: bytes) -> T:
        """The message in `data`. Raises `ValueError`, whose text shows no values but those of wrong choices.

        Do not chain it: the errors of json and Unicode behind it hold the whole text, and that may hold a token.
        """
        try:
            message = self._decoder.decode(data)
            # Each key has a colon. No more colons than keys that must be there: none came twice, which is settled in
            # 100 ns; only nested or optional keys, and colons in texts, need the second look.
            if data.count(b":") > self._keys[type(message)]:
                json.loads(str(data, "utf-8"), object_pairs_hook=once, parse_int=len, parse_float=len)
        except RecursionError as error:
            raise ValueError(str(error)) from None
        return message


def _required_keys(type: type[msgspec.Struct]) -> int:
    return sum(field.required for field in msgspec.structs.fields(type)) + (type.__struct_config__.tag is not None)


def once(pairs: list[tuple[str, Any]]) -> None:
    """For `json.loads(..., object_pairs_hook=once)`: raises `ValueError` for a key that comes twice in an object."""
    seen = set[str]()
    for key, _ in pairs:
        if key in seen:
            raise ValueError(f"the key {key[:64]!r} comes twice")
        seen.add(key)
