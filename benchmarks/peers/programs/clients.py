"""How bare WebSocket clients are measured: price x size of aggregate trades is summed, for so many seconds."""

# It is run by another Python, of whose packages ours has no types.
# mypy: ignore-errors
# pyright: basic, reportMissingImports=false

import asyncio
import time

import msgspec
import uvloop


class Fields(msgspec.Struct, gc=False):
    """What of a trade is used."""

    s: str
    a: int
    p: float
    q: float
    T: int
    m: bool


class Combined(msgspec.Struct, gc=False):
    """What it is wrapped in."""

    stream: str
    data: Fields


decode = msgspec.json.Decoder(Combined, strict=False).decode


class Sum:
    """What a client adds to."""

    def __init__(self):
        self.ticks, self.notional = 0, 0.0

    def on_trade(self, price, size):
        self.ticks += 1
        self.notional += price * size


def measured(client, question):
    """What `client(url, sum)` comes to, once messages flow. On uvloop, which makes all three quicker."""
    return uvloop.run(_measured(client, question["url"], question["seconds"]))


async def _measured(client, url, seconds):
    sum = Sum()
    task = asyncio.create_task(client(url, sum))
    try:
        async with asyncio.timeout(20):
            while not sum.ticks and not task.done():  # noqa: ASYNC110  # an event would be one more thing to measure
                await asyncio.sleep(0.001)
        await asyncio.sleep(seconds / 5)
        before, began_s = sum.ticks, time.perf_counter()
        await asyncio.sleep(seconds)
        run_s, ticks = time.perf_counter() - began_s, sum.ticks - before
        if task.done():
            task.result()  # raises
        return {"run_s": run_s, "ticks": ticks, "handled": sum.ticks, "total": sum.notional}
    finally:
        task.cancel()
        await asyncio.wait([task])
