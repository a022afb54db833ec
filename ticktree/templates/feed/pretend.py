"""The exchange that the feed was invented for: `python pretend.py`, until Ctrl-C."""

import random
import time
from contextlib import suppress
from typing import Any

from aiohttp import web

SYMBOL, PORT = "BTC-USDT", 8765


async def instruments(_: web.Request) -> web.Response:
    """What it lists."""
    listing = {"symbol": SYMBOL, "price_step": "0.01", "size_step": "0.0001"}
    return web.json_response([listing])


async def stream(request: web.Request) -> web.WebSocketResponse:
    """Tells a market to whoever subscribes to it, until he goes."""
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    with suppress(ConnectionError):
        topics = (await socket.receive_json())["topics"]
        unknown = {topic["symbol"] for topic in topics} - {SYMBOL}
        if unknown:
            why = f"there is no {unknown.pop()}"
            await socket.send_json({"type": "refused", "why": why})
        else:
            await socket.send_json({"type": "subscribed"})
            await tell(socket, {topic["type"] for topic in topics})
    return socket


async def tell(socket: web.WebSocketResponse, kinds: set[str]) -> None:
    """A quote and a trade, fifty times a second."""
    middle, number = 64_000.0, 0
    while not socket.closed:
        middle, number = middle + random.gauss(0, 2), number + 1
        same = {"symbol": SYMBOL, "id": number, "time_ms": time.time_ns() // 1_000_000}
        for kind, members in (("quote", quote(middle)), ("trade", trade(middle))):
            if kind in kinds:
                await socket.send_json({"type": kind} | same | members)
        with suppress(TimeoutError):
            await socket.receive(timeout=0.02)  # hears that he goes


def quote(middle: float) -> dict[str, Any]:
    """Best prices around `middle`."""
    bid, ask = f"{middle - 0.5:.2f}", f"{middle + 0.5:.2f}"
    return {"bid": bid, "bid_size": "2", "ask": ask, "ask_size": "0.7"}


def trade(middle: float) -> dict[str, Any]:
    """One at either of them."""
    side, price = random.choice((("buy", middle + 0.5), ("sell", middle - 0.5)))
    return {"price": f"{price:.2f}", "size": "0.1", "side": side}


def exchange() -> web.Application:
    """Where it answers."""
    app = web.Application()
    app.router.add_get("/instruments", instruments)
    app.router.add_get("/stream", stream)
    return app


if __name__ == "__main__":
    web.run_app(exchange(), host="127.0.0.1", port=PORT)
