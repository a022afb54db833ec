"""A journal that is kept in memory: for back-tests, and for those who need none of it after the process."""

import asyncio
from collections.abc import Callable

from ..errors import JournalFailed
from ..facts import AnyFact
from .reading import Recovery


class Nowhere:
    """What `Journal` is to others, without a file. `facts` is all that was appended, unless none is to be kept."""

    path: None = None
    failed: JournalFailed | None = None
    size_bytes = 0

    def __init__(self, keeps: bool = True) -> None:
        self.facts = list[AnyFact]()
        self.records = 0  # how many were appended
        self._keeps = keeps

    def open(self, apply: Callable[[AnyFact], object]) -> Recovery:
        """What another life of the same process appended is applied."""
        for fact in self.facts:
            apply(fact)
        return Recovery(len(self.facts), 0, is_new=not self.facts)

    def append(self, fact: AnyFact) -> None:
        """Keep `fact`, if any is kept."""
        self.records += 1
        if self._keeps:
            self.facts.append(fact)

    def committed(self) -> "asyncio.Future[None] | None":
        """None: nothing more is promised."""
        return None

    def close(self) -> None:
        """Nothing to let go of."""
