"""A bare client of the websockets package, and json of the standard library, as in its documentation."""

# It is run by another Python, of whose packages ours has no types.
# mypy: ignore-errors
# pyright: basic, reportMissingImports=false

import json

from clients import measured
from websockets.asyncio.client import connect

PEER = "websockets"


async def read(url, sum):
    async with connect(url, close_timeout=0.1) as socket:
        async for message in socket:
            trade = json.loads(message)["data"]
            sum.on_trade(float(trade["p"]), float(trade["q"]))


def answer(question):
    return measured(read, question)
