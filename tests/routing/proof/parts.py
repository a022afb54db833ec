"""What a rig is made of besides the product: a journal that can be full, ears, a question that nobody answers."""

from typing import Any

import attrs

from ticktree.actors import Actor, Request
from ticktree.actors.collector import Collector
from ticktree.routing.errors import JournalFailed
from ticktree.routing.facts import AnyFact
from ticktree.routing.journal import Nowhere


class Paper(Nowhere):
    """A journal in memory that can be filled up: from then on nothing is written. Another life has room again."""

    def __init__(self, facts: list[AnyFact]) -> None:
        super().__init__()
        self.facts = list(facts)
        self.full = False
        self._room: int | None = None

    def fill_up(self, room: int = 0) -> None:
        """Of so many facts more."""
        self._room = room
        self.full = not room

    def append(self, fact: AnyFact) -> None:
        if self._room is not None:
            self._room -= 1
            if self._room < 0:
                self.full, self.failed = True, self.failed or JournalFailed("paper", "it is full")
                raise self.failed
        super().append(fact)

    def again(self) -> "Paper":
        """The journal of the next process."""
        return Paper(self.facts)


class Uncollected(Collector):
    """A collection takes 0.1 s, a run of the machine as long: the process collects when it wants to."""

    def start(self) -> None:
        pass


@attrs.frozen
class Look(Request[None]):
    """Never asked of anybody: whoever is told it raises."""


class Ears(Actor[Any]):
    def __init__(self, told: list[Any]) -> None:
        self._told = told

    def on_message(self, message: Any) -> None:
        self._told.append(message)
