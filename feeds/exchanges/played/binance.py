"""Binance as it was recorded: streams by address or by message, snapshots of the books' changes by HTTP.

Source: https://developers.binance.com/docs/binance-spot-api-docs, "WebSocket Streams", "Market Data endpoints" and
"Error codes".
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, ClassVar

from ...playback.particular import Answer, Books, Listener, Stream
from ...recording import Entry
from .base import MALFORMED, Json, PlayedExchange, encode, parsed, text
from .reference import ReferenceBook, put

DEPTH, LISTING = "/api/v3/depth", "/api/v3/exchangeInfo"
BOOK = "depth"  # what the names of the channels of changes begin with
USUAL_LIMIT, MOST_LIMIT = 100, 5_000


class Numbered(ReferenceBook):
    """A book whose updates are numbered; `last` is the one it holds."""

    def __init__(self, snapshot: Json) -> None:
        super().__init__(snapshot["bids"], snapshot["asks"])
        self.last: int = snapshot["lastUpdateId"]

    def take(self, update: Json) -> bool:
        """Move on; False: updates between are missing, and the book is not known any more."""
        if update["u"] <= self.last:
            return True
        if update["U"] > self.last + 1:
            return False
        self.last = update["u"]
        put(self.bids, update["b"])
        put(self.asks, update["a"])
        return True


class PlayedBinance(PlayedExchange):
    """A book begins with its first recorded snapshot; what came before that does not change it.

    Where updates are missing, the next recorded snapshot is what it goes on from.
    """

    name = "binance"
    path = "/stream"
    hosts: ClassVar = ("binance.com", "binance.us", "binance.vision")

    def __init__(self, entries: Iterable[Entry]) -> None:
        super().__init__(entries)
        self._listing: Json | None = None
        self._snapshots = dict[str, list[Json]]()
        self._books = dict[str, Numbered]()
        match self.listing(LISTING):
            case {"symbols": [*_]} as listing:
                self._listing = listing
            case _:
                pass
        for query, data in self.recorded.get(DEPTH, ()):
            match parsed(data):
                case {"lastUpdateId": int()} as snapshot:
                    self._snapshots.setdefault(query.get("symbol", ""), []).append(snapshot)
                case _:
                    pass
        for symbol in self._snapshots:
            self._renew(symbol, 0)

    # --- the recording -------------------------------------------------------------------------------------------

    def tells(self, entry: Entry, message: Any) -> bool | None:
        match message:
            case {"stream": str(), "data": {}}:
                return True
            case {"id": _}:
                return False
            case _:
                return None

    def stream(self, message: Any) -> Stream | None:
        match message:
            case {"stream": str(name)}:
                return _stream(name)
            case _:
                return None

    def take(self, stream: Stream, message: Any) -> None:
        channel, symbol = stream
        book, update = self._books.get(symbol), message["data"]
        if channel.startswith(BOOK) and book is not None and not book.take(update):
            self._renew(symbol, update["U"] - 1)
            if symbol in self._books:
                self._books[symbol].take(update)

    def forget(self, stream: Stream | None = None) -> None:
        """The numbers tell what is missing."""

    def _renew(self, symbol: str, after: int) -> None:
        """Go on from the next snapshot that has the updates up to `after`."""
        self._books.pop(symbol, None)
        left = self._snapshots[symbol]
        while left and symbol not in self._books:
            snapshot = left.pop(0)
            if snapshot["lastUpdateId"] >= after:
                with suppress(*MALFORMED):
                    self._books[symbol] = Numbered(snapshot)

    def books(self) -> Books:
        return {symbol: book.texts() for symbol, book in self._books.items()}

    def last(self, symbol: str) -> int:
        """The number of the update that the book of `symbol` holds."""
        return self._books[symbol].last

    # --- HTTP ----------------------------------------------------------------------------------------------------

    def answer(self, path: str, query: Mapping[str, str]) -> Answer | None:
        if path == DEPTH:
            return self._depth(query)
        if path == LISTING and self._listing is not None:
            return self._listed(self._listing, query)
        return self.answered(path, query)

    def _depth(self, query: Mapping[str, str]) -> Answer | None:
        symbol, limit = query.get("symbol", ""), query.get("limit", str(USUAL_LIMIT))
        if not (limit.isascii() and limit.isdigit() and 0 < int(limit[:9]) <= MOST_LIMIT):
            return _refusal(-1130, "Data sent for parameter 'limit' is not valid.")
        book = self._books.get(symbol)
        if book is None:
            return None if symbol in self._snapshots else _refusal(-1121, "Invalid symbol.")
        bids, asks = book.sides(int(limit))
        return 200, encode({"lastUpdateId": book.last, "bids": bids, "asks": asks})

    def _listed(self, listing: Json, query: Mapping[str, str]) -> Answer:
        if "symbols" not in query and "symbol" not in query:
            return 200, encode(listing)
        match parsed(query["symbols"]) if "symbols" in query else [query["symbol"]]:
            case [*wanted]:
                listed = [each for each in listing["symbols"] if each["symbol"] in wanted]
            case _:
                return _refusal(-1100, "Illegal characters found in parameter 'symbols'.")
        if len(listed) < len(wanted):
            return _refusal(-1121, "Invalid symbol.")
        return 200, encode({**listing, "symbols": listed})

    # --- WebSockets ----------------------------------------------------------------------------------------------

    def greeting(self, listener: Listener, query: Mapping[str, str]) -> list[str]:
        for name in filter(None, query.get("streams", "").split("/")):
            listener.streams[_stream(name)] = name
        return []

    def heard(self, listener: Listener, message: str) -> list[str]:
        match parsed(message):
            case {"method": "SUBSCRIBE", "params": [*names], "id": number} if _names(names):
                listener.streams.update({_stream(name): name for name in names})
                return [text({"result": None, "id": number})]
            case {"method": "UNSUBSCRIBE", "params": [*names], "id": number} if _names(names):
                for name in names:
                    listener.streams.pop(_stream(name), None)
                return [text({"result": None, "id": number})]
            case {"method": "LIST_SUBSCRIPTIONS", "id": number}:
                return [text({"result": list(listener.streams.values()), "id": number})]
            case None:
                return [text({"error": {"code": 3, "msg": "Invalid JSON: it cannot be read"}})]
            case _:
                return [text({"error": {"code": 2, "msg": "Invalid request: method, params or id are not known"}})]


def _names(names: list[Any]) -> bool:
    return all(isinstance(name, str) for name in names)


def _stream(name: str) -> Stream:
    symbol, _, channel = name.partition("@")
    return channel, symbol.upper()


def _refusal(code: int, why: str) -> Answer:
    return 400, encode({"code": code, "msg": why})
