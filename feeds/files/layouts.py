"""What the columns of a table mean, told by their names alone: which kinds of rows they can make, and from what.

Names are compared without case and punctuation, so that `bestBidPrice`, `best_bid_price` and `Best Bid Price` are one.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import attrs

from ticktree.market import TickKind

from .errors import BarsFile, ForeignFile

TRADE, QUOTE, BOOK = int(TickKind.TRADE), int(TickKind.QUOTE), int(TickKind.BOOK)

# What a column is for -> the names it goes by, the first that there is counts.
ROLES = {
    "received": ("received_time_ns", "received_time", "local_timestamp"),
    "venue": ("venue_time_ns", "venue_time", "timestamp", "transact_time", "transaction_time", "event_time"),
    "time": ("time",),
    "instrument": ("instrument", "symbol"),
    "kind": ("kind",),
    "price": ("price",),
    "size": ("size", "qty", "quantity", "amount"),
    "side": ("side",),
    "maker": ("is_buyer_maker",),
    "snapshot": ("is_snapshot",),
    "bid": ("bid", "bid_price", "best_bid_price"),
    "bid_size": ("bid_size", "bid_qty", "bid_quantity", "bid_amount", "best_bid_qty"),
    "ask": ("ask", "ask_price", "best_ask_price"),
    "ask_size": ("ask_size", "ask_qty", "ask_quantity", "ask_amount", "best_ask_qty"),
    "sequence": ("sequence", "update_id", "agg_trade_id"),
}
NEEDED = {
    TRADE: ("price", "size"),
    QUOTE: ("bid", "bid_size", "ask", "ask_size"),
    BOOK: ("price", "size", "side", "is_snapshot"),
}
WORDS = {TRADE: "trades", QUOTE: "quotes", BOOK: "book levels"}
NUMBERS = ("price", "size", "bid", "bid_size", "ask", "ask_size")
TIMES = ("received", "venue", "time")
TEXTS = ("instrument", "kind", "side", "maker", "snapshot")
_BARS = {"open", "high", "low", "close"}

# Files of Binance without a header, by what stands in their columns: I whole number, N number, B true or false.
_HEADLESS = {
    "INNNIB": "id price qty quote_qty time is_buyer_maker",
    "INNNIBB": "id price qty quote_qty time is_buyer_maker is_best_match",
    "INNIIIB": "agg_trade_id price quantity first_trade_id last_trade_id transact_time is_buyer_maker",
    "INNIIIBB": "agg_trade_id price quantity first_trade_id last_trade_id transact_time is_buyer_maker is_best_match",
}
_SHAPES = {"I": r"\d{1,20}", "N": r"\d{1,20}(\.\d{1,20})?", "B": r"(?i:true|false)"}
_PLAUSIBLE = 1_000_000_000_000  # milliseconds from 2001 on: smaller numbers are no such times


@attrs.frozen
class Layout:
    """`columns`: what is read, by what for; `kinds`: what rows there can be, of one kind unless a column tells it."""

    columns: dict[str, str]
    kinds: frozenset[int]

    @property
    def words(self) -> str:
        """What it has, in words."""
        return " and ".join(WORDS[kind] for kind in sorted(self.kinds))

    def time_of(self, *roles: str) -> str:
        """The first of those roles that there is a column for, or any for time."""
        return next(role for role in (*roles, *TIMES) if role in self.columns)

    @property
    def received(self) -> str:
        """The role of the column that tells when a row was received."""
        return self.time_of("received", "time") if "venue" in self.columns else self.time_of("received")

    @property
    def venue(self) -> str:
        """Likewise when it happened at the venue."""
        return self.time_of("venue", "time")


def layout_of(path: Path, columns: Sequence[str]) -> Layout:
    """What `columns` mean. Raises `ForeignFile`, which tells what they lack, and `BarsFile`."""
    plain = [_plain(column) for column in columns]
    found = dict[str, str]()
    for role, names in ROLES.items():
        for name in map(_plain, names):
            if name in plain and role not in found:
                if plain.count(name) > 1:
                    raise ForeignFile(path, f"two columns are called {name}", columns)
                found[role] = columns[plain.index(name)]
    if set(plain) >= _BARS:
        raise BarsFile(path)
    lacks = {kind: _lacks(kind, found) for kind in NEEDED}
    kinds = {kind for kind, missing in lacks.items() if not missing}
    if "kind" not in found:
        kinds -= {TRADE} if BOOK in kinds else set()
        if len(kinds) > 1:
            told = " and ".join(WORDS[kind] for kind in sorted(kinds))
            raise ForeignFile(path, f"its columns are those of {told}: add a column `kind`", columns)
    if not kinds:
        nearest = min(lacks, key=lambda kind: (len(lacks[kind]) - len(NEEDED[kind]), len(lacks[kind])))
        raise ForeignFile(
            path, f"these columns are of no layout known here; {_advice(nearest, lacks[nearest])}", columns
        )
    return Layout(found, frozenset(kinds))


def headless(path: Path, cells: Sequence[str]) -> list[str]:
    """Names for the columns of a file that begins with data, not with a header. Raises `ForeignFile`."""
    for shape, names in _HEADLESS.items():
        if len(shape) == len(cells) and all(map(re.fullmatch, map(_SHAPES.__getitem__, shape), cells)):
            time = cells[shape.index("B") - 1]
            if int(time) >= _PLAUSIBLE:
                return names.split()
    raise ForeignFile(path, f"its first line names no columns ({', '.join(cells)[:80]}): write them there")


def _plain(column: str) -> str:
    return re.sub(r"[^a-z0-9]", "", column.lower())


def _lacks(kind: int, found: dict[str, str]) -> list[str]:
    lacks = [name for name in NEEDED[kind] if name.removeprefix("is_") not in found]
    return lacks if any(role in found for role in TIMES) else ["time", *lacks]


def _advice(kind: int, lacks: Sequence[str]) -> str:
    needs = ", ".join(_aliases(name) for name in lacks)
    why = "; a quote without its sizes cannot be matched against" if kind == QUOTE and "bid_size" in lacks else ""
    return f"nearest are those of {WORDS[kind]}, which need {needs}{why}"


def _aliases(name: str) -> str:
    others = ROLES[name.removeprefix("is_")][1:]
    if name == "time":
        others = ("timestamp", "received_time_ns")
    return f"{name} (or {', '.join(others)})" if others else name
