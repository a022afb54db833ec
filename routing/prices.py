"""What an instrument is worth at this moment, to whoever must judge an order or a position by it."""

from collections.abc import Callable

from ticktree.market import Instrument, Quote


class Prices:
    """The freshest quote of an instrument that anything can be judged by.

    `last_quote`: by an instrument's name, the hub's. A quote with an empty side, or a crossed one (the bid reaches the
    ask), is no quote: it has no middle, and a collar around it would let anything through. How old it may be is for
    the caller to say; it carries its `received_time_ns`.
    """

    __slots__ = ("_last_quote",)

    def __init__(self, last_quote: Callable[[str], Quote | None]) -> None:
        self._last_quote = last_quote

    def __call__(self, instrument: Instrument) -> Quote | None:
        """Its freshest quote; None where nothing useful is known."""
        quote = self._last_quote(instrument.name)
        return quote if quote is not None and 0 < quote.bid < quote.ask else None
