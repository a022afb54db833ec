"""Answers over HTTP from a recording: the one that came next after the question, when the replay has come to it."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

from ..rest import Rest, decoded
from .entries import EntryKind
from .errors import DamagedRecording, NotRecorded
from .reading import Readings
from .secrets import without_secrets

T = TypeVar("T")
Question = tuple[str, frozenset[tuple[str, str]]]  # path and query: the host of a replay may be another

BLOCKS_A_TURN = 1_000


def question_of(url: str) -> Question:
    """What is asked for, whatever the order of the query's parameters, and without what tells a secret."""
    parts = urlsplit(without_secrets(url))
    return parts.path, frozenset(parse_qsl(parts.query, keep_blank_values=True))


class Answers:
    """Answers from the recordings at `paths`, of which nothing is read before the first question."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.playing = False  # before, any answer will do: definitions are asked for before time begins
        self.look = asyncio.Lock()  # held while it is looked through: nothing is to be played meanwhile
        self._paths = paths
        self._ahead: Counter[Question] | None = None  # answers that were not passed yet
        self._passed: Counter[Question] = Counter()
        self._latest: dict[Question, bytes] = {}  # of those that were passed; before, the first of all
        self._waiting: dict[Question, list[asyncio.Future[bytes]]] = {}

    async def to(self, url: str, what: str) -> bytes:
        """The answer to the question `url`. Raises `NotRecorded`, which names it `what`."""
        async with self.look:
            if self._ahead is None:
                self._ahead = await self._all()
        ahead, asked = self._ahead, question_of(url)
        question = _nearest(asked, ahead)
        if question is None or (not ahead[question] and question not in self._latest):
            raise NotRecorded(what)
        if not self.playing or not ahead[question]:
            return self._latest[question]
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(question, []).append(future)
        return await future

    def passed(self, url: str, data: bytes) -> None:
        """The replay has come to this answer: it is whoever's who asked first, or everybody's if it is the last."""
        question = question_of(url)
        self._passed[question] += 1
        self._latest[question] = data
        if self._ahead is None:
            return
        self._ahead[question] -= 1
        waiting = [future for future in self._waiting.pop(question, []) if not future.done()]
        served = waiting if not self._ahead[question] else waiting[:1]
        for future in served:
            future.set_result(data)
        if left := waiting[len(served) :]:
            self._waiting[question] = left

    def end(self) -> None:
        """Nothing follows; whoever waits is cancelled."""
        for future in [future for waiting in self._waiting.values() for future in waiting]:
            future.cancel()

    async def _all(self) -> Counter[Question]:
        """How many answers to each question are still to come."""
        found: Counter[Question] = Counter()
        reading = Readings(self._paths)
        try:
            for number, block in enumerate(reading.blocks()):
                if block is not None and block.kind is EntryKind.HTTP:
                    url, data = block.parts()
                    found[question := question_of(url.decode(errors="replace"))] += 1
                    if not self.playing:
                        self._latest.setdefault(question, data)
                if number % BLOCKS_A_TURN == 0:
                    await asyncio.sleep(0)
        except DamagedRecording:  # whoever plays it will come to that
            pass
        finally:
            reading.close()
        for question, count in self._passed.items():
            found[question] -= count
        return found


def _nearest(asked: Question, known: Mapping[Question, int]) -> Question | None:
    """`asked`, if that is known; else what is known to ask for no less: fewer parameters, and those the same."""
    if asked in known:
        return asked
    path, query = asked
    wider = [question for question in known if question[0] == path and question[1] <= query]
    return max(wider, key=lambda question: len(question[1]), default=None)


class RecordedRest(Rest):
    """Asks a recording; nothing limits how much."""

    answers: Answers

    async def get(self, path: str, query: Mapping[str, str], weight: int, type: type[T]) -> T:
        """The answer to GET `path`, decoded. Raises `NotRecorded`, `BadAnswer`."""
        what = self._shown + path
        return decoded(what, await self.answers.to(f"{self._url}{path}?{urlencode(query)}", what), type)
