"""An exchange as simple as can be: each message is `<stream> <text>`, clients send the streams they want."""

from collections.abc import Mapping, Sequence

from ticktree.feeds.playback import Answer, Books, Listener, Stream
from ticktree.feeds.recording import Entry, EntryKind

S = 1_000_000_000


def told(*texts: str, every_ns: int = S) -> list[Entry]:
    """Messages, one each so often."""
    return [
        Entry(EntryKind.RECEIVED, (index + 1) * every_ns, 1, "ws://there/", text.encode())
        for index, text in enumerate(texts)
    ]


HOLE = Entry(EntryKind.HOLE, 0)


class PlayedSimply:
    """Its book is how many messages have passed."""

    name = "simple"
    path = "/here"

    def __init__(self, messages: Sequence[Entry], heartbeat: str = "") -> None:
        self.messages, self.heartbeat = messages, heartbeat
        self.passed = 0

    def advance(self, entry: Entry) -> Stream | None:
        self.passed += 1
        stream, _, _ = entry.data.decode().partition(" ")
        return None if stream == "all" else ("", stream)

    def answer(self, path: str, query: Mapping[str, str]) -> Answer | None:
        return (200, str(self.passed).encode()) if path == "/passed" else None

    def greeting(self, listener: Listener, query: Mapping[str, str]) -> list[str]:
        for stream in filter(None, query.get("streams", "").split(",")):
            listener.streams["", stream] = stream
        return ["welcome"]

    def heard(self, listener: Listener, message: str) -> list[str]:
        listener.streams["", message] = message
        return [f"since {self.passed}"]

    def books(self) -> Books:
        return {"passed": ({str(self.passed): "1"}, {})}
