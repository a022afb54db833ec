"""A process that reads what a benchmark distributes: many connections, whose bytes are counted and dropped.

`python -m benchmarks.readers` takes commands on stdin, each answered with one line of JSON:

    connect PORT COUNT SLOW   COUNT connections that read and SLOW that never do; each says what a relay's client says
    count                     bytes so far of those that read, and the time
    ages                      how old the ticks of the first one were when they came, in ns, since this was asked last
    close                     end all connections
"""

import selectors
import socket
import sys
import time
from array import array
from typing import TextIO

import attrs
import msgspec

from ticktree.market import wire

FEED = "bench"
ROOM = 256 * 1024
BEAT_S = 0.5
HEARTBEAT = wire.Writer().write(wire.Heartbeat())
SLOW_ROOM = 4_096  # of the socket of one that never reads


class Count(msgspec.Struct):
    """What was read so far; `least` by the reader that has the fewest."""

    total: int
    least: int
    at_s: float


@attrs.define(eq=False)
class Ages:
    """The ticks of one connection, as old as they were when they came: their venue time is the sender's clock."""

    framing: wire.Framing = attrs.field(factory=wire.Framing)
    reader: wire.Reader = attrs.field(factory=wire.Reader)
    held: bytes = b""
    noted_ns: "array[int]" = attrs.field(factory=lambda: array("q"))

    def take(self, data: bytes) -> None:
        """More of the stream."""
        now_ns, data = time.monotonic_ns(), self.held + data
        frames, taken, error = self.framing.cut(memoryview(data), 0)
        if error is not None:
            raise error
        self.held = data[taken:]
        for frame in frames:
            message = self.reader.read(frame)
            if isinstance(message, wire.TickRows):
                self.noted_ns.extend((now_ns - message.ticks["venue_time_ns"]).tolist())


class Readers:
    """The connections."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._room = memoryview(bytearray(ROOM))
        self._bytes: dict[socket.socket, int] = {}
        self._slow: list[socket.socket] = []
        self._ages: Ages | None = None
        self._first: socket.socket | None = None
        self._beat_s = 0.0

    def serve(self, commands: TextIO) -> None:
        """Read until there are no more commands."""
        self._selector.register(commands, selectors.EVENT_READ)
        while True:
            ready = [key.fileobj for key, _ in self._selector.select(BEAT_S)]
            self._beat()
            for sock in ready:
                if isinstance(sock, socket.socket):
                    self._read(sock)
            if commands in ready:  # last: it may end connections
                line = commands.readline().split()
                if not line:
                    return
                print(msgspec.json.encode(self._do(*line)).decode(), flush=True)

    def _beat(self) -> None:
        """Whoever says nothing for two seconds is given up."""
        now_s = time.monotonic()
        if now_s - self._beat_s >= BEAT_S:
            self._beat_s = now_s
            for sock in (*self._bytes, *self._slow):
                sock.send(HEARTBEAT)

    def _do(self, command: str, *arguments: str) -> object:
        match command:
            case "connect":
                return self._connect(*map(int, arguments))
            case "count":
                return Count(sum(self._bytes.values()), min(self._bytes.values()), time.monotonic())
            case "ages":
                assert self._ages is not None
                noted, self._ages.noted_ns = self._ages.noted_ns, array("q")
                return noted.tolist()
            case "close":
                return self._close()
            case _:
                raise ValueError(f"there is no command {command!r}")

    def _connect(self, port: int, count: int, slow: int, ages: int = 0) -> int:
        writer = wire.Writer()
        hello = writer.write(wire.Hello()) + writer.write(wire.Subscribe((f"{FEED}/*/trade",)))
        for number in range(count + slow):
            sock = socket.socket()
            if number >= count:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_ROOM)
            sock.connect(("127.0.0.1", port))
            sock.sendall(hello)
            if number >= count:
                self._slow.append(sock)
                continue
            sock.setblocking(False)
            self._bytes[sock] = 0
            self._selector.register(sock, selectors.EVENT_READ)
        self._ages, self._first = (Ages() if ages else None), next(iter(self._bytes), None)
        return count

    def _read(self, sock: socket.socket) -> None:
        count = sock.recv_into(self._room)
        if not count:
            raise ConnectionError("a reader was disconnected")
        self._bytes[sock] += count
        if self._ages is not None and sock is self._first:
            self._ages.take(bytes(self._room[:count]))

    def _close(self) -> int:
        for sock in self._bytes:
            self._selector.unregister(sock)
        for sock in (*self._bytes, *self._slow):
            sock.close()
        closed = len(self._bytes)
        self._bytes, self._slow, self._ages = {}, [], None
        return closed


if __name__ == "__main__":
    Readers().serve(sys.stdin)
