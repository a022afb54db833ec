"""After an outage all clients come back at once: in order, at a bounded rate, each to its own data."""

import asyncio
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import pytest
import uvloop

from ticktree.distribution import Hub
from ticktree.distribution.relay.lobby import Window
from ticktree.market import Instrument, InstrumentIds, Quote, Topic, messages

from ...actors.support import note_soak
from .rig import Client, Rig, Upstream, lobby, relaying
from .subscribers import Subscriber, beating, until

ROOT = Path(__file__).parents[3]


def market(count: int) -> tuple[Hub, list[Instrument]]:
    """A hub that keeps the last quotes of `count` instruments."""
    ids, increment = InstrumentIds(), Decimal("0.01")
    instruments = [ids.adopt(Instrument(f"C{n}-USD", n, increment, increment)) for n in range(count)]
    return Hub(ids, (Topic("sim", "*", "quote"),)), instruments


async def come_back(count: int, a_second: int) -> tuple[float, list[float]]:
    """`count` subscribers lose their connections at once; until all are back, and when each was let in."""
    woken = asyncio.Event()
    hub, instruments = market(count)
    names = [one.name for one in instruments]
    sim = Upstream(hub, "sim", tuple(f"sim/{name}/quote" for name in names))

    def publish(bid: float) -> None:
        sim.publish(*(Quote("sim", one, bid, 1.0, bid + 1, 1.0, 1, 0, 0) for one in instruments))

    async with relaying(hub, ("tcp://127.0.0.1:0",), admissions_a_second=a_second) as rig:
        subscribers = [Subscriber(name, rig.url("tcp"), woken) for name in names]
        beats = asyncio.ensure_future(beating(subscribers))
        for subscriber in subscribers:
            subscriber.session.start()
        try:
            await until(woken, lambda: all(one.live for one in subscribers))
            publish(1.0)
            await until(woken, lambda: all(one.last == 1.0 for one in subscribers))
            let_in = times(rig, a_second)
            began_s = time.monotonic()
            for guest in tuple(lobby(rig.system).guests):
                guest.connection.abort(ConnectionResetError("all of them"))
            publish(2.0)
            await until(woken, lambda: all(one.live and one.outages for one in subscribers))
            took_s = max(one.since_s for one in subscribers) - began_s
            publish(3.0)
            await until(woken, lambda: all(one.last == 3.0 for one in subscribers))
            assert [one.faults for one in subscribers] == [[]] * count
            figures = await rig.figures()
            assert (figures.admitted, figures.refused) == (2 * count, {})
        finally:
            beats.cancel()
            await asyncio.gather(*(one.session.stop() for one in subscribers))
    return took_s, let_in


async def come_back_from_another_process(count: int, a_second: int) -> tuple[float, list[float]]:
    """The same, where the subscribers have a process and a core of their own."""
    hub, instruments = market(count)
    Upstream(hub, "sim", tuple(f"sim/{one.name}/quote" for one in instruments))
    async with relaying(hub, ("tcp://127.0.0.1:0",), admissions_a_second=a_second) as rig:
        command = ("-m", "tests.distribution.relay.subscribers", rig.url("tcp"), str(count))
        process = await asyncio.create_subprocess_exec(sys.executable, *command, cwd=ROOT, stdout=subprocess.PIPE)
        assert process.stdout is not None
        try:
            async with asyncio.timeout(60.0):
                await process.stdout.readline()
                let_in, began_s = times(rig, a_second), time.monotonic()
                for guest in tuple(lobby(rig.system).guests):
                    guest.connection.abort(ConnectionResetError("all of them"))
                took_s = float(await process.stdout.readline()) - began_s
        finally:
            process.kill()
            await process.wait()
    return took_s, let_in


def times(rig: Rig, a_second: int) -> list[float]:
    """When each is let in from now on, in seconds; as if nobody had come in the second before."""
    lobby(rig.system).window = window = Window(a_second)
    noted = list[float]()
    note = window.note

    def noting(now_ns: int) -> None:
        noted.append(now_ns / 1e9)
        note(now_ns)

    window.note = noting  # type: ignore[method-assign]  # on this object alone
    return noted


def most_in_a_second(let_in: list[float]) -> int:
    return max(sum(begin <= time_s < begin + 1.0 for time_s in let_in) for begin in let_in)


async def test_all_come_back_at_a_bounded_rate_and_each_to_its_own_data() -> None:
    took_s, let_in = await come_back(30, 10)
    assert len(let_in) == 30
    assert most_in_a_second(let_in) <= 10
    assert took_s >= 2.0


@pytest.mark.soak
def test_a_thousand_come_back_within_ten_seconds(pytestconfig: pytest.Config) -> None:
    took_s, let_in = uvloop.run(come_back_from_another_process(1_000, 100))  # the loop that programs run on
    assert most_in_a_second(let_in) <= 100
    note_soak(
        pytestconfig,
        "relay",
        {"subscribers": 1_000, "back_in_s": round(took_s, 1), "in_a_second": most_in_a_second(let_in)},
    )
    assert took_s <= 10.0


async def test_who_waits_in_line_is_kept_alive_and_may_go() -> None:
    async with relaying(admissions_a_second=1) as rig:
        Upstream(rig.hub)
        first = await rig.client("tcp")
        waiting = [await rig.stranger("tcp") for _ in range(3)]
        for client in waiting:
            client.say(messages.Hello())
            client.ask("sim/*/quote")
        await rig.until(lambda figures: figures.waiting == 3)
        await waiting[1].connection.close()
        await rig.until(lambda figures: figures.waiting <= 2)
        for client in (waiting[0], waiting[2]):
            await client.get(messages.SnapshotEnd)
        beat = messages.Heartbeat()
        assert waiting[2].said.index(beat) < waiting[2].said.index(waiting[2].of(messages.Hello)[0])
        assert first.errors == []


async def test_a_line_that_is_too_long_is_refused() -> None:
    async with relaying(admissions_a_second=1, most_waiting=2) as rig:
        await rig.client("tcp")
        clients: list[Client] = [await rig.stranger("tcp") for _ in range(8)]
        for client in clients:
            client.say(messages.Hello())
        await rig.until(lambda figures: figures.refused.get("busy", 0) >= 4)  # two wait, and some were let in meanwhile
        sent_away = [client for client in clients if client.errors]
        assert all(client.refusals() == ["busy"] for client in sent_away)


async def test_what_is_asked_while_waiting_is_answered_in_order() -> None:
    async with relaying(admissions_a_second=1) as rig:
        Upstream(rig.hub)
        await rig.client("tcp")
        client = await rig.stranger("tcp")
        client.say(messages.Hello())
        client.ask("sim/A-B/quote")
        client.ask("nothing/A-B/quote")
        client.ask("sim/A-B/trade")
        await client.get(messages.SnapshotEnd, 2)
        kinds = [type(one).__name__ for one in client.said if not isinstance(one, messages.Heartbeat)]
        assert kinds[:4] == ["Hello", "Subscribed", "Refused", "Subscribed"]
