"""Answers over HTTP out of a recording."""

import asyncio
from pathlib import Path

import pytest

from ticktree.actors import VirtualClock
from ticktree.feeds.recording import Entry, EntryKind, NotRecorded
from ticktree.feeds.recording.answers import Answers, RecordedRest
from ticktree.feeds.rest import BadAnswer, RestError, RestLimits

from .replaying import written


def answer(url: str, data: str) -> Entry:
    return Entry(EntryKind.HTTP, 1, 0, url, data.encode())


def answers(folder: Path, *entries: Entry, playing: bool = True) -> Answers:
    made = Answers([written(folder / "a", *entries)])
    made.playing = playing
    return made


async def asked(made: Answers, url: str) -> "asyncio.Future[bytes]":
    """A question that is asked, and waits."""
    question = asyncio.ensure_future(made.to(url, "it"))
    for _ in range(20):
        await asyncio.sleep(0)
    return question


async def test_an_answer_that_comes_later_is_waited_for(tmp_path: Path) -> None:
    made = answers(tmp_path, answer("http://h/a?x=1&y=2", "1"))
    question = await asked(made, "https://another/a?y=2&x=1")
    assert not question.done()
    made.passed("http://h/a?x=1&y=2", b"1")
    assert await question == b"1"


async def test_each_question_has_the_next_answer_and_all_that_wait_the_last(tmp_path: Path) -> None:
    made = answers(tmp_path, answer("http://h/a", "1"), answer("http://h/a", "2"))
    one, two, three = [await asked(made, "http://h/a") for _ in range(3)]
    made.passed("http://h/a", b"1")
    await asyncio.sleep(0)
    assert (one.done(), two.done()) == (True, False)
    made.passed("http://h/a", b"2")
    assert [await question for question in (one, two, three)] == [b"1", b"2", b"2"]


async def test_when_none_follows_the_last_that_was_passed_will_do(tmp_path: Path) -> None:
    made = answers(tmp_path, answer("http://h/a", "1"), answer("http://h/a", "2"))
    made.passed("http://h/a", b"1")
    made.passed("http://h/a", b"2")
    assert await made.to("http://h/a", "it") == b"2"


async def test_before_it_is_played_the_first_answer_will_do(tmp_path: Path) -> None:
    made = answers(tmp_path, answer("http://h/a", "1"), answer("http://h/a", "2"), playing=False)
    assert await made.to("http://h/a", "it") == b"1"


async def test_an_answer_to_a_wider_question_will_do_and_one_to_a_narrower_will_not(tmp_path: Path) -> None:
    made = answers(tmp_path, answer("http://h/all", "1"), answer("http://h/one?id=7&deep=1", "2"), playing=False)
    assert await made.to("http://h/all?symbols=a", "it") == b"1"
    for url in ("http://h/one?id=8&deep=1", "http://h/one", "http://h/other"):
        with pytest.raises(NotRecorded, match="it: the recording has no answer"):
            await made.to(url, "it")


async def test_what_tells_who_asks_makes_no_other_question(tmp_path: Path) -> None:
    made = answers(tmp_path, answer("http://h/a?x=1", "1"), playing=False)
    assert await made.to("http://h/a?x=1&apiKey=secret", "it") == b"1"


async def test_whoever_waits_at_the_end_is_cancelled(tmp_path: Path) -> None:
    made = answers(tmp_path, answer("http://h/a", "1"))
    question = await asked(made, "http://h/a")
    made.end()
    with pytest.raises(asyncio.CancelledError):
        await question


async def test_a_damaged_recording_answers_what_comes_before_the_damage(tmp_path: Path) -> None:
    made = answers(tmp_path, answer("http://h/a", "1"), answer("http://h/b", "2"), playing=False)
    path = tmp_path / "a"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert await made.to("http://h/a", "it") == b"1"
    with pytest.raises(NotRecorded):
        await made.to("http://h/b", "it")


async def test_questions_are_asked_and_decoded_as_live(tmp_path: Path) -> None:
    rest = RecordedRest(VirtualClock(), "https://h/base", RestLimits(weight_a_minute=1))
    rest.answers = answers(tmp_path, answer("http://x/base/a?b=c", '{"v":1}'), playing=False)
    for _ in range(100):  # no limit holds here
        assert await rest.get("/a", {"b": "c"}, 1_000, dict[str, int]) == {"v": 1}
    with pytest.raises(BadAnswer):
        await rest.get("/a", {"b": "c"}, 1, list[int])
    with pytest.raises(RestError, match="https://h/base/nothing"):
        await rest.get("/nothing", {}, 1, int)
    await rest.close()
