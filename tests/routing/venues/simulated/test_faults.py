"""What happens to messages on their way, in virtual time."""

from random import Random

import pytest

from ticktree.actors import VirtualClock, simulate
from ticktree.routing.venues.simulated import Faults, FaultyLink, Latency

NS = 1_000_000_000
DIRECT = Latency()


class Received:
    def __init__(self, clock: VirtualClock, faults: Faults, latency: Latency = DIRECT, seed: int = 1) -> None:
        self.got: list[tuple[float, int]] = []
        self.breaks = 0
        self._clock = clock
        self.link = FaultyLink(clock, Random(seed), faults, latency, self._receive, self._broken)

    def _receive(self, message: int) -> None:
        self.got.append((round(self._clock.monotonic_ns() / NS, 9), message))

    def _broken(self) -> None:
        self.breaks += 1
        self.link.clear()

    @property
    def messages(self) -> list[int]:
        return [message for _, message in self.got]


def run(faults: Faults, latency: Latency = DIRECT, seed: int = 1, count: int = 200, every_s: float = 0.01) -> Received:
    async def main(clock: VirtualClock) -> Received:
        received = Received(clock, faults, latency, seed)
        for number in range(count):
            received.link.send(number)
            await clock.sleep(every_s)
        await clock.sleep(10)
        assert len(received.link) == 0
        return received

    return simulate(main)


def test_without_latency_and_faults_a_message_is_there_at_once() -> None:
    async def main(clock: VirtualClock) -> None:
        received = Received(clock, Faults())
        for number in range(3):
            received.link.send(number)
            assert received.messages[-1] == number

    simulate(main)


def test_latency_delays_each_message_and_jitter_changes_no_order() -> None:
    got = run(Faults(), Latency(0.5), count=3).got
    assert [time for time, _ in got] == pytest.approx([0.5, 0.51, 0.52])
    jittered = run(Faults(), Latency(0.5, 0.4))
    assert jittered.messages == list(range(200))
    waits = [time - 0.01 * number for time, number in jittered.got]
    assert all(0.5 <= wait < 0.9 + 1e-9 for wait in waits)
    assert max(waits) - min(waits) > 0.2


def test_dropped_messages_never_arrive() -> None:
    messages = run(Faults(drop=0.3)).messages
    assert 100 < len(messages) < 180
    assert messages == sorted(set(messages))


def test_duplicates_arrive_once_more_and_later() -> None:
    messages = run(Faults(duplicate=0.3, delay_s=(0.1, 0.2))).messages
    assert set(messages) == set(range(200))
    assert 230 < len(messages) < 300
    assert list(dict.fromkeys(messages)) == list(range(200))


def test_a_message_that_is_held_back_comes_behind_the_next_one_that_goes() -> None:
    messages = run(Faults(reorder=0.3)).messages
    assert sorted(messages) == list(range(200))
    assert messages != sorted(messages)
    assert all(abs(place - number) < 10 for place, number in enumerate(messages))


def test_a_message_that_is_held_back_comes_at_last_without_a_next_one() -> None:
    assert run(Faults(reorder=1, delay_s=(0.1, 0.2)), count=1).got == [(0.2, 0)]


def test_delayed_messages_are_overtaken() -> None:
    received = run(Faults(delay=0.3, delay_s=(0.1, 0.2)))
    late = [time - 0.01 * number for time, number in received.got if time > 0.01 * number + 0.001]
    assert 30 < len(late) < 90
    assert all(0.1 - 1e-6 <= wait <= 0.2 + 1e-6 for wait in late)


def test_a_break_takes_everything_with_it_that_is_on_its_way() -> None:
    received = run(Faults(disconnect=0.05), Latency(0.1))
    assert received.breaks > 3
    assert received.messages == sorted(received.messages)
    assert len(received.messages) < 200 - 5 * received.breaks


def test_the_seed_decides() -> None:
    faults = Faults(0.1, 0.1, 0.1, 0.1, 0.01)
    assert run(faults, Latency(0, 0.1)).got == run(faults, Latency(0, 0.1)).got
    assert run(faults, Latency(0, 0.1)).got != run(faults, Latency(0, 0.1), seed=2).got
    assert faults.random(random := Random(1)) is random
    assert Faults(seed=7).random(random).random() == Random(7).random()


def test_what_means_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="drop is a probability from 0 to 1; not 2"):
        Faults(drop=2)
    with pytest.raises(ValueError, match="delay_s is"):
        Faults(delay_s=(2, 1))
    with pytest.raises(ValueError, match="0 seconds or more"):
        Latency(-1)
