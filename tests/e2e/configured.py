"""Configurations that end-to-end tests run: a simulated market, a paper venue, a router, and what is added."""

from pathlib import Path
from typing import Any

import msgspec

from .program import Program, in_process

CONFIG = """
[system]
budget = "2s"

[feeds.market]
type = "simulated"
seed = 1
interval = "5ms"

[venues.paper]
type = "simulated"
prices = "market"

[routers.default]
policy = "timeout"
venues = ["paper"]
deadline = "250ms"

[strategies.momentum]
type = "momentum"
"""


def config(folder: Path, *more: str, base: str = CONFIG) -> Path:
    """`more`: strategies of `plugs.py` by their class, or other sections as text."""
    sections = [one if "[" in one else f'[strategies.{one.lower()}]\ntype = "tests.e2e.plugs:{one}"' for one in more]
    path = folder / "run.toml"
    path.write_text("\n".join([base, *sections]))
    return path


def command(name: str, path: Path, *options: str) -> Program:
    """The program, with `--report` beside the configuration."""
    return Program("-m", "ticktree", *_words(name, path), *options)


def here(name: str, path: Path, *options: str) -> tuple[int, str]:
    """The same within this process, to its end: the exit code, and all it printed."""
    return in_process(*_words(name, path), *options)


def _words(name: str, path: Path) -> tuple[str, ...]:
    return name, str(path), "--report", str(path.with_name("report.json"))


def told(path: Path) -> Any:
    """The report, nothing of which may be unaccounted for."""
    report = msgspec.json.decode(path.with_name("report.json").read_bytes())
    assert [place for place, box in report["mailboxes"].items() if box["unaccounted"]] == []
    for feed in report["feeds"].values():
        assert feed["bytes_in"] == feed["decoded"] + feed["skipped"] + feed["buffered"]
    return report
