"""What the exchange does to one client on purpose, seen by a client that mends nothing."""

import pytest

from ticktree.feeds.simulated import FaultKind, Faults
from ticktree.market import BookUpdate, Trade, messages
from ticktree.net import PeerLost

from .raw import BOTH, exchange

pytestmark = pytest.mark.usefixtures("many_systems")
K = FaultKind


async def missing(scheme: str, faults: Faults, until: int = 400) -> list[int]:
    """Which updates of BTC-USDT's book, from 60 on, never come."""
    async with exchange(faults=faults) as rig:
        client = await rig.client(scheme, "*/BTC-USDT/book")
        client.follows = False
        await client.until(lambda: client.of(BookUpdate) and client.of(BookUpdate)[-1].sequence >= until)
        came = {update.sequence for update in client.of(BookUpdate)}
        return sorted(set(range(60, until)) - came)


async def test_the_same_gaps_strike_in_each_run() -> None:
    faults = Faults(gaps=0.05)
    gaps = await missing("ws", faults)
    assert 5 < len(gaps) < 40
    assert await missing("ws", faults) == gaps
    assert await missing("ws", Faults(gaps=0.05, seed=2)) != gaps


async def test_a_gap_takes_one_update_of_the_step_that_was_told() -> None:
    async with exchange(faults=Faults(gaps=[100])) as rig:
        client = await rig.client("ws", "*/*/book")
        client.follows = False
        await client.until(lambda: client.of(BookUpdate) and client.of(BookUpdate)[-1].sequence >= 150)
        at_100 = [update for update in client.of(BookUpdate) if update.sequence == 100]
        assert len(at_100) == 1
        assert rig.now.stats().injected == {K.GAPS: 1}
        assert rig.now.stats().lost > 0


@pytest.mark.parametrize("scheme", BOTH)
async def test_a_cut_ends_the_connection_in_the_middle_of_a_message(scheme: str) -> None:
    ends = set[str]()
    for seed in range(12):
        async with exchange(faults=Faults(disconnects=range(60, 400), seed=seed)) as rig:
            client = await rig.client(scheme, "*/*/*")
            error = await client.gone()
            assert isinstance(error, PeerLost)
            ends.add(str(error))
            assert rig.agrees(client)
            assert rig.now.stats().injected == {K.DISCONNECTS: 1}
    assert any("in the middle" in end or "without a closing handshake" in end for end in ends)
    assert any("reset" in end for end in ends)


async def test_each_client_has_its_own_faults() -> None:
    async with exchange(faults=Faults(disconnects=0.02)) as rig:
        clients = [await rig.client("tcp", "*/*/trade") for _ in range(3)]
        for client in clients:
            await client.gone()
        assert rig.now.stats().injected == {K.DISCONNECTS: 3}
    last = [client.of(Trade)[-1].sequence for client in clients if client.of(Trade)]
    assert len(set(last)) > 1


async def test_nothing_strikes_who_asked_for_nothing() -> None:
    async with exchange(faults=Faults(disconnects=1.0)) as rig:
        idle = await rig.client("tcp")
        await idle.get(messages.Hello)
        active = await rig.client("tcp", "*/*/*")
        await active.gone()
        assert not idle.errors


@pytest.mark.parametrize("scheme", BOTH)
async def test_a_silence_delays_what_it_does_not_drop(scheme: str) -> None:
    async with exchange(faults=Faults(silence=[60, 120], silence_s=0.05)) as rig:
        client = await rig.client(scheme, "*/*/book")
        await client.until(lambda: client.of(BookUpdate) and client.of(BookUpdate)[-1].sequence >= 200)
        assert rig.agrees(client)
        assert rig.now.stats().injected == {K.SILENCE: 2}
        assert rig.now.stats().withheld == 0


async def test_a_silence_longer_than_its_room_is_told_as_what_was_left_out() -> None:
    from ticktree.feeds.simulated import Market

    market = Market(interval_s=0.001, steps_a_turn=20)
    async with exchange(market, Faults(silence=range(200, 221), silence_s=0.5)) as rig:
        client = await rig.client("tcp", "*/*/*")
        (skipped, *_) = await client.get(messages.Skipped)
        await client.get(BookUpdate, len(client.of(BookUpdate)) + 50)
        assert skipped.count > 0
        assert rig.agrees(client)
        assert rig.now.stats().withheld >= skipped.count
