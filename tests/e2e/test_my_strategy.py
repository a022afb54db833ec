"""A user's own package, installed as a user installs it, beside a folder of their own that is called strategies/."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "examples" / "my_strategy"
DEADLINE_S = 60.0

MINE = '''"""The user's own; it has the name of a folder of ticktree's."""

from my_strategy import Breakout


class Mine(Breakout):
    topics = ("*/ETH-USDT/trade",)
'''
BOTH = """
[strategies.mine]
type = "strategies:Mine"
params = { length = 5 }
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the package is installed into, built from a copy: a build leaves files behind."""
    copy, target = tmp_path_factory.mktemp("source") / "my_strategy", tmp_path_factory.mktemp("installed")
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation", "--no-index"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(target), str(copy)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=DEADLINE_S)
    assert run.returncode == 0, run.stderr
    return target


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The user's folder: a config, and a package called strategies."""
    (tmp_path / "strategies").mkdir()
    (tmp_path / "strategies" / "__init__.py").write_text(MINE)
    config = (PACKAGE / "config.toml").read_text()
    config = config.replace('instruments = ["BTC-USDT"]', 'instruments = ["BTC-USDT", "ETH-USDT"]')
    (tmp_path / "config.toml").write_text(config.replace("my_strategy:Breakout", "breakout") + BOTH)
    return tmp_path


def python(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Python in `folder`, for which the package is installed."""
    unmeasured = {name: value for name, value in os.environ.items() if not name.startswith(("COVERAGE_", "PYTEST_"))}
    environment = {**unmeasured, "PYTHONPATH": str(installed)}
    settings: dict[str, Any] = {"cwd": folder, "env": environment, "timeout": DEADLINE_S}
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, **settings)


def test_both_are_found_and_run_and_neither_gets_into_the_others_way(installed: Path, project: Path) -> None:
    checked = python(installed, project, "-m", "ticktree", "check", "config.toml")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "mine" in checked.stdout
    run = python(installed, project, "-m", "ticktree", "run", "config.toml", "--for", "1s")
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.startswith("PAPER"), run.stdout
    assert "strategies/breakout" in run.stdout
    assert "strategies/mine" in run.stdout
    assert "unaccounted for: 0" in run.stdout


def test_it_is_listed_by_its_name(installed: Path, tmp_path: Path) -> None:
    listed = python(installed, tmp_path, "-m", "ticktree", "strategies")
    assert listed.returncode == 0, listed.stderr
    assert "breakout" in listed.stdout
    assert "my_strategy:Breakout of my-strategy 0.1.0" in listed.stdout


def test_without_installing_a_config_finds_the_module_beside_it(tmp_path: Path) -> None:
    shutil.copytree(PACKAGE / "my_strategy", tmp_path / "my_strategy", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PACKAGE / "config.toml", tmp_path)
    checked = python(tmp_path / "nowhere", Path("/"), "-m", "ticktree", "check", str(tmp_path / "config.toml"))
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_its_own_tests_pass(installed: Path, tmp_path: Path) -> None:
    for name in ("config.toml", "test_my_strategy.py"):
        shutil.copy(PACKAGE / name, tmp_path)
    options = ["-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    run = python(installed, tmp_path, "-m", "pytest", *options, str(tmp_path))
    assert run.returncode == 0, run.stdout + run.stderr
    assert "5 passed" in run.stdout
