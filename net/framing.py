"""What cuts a stream of bytes into frames; which bytes those are is not the network's business."""

from collections.abc import Iterable
from typing import Protocol


class Framing(Protocol):
    """The state of one direction of one connection."""

    @property
    def buffered(self) -> int:
        """Bytes held back because their frame is not complete."""
        ...

    def split(self, data: bytes) -> Iterable[memoryview]:
        """The frames that `data` completes. Raises when the bytes cannot be frames: the connection is then given up."""
        ...
