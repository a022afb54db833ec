"""What the played exchanges share: a recording looked through once, and books that move on message by message."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

import msgspec

from ...playback.errors import ForeignRecording, NothingRecorded
from ...playback.particular import Answer, Stream
from ...recording import Entry, EntryKind

Json = dict[str, Any]

encode: Callable[[Any], bytes] = msgspec.json.encode

MALFORMED = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError)  # what taking it apart may raise


class PlayedExchange:
    """An exchange says what is its own by overriding `tells`, `stream`, `take` and `forget`.

    Garbage may have been recorded, too. It is told as it was, and costs the book it is of: that is not known any more,
    until the exchange told it whole again. So do messages that the recording lacks.

    Raises `NothingRecorded`, `ForeignRecording`.
    """

    name: str
    path: str
    heartbeat: str = ""
    hosts: ClassVar[tuple[str, ...]]  # that its addresses end with

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.recorded = dict[str, list[tuple[dict[str, str], bytes]]]()  # by path: queries and answers
        self._messages = list[Entry]()
        foreign, known = b"", False
        for entry in entries:
            match entry.kind:
                case EntryKind.HTTP:
                    address = urlsplit(entry.url)
                    self.recorded.setdefault(address.path, []).append((dict(parse_qsl(address.query)), entry.data))
                case EntryKind.HOLE:
                    self._messages.append(entry)
                case EntryKind.RECEIVED:
                    told = self.tells(entry, parsed(entry.data))
                    known, foreign = known or told is not None, foreign or entry.data
                    if told is not False:
                        self._messages.append(entry)
                case EntryKind.CONNECT | EntryKind.SENT | EntryKind.CLOSED:
                    pass
        if not known:
            raise ForeignRecording(self.name, foreign) if foreign else NothingRecorded()

    @property
    def messages(self) -> Sequence[Entry]:
        return self._messages

    def advance(self, entry: Entry) -> Stream | None:
        if entry.kind is EntryKind.HOLE:
            self.forget()
            return None
        message = parsed(entry.data)
        stream = self.stream(message)
        if stream is not None:
            try:
                self.take(stream, message)
            except MALFORMED:
                self.forget(stream)
        return stream

    def answered(self, path: str, query: Mapping[str, str]) -> Answer | None:
        """What the very same question was answered with."""
        for asked, data in self.recorded.get(path, ()):
            if asked == dict(query):
                return 200, data
        return None

    def listing(self, path: str) -> Any:
        """The longest answer that was recorded of `path`; None: none was."""
        return parsed(max((data for _, data in self.recorded.get(path, ())), key=len, default=b""))

    # --- the exchange's own --------------------------------------------------------------------------------------

    def tells(self, entry: Entry, message: Any) -> bool | None:
        """Whether the exchange tells it of its own accord; False: it is an answer; None: not of this exchange."""
        raise NotImplementedError

    def stream(self, message: Any) -> Stream | None:
        """Whose it is; None: everybody's."""
        raise NotImplementedError

    def take(self, stream: Stream, message: Any) -> None:
        """Move on by a message of `stream`. Whatever a malformed one makes it raise is caught."""
        raise NotImplementedError

    def forget(self, stream: Stream | None = None) -> None:
        """The book of `stream` is not known any more; None: no book is."""
        raise NotImplementedError


def parsed(data: bytes | str) -> Any:
    """JSON; None if it is not."""
    try:
        return msgspec.json.decode(data)
    except (ValueError, RecursionError):
        return None


def text(message: Any) -> str:
    """A message as exchanges write them: JSON without spaces."""
    return encode(message).decode()
