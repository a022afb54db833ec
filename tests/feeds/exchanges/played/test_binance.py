"""Binance, played: snapshots of any moment, definitions by name, streams by address and by message."""

from typing import Any

import pytest
from hypothesis import given, strategies as st

from ticktree.feeds.exchanges.played import PlayedBinance

from .speaking import HOLE, Speaker, advance, ask, http, received

REST = "https://api.binance.com/api/v3"


def depth(last: int, bids: Any = (), asks: Any = (), symbol: str = "AB") -> Any:
    url = f"{REST}/depth?symbol={symbol}&limit=1000"
    return http(url, {"lastUpdateId": last, "bids": bids, "asks": asks})


def update(first: int, last: int, bids: Any = (), asks: Any = ()) -> Any:
    return received({"stream": "ab@depth@100ms", "data": {"s": "AB", "U": first, "u": last, "b": bids, "a": asks}})


LISTING = http(f"{REST}/exchangeInfo", {"x": 1, "symbols": [{"symbol": "AB"}, {"symbol": "CD"}]})
BEGUN = [
    update(5, 9, [["1.00", "7"]]),  # before the snapshot
    depth(10, [["1.00", "2"], ["0.90", "1"]], [["1.10", "1"]]),
    update(10, 11, [["1.00", "3"]]),  # over the snapshot's
    update(12, 12, [["0.90", "0.00"]], [["1.20", "4"]]),
]


def test_a_snapshot_is_of_now() -> None:
    played = PlayedBinance(BEGUN)
    bids = [["1.00", "2"], ["0.90", "1"]]
    right = [(10, bids), (10, bids), (11, [["1.00", "3"], ["0.90", "1"]]), (12, [["1.00", "3"]])]
    for told, (last, levels) in enumerate(right):
        if told:
            assert played.advance(played.messages[told - 1]) == ("depth@100ms", "AB")
        status, answer = ask(played, "/api/v3/depth", symbol="AB", limit="1000") or (0, {})
        assert (status, answer["lastUpdateId"], answer["bids"]) == (200, last, levels)
    assert played.books() == {"AB": ({"1.00": "3"}, {"1.10": "1", "1.20": "4"})}


def test_a_snapshot_has_as_many_levels_as_were_asked_for() -> None:
    _, answer = ask(PlayedBinance(BEGUN), "/api/v3/depth", symbol="AB", limit="1") or (0, {})
    assert (answer["bids"], answer["asks"]) == ([["1.00", "2"]], [["1.10", "1"]])


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"symbol": "XY"}, -1121),
        ({}, -1121),
        *(({"symbol": "AB", "limit": text}, -1130) for text in ("", "0", "5001", "x", "-1", "9" * 5_000)),
    ],
)
def test_a_snapshot_that_there_is_not_is_refused_as_the_exchange_does(query: dict[str, str], code: int) -> None:
    status, answer = ask(PlayedBinance(BEGUN), "/api/v3/depth", **query) or (0, {})
    assert (status, answer["code"]) == (400, code)


def test_where_updates_are_missing_it_goes_on_from_the_next_snapshot_that_was_recorded() -> None:
    later = [depth(13), HOLE, update(20, 21, [["2", "1"]]), depth(19, [["3", "1"]]), update(24, 25, [["4", "1"]])]
    played = PlayedBinance([*BEGUN, *later, depth(30, [["5", "1"]]), update(30, 31, [["6", "1"]])])
    advance(played, 5)
    assert (played.last("AB"), played.books()["AB"][0]) == (21, {"3": "1", "2": "1"})
    for entry in played.messages[5:6]:
        played.advance(entry)
    assert (played.last("AB"), played.books()["AB"][0]) == (30, {"5": "1"})  # of the future
    played.advance(played.messages[6])
    assert (played.last("AB"), played.books()["AB"][0]) == (31, {"6": "1", "5": "1"})


def test_where_no_snapshot_is_left_questions_have_no_answer() -> None:
    played = PlayedBinance([*BEGUN, update(20, 21)])
    advance(played)
    assert ask(played, "/api/v3/depth", symbol="AB", limit="5") is None
    assert played.books() == {}


def test_definitions_are_those_that_are_asked_for() -> None:
    played = PlayedBinance([LISTING, *BEGUN])
    both, one = [{"symbol": "AB"}, {"symbol": "CD"}], [{"symbol": "CD"}]
    assert ask(played, "/api/v3/exchangeInfo") == (200, {"x": 1, "symbols": both})
    assert ask(played, "/api/v3/exchangeInfo", symbols='["CD"]') == (200, {"x": 1, "symbols": one})
    assert ask(played, "/api/v3/exchangeInfo", symbol="CD") == (200, {"x": 1, "symbols": one})
    for bad, code in (('["XY"]', -1121), ('["CD","XY"]', -1121), ("[", -1100), ("3", -1100)):
        status, answer = ask(played, "/api/v3/exchangeInfo", symbols=bad) or (0, {})
        assert (status, answer["code"]) == (400, code)


def test_another_question_is_answered_if_it_was_recorded() -> None:
    played = PlayedBinance([http(f"{REST}/time?a=1", {"serverTime": 1}), *BEGUN])
    assert ask(played, "/api/v3/time", a="1") == (200, {"serverTime": 1})
    assert ask(played, "/api/v3/time", a="2") is None
    assert ask(played, "/other") is None


def test_streams_are_named_by_the_address_or_by_messages() -> None:
    client = Speaker(PlayedBinance(BEGUN), streams="ab@depth@100ms/cd@aggTrade")
    assert client.greeting == []
    assert client.say({"method": "SUBSCRIBE", "params": ["ef@kline_1m"], "id": 7}) == [{"result": None, "id": 7}]
    assert client.say({"method": "UNSUBSCRIBE", "params": ["cd@aggTrade"], "id": 8}) == [{"result": None, "id": 8}]
    assert client.say({"method": "LIST_SUBSCRIPTIONS", "id": 9}) == [
        {"result": ["ab@depth@100ms", "ef@kline_1m"], "id": 9}
    ]
    assert set(client.listener.streams) == {("depth@100ms", "AB"), ("kline_1m", "EF")}


@pytest.mark.parametrize(
    ("message", "code"),
    [("[", 3), ("", 3), ("[]", 2), ('{"method":"X","id":1}', 2), ('{"method":"SUBSCRIBE","params":[1],"id":1}', 2)],
)
def test_what_it_cannot_understand_is_refused(message: str, code: int) -> None:
    assert Speaker(PlayedBinance(BEGUN)).say(message)[0]["error"]["code"] == code


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 5_000,
        b"\xff",
        b'{"stream":1,"data":{}}',
        b'{"stream":"ab@depth@100ms","data":{"U":11,"u":12,"b":[["x","y"]],"a":[]}}',
        b'{"stream":"ab@depth@100ms","data":{"U":"1","u":null}}',
        b'{"stream":"ab@depth@100ms","data":[]}',
    ],
)
def test_garbage_that_was_recorded_is_told_and_does_no_harm(data: bytes) -> None:
    played = PlayedBinance([*BEGUN[:3], received(data), BEGUN[3]])
    assert len(played.messages) == 4
    advance(played)


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(0, 9)), min_size=1, max_size=40), st.integers(0, 40))
def test_a_snapshot_and_what_follows_it_lead_to_the_same_book_from_any_moment(
    levels: list[tuple[int, int]], moment: int
) -> None:
    entries = [depth(0), *(update(i, i, [[str(p), str(s)]]) for i, (p, s) in enumerate(levels, 1))]
    whole, late = PlayedBinance(entries), PlayedBinance(entries)
    advance(whole)
    moment = min(moment, len(levels))
    advance(late, moment)
    _, snapshot = ask(late, "/api/v3/depth", symbol="AB", limit="5000") or (0, {})
    bids = dict(snapshot["bids"])
    for price, size in levels[moment:]:
        bids.pop(str(price), None)
        if size:
            bids[str(price)] = str(size)
    assert bids == whole.books()["AB"][0]
