"""A system that runs in the test's own loop, holds something, and has an order out; and who speaks to it."""

import asyncio
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import msgspec

from ticktree import App, Strategy
from ticktree.actors import System
from ticktree.app import Assembly, OperationsPart, VenuePart, assemble
from ticktree.market import Quote
from ticktree.operations.status import Status
from ticktree.routing.venues.simulated import Latency

DEADLINE_S = 10.0


class Holder(Strategy):
    """Buys 0.01 at the market, and bids for 0.02 where nobody will sell."""

    topics = ("*/BTC-USDT/quote",)

    def on_start(self) -> None:
        self.done = False

    def on_quote(self, quote: Quote) -> None:
        if not self.done:
            self.done = True
            self.buy(quote.instrument, "0.01")
            self.buy(quote.instrument, "0.02", limit="1000")


def app(socket: Path, metrics: str = "", latency_s: float = 0.0, **changes: Any) -> App:
    """With `latency_s` the venue's word takes twice as long, so that cancels do."""
    venue = VenuePart("paper", prices="simulated", latency=Latency(latency_s))
    made = attrs.evolve(App.simulated(Holder), operations=OperationsPart(socket, metrics), venues=(venue,))
    return attrs.evolve(made, **changes)


class Running:
    """A system, and requests to it over its socket."""

    def __init__(self, assembly: Assembly, client: aiohttp.ClientSession) -> None:
        self.assembly, self.system, self._client = assembly, assembly.system(), client
        assert assembly.app.operations is not None
        self.socket = assembly.app.operations.socket

    async def ask(
        self, method: str, page: str, body: object = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """(status, what the JSON says; or the text where it is none)."""
        data = body if isinstance(body, bytes) else None if body is None else msgspec.json.encode(body)
        async with self._client.request(method, f"http://operator{page}", data=data, headers=headers) as answer:
            is_json = answer.content_type == "application/json"
            return answer.status, msgspec.json.decode(await answer.read()) if is_json else await answer.text()

    async def say(self, command: str, **said: Any) -> str:
        """What a command answers."""
        status, answer = await self.ask("POST", f"/{command}", said)
        assert status == 200, answer
        return str(answer["said"])

    async def status(self) -> Status:
        """As a program reads it."""
        status, answer = await self.ask("GET", "/status")
        assert status == 200, answer
        return msgspec.convert(answer, Status)

    async def holding(self) -> None:
        """Until 0.01 is held and the bid is out."""
        ledger = self.assembly.office.ledger
        await until(lambda: ledger.fills == 1 and [one.state.value for one in ledger.open_orders.values()] == ["live"])


@asynccontextmanager
async def running(what: App) -> AsyncGenerator[Running]:
    """`what`, until the block ends."""
    assembly = assemble(what)
    assert what.operations is not None
    connector = aiohttp.UnixConnector(str(what.operations.socket))
    async with assembly.system(), aiohttp.ClientSession(connector=connector) as client:
        yield Running(assembly, client)


async def until(condition: Callable[[], bool]) -> None:
    """Look again and again; what a test waits for here tells nobody that it has happened."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110  # nobody is told of it
            await asyncio.sleep(0.002)


async def stopped(system: System) -> float:
    """Stop it, and how many seconds that took."""
    return (await system.stop()).duration_s


def is_there(path: Path) -> bool:
    """Whether there is any file of that name."""
    return os.path.lexists(path)
