"""What becomes of files that a feed tells in place of an exchange: how far it is, and whether it is over."""

import asyncio
from abc import ABC, abstractmethod

import attrs


@attrs.frozen
class Progress:
    """How far a recording was read. Times are of the first block and of the last that was read; 0: none was.

    `torn_bytes`: behind the last whole block, of one that was cut off; known at the end.
    """

    bytes_done: int
    bytes_total: int
    blocks: int
    first_ns: int
    time_ns: int
    torn_bytes: int = 0


@attrs.define(eq=False)
class Replay(ABC):
    """`ended`: all was told, or nothing more will be, because of `error`."""

    ended: bool = False
    error: Exception | None = None
    _over: asyncio.Event = attrs.field(factory=asyncio.Event)

    @abstractmethod
    def progress(self) -> Progress:
        """How far it is."""

    async def over(self) -> None:
        """Wait until it has ended, or the feed's life has."""
        await self._over.wait()

    def end(self, error: Exception | None) -> None:
        """Nothing more will be told."""
        self.ended, self.error = True, error
        self._over.set()

    def stop(self) -> None:
        """The feed's life has ended."""
        self._over.set()

    def go_on(self) -> None:
        """Another life tells what is left, if anything is."""
        if not self.ended:
            self._over.clear()
