"""A back-test from a notebook: within a loop that runs, and with its result at hand."""

import asyncio
import errno
import json
import os
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import uvloop

import ticktree
from ticktree.actors.extras import MissingExtra
from ticktree.backtesting.errors import BacktestError, BadData
from ticktree.backtesting.notebook import Result, backtest
from ticktree.backtesting.running import Manner
from ticktree.config import BadConfig
from ticktree.market import Quote
from ticktree.parts import App
from ticktree.strategies import Strategy

from .markets import Seen, Watcher, steady, table, trading, watching


class Once(Strategy):
    """Buys once."""

    topics = ("*/BTC-USDT/quote",)

    def on_quote(self, quote: Quote) -> None:
        if not self.exposure(quote.instrument):
            self.buy(quote.instrument, "0.5", limit=quote.ask)


def buying() -> App:
    def act(strategy: Watcher, message: Any) -> None:
        if isinstance(message, Quote) and message.bid in {102.0, 105.0}:
            (strategy.buy if message.bid == 102.0 else strategy.sell)(message.instrument, "0.5")

    return trading(watching(Seen(), act))


async def result(folder: Path) -> Result:
    return await backtest(buying(), steady().write(folder))


async def test_it_runs_within_a_loop_that_runs_and_leaves_that_alone(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, uvloop.Loop)
    beats = list[float]()

    async def beat() -> None:
        while True:
            beats.append(loop.time())
            await asyncio.sleep(0.001)

    beating = asyncio.create_task(beat())
    found = await result(tmp_path)
    beating.cancel()
    assert asyncio.get_running_loop() is loop
    assert [fill.price for fill in found.outcome.fills] == [Decimal(103), Decimal(105)]
    assert len(beats) > 1  # the loop went on meanwhile


async def test_several_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    path = steady().write(tmp_path)
    alone = await backtest(buying(), path)
    together = await asyncio.gather(*(backtest(buying(), path) for _ in range(3)))
    assert {one.digest for one in together} == {alone.digest}


async def test_a_strategy_alone_and_a_configuration_by_its_path_are_taken_as_an_app_is(tmp_path: Path) -> None:
    path = table(tmp_path, *((row * 10**8, 100.0 + row, 101.0 + row) for row in range(5)))
    by_class = await backtest(Once, path)
    assert len(by_class.outcome.fills) == 1
    assert by_class.outcome.config == f"{Once.__module__}:Once"
    config = tmp_path / "app.toml"
    config.write_text(
        """
[feeds.a]
type = "simulated"
[venues.paper]
type = "simulated"
prices = "a"
[routers.default]
policy = "timeout"
venue = "paper"
deadline = "250ms"
[strategies.momentum]
type = "momentum"
router = "default"
params = { fast = 1, slow = 2, size = "0.1" }
"""
    )
    for given in (config, str(config)):
        by_path = await backtest(given, f"a={path}", capital="1000", manner=Manner(seed=3))
        assert by_path.outcome.config == str(config)
        assert by_path.outcome.assumptions.seed == 3
        assert len(by_path.outcome.fills) == 1


async def test_it_is_a_public_name(tmp_path: Path) -> None:
    assert ticktree.backtest is backtest
    assert isinstance(await ticktree.backtest(buying(), steady().write(tmp_path)), ticktree.Result)


async def test_what_is_wrong_is_raised_where_it_is_awaited(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="no data were given"):
        await backtest(buying())
    with pytest.raises(BadConfig):
        await backtest(tmp_path / "missing.toml", tmp_path)


@pytest.mark.parametrize(
    ("capital", "said"),
    [
        ("a lot", "capital is an amount of money, as in 10000; not 'a lot'"),
        (0, "capital must be above 0, not 0"),
        ("inf", "capital must be above 0, not Infinity"),
    ],
)
async def test_a_capital_that_cannot_be_is_refused_before_anything_runs(capital: Any, said: str) -> None:
    with pytest.raises(BacktestError) as error:
        await backtest("there is no such configuration", capital=capital)
    assert str(error.value) == said


async def test_a_result_is_shown_as_text_and_in_a_cell_and_frames_have_its_rows(tmp_path: Path) -> None:
    found = await result(tmp_path)
    assert "watcher" in str(found)
    assert found.digest[:8] in found._repr_html_()  # pyright: ignore[reportPrivateUsage]  # notebooks call it
    assert (found.fills.height, found.orders.height) == (2, 2)
    assert found.equity.height >= len(found.outcome.samples.time_ns)
    assert found.prices.height == len(found.outcome.samples.time_ns)
    assert found.positions.height == len(found.outcome.samples.time_ns)


def test_a_page_and_a_document_are_written_whole(tmp_path: Path) -> None:
    found = asyncio.run(result(tmp_path))
    page, document = found.save_html(tmp_path / "page.html"), found.save_json(f"{tmp_path}/all.json")
    assert page.read_text().lstrip().lower().startswith("<!doctype html>")
    assert found.digest in json.dumps(json.loads(document.read_bytes()))


def test_on_a_full_disk_nothing_is_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found, path = asyncio.run(result(tmp_path)), tmp_path / "out"
    path.write_text("what was there")
    before = sorted(tmp_path.iterdir())

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for save in (found.save_html, found.save_json):
        with pytest.raises(OSError, match="No space left"):
            save(path)
        assert path.read_text() == "what was there"
        assert sorted(tmp_path.iterdir()) == before


async def test_without_polars_frames_say_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = await result(tmp_path)
    monkeypatch.setitem(sys.modules, "polars", None)
    for name in ("fills", "orders", "equity", "prices", "positions"):
        with pytest.raises(MissingExtra, match=r'needs polars: pip install "ticktree\[backtest\]"'):
            getattr(found, name)
    assert str(found)  # needs nothing
