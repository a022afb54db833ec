"""Requests and their answers, apart from who asks."""

import asyncio
from typing import Any

import attrs
import pytest

from tests.actors.harness import Question, plain, running, settle
from ticktree.actors import Actor, AskLost, AskRefused, Request
from ticktree.actors.messages import describe, lose


class Total(Request[int]):
    """A request that is no attrs class."""


@attrs.frozen
class Secret(Request[str]):
    token: str


def test_who_was_not_asked_cannot_answer() -> None:
    with pytest.raises(AskRefused, match="Total was not asked"):
        Total().reply(1)
    with pytest.raises(AskRefused, match="Total was not asked"):
        Total().fail(ValueError())


def test_losing_what_nobody_asked_is_harmless() -> None:
    lose(Total(), "a", "gone")
    lose("no request", "a", "gone")


async def test_the_first_answer_counts() -> None:
    def handle(actor: Actor[Any], message: Any) -> None:
        message.reply("first")
        message.reply("second")
        message.fail(ValueError("third"))

    async with running(plain("a", handle)) as system:
        assert await system.ref("a").ask(Question(), 1.0) == "first"


async def test_a_request_is_lost_once() -> None:
    kept: list[Question] = []
    async with running(plain("a", lambda actor, message: kept.append(message))) as system:
        ask = asyncio.ensure_future(system.ref("a").ask(Question(), 1.0))
        await settle()
        lose(kept[0], "a", "one reason")
        lose(kept[0], "a", "another")
        with pytest.raises(AskLost, match="a will not answer Question: one reason") as raised:
            await ask
        assert (raised.value.path, raised.value.request) == ("a", "Question")


def test_a_description_never_tells_the_content() -> None:
    assert describe(Secret("hunter2")) == "Secret"
    assert describe({"key": "hunter2"}) == "dict"
