"""docs/wire-protocol.md says what is: its examples are read and written, its tables compared with the code."""

import re
from pathlib import Path

import msgspec
import numpy as np
import pytest

from ticktree.market import MarketError, Topic, dialect, messages, wire
from ticktree.market.ticks import TICK, TickFlag, TickKind, check, events
from ticktree.market.topics import EventKind

from .samples import BTC

PAGE = (Path(__file__).parents[2] / "docs" / "wire-protocol.md").read_text()
EXAMPLES = [
    "".join(example.split("\n"))
    for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    for example in block.strip().split("\n\n")
]
BRACKETS = (messages.SnapshotBegin, messages.SnapshotEnd)
bracket = msgspec.json.Decoder(messages.SnapshotBegin | messages.SnapshotEnd)


def read(example: str) -> messages.Message:
    return bracket.decode(example) if "snapshot_" in example else dialect.decode(example)


def table(*heads: str) -> list[list[str]]:
    """The rows of the page's table with these first heads."""
    lines = iter(PAGE.splitlines())
    for line in lines:
        if line.startswith("| " + " | ".join(heads)):
            next(lines)
            break
    found = list[list[str]]()
    for line in lines:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split("|")])
    assert found, heads
    return found


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_read_and_written_as_it_stands(example: str) -> None:
    assert msgspec.json.encode(read(example)).decode() == example


def test_every_message_has_an_example() -> None:
    shown = {type(read(example)) for example in EXAMPLES}
    assert shown == {*messages.CONVERSATION, *messages.MARKS, *dialect.DATA, *BRACKETS}


def test_the_frame_of_the_page_is_what_is_said_of_it() -> None:
    (block,) = re.findall(r"```hex\n(.*?)```", PAGE, re.DOTALL)
    data = bytes.fromhex("".join(line[:47] for line in block.splitlines()))
    reader, writer = wire.Reader(), wire.Writer()
    reader.read(writer.skipped(1_000))
    (frame,), used, error = wire.Framing().cut(memoryview(data), 0)
    assert (used, error) == (80, None)
    message = reader.read(frame)
    assert isinstance(message, wire.TickRows)
    check(message.ticks, "sim")
    (quote,) = events(message.ticks, {1: BTC}, "sim")
    example = next(dialect.decode(text) for text in EXAMPLES if '"quote"' in text)
    assert dialect.said(quote) == example  # the same quote stands on the page as text
    assert writer.ticks(message.ticks) == data


def test_the_kinds_of_frames() -> None:
    assert {name: int(kind) for kind, name, *_ in table("kind", "name")} == {k.name: int(k) for k in wire.FrameKind}
    for _, name, _, payload in table("kind", "name"):
        for type in re.findall(r"`(\w+)`", payload):
            frame = wire.Writer().write(next(m for m in map(read, EXAMPLES) if tag(m) == type))  # type: ignore[arg-type]  # no data
            assert frame[4] == wire.FrameKind[name]


def tag(message: messages.Message) -> object:
    return message.__struct_config__.tag


def test_the_bytes_of_a_header_and_of_a_record() -> None:
    header = table("bytes", "type", "field", "|")
    assert "".join(width for _, width, *_ in header) == "u4u1u1u2u8"
    offset = 0
    for place, type, name, *_ in table("bytes", "type", "field", "quote"):
        dtype, at, *_ = TICK.fields[name]  # type: ignore[index]  # it has fields
        assert (np.dtype("<" + type), offset) == (dtype, at)
        size = int(type[1])
        assert place == (f"{offset}-{offset + size - 1}" if size > 1 else str(offset))
        offset += size
    assert offset == 64


def test_the_numbers_of_kinds_and_flags_of_ticks() -> None:
    assert {name: int(bit) for bit, name, _ in table("flag", "name")} == {flag.name: int(flag) for flag in TickFlag}
    kinds = next(row for row in table("bytes", "type", "field", "quote") if row[2] == "kind")
    assert list(map(int, kinds[3:])) == [TickKind.QUOTE, TickKind.TRADE, TickKind.BOOK]


def test_the_reasons_of_a_refusal() -> None:
    said = {reason.strip("`"): fate == "ends" for reason, _, fate in table("reason of REFUSED")}
    assert said == {str(reason): reason.is_final for reason in messages.Refusal}


def test_the_limits() -> None:
    limits = {name: float(value.replace(",", "")) for name, value in table("limit", "value")}
    assert limits == {
        "bytes of a frame": wire.MOST_BYTES,
        "ticks of a frame": wire.MOST_ROWS,
        "topics of one connection": messages.MOST_TOPICS,
        "instrument ids": 1 << 20,
        "seconds until a heartbeat": wire.HEARTBEAT_S,
        "seconds of silence": wire.SILENCE_S,
    }


def test_the_topics_of_the_page_are_topics() -> None:
    for example in map(read, EXAMPLES):
        if isinstance(example, messages.Subscribe):
            assert all(map(Topic.parse, example.topics))
    for kind in EventKind:
        assert f"`{kind}`" in PAGE
    with pytest.raises(MarketError):
        Topic.parse("sim/BTC-USDT/nothing")
