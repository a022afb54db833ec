"""What an exchange lists, as instruments: what cannot be one is left out, unless somebody wants it."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from ticktree.market import BadInstrument, Instrument


class Listed(Protocol):
    """One entry of an exchange's list."""

    @property
    def name(self) -> str:
        """As we write it: BASE-QUOTE."""
        ...

    def instrument(self) -> Instrument:
        """What it defines. Raises `BadInstrument`."""
        ...


def defined(listing: Iterable[Listed], wanted: set[str]) -> Iterator[Instrument]:
    """The instruments in `listing`, leaving out what cannot be one, unless it is wanted. Raises `BadInstrument`."""
    for listed in listing:
        try:
            yield listed.instrument()
        except BadInstrument:
            if listed.name in wanted:
                raise
