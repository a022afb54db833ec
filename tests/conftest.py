"""What all tests share: which loop a test runs on, and that nothing goes wrong behind its back.

Tests in `tests/actors/` run in virtual time, all others on uvloop; `@pytest.mark.live` asks for uvloop there, too.
"""

import asyncio
import gc
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import Any, cast

import pytest
import uvloop
from hypothesis import settings

from tests.actors.harness import without_collector
from ticktree.actors import VirtualClock, VirtualLoop

# How long an example takes says how busy the machine is.
settings.register_profile("ticktree", deadline=None)
settings.load_profile("ticktree")

SWEPT_EVERY = 500  # tests

unhandled: list[dict[str, Any]] = []
tests_begun = count()


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
    _sweep()
    yield
    assert not unhandled, unhandled


@pytest.fixture
def many_systems() -> Iterator[None]:
    """For tests that start one after the other: what the last one gave back is not collected at each start."""
    with without_collector():
        yield


def _sweep() -> None:
    """Keep what was there before the test out of the collector's sight, and collect it every so often.

    A system collects all garbage when it starts. Among thousands of collected tests that takes 0.1 s, each time.
    """
    if next(tests_begun) % SWEPT_EVERY == 0:
        gc.unfreeze()
        gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    """Pytest collects once more, and reports what then comes to light."""
    gc.unfreeze()


@pytest.fixture
async def clock() -> VirtualClock:
    """The virtual clock of the test's loop."""
    return cast(VirtualLoop, asyncio.get_running_loop()).clock
