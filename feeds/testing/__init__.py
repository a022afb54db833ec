"""The conformance kit: what every feed must bear, as tests that whoever writes a feed inherits.

It needs pytest, which ticktree itself does not: nothing else in ticktree imports this package.
"""

from .conformance import FeedConformance as FeedConformance
from .facts import (
    BookFact as BookFact,
    QuoteFact as QuoteFact,
    TradeFact as TradeFact,
    UpdateFact as UpdateFact,
)
from .rules import RULES as RULES, Nonconforming as Nonconforming
