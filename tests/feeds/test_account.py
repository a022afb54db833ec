"""What became of every byte, over connections and lives."""

from typing import Any

import attrs

from ticktree.feeds import FeedAccount
from ticktree.net import PeerLost


@attrs.define
class Stub:
    bytes_in: int = 0
    buffered: int = 0


def opened(account: FeedAccount) -> Any:
    connection: Any = Stub()
    account.opened(connection)
    return connection


def balanced(account: FeedAccount) -> bool:
    return account.bytes_in == account.decoded + account.skipped + account.buffered


def test_what_a_connection_leaves_incomplete_is_skipped_when_it_is_lost() -> None:
    account = FeedAccount()
    connection = opened(account)
    connection.bytes_in, connection.buffered = 100, 30
    account.decoded += 70
    assert balanced(account)
    account.lost(connection, PeerLost("cut"), broken=False)
    assert (account.bytes_in, account.decoded, account.skipped, account.buffered) == (100, 70, 30, 0)
    assert account.errors == {"PeerLost": 1}


def test_the_next_message_begins_where_the_last_ended_on_this_connection() -> None:
    account = FeedAccount()
    first = opened(account)
    first.bytes_in = account.decoded = 100
    account.lost(first, PeerLost("cut"), broken=True)
    assert account.offset == 100  # of no connection any more
    second = opened(account)
    assert account.offset == 0
    second.bytes_in, second.buffered = 50, 10
    account.decoded += 25
    account.skipped += 15
    assert account.offset == 40
    assert balanced(account)
    assert (account.connections, account.broken) == (2, 1)


def test_a_connection_whose_end_nobody_told_is_settled_by_the_next() -> None:
    account = FeedAccount()
    killed = opened(account)
    killed.bytes_in, killed.buffered = 100, 40
    account.decoded += 60
    second = opened(account)
    assert balanced(account)
    second.bytes_in = 10
    account.decoded += 10
    account.lost(killed, PeerLost("late"), broken=False)
    assert balanced(account)
    assert (account.bytes_in, account.skipped) == (110, 40)
    second.bytes_in = 25
    assert account.bytes_in == 125


def test_what_nobody_looks_at_any_more_is_skipped_but_for_what_is_unfinished() -> None:
    account = FeedAccount()
    connection = opened(account)
    connection.bytes_in, connection.buffered = 100, 30
    account.decoded += 20
    account.skip_rest()
    assert (account.skipped, balanced(account)) == (50, True)


def test_lives_that_were_not_recorded_are_counted() -> None:
    account = FeedAccount()
    account.count_unrecorded()
    account.count_unrecorded()
    assert (account.unrecorded, account.replay) == (2, None)


def test_ticks_are_summed_over_kinds_and_marks_are_none() -> None:
    account = FeedAccount()
    account.kinds.update({"quote": 3, "trade": 2, "book": 10, "Gap": 7})
    assert account.events == 15
