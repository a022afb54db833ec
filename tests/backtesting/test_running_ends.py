"""How a back-test ends, by itself or not, and what it makes of files that are not whole."""

import asyncio
import os
import signal
import threading
from collections.abc import Awaitable
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs
import pytest

from ticktree.actors import Block, Mailbox, clock as clock_module
from ticktree.backtesting import running as running_module
from ticktree.market import FeedState, FeedStatus, Quote, Side, Trade, batch_rows
from ticktree.parts import strategy_part
from ticktree.routing import OrderState, Terms

from .markets import (
    BEGAN_NS,
    BTC,
    MS,
    NS,
    RaiseText,
    ScarceWordsFeed,
    Seen,
    Tape,
    Watcher,
    backtested,
    buys_once,
    feed_part,
    running,
    same,
    steady,
    table,
    trading,
    watching,
)

FEEDS: Final = (feed_part("a"), feed_part("b", ("ETH-USDT",)))


def bids(seen: Seen) -> list[float]:
    return [quote.bid for quote in seen.of(Quote)]


# --- how it ends -----------------------------------------------------------------------------------------------------


def test_it_ends_with_the_last_row_and_then_as_any_run_does(tmp_path: Path) -> None:
    seen = Seen()
    outcome = backtested(trading(watching(seen)), steady().write(tmp_path))
    assert (outcome.began_ns, outcome.ended_ns - BEGAN_NS, outcome.incomplete) == (BEGAN_NS, 900 * MS, "")
    (last,) = (mark for mark in seen.of(FeedStatus) if mark.state is FeedState.LOST)
    assert last.reason == "the recording has ended"
    assert outcome.warnings == ("no order was sent",)


def test_an_order_that_rests_at_the_end_is_canceled_as_at_any_stop(tmp_path: Path) -> None:
    outcome = backtested(trading(watching(Seen(), buys_once(2, 50.0, Terms()))), steady().write(tmp_path))
    (order,) = outcome.orders
    assert (order.state, order.ended_ns, order.filled) == (OrderState.CANCELED, outcome.ended_ns, Decimal(0))
    assert outcome.warnings == ("nothing was filled",)


def test_interrupted_it_ends_there_and_says_so(tmp_path: Path) -> None:
    def act(strategy: Watcher, message: Any) -> None:
        if isinstance(message, Quote) and message.bid == 105.0:
            os.kill(os.getpid(), signal.SIGINT)

    path = steady(rows=200, every_ns=100 * MS).write(tmp_path)
    outcome = backtested(trading(watching(Seen(), act)), path)
    assert outcome.incomplete == "it was interrupted"
    assert outcome.ended_ns - BEGAN_NS < 20 * NS
    assert outcome.ticks < 200


def test_another_thread_may_interrupt_it(tmp_path: Path) -> None:
    begun: list[Any] = []

    def act(strategy: Watcher, message: Any) -> None:
        if isinstance(message, Quote) and message.bid == 105.0:
            other = threading.Thread(target=begun[0].interrupt)
            other.start()
            other.join()

    begun.append(running(trading(watching(Seen(), act)), steady(rows=200, every_ns=100 * MS).write(tmp_path)))
    begun[0].interrupt()  # before it has begun: of no effect
    outcome = begun[0].run()
    begun[0].interrupt()
    assert outcome.incomplete == "it was interrupted"
    assert 5 < outcome.ticks < 200


def test_a_strategy_that_fails_again_and_again_ends_it_and_the_end_names_it(tmp_path: Path) -> None:
    def act(strategy: Watcher, message: Any) -> None:
        if isinstance(message, Quote):
            raise ValueError("mine")

    outcome = backtested(trading(watching(Seen(), act)), steady(rows=100).write(tmp_path))
    assert outcome.incomplete.startswith(
        "the system ended by itself: ticktree gave up: more than 3 restarts within 30 s: strategies/watcher "
    )
    assert outcome.incomplete.endswith("ended: error: ValueError: mine")
    assert "\n" not in outcome.incomplete
    assert 0 < outcome.ticks < 100


@pytest.mark.parametrize("alone", [True, False])
def test_a_feed_that_fails_is_named_and_does_not_begin_its_file_anew(alone: bool, tmp_path: Path) -> None:
    one = steady().read(NS, RaiseText()).quote(2 * NS, 1.0, 2.0).write(tmp_path)
    other = steady("b", rows=30, name="ETH-USDT").write(tmp_path)
    seen = Seen()
    if alone:
        outcome = backtested(trading(watching(seen)), one)
    else:  # the others go on to their end
        outcome = backtested(trading(watching(seen), feeds=FEEDS), one, other)
    assert outcome.incomplete == "the feed a failed: RuntimeError: a fault of the feed's own"
    assert [quote.bid for quote in seen.of(Quote) if quote.feed == "a"] == [100.0 + row for row in range(10)]
    assert len(seen.of(Quote)) == (10 if alone else 40)


def test_a_feed_that_cannot_define_its_instruments_is_named(tmp_path: Path) -> None:
    app = trading(watching(Seen()), feeds=(feed_part(make=ScarceWordsFeed),))
    outcome = backtested(app, steady(kind=ScarceWordsFeed).write(tmp_path))
    assert outcome.incomplete == "the feed a failed: RuntimeError: nobody defines anything"
    assert outcome.ended_ns >= outcome.began_ns


def forever(strategy: Watcher, message: Any) -> Awaitable[None] | None:
    async def wait() -> None:
        await asyncio.get_running_loop().create_future()

    return wait() if isinstance(message, Quote) else None


def test_a_strategy_that_awaits_what_never_comes_is_named_at_the_end(tmp_path: Path) -> None:
    outcome = backtested(trading(watching(Seen(), forever)), steady().write(tmp_path))
    assert outcome.incomplete == "strategies/watcher did not stop: what it awaits never comes"
    assert outcome.ticks == 10


def test_a_strategy_that_holds_its_feed_up_for_ever_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running_module, "STUCK_S", 60.0)
    part = watching(Seen(), forever, mailbox=Mailbox(2, Block(), batch_rows), pauses_feed=True)
    outcome = backtested(trading(part), steady(rows=30).write(tmp_path))
    assert outcome.incomplete.startswith(
        "somebody holds a feed up for ever: its mailbox is full, and it handles nothing any more; strategies/watcher"
    )
    assert outcome.ticks < 30


class Restless(Watcher):
    def on_start(self) -> None:
        self.after(0.0, "again")

    def on_timer(self, name: str) -> None:
        self.after(0.0, "again")


def test_timers_without_end_at_one_instant_end_it_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock_module, "_MOST_TURNS", 2_000)
    make = partial(Restless, Seen())
    outcome = backtested(trading(attrs.evolve(strategy_part(Restless), make=make)), steady().write(tmp_path))
    assert outcome.incomplete.startswith("time stands still: something runs again and again without waiting")


def test_a_strategy_that_leaves_its_work_to_a_thread_gets_the_answer_later(tmp_path: Path) -> None:
    """How much later is nobody's promise: threads take real time, and virtual time goes on meanwhile."""
    done, answers = threading.Event(), list[int]()

    def act(strategy: Watcher, message: Any) -> Awaitable[None] | None:
        async def ask() -> None:
            answers.append(await asyncio.get_running_loop().run_in_executor(None, lambda: done.wait(5) * 7))

        if not isinstance(message, Quote) or answers:
            return None
        done.set()
        return ask()

    outcome = backtested(trading(watching(Seen(), act)), steady(rows=300, every_ns=MS).write(tmp_path))
    assert (outcome.incomplete, answers) == ("", [7])


# --- what is not whole -----------------------------------------------------------------------------------------------


def test_a_recording_that_was_cut_off_is_used_up_to_there_and_that_is_noted(tmp_path: Path) -> None:
    tape, path = steady(rows=5), tmp_path / "a.recording"
    data, told = tape.encoded(), set[int]()
    for end in range(len(data) - 400, len(data) + 1, 7):
        path.write_bytes(data[:end])
        outcome = backtested(trading(watching(Seen())), path)
        told.add(outcome.ticks)
        (used,) = outcome.data
        assert ("were cut off, and are left out" in used.note) == (end not in ends(data))
        assert used.size_bytes == end
        assert outcome.incomplete == ""
    assert {2, 3, 4} <= told


def ends(data: bytes) -> set[int]:
    """Where blocks end."""
    from ticktree.feeds.recording.blocks import HEADER, header_of

    at = data.index(b"\n") + 1
    found = {at}
    while at < len(data):
        at += HEADER.size + header_of(data[at : at + HEADER.size]).length
        found.add(at)
    return found


def test_a_recording_damaged_in_the_middle_is_used_up_to_there_and_the_end_names_the_place(tmp_path: Path) -> None:
    path = steady().write(tmp_path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    outcome = backtested(trading(watching(Seen())), path)
    assert outcome.incomplete.startswith(f"{path}, at byte ")
    assert outcome.incomplete.endswith("what comes before is good, and nothing behind it can be trusted")
    assert 0 < outcome.ticks < 10


def test_recordings_of_one_feed_are_told_one_after_the_other_as_one(tmp_path: Path) -> None:
    first, later = steady(rows=3), Tape().connect(NS, 1).quote(NS, 200.0, 201.0).quote(2 * NS, 201.0, 202.0)
    paths = later.write(tmp_path, "second"), first.write(tmp_path, "first")
    seen = Seen()
    outcome = backtested(trading(watching(seen)), *paths)
    assert bids(seen) == [100.0, 101.0, 102.0, 200.0, 201.0]
    assert [Path(used.path).name for used in outcome.data] == ["first.recording", "second.recording"]
    states = [(mark.state, at) for mark, at in zip(seen.of(FeedStatus), seen.times(FeedStatus), strict=True)]
    lost, live = FeedState.LOST, FeedState.LIVE
    assert states == [(live, 0), (lost, 200 * MS), (live, NS), (lost, 2 * NS)]
    assert outcome.incomplete == ""


def test_recordings_that_overlap_end_where_the_second_begins(tmp_path: Path) -> None:
    first, second = steady(rows=10), Tape().connect(500 * MS).quote(500 * MS, 200.0, 201.0)
    seen = Seen()
    outcome = backtested(trading(watching(seen)), first.write(tmp_path, "first"), second.write(tmp_path, "second"))
    assert outcome.incomplete.endswith(
        "second.recording, at byte 0: it begins before the one that was given before it ends; "
        "what comes before is good, and nothing behind it can be trusted"
    )
    assert len(seen.of(Quote)) == 10


def test_a_trade_that_nobody_can_use_changes_nothing(tmp_path: Path) -> None:
    seen = Seen()
    with_trades, without = steady(rows=3), steady(rows=3)
    with_trades.trade(250 * MS, 1_000.0, 5.0)
    one = backtested(trading(watching(seen, buys_once(1))), with_trades.write(tmp_path))
    other = backtested(trading(watching(Seen(), buys_once(1))), without.write(tmp_path))
    assert [trade.price for trade in seen.of(Trade)] == [1_000.0]
    assert one.fills == other.fills
    assert not same(one, other)
    assert [fill.side for fill in one.fills] == [Side.BUY]


def test_a_table_that_was_cut_off_is_noted_and_a_file_may_go_while_it_is_told(tmp_path: Path) -> None:
    path = table(tmp_path, *((row * MS, 1.0 + row, 2.0 + row) for row in range(5)))
    path.write_bytes(path.read_bytes()[:-3])
    ready = running(trading(watching(Seen()), instruments=(BTC,)), path)
    outcome = ready.run()
    (used,) = outcome.data
    assert (outcome.ticks, used.note) == (4, "its last 61 bytes were cut off, and are left out")
    path.unlink()
    assert ready.bytes_total == used.size_bytes
