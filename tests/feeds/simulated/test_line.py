"""The way out to one client, in virtual time."""

from random import Random
from typing import Any, cast

from ticktree.actors import VirtualClock, simulate
from ticktree.feeds.simulated import Faults
from ticktree.feeds.simulated.connections import Breakable
from ticktree.feeds.simulated.line import MOST_BYTES, Line


class Wire:
    """Notes what is written, and when, in milliseconds."""

    def __init__(self, clock: VirtualClock) -> None:
        self.paused = False
        self.written: list[tuple[int, bytes]] = []
        self.broken: list[bytes] = []
        self._clock = clock

    def write(self, data: bytes) -> None:
        self.written.append((self._clock.monotonic_ns() // 1_000_000, data))

    def break_off(self, message: bytes, random: Random) -> None:
        self.broken.append(message)


def line_of(clock: VirtualClock, **faults: Any) -> tuple[Line, Wire]:
    wire = Wire(clock)
    return Line(cast(Breakable, wire), clock, Faults(**faults), Random(1)), wire


def test_without_faults_everything_goes_out_at_once() -> None:
    async def main(clock: VirtualClock) -> None:
        line, wire = line_of(clock)
        line.send(b"a")
        line.send(b"b")
        assert wire.written == [(0, b"a"), (0, b"b")]

    simulate(main)


def test_latency_delays_and_keeps_the_order() -> None:
    async def main(clock: VirtualClock) -> None:
        line, wire = line_of(clock, latency_s=0.010, jitter_s=0.050)
        for n in range(50):
            line.send(bytes([n]))
            await clock.sleep(0.001)
        await clock.sleep(0.1)
        assert [data for _, data in wire.written] == [bytes([n]) for n in range(50)]
        assert all(at >= 10 + n for n, (at, _) in enumerate(wire.written))
        assert wire.written[-1][0] <= 49 + 10 + 50

    simulate(main)


def test_a_silence_holds_everything_back_until_it_ends() -> None:
    async def main(clock: VirtualClock) -> None:
        line, wire = line_of(clock, silence_s=1.0)
        line.send(b"before")
        line.hush()
        line.send(b"within")
        await clock.sleep(0.5)
        line.hush()
        line.send(b"later")
        await clock.sleep(2.0)
        assert wire.written == [(0, b"before"), (1_000, b"within"), (1_500, b"later")]

    simulate(main)


def test_what_waits_is_bounded_by_being_behind() -> None:
    async def main(clock: VirtualClock) -> None:
        line, wire = line_of(clock, latency_s=1.0)
        behind = list[bool]()
        for message in (bytes(MOST_BYTES), b"one more"):
            line.send(message)
            behind.append(line.behind)
        assert behind == [False, True]
        await clock.sleep(1.1)
        assert [len(data) for _, data in wire.written] == [MOST_BYTES, len(b"one more")]

    simulate(main)


def test_who_does_not_read_is_behind() -> None:
    async def main(clock: VirtualClock) -> None:
        line, wire = line_of(clock)
        wire.paused = True
        assert line.behind

    simulate(main)


def test_after_a_break_nothing_more_is_sent() -> None:
    async def main(clock: VirtualClock) -> None:
        line, wire = line_of(clock, latency_s=0.1)
        line.send(b"a")
        line.send(b"b", breaks=Random(1))
        line.send(b"c")
        await clock.sleep(1.0)
        assert [data for _, data in wire.written] == [b"a"]
        assert wire.broken == [b"b"]

    simulate(main)


def test_what_waits_when_the_client_goes_is_never_sent() -> None:
    async def main(clock: VirtualClock) -> None:
        line, wire = line_of(clock, latency_s=0.1)
        line.send(b"a")
        line.close()
        line.send(b"b")
        await clock.sleep(1.0)
        assert not wire.written

    simulate(main)
