"""Messages made wrong: what no exchange should say, and what a decoder must not believe."""

import json
import struct
from collections.abc import Iterator
from typing import Any, cast

import msgspec

DEPTH = 5_000
NO_NUMBERS = ("NaN", "Infinity", "-Infinity", "-1", "1e999", "9" * 30, "null", "[" * DEPTH + "]" * DEPTH)
NO_TEXTS = ('"nan"', '"inf"', '"-inf"', '"-1"', '"1e999"', f'"{"9" * 30}"', '""', '"\\ud800"', "null", "{}")
FINITE = ("-1", "9" * 30)
_HOLE = "@@hole@@"
_PLACES = 24  # of one message that are made wrong: a book of a thousand levels tells no more than one of ten

NOT_JSON = (
    b"",
    b"{",
    b"\x00",
    b"\xff\xfe",
    b"GET / HTTP/1.1",
    b'{"a":1}{"a":1}',
    b"[" * DEPTH + b"]" * (DEPTH - 1),
    b'{"a":NaN}x',
)
STRANGE = (b"null", b"[]", b"{}", b"1", b'"x"', b"9" * 5_000, b"[" * DEPTH + b"]" * DEPTH, b'{"type":"x","x":[1]}')


def is_json(message: bytes) -> bool:
    """Whether it is an object or a list of JSON."""
    try:
        return isinstance(msgspec.json.decode(message), dict | list)
    except (ValueError, RecursionError):
        return False


def wrong_values(message: bytes, any_finite: bool = False) -> Iterator[tuple[str, bytes]]:
    """`message` with one value replaced by one that cannot be, and what was done; each place, each value.

    `any_finite`: what is finite can be.
    """
    whole = msgspec.json.decode(message)
    for place in list(_places(whole, ()))[:_PLACES]:
        value = _at(whole, place)
        for text in NO_NUMBERS if not isinstance(value, str) else NO_TEXTS:
            if text == _text(value) or (any_finite and text in FINITE):
                continue
            yield f"{text[:40]} in place of {value!r:.40} at {_shown(place)}", _with(whole, place, text)


def wrong_texts(message: bytes) -> Iterator[tuple[str, bytes]]:
    """`message`, no longer JSON or with a key that comes twice, and what was done."""
    for part in (1, len(message) // 2, len(message) - 1):
        yield f"its first {part} bytes", message[:part]
    yield "itself twice", message + message
    yield "garbage after it", message + b"x"
    yield "a byte order mark before it", b"\xef\xbb\xbf" + message
    quote = message.find(b'"', message.find(b":"))
    if quote >= 0:
        yield "no UTF-8 in a text", message[: quote + 1] + b"\xff\xfe" + message[quote + 1 :]
    whole = msgspec.json.decode(message)
    for place, members in _objects(whole, ()):
        for key in members:
            doubled = f"{_text(key)}:{_text(members[key])},{_text(members)[1:]}"
            yield f"the key {key!r} twice at {_shown(place)}", _with(whole, place, doubled, opened=True)


def wrong_floats(message: bytes, prices: tuple[str, ...], sizes: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
    """A binary `message`, where the doubles of `prices` or `sizes` are in it: not finite, or below 0 (sizes)."""
    for texts, wrong in ((prices, ("nan", "inf", "-inf")), (sizes, ("nan", "inf", "-1"))):
        for text in texts:
            for order in "<>":
                packed = struct.pack(order + "d", float(text))
                if packed in message:
                    for value in wrong:
                        instead = struct.pack(order + "d", float(value))
                        yield f"{value} in place of {text}", message.replace(packed, instead, 1)


def _places(value: Any, place: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """Every value that is neither object nor list."""
    if isinstance(value, dict):
        for key, member in cast(dict[str, Any], value).items():
            yield from _places(member, (*place, key))
    elif isinstance(value, list):
        for index, item in enumerate(_items(value)):
            yield from _places(item, (*place, index))
    else:
        yield place


def _objects(value: Any, place: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    if isinstance(value, dict):
        members = cast(dict[str, Any], value)
        yield place, members
        for key, member in members.items():
            yield from _objects(member, (*place, key))
    elif isinstance(value, list):
        for index, item in enumerate(_items(value)):
            yield from _objects(item, (*place, index))


def _items(value: Any) -> list[Any]:
    return value  # type: ignore[no-any-return]  # a list, as the caller has seen


def _at(whole: Any, place: tuple[Any, ...]) -> Any:
    for step in place:
        whole = whole[step]
    return whole


def _with(whole: Any, place: tuple[Any, ...], text: str, opened: bool = False) -> bytes:
    """`whole` as text, with `text` at `place`, as it is; `opened`: it lacks the brace that opens it."""
    text = "{" + text if opened else text
    if not place:
        return text.encode()
    copy = msgspec.json.decode(msgspec.json.encode(whole))
    _at(copy, place[:-1])[place[-1]] = _HOLE
    return _text(copy).replace(f'"{_HOLE}"', text, 1).encode()


def _text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _shown(place: tuple[Any, ...]) -> str:
    return ".".join(map(str, place)) or "the top"
