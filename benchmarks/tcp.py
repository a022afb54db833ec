"""Ticks over TCP to a strategy's handler, over a C read loop, and over the CPython floor of an object a tick.

`tcp_batch` `batch_bare`   a stream of 64-byte ticks -> feed -> hub -> mailbox -> `on_batch`, summing price x size, over
                           `drain`: a blocking read loop in C that sums the same stream, on the same CPU. Both read
                           what `flood` sends from another CPU
            `batch_full`   with receive stamps, every value checked, last values and all accounting
            `frames_N`     in frames of N rows of the wire protocol (their sequence checked, too), over the same `drain`
`tcp_event` `event`        the first stream -> `on_trade(trade)`, over `iter_unpack` -> the same class -> the same
                           handler in a loop, without any I/O
"""

import time
from collections.abc import AsyncIterator, Callable
from functools import partial

from ticktree.feeds import Feed, RecordFeed, Source, WireFeed
from ticktree.market import Side, Trade
from ticktree.market.ticks import RECORD

from . import rig
from .limits import beside, built, drain, free_port, sender
from .measure import Figure, Plan, per_second, with_extra
from .senders import INSTRUMENTS, trades

ROWS = (1, 16, 256, 1_000)
_SIDES = (None, Side.BUY, Side.SELL, None)


async def batch_figures(plan: Plan) -> AsyncIterator[Figure]:
    """`tcp_batch`."""
    seconds = plan.size(300, 20) / 1_000
    port = free_port()
    async with built("flood", "drain") as programs, beside([programs["flood"], str(port), "1000"], port):
        limit = partial(drain, programs["drain"], port, seconds)
        records = _records(port)
        for name, full in (("batch_bare", False), ("batch_full", True)):
            ours = partial(_seconds_a_tick, records, full, seconds)
            yield await plan.compare(("tcp_batch", name), per_second("ticks"), ours, limit)
        for rows in ROWS:
            frames_port = free_port()
            async with beside(sender("frames", str(frames_port), str(rows)), frames_port):
                ours = partial(_seconds_a_tick, _wire(frames_port), True, seconds)
                figure = await plan.compare(("tcp_batch", f"frames_{rows}"), per_second("ticks"), ours, limit)
                yield with_extra(figure, rows=rows)


async def event_figures(plan: Plan) -> AsyncIterator[Figure]:
    """`tcp_event`."""
    seconds = plan.size(300, 20) / 1_000
    port = free_port()
    async with built("flood") as programs, beside([programs["flood"], str(port), "1000"], port):

        async def ours() -> float:
            async with rig.running(_records(port), rig.Events, rig.HOLDS_UP) as path:
                return await path.seconds_a_tick(seconds)

        yield await plan.compare(("tcp_event", "event"), per_second("events"), ours, partial(floor, seconds))


async def floor(seconds: float) -> float:
    """Seconds an event: unpack records, make the class, call the handler, and nothing else."""
    data, instruments = trades(2_048).tobytes(), {instrument.id: instrument for instrument in INSTRUMENTS}
    strategy = type("Floor", (rig.Events,), {"total": rig.Sum()})()
    handle, feed, sides, events = strategy.on_trade, rig.FEED, _SIDES, 0
    began_s = time.perf_counter()
    while (elapsed_s := time.perf_counter() - began_s) < seconds:
        for id, _, flags, _, sequence, venue_ns, received_ns, a, b, _, _ in RECORD.iter_unpack(data):
            handle(Trade(feed, instruments[id], a, b, sides[flags & 3], sequence, venue_ns, received_ns))
        events += 2_048
    return elapsed_s / events


async def _seconds_a_tick(feed: Callable[[Source], Feed], full: bool, seconds: float) -> float:
    async with rig.running(feed, full=full) as path:
        return await path.seconds_a_tick(seconds)


def _records(port: int) -> Callable[[Source], Feed]:
    return lambda source: RecordFeed(source, f"tcp://127.0.0.1:{port}", INSTRUMENTS)


def _wire(port: int) -> Callable[[Source], Feed]:
    return lambda source: WireFeed(source, f"tcp://127.0.0.1:{port}")
