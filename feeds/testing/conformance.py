"""The tests that every feed must pass: inherit `FeedConformance`, and say how the exchange speaks."""

from .books import BookTests
from .connections import ConnectionTests
from .hostile import HostileTests


class FeedConformance(ConnectionTests, HostileTests, BookTests):
    """What every feed must bear, as tests: plain functions that run loops of their own, with no pytest plug-in.

    Subclass it in a test module, under a name that begins with `Test`. What the author does not give is skipped, and
    the reason says what is missing.
    """
