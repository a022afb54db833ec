"""Recordings made up line by line, and what a played exchange says to one client."""

import json
from typing import Any

from ticktree.feeds.playback import Listener, Played
from ticktree.feeds.recording import Entry, EntryKind


def http(url: str, answer: Any) -> Entry:
    return Entry(EntryKind.HTTP, 0, 0, url, json.dumps(answer).encode())


def received(message: Any, connection: int = 1) -> Entry:
    data = message if isinstance(message, bytes) else json.dumps(message).encode()
    return Entry(EntryKind.RECEIVED, 0, connection, "", data)


HOLE = Entry(EntryKind.HOLE, 0)


class Speaker:
    """One client."""

    def __init__(self, played: Played, **query: str) -> None:
        self.played, self.listener = played, Listener()
        self.greeting = [json.loads(text) for text in played.greeting(self.listener, query)]

    def say(self, message: Any) -> list[Any]:
        text = message if isinstance(message, str) else json.dumps(message)
        return [json.loads(text) for text in self.played.heard(self.listener, text)]


def ask(played: Played, path: str, **query: str) -> tuple[int, Any] | None:
    found = played.answer(path, query)
    return None if found is None else (found[0], json.loads(found[1]))


def advance(played: Played, count: int | None = None) -> None:
    for entry in played.messages[:count]:
        played.advance(entry)
