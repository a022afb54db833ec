"""Configurations for tests."""

from pathlib import Path
from textwrap import dedent

import pytest

from ticktree import App, BadConfig, load

FEED = """\
[feeds.binance]
type = "binance"
instruments = ["BTC-USDT"]
"""
PAPER = f"""\
{FEED}
[venues.paper]
type = "simulated"
prices = "binance"

[routers.default]
policy = "timeout"
venues = ["paper"]
deadline = "250ms"

[strategies.momentum]
type = "momentum"
"""


def written(text: str, name: str = "app.toml") -> Path:
    """A file in the current folder."""
    path = Path(name)
    path.write_text(dedent(text))
    return path


def loaded(text: str) -> App:
    return load(written(text))


def problems(text: str) -> list[str]:
    """What is said of it, each as one line."""
    with pytest.raises(BadConfig) as caught:
        loaded(text)
    return str(caught.value).splitlines()
