"""Ticks over TCP to a strategy's handler, over a C read loop, and over the CPython floor of an object a tick.

`tcp_batch` `batch_bare`   a stream of 64-byte ticks -> feed -> hub -> mailbox -> `on_batch`, summing price x size, over
                           `drain`: a blocking read loop in C that sums the same stream, on the same CPU. Both read
                           what `flood` sends from another CPU
            `batch_full`   with receive stamps, last values and all accounting
            `batch_checked`  with every value, kind and id looked through as well, which is the default
            `frames_N`     as `batch_full`, in frames of N rows of the wire protocol, whose sequence is checked, too
`tcp_event` `event`        the first stream -> `on_trade(trade)`, over `iter_unpack` -> the same class -> the same
                           handler in a loop, without any I/O

`rows_a_batch` is how many ticks came at once: a batch is what one read brought.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from functools import partial

from ticktree.feeds import Feed, RecordFeed, Source, WireFeed
from ticktree.market import Side, Trade
from ticktree.market.ticks import RECORD, Row

from . import rig
from .limits import beside, built, drain, free_port, sender
from .measure import Figure, Plan, per_second, with_extra
from .senders import INSTRUMENTS, trades

ROWS = (1, 16, 256, 1_000)


async def batch_figures(plan: Plan) -> AsyncIterator[Figure]:
    """`tcp_batch`."""
    seconds = plan.size(300, 20) / 1_000
    port = free_port()
    async with built("flood", "drain") as programs, beside([programs["flood"], str(port), "1000"], port):
        limit = partial(drain, programs["drain"], port, seconds)
        records = _records(port)
        for name, setup in (
            ("batch_bare", rig.Setup(full=False, checked=False)),
            ("batch_full", rig.Setup(checked=False)),
            ("batch_checked", rig.Setup()),
        ):
            yield await _batched(plan, name, partial(_seconds_a_tick, records, seconds, setup), limit)
        for rows in ROWS:
            frames_port = free_port()
            async with beside(sender("frames", str(frames_port), str(rows)), frames_port):
                ours = partial(_seconds_a_tick, _wire(frames_port), seconds, rig.Setup(checked=False))
                yield with_extra(await _batched(plan, f"frames_{rows}", ours, limit), rows=rows)


async def _batched(
    plan: Plan, name: str, ours: Callable[[list[rig.Sum]], Awaitable[float]], limit: Callable[[], Awaitable[float]]
) -> Figure:
    """The figure, with how many rows came at once."""
    sums = list[rig.Sum]()
    figure = await plan.compare(("tcp_batch", name), per_second("ticks"), partial(ours, sums), limit)
    return with_extra(figure, rows_a_batch=round(sum(one.ticks for one in sums) / sum(one.batches for one in sums)))


async def event_figures(plan: Plan) -> AsyncIterator[Figure]:
    """`tcp_event`."""
    seconds = plan.size(300, 20) / 1_000
    port = free_port()
    async with built("flood") as programs, beside([programs["flood"], str(port), "1000"], port):

        async def ours() -> float:
            async with rig.running(_records(port), rig.EVENTS) as path:
                return await path.seconds_a_tick(seconds)

        yield await plan.compare(("tcp_event", "event"), per_second("events"), ours, partial(floor, seconds))


async def floor(seconds: float) -> float:
    """Seconds an event: unpack records, make the class, call the handler, and nothing else."""
    data, instruments = trades(2_048).tobytes(), {instrument.id: instrument for instrument in INSTRUMENTS}
    strategy = rig.made(rig.Events, rig.Sum())()
    handle, feed, events = strategy.on_trade, rig.FEED, 0
    sides: list[Side | None] = [None, Side.BUY, Side.SELL, None]
    began_s = time.perf_counter()
    while (elapsed_s := time.perf_counter() - began_s) < seconds:
        for id, _, flags, _, sequence, venue_ns, received_ns, a, b, _, _ in _rows(data):
            handle(Trade(feed, instruments[id], a, b, sides[flags & 3], sequence, venue_ns, received_ns))
        events += 2_048
    return elapsed_s / events


def _rows(data: bytes) -> Iterable[Row]:
    return RECORD.iter_unpack(data)


async def _seconds_a_tick(
    feed: Callable[[Source], Feed], seconds: float, setup: rig.Setup, sums: list[rig.Sum]
) -> float:
    async with rig.running(feed, setup) as path:
        sums.append(path.total)
        return await path.seconds_a_tick(seconds)


def _records(port: int) -> Callable[[Source], Feed]:
    return lambda source: RecordFeed(source, f"tcp://127.0.0.1:{port}", INSTRUMENTS)


def _wire(port: int) -> Callable[[Source], Feed]:
    return lambda source: WireFeed(source, f"tcp://127.0.0.1:{port}")
