"""What `ticktree new` makes, as whoever asked for it uses it: installed, its own tests, and its configurations."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ticktree import Instrument, Side, load
from ticktree.cli import main
from ticktree.testing import Trial

from ..recordings import recording

DEADLINE_S = 120
NAMES = {"strategy": "mean_reversion", "feed": "acme"}
SKL = "SKL-USD"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one of each."""
    folder = tmp_path_factory.mktemp("made")
    for kind, name in NAMES.items():
        result = CliRunner().invoke(main, ["new", kind, name, "--into", str(folder)])
        assert result.exit_code == 0, result.output
    return folder


@pytest.fixture(scope="module")
def installed(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where both are installed to."""
    target = tmp_path_factory.mktemp("installed")
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation", "--no-index"]
    packages = [str(made / name) for name in NAMES.values()]
    run = python(made, "-m", "pip", "install", *options, "--target", str(target), *packages)
    assert run.returncode == 0, run.stderr
    return target


@pytest.fixture
def _forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is imported, and where from, is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name in NAMES.values():
        sys.modules.pop(name, None)


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Python in `folder`; pytest there has no plug-in, and needs none."""
    unmeasured = {name: value for name, value in os.environ.items() if not name.startswith(("COVERAGE_", "PYTEST_"))}
    settings: dict[str, Any] = {
        "cwd": folder,
        "env": {**unmeasured, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        "timeout": DEADLINE_S,
    }
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, **settings)


def ticktree(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


@pytest.mark.parametrize(("kind", "passed"), [("strategy", "8 passed"), ("feed", "19 passed, 6 skipped")])
def test_its_own_tests_pass_as_it_was_made(made: Path, kind: str, passed: str) -> None:
    """In its folder, with its own settings of pytest. Skipped are those about books, which the feed has none of."""
    run = python(made / NAMES[kind], "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert run.returncode == 0, run.stdout + run.stderr
    assert passed in run.stdout


@pytest.mark.usefixtures("_forgotten")
@pytest.mark.parametrize(
    "config", ["mean_reversion/mean_reversion.toml", "mean_reversion/recorded.toml", "acme/acme.toml"]
)
def test_ticktree_check_finds_its_module_beside_the_configuration(made: Path, config: str) -> None:
    result = ticktree("check", str(made / config))
    assert result.exit_code == 0, result.output
    assert result.output.startswith("PAPER")
    assert ("acme:AcmeFeed" if "acme" in config else "mean_reversion:MeanReversion") in result.output


@pytest.mark.usefixtures("_forgotten")
@pytest.mark.parametrize(
    ("listing", "name", "tells"),
    [("strategies", "mean_reversion", "how many quotes the average reaches back"), ("feeds", "acme", "rest_url")],
)
def test_installed_it_is_listed_by_its_name_and_tells_its_options(
    installed: Path, monkeypatch: pytest.MonkeyPatch, listing: str, name: str, tells: str
) -> None:
    monkeypatch.syspath_prepend(str(installed))
    told = ticktree(listing, name)
    assert told.exit_code == 0, told.output
    assert f"of {name.replace('_', '-')} 0.1.0" in told.output
    assert tells in " ".join(told.output.split())


@pytest.mark.usefixtures("_forgotten")
def test_a_name_that_is_installed_is_not_given_twice(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(installed))
    result = ticktree("new", "feed", "acme")
    assert result.exit_code == 2
    assert "'acme' is what acme calls a feed of its own; did you mean 'my_acme'?" in result.output


@pytest.mark.usefixtures("_forgotten")
def test_the_recorded_configuration_trades_on_what_was_recorded(made: Path) -> None:
    skl = Instrument(SKL, 0, Decimal("0.0001"), Decimal("0.1"))
    with Trial(load(made / "mean_reversion" / "recorded.toml"), instruments=[skl]) as trial:
        for line in recording("coinbase"):
            told: dict[str, Any] = json.loads(line.data) if line.kind == "received" else {}
            if told.get("product_id") != SKL:
                continue
            match told["type"]:
                case "ticker":
                    trial.quote(SKL, float(told["best_bid"]), float(told["best_ask"]), size=100)
                    trial.wait(0.1)
                case "match":
                    taker = Side.SELL if told["side"] == "buy" else Side.BUY
                    trial.trade(SKL, float(told["price"]), float(told["size"]), aggressor=taker)
                case _:
                    pass
        sides = {words.split()[0] for words in trial.ordered}
        assert sides == {"buy", "sell"}
        assert sum(order.filled for order in trial.orders) > 0
