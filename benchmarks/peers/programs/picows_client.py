"""A bare client of picows, and msgspec, which reads the fields that are used from picows' own memory."""

# It is run by another Python, of whose packages ours has no types.
# mypy: ignore-errors
# pyright: basic, reportMissingImports=false

import picows
from clients import decode, measured

PEER = "picows"


async def read(url, sum):
    class Listener(picows.WSListener):
        def on_ws_frame(self, transport, frame):
            if frame.msg_type == picows.WSMsgType.TEXT:
                trade = decode(frame.get_payload_as_memoryview()).data
                sum.on_trade(trade.p, trade.q)

    transport, _ = await picows.ws_connect(Listener, url)
    try:
        await transport.wait_disconnected()
    finally:
        transport.disconnect()


def answer(question):
    return measured(read, question)
