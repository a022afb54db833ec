"""The third-party feed of docs/add-a-feed.md, installed as a user installs it: found, conforming, and running."""

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "examples" / "gate_feed"
DEADLINE_S = 120

RUN = """
import asyncio, sys

import gate_feed

from ticktree.actors import ChildSpec, DropOldest, Mailbox, Supervisor, System
from ticktree.feeds import Source
from ticktree.feeds.plugins import FEEDS
from ticktree.market import Topic, Trade


class Printer:
    def __init__(self):
        self.done = asyncio.Event()

    def attach(self, port): ...

    def publish(self, batch):
        for event in batch.events:
            if isinstance(event, Trade):
                print("trade", event.instrument.name, event.price, event.size, event.aggressor.name)
                self.done.set()

    def mark(self, mark): ...


async def main(url, rest_url):
    printer = Printer()
    source = Source("gate", (Topic.parse("gate/BTC-USDT/trade"),), printer)
    found = FEEDS.load("gate")
    print("file", gate_feed.__file__)
    print("known", FEEDS.known()["gate"])
    start = lambda: found(source, url=url, rest_url=rest_url)
    async with System(Supervisor((ChildSpec("gate", start, Mailbox(100, DropOldest())),))):
        async with asyncio.timeout(30):
            await printer.done.wait()


asyncio.run(main(*sys.argv[1:]))
"""


class Gate:
    """The exchange, as small as can be: one pair, one trade to whoever subscribes, a book that never changes."""

    async def pairs(self, _: web.Request) -> web.Response:
        pair = {"id": "BTC_USDT", "base": "BTC", "quote": "USDT", "precision": 2, "amount_precision": 4}
        return web.json_response([pair | {"trade_status": "tradable"}])

    async def book(self, request: web.Request) -> web.Response:
        assert request.query["currency_pair"] == "BTC_USDT"
        return web.json_response({"id": 7, "bids": [["64000.00", "1"]], "asks": [["64000.50", "2"]]})

    async def stream(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            channel: str = json.loads(message.data)["channel"]
            await socket.send_json(said(channel, "subscribe", {"status": "success"}))
            if channel == "spot.trades":
                trade = {"id": 1, "create_time_ms": "1606292218213.45", "side": "sell", "currency_pair": "BTC_USDT"}
                await socket.send_json(said(channel, "update", trade | {"amount": "0.5", "price": "64000.25"}))
        return socket


def said(channel: str, event: str, result: Any) -> dict[str, Any]:
    return {"time": 1, "channel": channel, "event": event, "result": result}


@asynccontextmanager
async def exchange() -> AsyncGenerator[tuple[str, str]]:
    """Its two addresses."""
    app, gate = web.Application(), Gate()
    routes: dict[str, Callable[[web.Request], Awaitable[web.StreamResponse]]] = {
        "/api/v4/spot/currency_pairs": gate.pairs,
        "/api/v4/spot/order_book": gate.book,
        "/ws": gate.stream,
    }
    for path, handler in routes.items():
        app.router.add_get(path, handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    try:
        yield f"ws://{host}:{port}/ws", f"http://{host}:{port}/api/v4"
    finally:
        await runner.cleanup()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the package is installed into, built from a copy: a build leaves files behind."""
    copy, target = tmp_path_factory.mktemp("source") / "gate_feed", tmp_path_factory.mktemp("installed")
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation", "--no-index"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(target), str(copy)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=DEADLINE_S)
    assert run.returncode == 0, run.stderr
    return target


def environment(installed: Path) -> dict[str, str]:
    unmeasured = {name: value for name, value in os.environ.items() if not name.startswith(("COVERAGE_", "PYTEST_"))}
    return {**unmeasured, "PYTHONPATH": str(installed)}


def python(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Python in `folder`, for which the package is installed."""
    settings: dict[str, Any] = {"cwd": folder, "env": environment(installed), "timeout": DEADLINE_S}
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, **settings)


async def until_printed(installed: Path, folder: Path, wanted: set[str], *arguments: str) -> list[str]:
    """Run Python in `folder`, interrupt it once it has printed lines that begin so; what it printed."""
    run = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=folder, env=environment(installed),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    assert run.stdout is not None
    lines = list[str]()
    try:
        async with asyncio.timeout(DEADLINE_S):
            while not wanted <= {line.partition("(")[0] for line in lines}:
                data = await run.stdout.readline()
                assert data, "\n".join(lines)
                lines.append(data.decode().rstrip())
            run.send_signal(signal.SIGINT)
            rest = await run.stdout.read()
            assert await run.wait() == 0, rest
    finally:
        if run.returncode is None:
            run.kill()
            await run.wait()
    return lines


async def test_the_installed_feed_is_found_by_its_name_and_brings_trades(installed: Path, tmp_path: Path) -> None:
    async with exchange() as urls:
        run = await asyncio.to_thread(python, installed, tmp_path, "-c", RUN, *urls)
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    assert f"file {installed / 'gate_feed.py'}" in lines
    assert "known gate_feed:GateFeed of gate-feed 0.1.0" in lines
    assert "trade BTC-USDT 64000.25 0.5 SELL" in lines


async def test_a_session_is_recorded_and_played_again(installed: Path, tmp_path: Path) -> None:
    shutil.copy(PACKAGE / "record.py", tmp_path)
    folder = tmp_path / "recordings"
    folder.mkdir()
    wanted = {"Trade", "BookUpdate", "Live"}
    async with exchange() as urls:
        live = await until_printed(installed, tmp_path, wanted, "record.py", str(folder), *urls)
    (file,) = folder.iterdir()
    played = await until_printed(installed, tmp_path, wanted, "record.py", str(file))
    for kind in wanted:
        assert told(played, kind) == told(live, kind)


def told(lines: list[str], kind: str) -> list[str]:
    """What was told of `kind`, but for when it was received, which a replay tells to the read."""
    return [re.sub(r"received_time_ns=\d+", "", line) for line in lines if line.startswith(kind)]


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_the_installed_feed_passes_its_own_tests(installed: Path, tmp_path: Path, mode: str) -> None:
    """Whatever the author's pytest does with coroutines: the kit's tests are plain functions."""
    shutil.copy(PACKAGE / "test_gate_feed.py", tmp_path)
    (tmp_path / "conftest.py").write_text(
        f"import gate_feed\n\n\ndef pytest_configure(config):\n"
        f"    assert gate_feed.__file__ == {str(installed / 'gate_feed.py')!r}\n"
    )
    options = ["-q", "-p", "no:cacheprovider", "-o", f"asyncio_mode={mode}", "--rootdir", str(tmp_path)]
    run = python(installed, tmp_path, "-m", "pytest", *options, str(tmp_path))
    assert run.returncode == 0, run.stdout + run.stderr
    passed = int(run.stdout.rsplit(" passed", 1)[0].rsplit(maxsplit=1)[-1])
    assert passed >= 20


def test_what_it_cannot_be_tested_for_is_skipped_with_a_reason(installed: Path, tmp_path: Path) -> None:
    shutil.copy(PACKAGE / "test_gate_feed.py", tmp_path)
    run = python(installed, tmp_path, "-m", "pytest", "-q", "-rs", "-k", "missing_trade", "-p", "no:cacheprovider")
    assert "rules promises of no trades or quotes that their numbers have no gaps" in run.stdout
