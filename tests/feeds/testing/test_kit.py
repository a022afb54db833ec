"""The kit passes a sound feed, and fails each broken one by the tests that are meant for it."""

import os
from collections.abc import Generator, Iterable

import pytest

from ticktree.feeds import FeedError, Source
from ticktree.feeds.exchanges.binance import BinanceFeed
from ticktree.feeds.testing import BookFact, FeedConformance, Nonconforming, running
from ticktree.market import BookUpdate, Instrument

from ...actors.harness import without_collector
from .. import test_conformance
from .broken import (
    HearsNoRefusal,
    IgnoresGaps,
    KeepsHalves,
    LeaksDescriptors,
    LeaksTasks,
    NeverLooks,
    RaisesItsOwn,
    SoundBooks,
    SoundFeed,
    SoundMessages,
    SoundTrades,
    SubscribesOnce,
    TakesAnyNumber,
    TakesGarbage,
    TellsHalves,
    TellsStrangers,
)

TESTS = [name for name in dir(FeedConformance) if name.startswith("test_")]


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """What never happens is waited for as long as a deadline says."""
    monkeypatch.setattr(running, "DEADLINE_S", 2.0)
    with without_collector():
        yield


def failures(
    author: type[FeedConformance], feed: type[SoundFeed], names: Iterable[str] = TESTS
) -> dict[str, Nonconforming]:
    """Those of the kit's tests that `feed` fails."""
    tested, found = type("Tested", (author,), {"feed": feed}), dict[str, Nonconforming]()
    for name in names:
        try:
            getattr(tested(), name)()
        except Nonconforming as error:
            found[name] = error
        except pytest.skip.Exception:
            pass
    return found


@pytest.mark.parametrize("author", [SoundTrades, SoundBooks, SoundMessages])
def test_a_sound_feed_passes(author: type[FeedConformance]) -> None:
    assert failures(author, SoundFeed) == {}


# Whoever hands on lines before they end has no bound for them.
UNBOUNDED = (
    "test_a_length_beyond_all_bounds_costs_the_connection_and_no_memory",
    "test_a_message_that_is_no_message_is_refused_and_what_follows_is_read",
)

BROKEN = [
    (
        SoundTrades, TellsHalves, 1,
        {
            "test_a_message_in_two_pieces_is_told_whole_wherever_it_was_cut",
            "test_however_messages_are_sliced_and_merged_the_same_is_told",
            "test_what_is_told_is_what_was_whole_before_the_connection_was_cut",
            "test_a_message_that_is_no_json_any_more_is_refused",
            "test_a_value_that_cannot_be_is_never_told",
            *UNBOUNDED,
        },
    ),
    (
        SoundTrades, KeepsHalves, 1,
        {
            "test_what_is_told_is_what_was_whole_before_the_connection_was_cut",
            "test_a_message_that_is_no_json_any_more_is_refused",
            *UNBOUNDED,
        },
    ),
    (SoundTrades, SubscribesOnce, 4, {"test_a_new_connection_subscribes_to_all_of_it_again"}),
    (
        SoundBooks, IgnoresGaps, 5,
        {"test_a_missing_update_is_noticed_and_the_book_is_right_again", "test_what_comes_twice_is_told_once"},
    ),
    (
        SoundTrades, TakesAnyNumber, 3,
        {"test_a_value_that_cannot_be_is_never_told", "test_a_message_that_is_no_json_any_more_is_refused"},
    ),
    (
        SoundTrades, RaisesItsOwn, 9,
        {
            "test_data_of_an_instrument_that_was_not_asked_for_are_never_told",
            "test_a_value_that_cannot_be_is_never_told",
        },
    ),
    (SoundTrades, HearsNoRefusal, 8, {"test_a_refusal_costs_the_connection_and_it_is_tried_again"}),
    (SoundTrades, TellsStrangers, 9, {"test_data_of_an_instrument_that_was_not_asked_for_are_never_told"}),
    (
        SoundTrades, NeverLooks, 7,
        {
            "test_a_connection_whose_other_side_went_without_a_word_is_lost",
            "test_an_instrument_is_stale_after_the_silence_that_was_asked_for",
        },
    ),
    (
        SoundMessages, TakesGarbage, 2,
        {
            "test_a_message_that_is_no_message_is_refused_and_what_follows_is_read",
            "test_a_message_that_is_no_json_any_more_is_refused",
        },
    ),
]  # fmt: skip


IDS = [feed.__name__ for _, feed, _, _ in BROKEN]


@pytest.mark.parametrize(("author", "feed", "rule", "names"), BROKEN, ids=IDS)
def test_a_broken_feed_fails_the_tests_that_are_meant_for_it(
    author: type[FeedConformance],
    feed: type[SoundFeed],
    rule: int,
    names: set[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(running, "DEADLINE_S", 0.5)
    found = failures(author, feed, sorted(names))
    assert set(found) == names
    assert rule in {error.rule for error in found.values()}
    for error in found.values():
        assert f"rule {error.rule}: " in str(error)
        assert "docs/add-a-feed.md" in str(error)


class Hopeful(BinanceFeed):
    """Takes a book that it cannot get for an empty one."""

    async def snapshot(self, instrument: Instrument) -> BookUpdate:
        try:
            return await super().snapshot(instrument)
        except FeedError:
            return BookUpdate(self.name, instrument, (), (), True, 1 << 40, 1 << 40, 0, 0)


class HopefulAuthor(test_conformance.TestBinance):
    def make(self, source: Source, url: str, rest_url: str) -> Hopeful:
        return Hopeful(source, url, rest_url)


def test_a_feed_that_makes_up_snapshots_fails_the_tests_of_those() -> None:
    names = ["test_a_snapshot_that_cannot_be_read_is_a_failure", "test_a_snapshot_that_fails_is_asked_for_again"]
    found = failures(HopefulAuthor, SoundFeed, names)
    assert sorted(found) == names
    assert {error.rule for error in found.values()} == {10}


def test_a_task_that_is_left_over_fails_whatever_is_tested() -> None:
    found = failures(SoundTrades, LeaksTasks, TESTS[::6])
    assert found
    for error in found.values():
        assert error.rule == 11
        assert "a task is left over" in str(error)
        assert "sleep" in str(error)


def test_a_descriptor_that_is_left_open_fails_whatever_is_tested() -> None:
    tested = type("Tested", (SoundTrades,), {"feed": LeaksDescriptors})()
    try:
        with pytest.raises(Nonconforming, match="a descriptor is left open") as caught:
            tested.test_every_fact_is_told_once_and_right()
        assert caught.value.rule == 11
        assert "/dev/null" in str(caught.value)
    finally:
        for descriptor in LeaksDescriptors.opened_by_all:
            os.close(descriptor)


class Mistaken(SoundTrades):
    def heard(self, message: bytes, book: BookFact) -> Iterable[bytes]:
        raise LookupError("no answer to that")


def test_a_mistake_in_the_script_is_raised_as_it_is() -> None:
    with pytest.raises(LookupError, match="no answer to that"):
        Mistaken().test_a_connection_that_breaks_off_while_it_is_made_is_made_again()


def test_what_the_author_did_not_give_is_skipped_and_the_reason_says_what() -> None:
    for name, missing in {
        "test_a_missing_update_is_noticed_and_the_book_is_right_again": "def update is not given",
        "test_a_snapshot_that_fails_is_asked_for_again": "def update is not given",
        "test_definitions_that_fail_at_first_are_asked_for_again": "def rest is not given",
    }.items():
        with pytest.raises(pytest.skip.Exception, match=missing):
            getattr(SoundTrades(), name)()


@pytest.mark.soak
@pytest.mark.parametrize(("author", "feed", "rule", "names"), BROKEN, ids=IDS)
def test_and_no_others(author: type[FeedConformance], feed: type[SoundFeed], rule: int, names: set[str]) -> None:
    assert set(failures(author, feed)) == names
