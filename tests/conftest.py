"""What all tests share: which loop a test runs on, and that nothing goes wrong behind its back.

Tests in `tests/actors/` run in virtual time, all others on uvloop; `@pytest.mark.live` asks for uvloop there, too.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import pytest
import uvloop

from ticktree.actors import VirtualClock, VirtualLoop

unhandled: list[dict[str, Any]] = []


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "live: on uvloop, in real time")


def _guarded(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> Callable[[], asyncio.AbstractEventLoop]:
    def factory() -> asyncio.AbstractEventLoop:
        loop = new_loop()
        loop.set_exception_handler(lambda _, context: unhandled.append(context))
        return loop

    return factory


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    virtual = item.path.parent.name == "actors" and item.get_closest_marker("live") is None
    return {"virtual": _guarded(VirtualLoop)} if virtual else {"uvloop": _guarded(uvloop.new_event_loop)}


@pytest.fixture(autouse=True)
def _nothing_unhandled() -> Iterator[None]:
    """The loop's callback for unhandled exceptions is a failure of the test."""
    unhandled.clear()
    yield
    assert not unhandled, unhandled


@pytest.fixture
async def clock() -> VirtualClock:
    """The virtual clock of the test's loop."""
    return cast(VirtualLoop, asyncio.get_running_loop()).clock
