"""Every error the vocabulary raises, each carrying the value that was wrong.

MarketError
├── BadNumber (ValueError)        not a finite number of a sensible size
├── OffIncrement (ValueError)     a price or size that the instrument does not know; names the nearest valid ones
├── BadInstrument (ValueError)    a definition that cannot be
├── BadTopic (ValueError)         not `feed/instrument/kind`
├── BadUnit (ValueError)          a duration or a size that is not written as one
├── BadTick                       theirs: a record that cannot be: NaN, a negative size, an unknown instrument
├── UnknownInstrument             theirs: a message names an instrument that was never defined
└── WireError                     theirs: not the wire protocol; carries the offset and the first bytes
    ├── FrameTooLong              a length beyond 64 KiB; a negative one reads as such
    ├── BadLength                 shorter than its header, or not a multiple of 8
    ├── ForeignFrame              a version, kind or flag that we do not speak
    ├── BadPayload                a frame whose content cannot be read
    └── SequenceGap               ticks are missing, or came twice
"""

from decimal import Decimal


class MarketError(Exception):
    """Base of everything this room raises."""


class BadNumber(MarketError, ValueError):
    """Not a finite number of a sensible size."""

    def __init__(self, value: object, why: str) -> None:
        super().__init__(f"{value!r} {why}")
        self.value = value


class OffIncrement(MarketError, ValueError):
    """`value` is no multiple of the instrument's increment; `nearest` holds the valid ones around it."""

    def __init__(self, what: str, value: Decimal, increment: Decimal, nearest: tuple[Decimal, Decimal]) -> None:
        below, above = nearest
        super().__init__(f"{what} {value:f} is not a multiple of {increment:f}; nearest valid: {below:f} and {above:f}")
        self.what, self.value, self.increment, self.nearest = what, value, increment, nearest


class BadInstrument(MarketError, ValueError):
    """A definition that cannot be."""


class BadTopic(MarketError, ValueError):
    """Not `feed/instrument/kind`."""

    def __init__(self, text: str, why: str) -> None:
        super().__init__(f"{text!r} is no topic: {why}; a topic is feed/instrument/kind, as in */BTC-USDT/quote")
        self.text = text


class BadUnit(MarketError, ValueError):
    """`value` is no duration, or no size; `near` is what was probably meant, or empty."""

    def __init__(self, value: object, expected: str, near: str = "") -> None:
        meant = f"; did you mean {near!r}?" if near else ""
        super().__init__(f"{value!r:.80} is not {expected}{meant}")
        self.value, self.near = value, near


class BadTick(MarketError):
    """Row `row` of a batch of `feed` cannot be."""

    def __init__(self, feed: str, row: int, why: str) -> None:
        super().__init__(f"{feed}: tick {row} of the batch: {why}")
        self.feed, self.row = feed, row


class UnknownInstrument(MarketError):
    """A message names an instrument that was never defined on its connection."""

    def __init__(self, name: str) -> None:
        super().__init__(f"instrument {name[:64]!r} was never defined")
        self.name = name


class WireError(MarketError):
    """Bytes that are not the wire protocol. `offset` counts from the connection's first byte.

    `head` are the first bytes of the frame or message, none where they might show a token.
    """

    def __init__(self, offset: int, head: bytes, why: str) -> None:
        super().__init__(f"at byte {offset}: {why}; it begins {head[:16].hex(' ') or '(not shown)'}")
        self.offset, self.head = offset, head[:16]


class FrameTooLong(WireError):
    """A frame's length is beyond the protocol's bound."""

    def __init__(self, offset: int, head: bytes, length: int, bound: int) -> None:
        super().__init__(offset, head, f"a frame of {length} bytes, where {bound} is the most")
        self.length = length


class BadLength(WireError):
    """A frame's length is shorter than its header, or not a multiple of 8."""

    def __init__(self, offset: int, head: bytes, length: int) -> None:
        super().__init__(offset, head, f"a frame of {length} bytes: at least 16, and a multiple of 8")
        self.length = length


class ForeignFrame(WireError):
    """A version, a kind of frame or a flag that we do not speak."""

    def __init__(self, offset: int, head: bytes, kind: int, version: int) -> None:
        super().__init__(offset, head, f"a frame of kind {kind}, version {version}, which we do not speak")
        self.kind, self.version = kind, version


class BadPayload(WireError):
    """A frame whose content cannot be read."""


class SequenceGap(WireError):
    """The next tick of this connection should have been number `expected`; it is `found`."""

    def __init__(self, offset: int, head: bytes, expected: int, found: int) -> None:
        super().__init__(offset, head, f"tick {found} where {expected} was expected")
        self.expected, self.found = expected, found
