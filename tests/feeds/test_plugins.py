"""Feed classes by name: found without importing others, and every way not to find one is named."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ticktree.feeds import FeedError, WireFeed, plugins
from ticktree.feeds.exchanges.binance import BinanceFeed
from ticktree.feeds.plugins import AmbiguousFeed, BrokenPlugin, NoFeed, UnknownFeed, feed_class, known

Announce = Callable[..., None]


@pytest.fixture
def announce(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Announce]:
    """Installs a package with one module, as pip would leave it."""
    monkeypatch.syspath_prepend(str(tmp_path))
    packages = list[str]()

    def install(package: str, entry: str, source: str = "") -> None:
        packages.append(package)
        folder = tmp_path / f"{package}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text(f"[{plugins.GROUP}]\n{entry}\n")
        (tmp_path / f"{package}_module.py").write_text(source)

    yield install
    for package in packages:
        sys.modules.pop(f"{package}_module", None)


SOUND = "from ticktree.feeds import WireFeed\nclass Acme(WireFeed):\n    pass\n"


def test_a_feed_is_found_by_the_name_that_its_package_announces(announce: Announce) -> None:
    assert feed_class("binance") is BinanceFeed
    assert feed_class("relay") is WireFeed
    announce("acme", "acme = acme_module:Acme", SOUND)
    assert feed_class("acme").__name__ == "Acme"
    assert issubclass(feed_class("acme"), WireFeed)


def test_or_by_its_module_and_class(announce: Announce) -> None:
    assert feed_class("ticktree.feeds.exchanges.binance:BinanceFeed") is BinanceFeed
    announce("acme", "", SOUND)
    assert feed_class("acme_module:Acme").__module__ == "acme_module"


def test_where_each_name_leads_is_told_without_importing_anything(announce: Announce) -> None:
    announce("acme", "acme = acme_module:Acme", "raise RuntimeError('imported')")
    names = known()
    assert names["acme"] == "acme_module:Acme of acme 1.0"
    assert names["binance"].startswith("ticktree.feeds.exchanges.binance:BinanceFeed of ticktree ")
    assert list(names) == sorted(names)
    assert "acme_module" not in sys.modules


def test_an_unknown_name_is_answered_with_the_known_ones_and_the_nearest() -> None:
    with pytest.raises(UnknownFeed, match=r"did you mean 'binance'\?.*known: .*binance.*relay") as caught:
        feed_class("binnance")
    assert caught.value.near == ("binance",)
    assert "coinbase" in caught.value.known
    with pytest.raises(UnknownFeed, match=r"package\.module:Class"):
        feed_class("qqqqqqqq")


@pytest.mark.parametrize("name", ["", ":", "a:", ":b", "os:system; x", "a b:c", "../x:Y", "a:b:c", "ä:B", "os.path"])
def test_what_is_no_name_imports_nothing(name: str) -> None:
    with pytest.raises(UnknownFeed):
        feed_class(name)


def test_one_that_does_not_import_says_whose_it_is_and_why(announce: Announce) -> None:
    announce("acme", "acme = acme_module:Acme", "import nowhere_to_be_found")
    with pytest.raises(BrokenPlugin, match=r"acme_module:Acme of acme 1\.0 .*nowhere_to_be_found") as caught:
        feed_class("acme")
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)
    assert feed_class("binance") is BinanceFeed  # the others are none the worse


def test_a_class_that_is_not_there_is_named() -> None:
    with pytest.raises(BrokenPlugin, match="NoSuchFeed"):
        feed_class("ticktree.feeds.exchanges.binance:NoSuchFeed")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("ticktree.feeds.exchanges.binance:URL", "is a str, and no class"),
        ("ticktree.feeds.source:Source", "inherits from"),
        ("ticktree.feeds.feed:Feed", "a feed without decode, subscribe_frames"),
    ],
)
def test_what_is_no_feed_is_refused(name: str, why: str) -> None:
    with pytest.raises(NoFeed, match=why):
        feed_class(name)


def test_a_name_that_two_packages_claim_is_nobodys(announce: Announce) -> None:
    announce("acme", "acme = acme_module:Acme", SOUND)
    announce("zenith", "acme = zenith_module:Zenith", SOUND)
    with pytest.raises(AmbiguousFeed, match=r"acme_module:Acme of acme 1\.0; zenith_module:Zenith of zenith 1\.0"):
        feed_class("acme")
    assert known()["acme"].count(";") == 1


def test_all_its_errors_are_errors_of_feeds_and_of_values() -> None:
    for error in (UnknownFeed, AmbiguousFeed, BrokenPlugin, NoFeed):
        assert issubclass(error, FeedError)
        assert issubclass(error, ValueError)


def test_the_feeds_are_imported_without_looking_for_plugins() -> None:
    code = "import sys, ticktree.feeds; print('ticktree.feeds.plugins' in sys.modules, 'pytest' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "False"]
