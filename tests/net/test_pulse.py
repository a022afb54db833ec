"""Silence, counted in looks."""

from typing import Any

import pytest

from ticktree.net.pulse import LOOKS, Pulse


class Stub:
    bytes_in = 0


def looks_until_silent(pulse: Pulse, connection: Any, heard_at: int = -1) -> int:
    """How many looks it takes; bytes come right after look `heard_at`."""
    for look in range(1, 1_000):
        if pulse.look(connection, reading=True) is not None:
            return look
        if look == heard_at:
            connection.bytes_in += 1
    raise AssertionError("never")


@pytest.mark.parametrize("faster", [1, 3])
def test_silence_is_noticed_within_two_heartbeats_after_the_last_byte(faster: int) -> None:
    connection: Any = Stub()
    pulse = Pulse(8.0, 1.0 / faster)
    looks = LOOKS * faster
    assert looks_until_silent(pulse, connection) == 2 * looks - 2
    silent_s = pulse.look(connection, reading=True)
    assert silent_s == pytest.approx(16 - 1 / faster)
    pulse.begin()
    assert looks_until_silent(pulse, Stub(), heard_at=5) - 5 == 2 * looks - 1  # less than 2 heartbeats


def test_no_silence_counts_while_nobody_reads_and_it_begins_anew_afterwards() -> None:
    pulse, connection = Pulse(8.0, 1.0), Stub()
    for _ in range(50):
        assert pulse.look(connection, reading=False) is None  # type: ignore[arg-type]  # a stub has all that is looked at
    assert looks_until_silent(pulse, connection) == 2 * LOOKS - 2


def test_a_beat_is_due_once_a_heartbeat() -> None:
    pulse = Pulse(8.0, 0.5)
    assert sum(pulse.is_due() for _ in range(10 * 2 * LOOKS)) == 10
