"""Kraken, played: acknowledgements in its words, snapshots in its texts."""

from typing import Any

import pytest

from ticktree.feeds.exchanges.played import PlayedKraken

from .speaking import HOLE, Speaker, advance, ask, http, received

PAIRS = {
    "XXBTZUSD": {"altname": "XBTUSD", "wsname": "XBT/USD"},
    "ADAXBT": {"altname": "ADAXBT", "wsname": "ADA/XBT"},
    "ADAETH": {"altname": "ADAETH", "wsname": "ADA/ETH"},
}
STATUS = {"connectionID": 17, "event": "systemStatus", "status": "online", "version": "1.8.3"}


def acknowledged(number: int, channel: str, pair: str, **more: Any) -> Any:
    name, _, depth = channel.partition("-")
    subscription = {"depth": int(depth), "name": name} if depth else {"name": name}
    told = {"channelID": number, "channelName": channel, "event": "subscriptionStatus", "pair": pair}
    return {**told, "status": "subscribed", "subscription": subscription, **more}


SNAPSHOT = [9, {"as": [["2.0", "1.00", "1.5"]], "bs": [["1.0", "1.00", "1.1"], ["0.9", "2.00", "1.2"]]}]
CHANGE = [9, {"a": [["2.5", "3.00", "2.1"]]}, {"b": [["1.0", "0.00", "2.2"], ["0.8", "4.00", "2.3", "r"]], "c": "7"}]
TICKER = [11, {"a": ["1"]}, "ticker", "XBT/USD"]
TRADE = [12, [["1", "2", "3"]], "trade", "XBT/USD"]
HEARTBEAT = {"event": "heartbeat"}
BOOK = ["book-2", "XBT/USD"]
ENTRIES = [
    http("https://api.kraken.com/0/public/AssetPairs", {"error": [], "result": PAIRS}),
    *map(received, (STATUS, acknowledged(9, "book-2", "XBT/USD"), acknowledged(10, "book-2", "ADA/XBT"))),
    *map(received, (SNAPSHOT + BOOK, HEARTBEAT, TICKER, CHANGE + BOOK, TRADE)),
]
NOW = [
    9,
    {"as": [["2.0", "1.00", "1.5"], ["2.5", "3.00", "2.1"]], "bs": [["0.9", "2.00", "1.2"], ["0.8", "4.00", "2.3"]]},
]


def subscribe(name: str, *pairs: Any, event: str = "subscribe", reqid: int | None = None, **more: Any) -> Any:
    number = {} if reqid is None else {"reqid": reqid}
    return {"event": event, "pair": list(pairs), "subscription": {"name": name, **more}, **number}


def test_a_connection_is_greeted_with_the_status() -> None:
    assert Speaker(PlayedKraken(ENTRIES)).greeting == [STATUS]
    assert Speaker(PlayedKraken(ENTRIES[2:])).greeting[0]["status"] == "online"


def test_a_status_that_changes_is_told_to_everybody() -> None:
    paused = {**STATUS, "status": "cancel_only"}
    played = PlayedKraken([*ENTRIES, received(STATUS, connection=2), received(paused)])
    assert len(played.messages) == 6
    assert played.advance(played.messages[-1]) is None


def test_answers_are_not_told_again() -> None:
    played = PlayedKraken(ENTRIES)
    told = [played.advance(entry) for entry in played.messages]
    book = ("book-2", "XBT/USD")
    assert told == [book, None, ("ticker", "XBT/USD"), book, ("trade", "XBT/USD")]
    assert played.books() == {"XBT/USD": ({"0.9": "2.00", "0.8": "4.00"}, {"2.0": "1.00", "2.5": "3.00"})}


def test_who_subscribes_before_a_stream_begins_gets_its_beginning_in_its_place() -> None:
    client = Speaker(PlayedKraken(ENTRIES))
    assert client.say(subscribe("book", "XBT/USD", "ADA/XBT", depth=2)) == [
        acknowledged(9, "book-2", "XBT/USD"),
        acknowledged(10, "book-2", "ADA/XBT"),
    ]
    assert client.say(subscribe("ticker", "XBT/USD", reqid=5)) == [acknowledged(11, "ticker", "XBT/USD", reqid=5)]
    assert set(client.listener.streams) == {("book-2", "XBT/USD"), ("book-2", "ADA/XBT"), ("ticker", "XBT/USD")}


def test_who_subscribes_later_gets_it_as_of_now_in_the_texts_of_the_exchange() -> None:
    advance(played := PlayedKraken(ENTRIES))
    client = Speaker(played)
    assert client.say(subscribe("book", "XBT/USD", depth=2))[1:] == [NOW + BOOK]
    assert client.say(subscribe("ticker", "XBT/USD"))[1:] == [TICKER]
    assert client.say(subscribe("trade", "XBT/USD")) == [acknowledged(12, "trade", "XBT/USD")]


def test_a_stream_that_was_not_recorded_gets_a_number_of_its_own() -> None:
    played = PlayedKraken(ENTRIES)
    assert Speaker(played).say(subscribe("trade", "ADA/XBT")) == [acknowledged(13, "trade", "ADA/XBT")]
    assert Speaker(played).say(subscribe("trade", "ADA/XBT")) == [acknowledged(13, "trade", "ADA/XBT")]


def test_levels_below_the_depth_fall_out() -> None:
    played = PlayedKraken([*ENTRIES, received([9, {"b": [["1.5", "1", "3"]]}, *BOOK])])
    advance(played)
    assert list(played.books()["XBT/USD"][0]) == ["1.5", "0.9"]


def test_a_book_is_told_again_to_who_subscribes_again() -> None:
    advance(played := PlayedKraken(ENTRIES))
    client = Speaker(played)
    client.say(subscribe("book", "XBT/USD", depth=2))
    ended = client.say(subscribe("book", "XBT/USD", event="unsubscribe", depth=2))
    assert ended == [acknowledged(9, "book-2", "XBT/USD", status="unsubscribed")]
    assert client.listener.streams == {}
    assert client.say(subscribe("book", "XBT/USD", depth=2))[1:] == [NOW + BOOK]


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (subscribe("trade", "X/Y"), "Currency pair not supported X/Y"),
        (subscribe("trade", 5), "Currency pair not supported 5"),
        (subscribe("trade", "ADA/ETH"), "Currency pair not in this recording ADA/ETH"),
        (subscribe("book", "XBT/USD", depth=10), "Subscription depth not supported"),
        (subscribe("book", "XBT/USD"), "Subscription depth not supported"),
        (subscribe("candles", "XBT/USD"), "Subscription name invalid"),
        (subscribe("trade", "XBT/USD", event="unsubscribe"), "Subscription Not Found"),
        ({"event": "subscribe"}, "Event(s) not found"),
        ("{", "Malformed request"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(wanted: Any, why: str) -> None:
    client = Speaker(PlayedKraken(ENTRIES))
    (answer,) = client.say(wanted)
    assert answer["errorMessage"] == why
    assert answer["event"] == "error" or answer["status"] == "error"
    assert client.listener.streams == {}


def test_a_pair_that_is_refused_does_not_cost_the_others() -> None:
    client = Speaker(PlayedKraken(ENTRIES))
    refused, granted = client.say(subscribe("trade", "X/Y", "XBT/USD", reqid=1))
    assert (refused["status"], refused["reqid"], granted["status"]) == ("error", 1, "subscribed")


def test_pings_are_answered() -> None:
    client = Speaker(PlayedKraken(ENTRIES))
    assert client.say({"event": "ping", "reqid": 4}) == [{"event": "pong", "reqid": 4}]
    assert client.say({"event": "ping"}) == [{"event": "pong"}]


def test_pairs_are_listed_by_any_of_their_names() -> None:
    played = PlayedKraken(ENTRIES)
    assert ask(played, "/0/public/AssetPairs") == (200, {"error": [], "result": PAIRS})
    bitcoin = {"XXBTZUSD": PAIRS["XXBTZUSD"]}
    for name in ("XXBTZUSD", "XBTUSD", "XBT/USD"):
        assert ask(played, "/0/public/AssetPairs", pair=name) == (200, {"error": [], "result": bitcoin})
    _, found = ask(played, "/0/public/AssetPairs", pair="XBTUSD,ADAXBT") or (0, {})
    assert set(found["result"]) == {"XXBTZUSD", "ADAXBT"}
    _, unknown = ask(played, "/0/public/AssetPairs", pair="XBTUSD,XY") or (0, {})
    assert unknown == {"error": ["EQuery:Unknown asset pair"]}
    assert ask(PlayedKraken(ENTRIES[1:]), "/0/public/AssetPairs") is None


def test_a_book_that_messages_are_missing_of_is_not_known_until_it_is_told_whole() -> None:
    played = PlayedKraken([*ENTRIES, HOLE, received(CHANGE + BOOK), received(SNAPSHOT + BOOK)])
    advance(played, -1)
    assert played.books() == {}
    assert len(Speaker(played).say(subscribe("book", "XBT/USD", depth=2))) == 1
    played.advance(played.messages[-1])
    assert set(played.books()) == {"XBT/USD"}


GARBAGE: list[Any] = [{"b": [["x", "1", "2"]]}, {"b": [["1"]]}, {"b": 3}, {"as": [[]]}, [3], 5, None, {"as": None}]


@pytest.mark.parametrize("content", GARBAGE)
def test_garbage_that_was_recorded_is_told_and_costs_that_book(content: Any) -> None:
    played = PlayedKraken([*ENTRIES, received([9, content, *BOOK])])
    assert len(played.messages) == 6
    advance(played)
    assert played.books() == {}
