"""Coinbase Exchange as it was recorded: products by HTTP, books that begin with a snapshot in their channel.

Source: https://docs.cdp.coinbase.com/exchange, "WebSocket Feed" (overview, channels, errors) and "REST API"; the forms
of answers are those of the recording.
"""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from ...playback.particular import Answer, Books, Listener, Stream
from ...recording import Entry
from .base import Json, PlayedExchange, encode, parsed, text
from .reference import ReferenceBook, put

PRODUCTS = "/products"
LEVEL2, TICKER, MATCHES = "level2", "ticker", "matches"
SAME = {"level2_batch": LEVEL2}  # the same messages, gathered for a while
CHANNELS = (LEVEL2, TICKER, MATCHES, "heartbeat")
TOLD_IN = {"snapshot": LEVEL2, "l2update": LEVEL2, "match": MATCHES, "last_match": MATCHES}  # others: by their type
ANSWERS = ("subscriptions", "error")


class PlayedCoinbase(PlayedExchange):
    """What a stream begins with (snapshot, ticker, last match) comes at its recorded place to who waits for it there.

    Who subscribes later gets it as of now.
    """

    name = "coinbase"
    path = "/"
    hosts: ClassVar = ("coinbase.com",)

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._products = dict[str, None]()  # those that were recorded
        self._books = dict[str, ReferenceBook]()
        self._last = dict[Stream, Json]()  # the last ticker and match
        super().__init__(entries)
        self._listing: list[Json] | None = None
        match self.listing(PRODUCTS):
            case [*products]:
                self._listing = products
            case _:
                pass

    # --- the recording -------------------------------------------------------------------------------------------

    def tells(self, entry: Entry, message: Any) -> bool | None:
        match message:
            case {"type": str(), "product_id": str(product)}:
                self._products[product] = None
                return True
            case {"type": "subscriptions", "channels": [*channels]}:
                for channel in channels:
                    self._products.update(dict.fromkeys(channel.get("product_ids", ())))
                return False
            case {"type": str(kind)}:
                return kind not in ANSWERS
            case _:
                return None

    def stream(self, message: Any) -> Stream | None:
        match message:
            case {"type": str(kind), "product_id": str(product)}:
                return TOLD_IN.get(kind, kind), product
            case _:
                return None

    def take(self, stream: Stream, message: Any) -> None:
        _, product = stream
        match message["type"]:
            case "snapshot":
                self._books[product] = ReferenceBook(message["bids"], message["asks"])
            case "l2update" if product in self._books:
                book = self._books[product]
                for side, price, size in message["changes"]:
                    put(book.bids if side == "buy" else book.asks, [(price, size)])
            case "ticker" | "match" | "last_match":
                self._last[stream] = message
            case _:
                pass

    def forget(self, stream: Stream | None = None) -> None:
        if stream is None:
            self._books.clear()
        elif stream[0] == LEVEL2:
            self._books.pop(stream[1], None)

    def books(self) -> Books:
        return {product: book.texts() for product, book in self._books.items()}

    # --- HTTP ----------------------------------------------------------------------------------------------------

    def answer(self, path: str, query: Mapping[str, str]) -> Answer | None:
        if self._listing is None or not path.startswith(PRODUCTS):
            return self.answered(path, query)
        if path == PRODUCTS:
            return 200, encode(self._listing)
        for product in self._listing:
            if path == f"{PRODUCTS}/{product['id']}":
                return 200, encode(product)
        return self.answered(path, query) or (404, encode({"message": "NotFound"}))

    # --- WebSockets ----------------------------------------------------------------------------------------------

    def greeting(self, listener: Listener, query: Mapping[str, str]) -> list[str]:
        return []

    def heard(self, listener: Listener, message: str) -> list[str]:
        match parsed(message):
            case {"type": "subscribe", "channels": [*channels]} as request:
                return self._subscribe(listener, _asked(channels, request))
            case {"type": "unsubscribe", "channels": [*channels]} as request:
                return self._unsubscribe(listener, _asked(channels, request))
            case None:
                return [_refusal("Malformed JSON", "it cannot be read")]
            case _:
                return [_refusal("Failed to subscribe", "type is subscribe or unsubscribe, with a list of channels")]

    def _subscribe(self, listener: Listener, asked: list[tuple[str, list[str]]]) -> list[str]:
        streams = {(SAME.get(name, name), product): name for name, products in asked for product in products}
        if not streams:
            return [_refusal("Failed to subscribe", "No channels, or no products, provided")]
        for stream, name in streams.items():
            if why := self._wrong(stream, name):
                return [_refusal("Failed to subscribe", why)]
        listener.streams.update(streams)
        return [_standing(listener), *(first for stream in streams if (first := self._first(stream)))]

    def _wrong(self, stream: Stream, name: str) -> str:
        channel, product = stream
        if channel not in CHANNELS:
            return f"{name} is not a valid channel"
        if self._listing is not None and all(product != each["id"] for each in self._listing):
            return f"{product} is not a valid product"
        return "" if product in self._products else f"{product} is not in this recording"

    def _unsubscribe(self, listener: Listener, asked: list[tuple[str, list[str]]]) -> list[str]:
        for name, products in asked:
            channel = SAME.get(name, name)
            for stream in [each for each in listener.streams if each[0] == channel]:
                if not products or stream[1] in products:
                    del listener.streams[stream]
        return [_standing(listener)]

    def _first(self, stream: Stream) -> str:
        """What a stream that has begun begins with for who comes late; empty: nothing."""
        channel, product = stream
        if channel == LEVEL2 and product in self._books:
            bids, asks = self._books[product].sides()
            return text({"type": "snapshot", "product_id": product, "asks": asks, "bids": bids})
        last = self._last.get(stream)
        if last is None:
            return ""
        return text({**last, "type": "last_match"} if channel == MATCHES else last)


def _asked(channels: list[Any], request: Json) -> list[tuple[str, list[str]]]:
    """The channels, as texts or as objects, each with its products."""
    asked = list[tuple[str, list[str]]]()
    for channel in channels:
        match channel:
            case {"name": str(name), "product_ids": [*products]}:
                asked.append((name, _texts(products)))
            case {"name": str(name)} | str(name):
                asked.append((name, _texts(request.get("product_ids"))))
            case _:
                pass
    return asked


def _texts(found: Any) -> list[str]:
    match found:
        case [*texts]:
            return [each for each in texts if isinstance(each, str)]
        case _:
            return []


def _standing(listener: Listener) -> str:
    channels = dict[str, list[str]]()
    for (_, product), name in listener.streams.items():
        channels.setdefault(name, []).append(product)
    named = [{"name": name, "product_ids": products} for name, products in channels.items()]
    return text({"type": "subscriptions", "channels": named})


def _refusal(what: str, why: str) -> str:
    return text({"type": "error", "message": what, "reason": why})
