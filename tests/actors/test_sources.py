"""Where things are written, and where coroutines wait."""

import asyncio
import functools
import types
from collections.abc import AsyncIterator, Generator

from tests.actors.harness import settle
from ticktree.actors.sources import where, written


async def innermost(future: "asyncio.Future[None]") -> None:
    await future  # here


async def outer(future: "asyncio.Future[None]") -> None:
    await innermost(future)


async def test_a_chain_of_awaits_is_followed_to_its_innermost_line() -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    task = asyncio.ensure_future(outer(future))
    await settle()
    line = innermost.__code__.co_firstlineno + 1
    assert where(task.get_coro()) == f"{__file__}:{line} in innermost"
    future.set_result(None)
    await task


async def test_an_awaitable_written_as_a_generator_is_followed_too() -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @types.coroutine
    def generator() -> Generator["asyncio.Future[None]", None, None]:
        yield from future

    async def main() -> None:
        await generator()

    task = asyncio.ensure_future(main())
    await settle()
    assert where(task.get_coro()).endswith("in generator")
    future.set_result(None)
    await task


async def test_an_async_generator_is_named_by_who_iterates_over_it() -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def ticks() -> AsyncIterator[int]:
        await future
        yield 1

    async def main() -> None:
        async for _ in ticks():
            pass

    task = asyncio.ensure_future(main())
    await settle()
    assert " in main" in where(task.get_coro())
    future.set_result(None)
    await task


def test_what_has_no_frame_says_so() -> None:
    assert where(None) == where(object()) == "something without a source line"


def test_a_circle_of_awaits_is_not_followed_for_ever() -> None:
    class Circle:
        cr_frame = None

        @property
        def cr_await(self) -> "Circle":
            return self

    assert where(Circle()) == "something without a source line"


class Twice:
    """A class without a method."""


def test_what_has_a_line_is_told_by_it_and_the_rest_by_name() -> None:
    first = written(outer)
    assert first == f"{__file__}:{outer.__code__.co_firstlineno}"
    assert written(functools.partial(outer)) == first
    assert written(len) == "len"
    assert written(Maker()) == "Maker"
    assert written(Twice).startswith(f"{__file__}:")
    assert written(int) == "int"


class Maker:
    def __call__(self) -> None:
        """Has no code of its own."""
