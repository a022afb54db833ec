"""What cuts a stream of bytes into frames, by the bytes alone: which bytes those are is not the network's business."""

import re
from struct import Struct
from typing import Literal, Protocol

import attrs

from .errors import NoFrame, Oversize

Cut = tuple[list[memoryview], int, Exception | None]

MANY_BYTES = 512 * 1024  # of records, which are one frame together
FEW_BYTES = 64 * 1024  # of frames that are looked at one by one

_PREFIXES = {
    "big": {1: Struct(">B"), 2: Struct(">H"), 4: Struct(">I")},
    "little": {1: Struct("<B"), 2: Struct("<H"), 4: Struct("<I")},
}
_END_OF_LINE = re.compile(b"\n")  # one literal byte: `re` looks for it with memchr, in a view and without a copy
_CR = 13


class Framing(Protocol):
    """One direction of one connection. The bytes stay with the connection."""

    @property
    def most_bytes(self) -> int:
        """The longest whole frame, with its prefix or delimiter; so much without a frame is an error."""
        ...

    @property
    def read_bytes(self) -> int:
        """The most that one read may bring: so much is cut, and handed on, in one callback of the loop."""
        ...

    def cut(self, data: memoryview, offset: int) -> Cut:
        """The whole frames at the start of `data`, the bytes they take, and the error if what follows can be no frame.

        The bytes include prefixes and delimiters. `offset` is that of `data[0]` on the connection. What follows the
        frames is shown again, with more behind it. Never raises, never copies: frames are slices of `data`.
        """
        ...


@attrs.frozen
class Records:
    """Records of `size` bytes each. The whole records of one read are one frame, of a multiple of `size` bytes."""

    size: int = attrs.field(validator=attrs.validators.gt(0))

    @property
    def most_bytes(self) -> int:
        return self.size

    @property
    def read_bytes(self) -> int:
        return MANY_BYTES

    def cut(self, data: memoryview, offset: int) -> Cut:
        whole = len(data) - len(data) % self.size
        return ([data[:whole]] if whole else []), whole, None


@attrs.frozen
class LengthPrefixed:
    """An unsigned length of `width` bytes in `order`, then as many bytes, which are the frame; there may be none.

    A prefix that announces more than `most_bytes`, itself included, is `Oversize`; a negative length reads as such.
    """

    width: Literal[1, 2, 4] = attrs.field(validator=attrs.validators.in_((1, 2, 4)))
    order: Literal["big", "little"] = attrs.field(validator=attrs.validators.in_(_PREFIXES))
    most_bytes: int

    def __attrs_post_init__(self) -> None:
        if self.most_bytes < self.width:
            raise ValueError(f"most_bytes includes the prefix of {self.width} bytes; {self.most_bytes} is less")

    @property
    def read_bytes(self) -> int:
        return FEW_BYTES

    def cut(self, data: memoryview, offset: int) -> Cut:
        width, bound, read = self.width, self.most_bytes, _PREFIXES[self.order][self.width].unpack_from
        frames: list[memoryview] = []
        nothing = data[:0]  # one for all empty frames: a flood of them costs a pointer each
        begin, last = 0, len(data) - width
        while begin <= last:
            length: int = read(data, begin)[0]
            end = begin + width + length
            if end - begin > bound:
                return frames, begin, Oversize(offset + begin, bytes(data[begin : begin + 16]), length + width, bound)
            if end > last + width:
                break
            frames.append(data[begin + width : end] if length else nothing)
            begin = end
        return frames, begin, None


@attrs.frozen
class Lines:
    """Lines that end with LF; a CR before it belongs to the end, too. The frame is the line without its end.

    `most_bytes` includes the end; a line that is longer is `NoFrame`.
    """

    most_bytes: int = attrs.field(validator=attrs.validators.gt(0))

    @property
    def read_bytes(self) -> int:
        return FEW_BYTES

    def cut(self, data: memoryview, offset: int) -> Cut:
        bound = self.most_bytes
        frames: list[memoryview] = []
        nothing = data[:0]  # one for all empty lines
        begin = 0
        for found in _END_OF_LINE.finditer(data):
            end = found.start()
            if end - begin >= bound:
                break
            stop = end - 1 if end > begin and data[end - 1] == _CR else end
            frames.append(data[begin:stop] if stop > begin else nothing)
            begin = end + 1
        error = None
        if len(data) - begin >= bound:
            error = NoFrame(offset + begin, bytes(data[begin : begin + 16]), bound)
        return frames, begin, error
