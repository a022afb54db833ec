"""Exchanges played from recordings, one pure module each: what they told, and what they would have answered."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from ...playback.errors import ForeignRecording, NothingRecorded, UnknownExchange
from ...playback.particular import Played
from ...recording import Entry
from .binance import PlayedBinance as PlayedBinance
from .coinbase import PlayedCoinbase as PlayedCoinbase
from .kraken import PlayedKraken as PlayedKraken

EXCHANGES: dict[str, type[PlayedBinance] | type[PlayedCoinbase] | type[PlayedKraken]] = {
    each.name: each for each in (PlayedBinance, PlayedCoinbase, PlayedKraken)
}


def played(name: str, entries: Iterable[Entry]) -> Played:
    """The exchange `name` as it was recorded; an empty name: found by the recording's addresses.

    Raises `UnknownExchange`, `ForeignRecording`, `NothingRecorded`.
    """
    entries = tuple(entries)
    if name and name not in EXCHANGES:
        raise UnknownExchange(name, EXCHANGES)
    found = named(entries)
    if name and found and found != name:
        raise ForeignRecording(name, b"", found)
    if not entries:
        raise NothingRecorded
    if not name and not found:
        raise UnknownExchange("", EXCHANGES)
    return EXCHANGES[name or found](entries)


def named(entries: Iterable[Entry]) -> str:
    """The exchange that the first known address of a recording is of; empty: none is known."""
    for entry in entries:
        host = (urlsplit(entry.url).hostname or "") if entry.url else ""
        for name, exchange in EXCHANGES.items():
            if any(host == known or host.endswith("." + known) for known in exchange.hosts):
                return name
    return ""
