"""The seam between those who bring data and those who distribute it: two promises, no code."""

from collections.abc import Iterable
from typing import Protocol

from .batch import Batch
from .events import BookUpdate, Mark
from .topics import Topic


class Port(Protocol):
    """What those who distribute a feed's data may ask of it."""

    @property
    def name(self) -> str:
        """The feed's."""
        ...

    @property
    def topics(self) -> tuple[Topic, ...]:
        """All that it brings."""
        ...

    def books(self) -> Iterable[BookUpdate]:
        """A snapshot of every verified book, made when it is asked for."""
        ...

    def book(self, instrument: str) -> BookUpdate | None:
        """A snapshot of the verified book of that name; None while there is none."""
        ...

    def pause(self, holder: object) -> None:
        """Read no more, until every holder has let go: TCP then pushes back on the exchange."""
        ...

    def resume(self, holder: object) -> None:
        """`holder` has room again."""
        ...


class Sink(Protocol):
    """Where data go on to, within the feed's own call: the hub. Nothing here raises or waits."""

    def attach(self, port: Port) -> None:
        """A life of the feed begins; its port takes the place of the former one."""
        ...

    def publish(self, batch: Batch) -> None:
        """Hand `batch` to everyone who asked for any of it."""
        ...

    def mark(self, mark: Mark) -> None:
        """Hand `mark` to everyone whom it concerns, in its place."""
        ...
