"""A bare client of aiohttp, and msgspec, which reads the fields that are used from bytes."""

# It is run by another Python, of whose packages ours has no types.
# mypy: ignore-errors
# pyright: basic, reportMissingImports=false

import aiohttp
from clients import decode, measured

PEER = "aiohttp"


async def read(url, sum):
    async with aiohttp.ClientSession() as session, session.ws_connect(url, decode_text=False) as socket:
        async for message in socket:
            trade = decode(message.data).data
            sum.on_trade(trade.p, trade.q)


def answer(question):
    return measured(read, question)
