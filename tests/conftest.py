"""What all tests share: which loop a test runs on, and that nothing goes wrong behind its back.

Tests in `tests/actors/` run in virtual time, all others on uvloop; `@pytest.mark.live` asks for uvloop there, too.
"""

import asyncio
import gc
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import Any, cast

import pytest
import uvloop
from hypothesis import is_hypothesis_test, settings

from tests.actors.harness import without_collector
from ticktree.actors import VirtualClock, VirtualLoop

# How long an example takes says how busy the machine is. A law is tried 50 times in each test run, and 500 times in
# soak, where all of them run, too.
settings.register_profile("ticktree", max_examples=50, deadline=None)
settings.register_profile("soak", max_examples=500, deadline=None)
settings.load_profile("ticktree")

# What no test needs of the programs that tests start, and what costs each of them 0.1 s of its 0.8 s: threads for
# matrices, and the certificates that this machine trusts.
STARTS_SOONER = {"OPENBLAS_NUM_THREADS": "1", "SSL_CERT_FILE": os.devnull}

LONG = {"e2e", "benchmarks", "test_docs_site.py"}
SWEPT_EVERY = 2_000  # tests

unhandled: list[dict[str, Any]] = []
tests_begun = count()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "live: on uvloop, in real time")
    os.environ.update(STARTS_SOONER)
    if _is_soak(config):
        settings.load_profile("soak")


def _is_soak(config: pytest.Config) -> bool:
    return str(config.getoption("markexpr")) == "soak"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What takes seconds comes first: at the end no process waits for another's. Every law is a campaign of its own,
    once campaigns are asked for."""
    items.sort(key=lambda item: LONG.isdisjoint((item.path.parent.name, item.path.name)))
    if _is_soak(config):
        for item in items:
            if isinstance(item, pytest.Function) and is_hypothesis_test(item.obj):
                item.add_marker("soak")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are CPUs: a third of their time, workers wait for what happens in real time."""
    return (os.cpu_count() or 1) + 1


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
    path = sys.path.copy()
    yield
    sys.path[:] = path  # a configuration's folder joins it when that is loaded
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
