"""Kraken as it was recorded, version 1 of its WebSockets: books with checksums, told in the exchange's own texts.

Source: https://docs.kraken.com/api/docs/websocket-v1/, and the recording, which has each form but those of the errors.
"""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, cast

from ...playback.particular import Answer, Books, Listener, Stream
from ...recording import Entry
from .base import Json, PlayedExchange, encode, parsed, text
from .reference import ReferenceBook, put

PAIRS = "/0/public/AssetPairs"
USUAL_DEPTH = 10
BOOK, TICKER = "book", "ticker"
CHANNELS = ("trade", TICKER, BOOK)
ANSWERS = ("subscriptionStatus", "pong", "error")
ONLINE: Json = {"connectionID": 1, "event": "systemStatus", "status": "online", "version": "1.9.0"}


class PlayedKraken(PlayedExchange):
    """Snapshots and first tickers come at their recorded place to who waits for them there, as of now to others.

    A stream is a channel as the exchange names it, depth and all (`book-1000`), and a pair.
    """

    name = "kraken"
    path = "/"
    heartbeat = '{"event":"heartbeat"}'
    hosts: ClassVar = ("kraken.com",)

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._status, self._greeted = text(ONLINE), set[int]()
        self._numbers = dict[Stream, int]()  # that the exchange gave to streams
        self._books = dict[Stream, ReferenceBook]()
        self._last = dict[Stream, str]()  # the last ticker
        super().__init__(entries)
        self._channels = {channel for channel, _ in self._numbers}
        self._pairs = {pair for _, pair in self._numbers}
        self._listing = dict[str, Json]()
        match self.listing(PAIRS):
            case {"result": {**pairs}}:
                self._listing = cast(dict[str, Json], pairs)
            case _:
                pass

    # --- the recording -------------------------------------------------------------------------------------------

    def tells(self, entry: Entry, message: Any) -> bool | None:
        match message:
            case [int(number), _, *_, str(channel), str(pair)]:
                self._numbers.setdefault((channel, pair), number)
                return True
            case {"event": "subscriptionStatus", "channelName": str(channel), "pair": str(pair), "channelID": number}:
                self._numbers[channel, pair] = number
                return False
            case {"event": "systemStatus"} if entry.connection not in self._greeted:
                self._greeted.add(entry.connection)  # each connection begins with one
                self._status = entry.data.decode()
                return False
            case {"event": str(event)}:
                return event not in ANSWERS
            case _:
                return None

    def stream(self, message: Any) -> Stream | None:
        match message:
            case [int(_), _, *_, str(channel), str(pair)]:
                return channel, pair
            case _:
                return None

    def take(self, stream: Stream, message: Any) -> None:
        channel, _ = stream
        if channel == TICKER:
            self._last[stream] = text(message)
        elif channel.startswith(BOOK):
            for content in message[1:-2]:
                self._change(stream, content)

    def _change(self, stream: Stream, content: Json) -> None:
        if "as" in content or "bs" in content:
            self._books[stream] = ReferenceBook(content.get("bs", ()), content.get("as", ()))
        elif (book := self._books.get(stream)) is not None:
            for side, key in ((book.bids, "b"), (book.asks, "a")):
                put(side, (level[:3] for level in content.get(key, ())))  # a fourth text says that it is told again
            book.cut(_depth(stream))

    def forget(self, stream: Stream | None = None) -> None:
        if stream is None:
            self._books.clear()
        else:
            self._books.pop(stream, None)

    def books(self) -> Books:
        return {pair: book.texts() for (_, pair), book in self._books.items()}

    # --- HTTP ----------------------------------------------------------------------------------------------------

    def answer(self, path: str, query: Mapping[str, str]) -> Answer | None:
        if path != PAIRS or not self._listing:
            return self.answered(path, query)
        if "pair" not in query:
            return 200, encode({"error": [], "result": self._listing})
        wanted = set(query["pair"].split(","))
        found = {
            name: pair
            for name, pair in self._listing.items()
            if not wanted.isdisjoint((name, pair.get("altname"), pair.get("wsname")))
        }
        if len(found) < len(wanted):
            return 200, encode({"error": ["EQuery:Unknown asset pair"]})
        return 200, encode({"error": [], "result": found})

    # --- WebSockets ----------------------------------------------------------------------------------------------

    def greeting(self, listener: Listener, query: Mapping[str, str]) -> list[str]:
        return [self._status]

    def heard(self, listener: Listener, message: str) -> list[str]:
        match parsed(message):
            case {"event": "ping"} as request:
                return [text({"event": "pong", **_number(request)})]
            case {"event": "subscribe", "pair": [*pairs], "subscription": {"name": str()} as wanted} as request:
                answers = [self._subscribe(listener, pair, wanted, _number(request)) for pair in pairs]
                return [status for status, _ in answers] + [first for _, first in answers if first]
            case {"event": "unsubscribe", "pair": [*pairs], "subscription": {"name": str()} as wanted} as request:
                return [self._unsubscribe(listener, pair, wanted, _number(request)) for pair in pairs]
            case None:
                return [text({"errorMessage": "Malformed request", "event": "error"})]
            case _:
                return [text({"errorMessage": "Event(s) not found", "event": "error"})]

    def _subscribe(self, listener: Listener, pair: Any, wanted: Json, number: Json) -> tuple[str, str]:
        stream = _channel(wanted), str(pair)
        if why := self._wrong(stream, wanted):
            return _refusal(why, pair, wanted, number), ""
        listener.streams[stream] = wanted["name"]
        return self._standing("subscribed", stream, wanted, number), self._first(stream)

    def _wrong(self, stream: Stream, wanted: Json) -> str:
        channel, pair = stream
        if wanted["name"] not in CHANNELS:
            return "Subscription name invalid"
        if self._listing and all(pair != listed.get("wsname") for listed in self._listing.values()):
            return f"Currency pair not supported {pair}"
        if wanted["name"] == BOOK and channel not in self._channels:
            return "Subscription depth not supported"
        return "" if pair in self._pairs else f"Currency pair not in this recording {pair}"

    def _unsubscribe(self, listener: Listener, pair: Any, wanted: Json, number: Json) -> str:
        stream = _channel(wanted), str(pair)
        if listener.streams.pop(stream, None) is None:
            return _refusal("Subscription Not Found", pair, wanted, number)
        return self._standing("unsubscribed", stream, wanted, number)

    def _standing(self, status: str, stream: Stream, wanted: Json, number: Json) -> str:
        channel, pair = stream
        book = {"depth": _depth(stream)} if wanted["name"] == BOOK else {}
        told = {"channelID": self._number_of(stream), "channelName": channel, "event": "subscriptionStatus", **number}
        return text({**told, "pair": pair, "status": status, "subscription": {**book, "name": wanted["name"]}})

    def _number_of(self, stream: Stream) -> int:
        return self._numbers.setdefault(stream, 1 + max(self._numbers.values()))

    def _first(self, stream: Stream) -> str:
        """What a stream that has begun begins with for who comes late; empty: nothing."""
        if stream in self._books:
            bids, asks = self._books[stream].sides()
            return text([self._number_of(stream), {"as": asks, "bs": bids}, *stream])
        return self._last.get(stream, "")


def _channel(wanted: Json) -> str:
    """What the exchange calls the channel of a subscription."""
    return f"{BOOK}-{wanted.get('depth', USUAL_DEPTH)}" if wanted["name"] == BOOK else str(wanted["name"])


def _depth(stream: Stream) -> int:
    return int(stream[0].partition("-")[2])


def _number(request: Json) -> Json:
    """The number that a request may have, which its answers have, too."""
    return {"reqid": request["reqid"]} if "reqid" in request else {}


def _refusal(why: str, pair: Any, wanted: Json, number: Json) -> str:
    refused = {"errorMessage": why, "event": "subscriptionStatus", **number}
    return text({**refused, "pair": pair, "status": "error", "subscription": wanted})
