"""Processes that send what a benchmark reads, as fast as the kernel takes it or at a pace: one client at a time.

`python -m benchmarks.senders frames PORT ROWS`  TICKS frames of ROWS rows, in the wire protocol
`... many PORT`                                  the same, but to many at once, and to each as it asks for
`... json PORT`                                  Binance aggregate trades, in WebSocket frames
`... paced PORT`                                 64-byte trades one at a time, as many and as fast as asked for
`... bursts PORT`                                quotes and trades for ever, a millisecond's worth at a time
"""

import base64
import hashlib
import re
import selectors
import socket
import struct
import sys
import time
from decimal import Decimal
from functools import cache
from typing import Any, NoReturn

import attrs
import msgspec
import numpy as np

from ticktree.market import TICK, Instrument, TickFlag, TickKind, wire
from ticktree.market.ticks import RECORD


def universe(count: int) -> tuple[Instrument, ...]:
    """So many instruments."""
    return tuple(Instrument(f"I{id}-USD", id, Decimal("0.01"), Decimal("0.01")) for id in range(count))


INSTRUMENTS = universe(1_000)
SYMBOLS = tuple(f"S{number:03}USDT" for number in range(100))
WRITE_BYTES = 256 * 1024
PACE = struct.Struct("<QQ")  # messages, messages a second
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
JSON_MESSAGES = 2_000
BURSTS = 8  # thousands of ticks, at most at once
FIRST = 1_000_000_000  # the first message's number: so many digits, for ever


def main() -> NoReturn:
    """Serve one client after the other, for ever."""
    kind, port = sys.argv[1], int(sys.argv[2])
    with socket.create_server(("127.0.0.1", port)) as listener:
        if kind == "many":
            many(listener)
        while True:
            client, _ = listener.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with client:
                try:
                    _SENDERS[kind](client)
                except OSError:  # it has enough
                    continue


# --- the wire protocol ---------------------------------------------------------------------------------------------


def frames(client: socket.socket) -> None:
    """Ticks for ever, in frames of as many rows as the command line says, numbered on."""
    if not client.recv(65_536):
        return
    writer, rows = wire.Writer(), int(sys.argv[3])
    client.sendall(writer.write(wire.Hello(session="0" * 16, feed="bench")))
    client.sendall(writer.write(wire.Instruments(INSTRUMENTS)) + writer.write(wire.Subscribed(("bench/*/*",))))
    block = frame_block(rows)
    data, sequences = block.view(np.uint8).data, block["sequence"]
    while True:
        client.sendall(data)
        sequences += np.uint64(len(block) * rows)


def frame_block(rows: int, frames: int = 0) -> "np.ndarray[tuple[int], np.dtype[np.void]]":
    """About 256 KiB of frames, or so many, numbered from 0 on."""
    header = [("length", "<u4"), ("kind", "u1"), ("version", "u1"), ("flags", "<u2"), ("sequence", "<u8")]
    frame = np.dtype([*header, ("ticks", TICK, (rows,))])
    block = np.zeros(frames or max(1, WRITE_BYTES // frame.itemsize), frame)
    block["length"], block["kind"], block["version"] = frame.itemsize, wire.FrameKind.TICKS, wire.VERSION
    block["sequence"] = np.arange(len(block)) * rows
    block["ticks"] = trades(len(block) * rows).reshape(len(block), rows)
    return block


def trades(count: int) -> "np.ndarray[tuple[int], np.dtype[np.void]]":
    """Trades like those of `flood`."""
    numbers = np.arange(count)
    ticks = np.zeros(count, TICK)
    ticks["instrument"], ticks["kind"], ticks["flags"] = numbers % len(INSTRUMENTS), TickKind.TRADE, TickFlag.LAST
    ticks["sequence"], ticks["a"], ticks["b"] = numbers, 100 + numbers % 50, 1 + numbers % 7
    return ticks


# --- the same to many, each as it asks for ---------------------------------------------------------------------------

MANY_ROWS = 256
_GREATEST = 40  # frames, so that of 10,000 instruments each has a turn


class Asked(msgspec.Struct):
    """What a client's HELLO asks for, in its token."""

    instruments: int
    frames: int = 0  # for ever


@attrs.define(eq=False)
class Stream:
    """One client: what it asked for, and how far it is."""

    block: "np.ndarray[tuple[int], np.dtype[np.void]]"
    numbers: "np.ndarray[tuple[int], np.dtype[np.uint64]]"
    left: int  # frames to send; below 0: for ever
    first: int = 0  # the number of the block's first tick
    at: int = 0  # bytes of the block that are sent

    def send(self, client: socket.socket) -> None:
        """As much as the kernel takes at once."""
        self.block["sequence"] = self.numbers + np.uint64(self.first)
        data = self.block.view(np.uint8).data
        self.at += client.send(data[self.at :])
        if self.at == len(data):
            self.at, self.first, self.left = 0, self.first + len(self.block) * MANY_ROWS, self.left - len(self.block)


def many(listener: socket.socket) -> NoReturn:
    """Serve all who come, each in its turn."""
    selector, streams = selectors.DefaultSelector(), dict[socket.socket, Stream]()
    selector.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            client = key.fileobj
            assert isinstance(client, socket.socket)
            if client is listener:
                client, _ = listener.accept()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                selector.register(client, selectors.EVENT_READ)
                continue
            try:
                _serve(client, streams, selector)
            except OSError:
                streams.pop(client, None)
                selector.unregister(client)
                client.close()


def _serve(client: socket.socket, streams: dict[socket.socket, Stream], selector: selectors.BaseSelector) -> None:
    stream = streams.get(client)
    if stream is None:
        streams[client] = begin(client)
        client.setblocking(False)
        selector.modify(client, selectors.EVENT_WRITE)
    elif stream.left:
        stream.send(client)
        if not stream.left:
            selector.modify(client, selectors.EVENT_READ)
    elif not client.recv(65_536):  # else a heartbeat
        raise ConnectionError("it has enough")


def begin(client: socket.socket) -> Stream:
    """Hear what a client asks for, and tell it the definitions. Raises `ConnectionError` for one that says nothing."""
    frames, _, _ = wire.Framing().cut(memoryview(client.recv(65_536)), 0)
    if not frames:  # the probe that looks whether anybody listens
        raise ConnectionError("it asks for nothing")
    hello, writer = wire.Reader().read(frames[0]), wire.Writer()
    assert isinstance(hello, wire.Hello)
    asked = msgspec.json.decode(hello.token, type=Asked)
    client.sendall(writer.write(wire.Hello(session="0" * 16, feed="many")))
    client.sendall(writer.write(wire.Instruments(universe(asked.instruments))))
    client.sendall(writer.write(wire.Subscribed(("*/*/*",))))
    block = blocks(asked.instruments, asked.frames)
    return Stream(block, np.arange(len(block), dtype=np.uint64) * np.uint64(MANY_ROWS), asked.frames or -1)


@cache
def blocks(instruments: int, frames: int) -> "np.ndarray[tuple[int], np.dtype[np.void]]":
    """Of all who ask alike: numbered when it is sent. Instruments in no order, as often as one another."""
    block = frame_block(MANY_ROWS, frames or _GREATEST)
    ids = np.random.default_rng(1).permutation(np.arange(block["ticks"].size) % instruments)
    block["ticks"]["instrument"] = ids.reshape(block["ticks"].shape)
    return block


# --- WebSocket -----------------------------------------------------------------------------------------------------


def json(client: socket.socket) -> None:
    """Aggregate trades for ever, numbered on, each in a frame of its own."""
    request = b""
    while b"\r\n\r\n" not in request:
        if not (more := client.recv(65_536)):
            return
        request += more
    key = re.search(rb"(?i)sec-websocket-key: *(\S+)", request)
    if key is None:  # the probe that looks whether anybody listens
        return
    accept = base64.b64encode(hashlib.sha1(key[1] + GUID).digest())
    upgrade = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    client.sendall(upgrade + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
    block, numbers = json_block()
    data = block.data
    first = FIRST
    while not _says_something(client):  # a goodbye: nothing else is to be said
        write_numbers(numbers, first)
        client.sendall(data)
        first += JSON_MESSAGES // len(SYMBOLS)


def _says_something(client: socket.socket) -> bool:
    try:
        client.recv(4_096, socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    return True


def json_block() -> "tuple[np.ndarray[Any, np.dtype[np.uint8]], np.ndarray[Any, np.dtype[np.uint8]]]":
    """Messages of Binance's combined stream in frames, all of one length, and a view of where their numbers stand."""
    texts = [json_message(number) for number in range(JSON_MESSAGES)]
    length = len(texts[0])
    block = np.frombuffer(b"".join(b"\x81\x7e" + struct.pack(">H", length) + text for text in texts), np.uint8).copy()
    rows = block.reshape(JSON_MESSAGES, length + 4)
    at = texts[0].index(b'"a":') + 4 + 4
    return block, rows[:, at : at + len(str(FIRST))]


def json_message(number: int) -> bytes:
    """One aggregate trade, of the symbol whose turn it is."""
    symbol = SYMBOLS[number % len(SYMBOLS)]
    return (
        b'{"stream":"%s@aggTrade","data":{"e":"aggTrade","E":1672515782136,"s":"%s","a":%d,"p":"%d.01","q":"%d.5",'
        b'"f":100,"l":105,"T":1672515782136,"m":true,"M":true}}'
        % (symbol.lower().encode(), symbol.encode(), FIRST, 100 + number % 50, 1 + number % 7)
    )


def write_numbers(where: "np.ndarray[Any, np.dtype[np.uint8]]", first: int) -> None:
    """Number the messages of each symbol on from `first`."""
    numbers = first + np.arange(JSON_MESSAGES) // len(SYMBOLS)
    for place in range(where.shape[1] - 1, -1, -1):
        numbers, digits = np.divmod(numbers, 10)
        where[:, place] = digits + ord("0")


# --- at a pace -----------------------------------------------------------------------------------------------------


def paced(client: socket.socket) -> None:
    """As many trades as the client asks for, at its pace, each stamped with the monotonic clock when it is sent."""
    asked = client.recv(PACE.size, socket.MSG_WAITALL)
    if len(asked) < PACE.size:
        return
    count, rate = PACE.unpack(asked)
    gap_ns, due_ns = 10**9 // rate, time.monotonic_ns() + 50_000_000
    for number in range(count):
        while (now_ns := time.monotonic_ns()) < due_ns:  # sleeping would come late
            pass
        client.sendall(
            RECORD.pack(number % 1_000, TickKind.TRADE, TickFlag.LAST, 0, number, now_ns, 0, 100.0, 1.0, 0, 0)
        )
        due_ns += gap_ns
    client.recv(1)  # until the client goes


def bursts(client: socket.socket) -> None:
    """Quotes and trades in turn, for ever: a millisecond's worth at a time, stamped when it is sent. None is left out:
    who was kept waiting catches up."""
    asked = client.recv(PACE.size, socket.MSG_WAITALL)
    if len(asked) < PACE.size:
        return
    _, rate = PACE.unpack(asked)
    ticks, sent, began_ns = trades(BURSTS * 1_000), 0, time.monotonic_ns()
    quotes = ticks[::2]
    quotes["kind"], quotes["c"], quotes["d"] = TickKind.QUOTE, quotes["a"] + 0.01, quotes["b"]
    while True:
        due = (time.monotonic_ns() - began_ns) * rate // 10**9 - sent
        if due < rate // 1_000:
            time.sleep(0.000_2)
            continue
        burst = ticks[sent % 1_000 : sent % 1_000 + min(due, (BURSTS - 1) * 1_000)]
        burst["venue_time_ns"] = time.monotonic_ns()
        client.sendall(burst.data)
        sent += len(burst)


_SENDERS = {"frames": frames, "json": json, "paced": paced, "bursts": bursts}

if __name__ == "__main__":
    main()
