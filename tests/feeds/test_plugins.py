"""Feed classes by name. What holds of all plug-ins is in tests/actors/test_plugins.py."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.packages import Packages, packages
from ticktree.actors import NotAPlugin, UnknownPlugin
from ticktree.feeds import WireFeed
from ticktree.feeds.exchanges.binance import BinanceFeed
from ticktree.feeds.plugins import FEEDS

SOUND = "from ticktree.feeds import WireFeed\nclass Acme(WireFeed):\n    pass\n"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Packages]:
    with packages(tmp_path, monkeypatch, FEEDS.group) as place:
        yield place


def test_ours_have_names() -> None:
    assert FEEDS.load("binance") is BinanceFeed
    assert FEEDS.load("relay") is WireFeed
    assert FEEDS.load("ticktree.feeds.exchanges.binance:BinanceFeed") is BinanceFeed
    assert FEEDS.known()["binance"].startswith("ticktree.feeds.exchanges.binance:BinanceFeed of ticktree ")


def test_each_of_ours_loads() -> None:
    assert set(FEEDS.known()) >= {"binance", "coinbase", "dialect", "kraken", "records", "relay", "simulated"}
    for name in ("binance", "coinbase", "dialect", "kraken", "records", "relay", "simulated"):
        assert FEEDS.load(name)


def test_so_has_one_of_another_package(place: Packages) -> None:
    place.install("acme", "acme = acme_module:Acme", SOUND)
    assert issubclass(FEEDS.load("acme"), WireFeed)


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownPlugin, match=r"feed type 'binnance': .*did you mean 'binance'\?.*known: .*relay"):
        FEEDS.load("binnance")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("ticktree.feeds.exchanges.binance:URL", "is a str, and no class"),
        ("ticktree.feeds.source:Source", "inherits from"),
        ("ticktree.feeds.feed:Feed", "a feed without decode, subscribe_frames"),
    ],
)
def test_what_is_no_feed_is_refused(name: str, why: str) -> None:
    with pytest.raises(NotAPlugin, match=why):
        FEEDS.load(name)


def test_the_feeds_are_imported_without_looking_for_plugins() -> None:
    code = "import sys, ticktree.feeds; print('ticktree.feeds.plugins' in sys.modules, 'pytest' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "False"]
