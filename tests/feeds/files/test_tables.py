"""Tables that others give away, and ours: what each row becomes, and what is said of a row that cannot be."""

import gzip
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from ticktree.actors.extras import library
from ticktree.feeds.files import (
    BadRow,
    BarsFile,
    DamagedFile,
    EmptyFile,
    FileError,
    ForeignFile,
    NoDefinition,
    NoInstrument,
    Unsorted,
    looked_at,
    tables,
)
from ticktree.market import BookUpdate, Quote, Side, Trade

from .made import BEGAN_NS, BTC, ETH, KNOWN, chunks_of, csv, read, told

BOTH = ["BTC-USDT", "ETH-USDT"]
US = BEGAN_NS // 1_000
MS = BEGAN_NS // 1_000_000


# --- layouts -------------------------------------------------------------------------------------------------------


def test_ours_of_trades(tmp_path: Path) -> None:
    path = csv(
        tmp_path / "a.csv",
        "received_time_ns,venue_time_ns,instrument,price,size,side,sequence",
        "12,10,BTC-USDT,100.5,2,buy,7",
        "13,11,ETH-USDT,5,0.5,S,8",
        "13,11,ETH-USDT,6,0,,9",
    )
    assert told(path) == [
        Trade("f", BTC, 100.5, 2.0, Side.BUY, 7, 10, 12),
        Trade("f", ETH, 5.0, 0.5, Side.SELL, 8, 11, 13),
        Trade("f", ETH, 6.0, 0.0, None, 9, 11, 13),
    ]


def test_ours_of_quotes_whose_sides_may_be_empty(tmp_path: Path) -> None:
    path = csv(
        tmp_path / "btcusdt.csv",
        "Time;Bid;Bid_Size;Ask;Ask_Size",
        f"{MS};100;1;101;2",
        f"{MS};;;101;2",
        f"{MS};102;1;101;",
        f"{MS};102;1;101;2",
    )
    assert told(path) == [
        Quote("f", BTC, 100.0, 1.0, 101.0, 2.0, 0, BEGAN_NS, BEGAN_NS),
        Quote("f", BTC, 0.0, 0.0, 101.0, 2.0, 0, BEGAN_NS, BEGAN_NS),
        Quote("f", BTC, 102.0, 1.0, 0.0, 0.0, 0, BEGAN_NS, BEGAN_NS),
        Quote("f", BTC, 102.0, 1.0, 101.0, 2.0, 0, BEGAN_NS, BEGAN_NS),
    ]
    assert [flags & 16 for flags in read(path)["flags"].tolist()] == [0, 0, 0, 16]


def test_ours_of_all_kinds(tmp_path: Path) -> None:
    path = csv(
        tmp_path / "all.csv",
        "time,symbol,kind,price,size,side,is_snapshot,bid,bid_size,ask,ask_size",
        f"{BEGAN_NS},BTC-USDT,book,99,1,bid,1,,,,",
        f"{BEGAN_NS},BTC-USDT,book,101,2,ask,1,,,,",
        f"{BEGAN_NS},BTC-USDT,Quote,,,,,99,1,101,2",
        f"{BEGAN_NS + 1},BTC-USDT,trade,101,2,buy,,,,,",
        f"{BEGAN_NS + 1},BTC-USDT,book,101,0,ask,false,,,,",
    )
    assert told(path) == [
        BookUpdate("f", BTC, ((99.0, 1.0),), ((101.0, 2.0),), True, 0, 0, BEGAN_NS, BEGAN_NS),
        Quote("f", BTC, 99.0, 1.0, 101.0, 2.0, 0, BEGAN_NS, BEGAN_NS),
        Trade("f", BTC, 101.0, 2.0, Side.BUY, 0, BEGAN_NS + 1, BEGAN_NS + 1),
        BookUpdate("f", BTC, (), ((101.0, 0.0),), False, 0, 0, BEGAN_NS + 1, BEGAN_NS + 1),
    ]
    assert looked_at(path, BOTH, KNOWN).layout == "trades and quotes and book levels"


def test_trades_of_tardis(tmp_path: Path) -> None:
    path = csv(
        tmp_path / "binance_trades_2023-11-14_BTCUSDT.csv",
        "exchange,symbol,timestamp,local_timestamp,id,side,price,amount",
        f"binance,BTCUSDT,{US},{US + 3},abc,sell,100,0.5",
        f"binance,btc_usdt,{US},{US + 3},def,unknown,100,0.5",
    )
    at = 0, BEGAN_NS, BEGAN_NS + 3_000
    assert told(path) == [Trade("f", BTC, 100.0, 0.5, Side.SELL, *at), Trade("f", BTC, 100.0, 0.5, None, *at)]


def test_quotes_of_tardis(tmp_path: Path) -> None:
    path = csv(
        tmp_path / "quotes.csv",
        "exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount",
        f"binance,BTCUSDT,{US},{US + 3},4,101,100,2",
    )
    assert told(path) == [Quote("f", BTC, 100.0, 2.0, 101.0, 4.0, 0, BEGAN_NS, BEGAN_NS + 3_000)]


def test_books_of_tardis(tmp_path: Path) -> None:
    path = csv(
        tmp_path / "l2.csv",
        "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount",
        f"b,BTCUSDT,{US},{US},true,bid,100,1",
        f"b,BTCUSDT,{US},{US},true,ask,101,2",
        f"b,BTCUSDT,{US},{US},false,ask,101,0",
        f"b,BTCUSDT,{US},{US + 1},false,bid,100,3",
    )
    first, then = (0, 0, BEGAN_NS, BEGAN_NS), (0, 0, BEGAN_NS, BEGAN_NS + 1_000)
    assert told(path) == [
        BookUpdate("f", BTC, ((100.0, 1.0),), ((101.0, 2.0),), True, *first),
        BookUpdate("f", BTC, (), ((101.0, 0.0),), False, *first),
        BookUpdate("f", BTC, ((100.0, 3.0),), (), False, *then),
    ]


def test_updates_of_instruments_that_are_mixed_within_an_instant_are_brought_together(tmp_path: Path) -> None:
    levels = [("BTCUSDT", "bid", 1), ("ETHUSDT", "bid", 2), ("BTCUSDT", "ask", 3), ("ETHUSDT", "ask", 4)]
    path = csv(
        tmp_path / "l2.csv",
        "symbol,local_timestamp,is_snapshot,side,price,amount",
        *(f"{symbol},{US},true,{side},{price},1" for symbol, side, price in levels),
        f"ETHUSDT,{US + 1},false,bid,5,1",
        f"BTCUSDT,{US + 1},false,bid,6,1",
    )
    found = [(event.instrument.name, event.bids, event.asks) for event in told(path)]
    assert found == [
        ("BTC-USDT", ((1.0, 1.0),), ((3.0, 1.0),)),
        ("ETH-USDT", ((2.0, 1.0),), ((4.0, 1.0),)),
        ("ETH-USDT", ((5.0, 1.0),), ()),
        ("BTC-USDT", ((6.0, 1.0),), ()),
    ]


@pytest.mark.parametrize(
    "lines",
    [
        ("id,price,qty,quote_qty,time,is_buyer_maker", f"1,100,2,200,{MS},true", f"2,101,3,303,{MS + 1},false"),
        ("id,price,qty,quoteQty,time,isBuyerMaker", f"1,100,2,200,{MS},True", f"2,101,3,303,{MS + 1},False"),
        (f"1,100.0,2.0,200.0,{MS},true", f"2,101,3,303,{MS + 1},false"),
        (f"1,100.0,2.0,200.0,{US},True,True", f"2,101,3,303,{US + 1000},False,True"),
        (
            "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker",
            f"0,100,2,1,1,{MS},true",
            f"0,101,3,2,2,{MS + 1},false",
        ),
        (f"0,100,2,1,1,{MS},true", f"0,101,3,2,2,{MS + 1},false"),
        (f"0,100,2,1,1,{MS},True,True", f"0,101,3,2,2,{MS + 1},False,True"),
    ],
)
def test_trades_of_binance(tmp_path: Path, lines: tuple[str, ...]) -> None:
    later_ns = BEGAN_NS + 1_000_000
    assert told(csv(tmp_path / "BTCUSDT-trades-2023-11-14.csv", *lines)) == [
        Trade("f", BTC, 100.0, 2.0, Side.SELL, 0, BEGAN_NS, BEGAN_NS),
        Trade("f", BTC, 101.0, 3.0, Side.BUY, 0, later_ns, later_ns),
    ]


def test_quotes_of_binance(tmp_path: Path) -> None:
    path = csv(
        tmp_path / "ETHUSDT-bookTicker-2023-11-14.csv",
        "update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time,event_time",
        f"5,100,1,101,2,{MS},{MS + 4}",
    )
    assert told(path) == [Quote("f", ETH, 100.0, 1.0, 101.0, 2.0, 5, BEGAN_NS, BEGAN_NS)]


# --- times ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("1700000000", BEGAN_NS),
        (str(MS), BEGAN_NS),
        (str(US), BEGAN_NS),
        (str(BEGAN_NS), BEGAN_NS),
        ("2023-11-14T22:13:20Z", BEGAN_NS),
        ("2023-11-14 22:13:20", BEGAN_NS),
        ("2023-11-14T23:13:20.000000007+01:00", BEGAN_NS + 7),
        ("2023-11-14T22:13:20.5", BEGAN_NS + 500_000_000),
        ("2023-11-14", BEGAN_NS - (22 * 3600 + 13 * 60 + 20) * 1_000_000_000),
    ],
)
def test_a_time_tells_its_unit_itself(tmp_path: Path, text: str, nanoseconds: int) -> None:
    path = csv(tmp_path / "BTCUSDT.csv", "time,price,size", f"{text},1,1")
    assert read(path)["received_time_ns"].tolist() == [nanoseconds]
    assert looked_at(path, BOTH, KNOWN).first_ns == nanoseconds


def test_the_unit_may_change_within_a_file(tmp_path: Path) -> None:
    path = csv(tmp_path / "BTCUSDT.csv", "time,price,size", f"{MS},1,1", f"{US + 5},1,1", f"{BEGAN_NS + 6_000},1,1")
    assert [ns - BEGAN_NS for ns in read(path)["received_time_ns"].tolist()] == [0, 5_000, 6_000]


def test_files_as_spreadsheets_write_them_are_read(tmp_path: Path) -> None:
    path = tmp_path / "BTCUSDT.csv"
    path.write_bytes(f'\ufeff"Time";" Price";"Size"\r\n"{MS}";"1.5";2\r\n\r\n{MS};2.5;3\r\n'.encode())
    assert [(trade.price, trade.size) for trade in told(path)] == [(1.5, 2.0), (2.5, 3.0)]


# --- Parquet -------------------------------------------------------------------------------------------------------

ROWS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from(["BTC-USDT", "ethusdt", "XRP-USDT"]),
        st.sampled_from(["trade", "book", "quote"]),
        st.floats(0.001, 1e12),
        st.one_of(st.none(), st.floats(0, 1e12)),
        st.booleans(),
    ),
    min_size=1,
    max_size=20,
)


def columns_of(rows: list[tuple[Any, ...]]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {name: [] for name in NAMES}
    time_ns = BEGAN_NS
    for step, symbol, kind, price, other, flag in rows:
        time_ns += step
        quote = kind == "quote"
        side = None if quote else "buy" if flag else "sell"
        values = (None, None, price, 1.5, other, 2.5) if quote else (price, 2.25, None, None, None, None)
        for name, value in zip(NAMES, (time_ns, symbol, kind, side, flag, *values), strict=True):
            columns[name].append(value)
    return columns


NAMES = ["time", "symbol", "kind", "side", "is_snapshot", "price", "size", "bid", "bid_size", "ask", "ask_size"]


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS)
def test_csv_and_parquet_of_the_same_rows_give_the_same_ticks(tmp_path: Path, rows: list[tuple[Any, ...]]) -> None:
    table = library("pyarrow", "this test").table(columns_of(rows))
    library("pyarrow.parquet", "this test").write_table(table, tmp_path / "a.parquet")
    library("pyarrow.csv", "this test").write_csv(table, tmp_path / "a.csv")
    by_csv, by_parquet = read(tmp_path / "a.csv"), read(tmp_path / "a.parquet")
    assert by_csv.tobytes() == by_parquet.tobytes()
    assert len(by_csv) == sum(symbol != "XRP-USDT" for _, symbol, *_ in rows)


def test_parquet_may_have_timestamps_categories_and_decimals(tmp_path: Path) -> None:
    arrow = library("pyarrow", "this test")
    when = [datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC), datetime(2023, 11, 14, 22, 13, 21, tzinfo=UTC)]
    columns = {
        "time": arrow.array(when, arrow.timestamp("us", "UTC")),
        "instrument": arrow.array(BOTH).dictionary_encode(),
        "price": arrow.array(["100.5", "7.25"]).cast(arrow.decimal128(20, 4)),
        "size": arrow.array([1, 2]),
        "is_buyer_maker": arrow.array([True, False]),
    }
    library("pyarrow.parquet", "this test").write_table(arrow.table(columns), tmp_path / "a.pq")
    later_ns = BEGAN_NS + 1_000_000_000
    assert told(tmp_path / "a.pq") == [
        Trade("f", BTC, 100.5, 1.0, Side.SELL, 0, BEGAN_NS, BEGAN_NS),
        Trade("f", ETH, 7.25, 2.0, Side.BUY, 0, later_ns, later_ns),
    ]


def test_numbers_of_single_precision_are_those_that_were_written(tmp_path: Path) -> None:
    arrow = library("pyarrow", "this test")
    columns = {"time": [MS, MS + 1], "price": arrow.array([30000.01, 0.1], arrow.float32()), "size": [1.0, 1.0]}
    library("pyarrow.parquet", "this test").write_table(arrow.table(columns), tmp_path / "btcusdt.parquet")
    assert [tick.price for tick in told(tmp_path / "btcusdt.parquet") if isinstance(tick, Trade)] == [30000.01, 0.1]


def test_packed_csv_is_read_and_a_cut_one_is_told(tmp_path: Path) -> None:
    lines = ["time,price,size", *(f"{MS + number},{number}.25,1" for number in range(5_000))]
    data = gzip.compress("\n".join(lines).encode())
    path = tmp_path / "btcusdt.csv.gz"
    path.write_bytes(data)
    reading, chunks = chunks_of(path)
    assert sum(map(len, chunks)) == reading.rows == 5_000
    assert reading.done_bytes == reading.size_bytes
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(DamagedFile, match="it cannot be read on after row"):
        looked_at(path, BOTH, KNOWN)


def test_rows_of_one_time_are_in_one_chunk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "BLOCK_BYTES", 200)
    lines = [f"{MS + number // 25},{number},1" for number in range(100)]
    _, chunks = chunks_of(csv(tmp_path / "BTCUSDT.csv", "time,price,size", *lines))
    assert len(chunks) > 1
    assert [price for chunk in chunks for price in chunk["a"].tolist()] == list(range(100))
    ends = [(chunk["received_time_ns"][0], chunk["received_time_ns"][-1]) for chunk in chunks]
    assert all(last < first for (_, last), (first, _) in pairwise(ends))


def test_packed_csv_under_the_name_of_one_that_is_not_is_told_what_to_be_called(tmp_path: Path) -> None:
    path = tmp_path / "btcusdt.csv"
    path.write_bytes(gzip.compress(b"time,price,size\n1,1,1\n"))
    with pytest.raises(ForeignFile, match=r"it is packed by gzip, and its name does not say so: call it \.csv\.gz"):
        looked_at(path, BOTH, KNOWN)


# --- what is wrong -------------------------------------------------------------------------------------------------

T = "time,price,size"
L2 = "time,symbol,is_snapshot,side,price,amount"


@pytest.mark.parametrize(
    ("lines", "error", "said"),
    [
        ([""], EmptyFile, "it has no rows: it is empty"),
        ([T], EmptyFile, "it has no rows: it ends with its header"),
        (["x" * 50, "1"], ForeignFile, f"its columns are {'x' * 40}.. (docs/data.md"),
        (["x" * 300_000], ForeignFile, "it is no CSV: its first line is longer than 262,144 bytes"),
        (["a,b", "1,2"], ForeignFile, "nearest are those of trades, which need time (or timestamp, received_time_ns)"),
        (
            ["time,price", "1,2"],
            ForeignFile,
            "these columns are of no layout known here; nearest are those of trades, which need size (or qty, "
            "quantity, amount); its columns are time, price (docs/data.md has the layouts)",
        ),
        (
            ["time,bid,ask", "1,2,3"],
            ForeignFile,
            "nearest are those of quotes, which need bid_size (or bid_qty, bid_quantity, bid_amount, best_bid_qty), "
            "ask_size (or ask_qty, ask_quantity, ask_amount, best_ask_qty); a quote without its sizes cannot be",
        ),
        (
            ["time,price,size,bid,bid_size,ask,ask_size", "1,2,3,4,5,6,7"],
            ForeignFile,
            "its columns are those of trades and quotes: add a column `kind`",
        ),
        ([T + ",Price", "1,2,3,4"], ForeignFile, "two columns are called price"),
        (["1,2,3", "1,2,3"], ForeignFile, "its first line names no columns (1, 2, 3): write them there"),
        (["1,100,2,1,1,5,true"], ForeignFile, "its first line names no columns"),
        (
            ["open_time,open,high,low,close,volume", "1,2,3,4,5,6"],
            BarsFile,
            "these are bars, and orders cannot be matched with bars: give trades or quotes",
        ),
        ([T, "5,1,1", "4,1,1"], Unsorted, "row 2 is 1,000,000,000 ns earlier than the one before"),
        ([T, f"{MS},1,1", "x,1,1"], BadRow, "row 2: time 'x' is no whole number"),
        ([T, "x,1,1"], BadRow, "row 1: time 'x' is no time as 2024-01-31T23:59:59.123, or whole number"),
        (
            [T, "1600-01-01Z,1,1"],
            BadRow,
            "row 1: time '1600-01-01Z' is no time with a zone, as the first is, from 1678",
        ),
        ([T, "2024-01-01Z,1,1", "2024-01-02,1,1"], BadRow, "row 1: time '2024-01-01Z' is no time with a zone"),
        ([T, f"{MS},1,1", ",1,1"], BadRow, "row 2: time is missing"),
        ([T, f"{MS},1,1", "90000000000000,1,1"], BadRow, "row 2: time 90000000000000 is beyond the year 2262"),
        ([T, f"{MS},1,1", f"{MS},abc,1"], BadRow, "row 2: price 'abc' is no number"),
        ([T, f"{MS},1,1", f"{MS},,1"], BadRow, "row 2: its price is missing"),
        ([T, f"{MS},1,1", f"{MS},nan,1"], BadRow, "row 2: a value is not finite (nan, 1.0, 0.0, 0.0)"),
        ([T, f"{MS},1,-1"], BadRow, "row 1: a size is negative (-1.0, 0.0)"),
        ([T, f"{MS},1,1", f"{MS},1"], BadRow, "row 2: it has 2 cells where 3 are expected"),
        ([T + ",side", f"{MS},1,1,up"], BadRow, "row 1: side is 'up', and is one of buy, sell, b, s, unknown"),
        ([T + ",side", f"{MS},1,1,bid"], BadRow, "row 1: side is 'bid', as of a level of a book: a trade's is buy"),
        ([T + ",is_buyer_maker", f"{MS},1,1,?"], BadRow, "row 1: is_buyer_maker is '?', and is one of true, false"),
        ([T + ",symbol", f"{MS},1,1,"], BadRow, "row 1: its instrument is missing"),
        ([T + ",kind", f"{MS},1,1,bar"], BadRow, "row 1: kind is 'bar', and is one of trade, quote, book"),
        ([T + ",kind", f"{MS},1,1,quote"], BadRow, "row 1: it is of quotes, for which columns are missing in"),
        ([L2, f"{MS},BTCUSDT,true,,1,1"], BadRow, "row 1: side is missing, and is one of bid, ask, buy, sell"),
        ([L2, f"{MS},BTCUSDT,maybe,bid,1,1"], BadRow, "row 1: is_snapshot is 'maybe', and is one of true, false"),
        ([T + ",sequence", f"{MS},1,1,5", f"{MS},1,1,-5"], BadRow, "row 2: sequence -5 is below 0"),
    ],
)
def test_what_is_wrong_has_a_name_and_a_row(
    tmp_path: Path, lines: list[str], error: type[FileError], said: str
) -> None:
    path = csv(tmp_path / "BTCUSDT.csv", *lines)
    with pytest.raises(error) as raised:
        looked_at(path, BOTH, KNOWN)
    assert str(raised.value).startswith(f"{path}: ")
    assert said in str(raised.value)


def test_a_bad_row_of_a_mixed_file_is_named_by_its_place_in_the_file(tmp_path: Path) -> None:
    path = csv(
        tmp_path / "BTCUSDT.csv",
        "time,kind,price,size,bid,bid_size,ask,ask_size",
        f"{MS},trade,1,1,,,,",
        f"{MS},quote,,,1,1,2,2",
        f"{MS},trade,,1,,,,",
    )
    with pytest.raises(BadRow, match="row 3: its price is missing"):
        read(path)


def test_a_bad_cell_far_in_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "BLOCK_BYTES", 2_000)
    lines = [f"{MS + number},{number},1" for number in range(1_000)]
    lines[876] = f"{MS + 876},1.2.3,1"
    with pytest.raises(BadRow, match=r"row 877: price '1.2.3' is no number"):
        read(csv(tmp_path / "BTCUSDT.csv", T, *lines))
    lines[876] = f"{MS + 876},1,2,3"
    with pytest.raises(BadRow, match="row 877: it has 4 cells where 3 are expected"):
        read(csv(tmp_path / "BTCUSDT.csv", T, *lines))


def test_time_that_goes_back_between_two_parts_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "BLOCK_BYTES", 36)  # of two lines, so that one of three begins a part
    for late in range(1, 4):
        lines = [f"{MS + number},1,1" for number in range(4)]
        lines[late] = f"{MS - 1},1,1"
        with pytest.raises(Unsorted, match=f"row {late + 1} is "):
            read(csv(tmp_path / "BTCUSDT.csv", T, *lines))


def test_one_that_is_no_text_and_one_that_is_no_parquet_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"time,\xff\xfe\n1,2\n")
    with pytest.raises(ForeignFile, match="it is no CSV: it is no text in UTF-8 at byte 5"):
        looked_at(tmp_path / "a.csv", BOTH, KNOWN)
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and nothing more")
    with pytest.raises(DamagedFile, match="it is no whole Parquet file"):
        looked_at(tmp_path / "a.parquet", BOTH, KNOWN)
    none = library("pyarrow", "this test").table({"time": [], "price": [], "size": []})
    library("pyarrow.parquet", "this test").write_table(none, tmp_path / "b.pq")
    with pytest.raises(EmptyFile, match="it has no rows"):
        looked_at(tmp_path / "b.pq", BOTH, KNOWN)


def test_an_instrument_is_told_by_the_files_name_where_no_column_tells_it(tmp_path: Path) -> None:
    for name in ("BTCUSDT-trades.csv", "2024_btc-usdt.csv", "trades.BTC_USDT.csv"):
        assert told(csv(tmp_path / name, T, f"{MS},1,1"))[0].instrument == BTC
    path = csv(tmp_path / "trades.csv", T, f"{MS},1,1")
    assert told(path, "f/ETH-USDT/trade")[0].instrument == ETH
    with pytest.raises(NoInstrument, match="it has no column `instrument` or `symbol`: name one in the file's name"):
        read(path)
    with pytest.raises(NoInstrument, match="its name tells of BTC-USDT and ETH-USDT"):
        read(csv(tmp_path / "BTCUSDT-ETHUSDT.csv", T, f"{MS},1,1"))


def test_without_a_definition_it_is_said_what_to_write(tmp_path: Path) -> None:
    path = csv(tmp_path / "BTCUSDT.csv", T, f"{MS},1,1")
    with pytest.raises(NoDefinition) as raised:
        looked_at(path, BOTH, {})
    assert str(raised.value) == (
        f"{path}: it does not say what prices and sizes of BTC-USDT are multiples of: write it in the configuration, "
        'as in\n[instruments.BTC-USDT]\nprice_increment = "0.01"\nsize_increment = "0.0001"'
    )


def test_rows_that_are_not_brought_are_left_out_and_counted(tmp_path: Path) -> None:
    path = csv(tmp_path / "a.csv", T + ",symbol", f"{MS},1,1,XRPUSDT", f"{MS},1,1,BTCUSDT", f"{MS},1,1,ETHUSDT")
    reading, chunks = chunks_of(path, "f/BTC-USDT/trade")
    assert sum(map(len, chunks)) == 1
    assert reading.note == "2 of 3 rows are of what the feed does not bring, and left out"
    assert not len(read(path, "f/BTC-USDT/quote"))
