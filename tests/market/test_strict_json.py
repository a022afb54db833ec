"""JSON into messages: what a lenient parser lets pass is refused."""

import json
from typing import Annotated

import msgspec
import pytest
from hypothesis import given, strategies as st

from ticktree.market.strict_json import Strict


class Point(msgspec.Struct, frozen=True, tag_field="type", tag="point", forbid_unknown_fields=True):
    x: float
    y: Annotated[int, msgspec.Meta(le=2**63 - 1)]
    name: str = ""


class Line(msgspec.Struct, frozen=True, tag_field="type", tag="line", forbid_unknown_fields=True):
    points: tuple[Point, ...]


strict = Strict[Point | Line](Point, Line)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'{"type":"point","x":1,"y":2}', Point(1.0, 2)),
        (b' { "y" : 2 , "x" : 1e2 , "type" : "point" } ', Point(100.0, 2)),
        (b'{"type":"point","x":1,"y":2,"name":"::\\":{"}', Point(1.0, 2, '::":{')),
        (b'{"type":"line","points":[{"type":"point","x":1,"y":2}]}', Line((Point(1.0, 2),))),
    ],
)
def test_what_is_right_is_read(text: bytes, message: Point | Line) -> None:
    assert strict.decode(text) == message


@pytest.mark.parametrize(
    "text",
    [
        b'{"type":"point","x":1,"y":2,"y":2}',
        b'{"type":"point","x":1,"y":2,"type":"point"}',
        b'{"type":"point","x":1,"\\u0079":2, "y" : 3}',
        b'{"type":"point","x":1,"y":2,"name":"a","name":"b"}',
        b'{"type":"line","points":[{"type":"point","x":1,"x":1,"y":2}]}',
    ],
)
def test_a_key_that_comes_twice_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match="twice"):
        strict.decode(text)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xef\xbb\xbf{}",
        b'{"type":"point","x":1,"y":2,"z":3}',
        b'{"type":"point","x":"1","y":2}',
        b'{"type":"point","x":NaN,"y":2}',
        b'{"type":"point","x":-Infinity,"y":2}',
        b'{"type":"point","x":1e999,"y":2}',
        b'{"type":"point","x":1,"y":' + b"9" * 30 + b"}",
        b'{"type":"point","x":1,"y":2,"name":"\xff"}',
        b'{"type":"point","x":1,"y":2,"name":"\\udc00"}',
        b"[" * 5_000,
        b'{"type":"line","points":' + b"[" * 5_000,
        b'{"what":' + b'{"a":' * 5_000,
    ],
)
def test_what_is_wrong_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        strict.decode(text)


keys = st.sampled_from(["type", "x", "y", "name", "z"])
values = st.one_of(
    st.sampled_from(
        ["point", "a:b", '":'],
    ),
    st.integers(-3, 3),
    st.floats(allow_nan=False),
)


@given(st.lists(st.tuples(keys, values), max_size=7), st.sampled_from([":", " : "]))
def test_no_object_with_equal_keys_is_ever_read(pairs: list[tuple[str, object]], colon: str) -> None:
    text = "{" + ",".join(json.dumps(key) + colon + json.dumps(value) for key, value in pairs) + "}"
    try:
        strict.decode(text.encode())
    except ValueError:
        return
    assert len({key for key, _ in pairs}) == len(pairs)


@given(st.binary(max_size=100))
def test_any_bytes_are_a_message_or_a_value_error(data: bytes) -> None:
    try:
        strict.decode(data)
    except ValueError:
        return
    json.loads(data)


def test_a_message_that_takes_unknown_fields_cannot_be_read_strictly() -> None:
    class Loose(msgspec.Struct):
        x: int

    with pytest.raises(TypeError):
        Strict(Loose)
