"""What is said besides data: marks to messages and back, and secrets that stay secret."""

from typing import get_args

import pytest

from ticktree.market import messages
from ticktree.market.errors import UnknownInstrument
from ticktree.market.events import FeedState, FeedStatus, Gap, InstrumentStatus, Live, Mark, Skipped, Stale
from ticktree.market.instruments import TradingStatus

from .samples import BTC

MARKS: list[Mark] = [
    FeedStatus("sim", FeedState.LIVE, "data arrives", 5),
    InstrumentStatus("sim", BTC, TradingStatus.HALTED, 4, 5),
    Gap("sim", BTC, "book", 6, 9, 5),
    Stale("sim", BTC, "a gap", 5),
    Live("sim", BTC, 5),
    Skipped(7, frozenset({("sim", "BTC-USDT"), ("sim", "ETH-USDT")}), "sim"),
]


@pytest.mark.parametrize("mark", MARKS, ids=lambda mark: type(mark).__name__)
def test_a_mark_that_was_said_is_heard(mark: Mark) -> None:
    assert messages.heard(messages.said(mark), {"BTC-USDT": BTC}) == mark


def test_every_mark_can_be_said() -> None:
    assert {type(mark) for mark in MARKS} == set(get_args(Mark))


def test_an_instrument_that_was_never_defined_is_named() -> None:
    with pytest.raises(UnknownInstrument, match="BTC-USDT"):
        messages.heard(messages.said(Live("sim", BTC, 5)), {})


def test_a_hello_never_shows_its_token() -> None:
    hello = messages.Hello(token="open sesame")
    assert "sesame" not in repr(hello) + str(hello) + f"{(hello,)}"


def test_what_ends_a_connection() -> None:
    assert messages.Refusal.TOKEN.is_final
    assert not messages.Refusal.TOPIC.is_final
