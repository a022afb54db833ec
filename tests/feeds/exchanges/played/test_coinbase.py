"""Coinbase, played: what a subscription begins with, in its recorded place or as of now."""

from typing import Any

import pytest

from ticktree.feeds.exchanges.played import PlayedCoinbase

from .speaking import HOLE, Speaker, advance, ask, http, received

PRODUCTS = [{"id": "A-B"}, {"id": "C-D"}, {"id": "E-F"}]
SNAPSHOT = {"type": "snapshot", "product_id": "A-B", "asks": [["2.0", "1"]], "bids": [["1.0", "1"], ["0.9", "2"]]}
CHANGE = {"type": "l2update", "product_id": "A-B", "changes": [["buy", "1.0", "0"], ["sell", "2.5", "3"]], "time": "t"}
TICKER = {"type": "ticker", "product_id": "A-B", "price": "1"}
MATCH = {"type": "match", "product_id": "A-B", "trade_id": 5}
STANDING = {"type": "subscriptions", "channels": [{"name": "level2", "product_ids": ["A-B", "C-D"]}]}
ENTRIES = [
    http("https://api.exchange.coinbase.com/products", PRODUCTS),
    *map(received, (STANDING, SNAPSHOT, CHANGE, TICKER, MATCH)),
]
NOW = {**SNAPSHOT, "asks": [["2.0", "1"], ["2.5", "3"]], "bids": [["0.9", "2"]]}


def subscribe(*channels: Any, **more: Any) -> Any:
    return {"type": "subscribe", "channels": list(channels), **more}


def standing(**channels: list[str]) -> Any:
    named = [{"name": name, "product_ids": products} for name, products in channels.items()]
    return {"type": "subscriptions", "channels": named}


def test_answers_are_not_told_again() -> None:
    played = PlayedCoinbase(ENTRIES)
    assert len(played.messages) == 4
    assert [played.advance(entry) for entry in played.messages] == [
        *(("level2", "A-B"), ("level2", "A-B"), ("ticker", "A-B"), ("matches", "A-B"))
    ]
    assert played.books() == {"A-B": ({"0.9": "2"}, {"2.0": "1", "2.5": "3"})}


def test_who_subscribes_before_a_stream_begins_gets_its_beginning_in_its_place() -> None:
    client = Speaker(PlayedCoinbase(ENTRIES))
    wanted = subscribe("level2", "ticker", "matches", product_ids=["A-B"])
    assert client.say(wanted) == [standing(level2=["A-B"], ticker=["A-B"], matches=["A-B"])]
    assert set(client.listener.streams) == {("level2", "A-B"), ("ticker", "A-B"), ("matches", "A-B")}


def test_who_subscribes_later_gets_it_as_of_now() -> None:
    advance(played := PlayedCoinbase(ENTRIES))
    client = Speaker(played)
    answers = client.say(subscribe("level2", "ticker", "matches", product_ids=["A-B"]))
    assert answers[1:] == [NOW, TICKER, {**MATCH, "type": "last_match"}]


def test_channels_are_named_by_objects_as_well_and_batches_are_the_same_messages() -> None:
    client = Speaker(PlayedCoinbase(ENTRIES))
    wanted = subscribe({"name": "level2_batch", "product_ids": ["C-D"]}, "ticker", product_ids=["A-B"])
    assert client.say(wanted) == [standing(level2_batch=["C-D"], ticker=["A-B"])]
    assert set(client.listener.streams) == {("level2", "C-D"), ("ticker", "A-B")}


@pytest.mark.parametrize(
    ("wanted", "left"),
    [
        ({"channels": ["level2"]}, standing(ticker=["A-B", "C-D"])),
        ({"channels": [{"name": "level2"}]}, standing(ticker=["A-B", "C-D"])),
        ({"channels": ["level2", "ticker"], "product_ids": ["A-B"]}, standing(level2=["C-D"], ticker=["C-D"])),
        ({"channels": [{"name": "ticker", "product_ids": ["C-D"]}]}, standing(level2=["A-B", "C-D"], ticker=["A-B"])),
        ({"channels": ["matches"]}, standing(level2=["A-B", "C-D"], ticker=["A-B", "C-D"])),
        ({"channels": ["level2", "ticker"]}, standing()),
    ],
)
def test_what_is_unsubscribed_from_stands_no_more(wanted: Any, left: Any) -> None:
    client = Speaker(PlayedCoinbase(ENTRIES))
    client.say(subscribe("level2", "ticker", product_ids=["A-B", "C-D"]))
    assert client.say({"type": "unsubscribe", **wanted}) == [left]


def test_a_book_is_told_again_to_who_subscribes_again() -> None:
    advance(played := PlayedCoinbase(ENTRIES))
    client = Speaker(played)
    for _ in range(2):
        assert client.say(subscribe("level2", product_ids=["A-B"]))[1:] == [NOW]
        client.say({"type": "unsubscribe", "channels": ["level2"], "product_ids": ["A-B"]})


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (subscribe("level2", product_ids=["X-Y"]), "X-Y is not a valid product"),
        (subscribe("level2", product_ids=["A-B", "E-F"]), "E-F is not in this recording"),
        (subscribe("level9", product_ids=["A-B"]), "level9 is not a valid channel"),
        (subscribe("level2"), "No channels"),
        (subscribe(), "No channels"),
        ({"type": "subscribe"}, "channels"),
        ({"type": "shout", "channels": []}, "channels"),
        ([], "channels"),
        ("{", "read"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(wanted: Any, why: str) -> None:
    client = Speaker(PlayedCoinbase(ENTRIES))
    (answer,) = client.say(wanted)
    assert answer["type"] == "error"
    assert why in answer["reason"]
    assert client.listener.streams == {}


def test_products_are_listed_together_and_one_by_one() -> None:
    played = PlayedCoinbase(ENTRIES)
    assert ask(played, "/products") == (200, PRODUCTS)
    assert ask(played, "/products/C-D") == (200, {"id": "C-D"})
    assert ask(played, "/products/X-Y") == (404, {"message": "NotFound"})
    assert ask(played, "/time") is None
    assert ask(PlayedCoinbase(ENTRIES[1:]), "/products") is None


def test_a_book_that_messages_are_missing_of_is_not_known_until_it_is_told_whole() -> None:
    played = PlayedCoinbase([*ENTRIES, HOLE, received(CHANGE), received(SNAPSHOT)])
    advance(played, -1)
    assert played.books() == {}
    assert len(Speaker(played).say(subscribe("level2", product_ids=["A-B"]))) == 1
    played.advance(played.messages[-1])
    assert set(played.books()) == {"A-B"}


@pytest.mark.parametrize(
    "message",
    [
        b"[" * 5_000,
        {"type": "snapshot", "product_id": "A-B"},
        {"type": "l2update", "product_id": "A-B", "changes": [["buy", "x", "1"]]},
        {"type": "l2update", "product_id": "A-B", "changes": 3},
        {"type": "l2update", "product_id": "A-B", "changes": [["buy", "1"]]},
        {"type": "snapshot", "product_id": "A-B", "bids": [None], "asks": []},
    ],
)
def test_garbage_that_was_recorded_is_told_and_costs_that_book(message: Any) -> None:
    played = PlayedCoinbase([*ENTRIES, received(message)])
    assert len(played.messages) == 5
    advance(played)
    assert set(played.books()) <= {"A-B"}
    assert "A-B" not in played.books() or message == b"[" * 5_000
