"""Whose file is whose, and what is said where that cannot be told."""

import os
from pathlib import Path
from typing import Any, Final

import attrs
import pytest

from ticktree.backtesting.data import assigned, definitions, fed, given
from ticktree.backtesting.errors import BadData
from ticktree.feeds.exchanges.kraken import KrakenFeed
from ticktree.feeds.files import BadRow, ForeignFile, NoDefinition
from ticktree.feeds.recording import EmptyRecording, NewerRecording, NoRecording
from ticktree.market import Quote
from ticktree.parts import App, FeedPart, SimulatedPart

from .markets import (
    BEGAN_NS,
    BTC,
    ETH,
    MS,
    NS,
    OtherFeed,
    Seen,
    Tape,
    WordsFeed,
    backtested,
    csv,
    feed_part,
    running,
    steady,
    table,
    trading,
    watching,
)

DAY_NS: Final = 86_400 * NS
TWO: Final = (feed_part("a"), feed_part("b", ("ETH-USDT",)))


def app(*feeds: FeedPart, **changes: Any) -> App:
    return trading(watching(Seen()), feeds=feeds, **changes)


def refused(of: App, *data: Path | str, **manner: Any) -> str:
    with pytest.raises(BadData) as error:
        running(of, *data, **manner)
    assert "\n" not in str(error.value)
    return str(error.value)


def owners(of: App, *data: Path | str) -> dict[str, list[str]]:
    return {feed: [one.path.name for one in files] for feed, files in assigned(of, data).items()}


# --- which files -----------------------------------------------------------------------------------------------------


def test_files_and_folders_are_found_and_a_feed_may_be_named_before_each(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in ("b.recording", "a.csv.gz", "c.parquet", "notes.txt", "report.json"):
        (folder / name).touch()
    (tmp_path / "one.ticks").touch()
    found = given([folder, f"x={tmp_path / 'one.ticks'}", f"x={folder}"], ("x", "y"))
    names = [(one.path.name, one.feed) for one in found]
    inside = ["a.csv.gz", "b.recording", "c.parquet"]
    assert names == [*((name, "") for name in inside), ("one.ticks", "x"), *((name, "x") for name in inside)]


def test_a_name_with_an_equals_sign_that_is_there_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "symbol=BTC.csv"
    path.touch()
    assert [(one.path, one.feed) for one in given([path], ("a",))] == [(path, "")]


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "missing.csv"
    assert refused(app(*TWO), missing) == f"{missing} is not there"
    assert refused(app(*TWO), f"a={missing}") == f"{missing} is not there"


def test_what_is_no_file_or_has_no_name_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    pipe, archive, long = tmp_path / "pipe.csv", tmp_path / "BTCUSDT-trades.zip", tmp_path / ("long" * 100)
    os.mkfifo(pipe)
    archive.touch()
    assert (
        refused(app(*TWO), pipe)
        == f"{pipe} is no file but a pipe, or a device: save what comes from it as a file first"
    )
    assert refused(app(*TWO), archive) == f"{archive} is an archive: unpack it first"
    assert refused(app(*TWO), long) == f"{long}: it cannot be opened (File name too long)"
    for empty in ("", "a="):
        assert refused(app(*TWO), empty) == "a name of a file is empty: name files, or folders of them"
    assert refused(app(*TWO)) == "no data were given: name files, or folders of them"
    assert refused(app(*TWO), "c=x.csv") == "c=x.csv is for the feed 'c', and the feeds are a, b"


def test_a_folder_without_data_is_named(tmp_path: Path) -> None:
    assert refused(app(*TWO), tmp_path) == (
        f"there is nothing in {tmp_path} that ends with "
        ".recording, .jsonl, .jsonl.gz, .ticks, .csv, .csv.gz, .csv.zst, .csv.bz2, .parquet, .pq"
    )


# --- whose they are --------------------------------------------------------------------------------------------------


def test_a_recording_goes_to_the_feed_of_the_class_that_made_it(tmp_path: Path) -> None:
    feeds = feed_part("x"), feed_part("y", make=OtherFeed)
    one, other = steady("x").write(tmp_path), steady("elsewhere", kind=OtherFeed).write(tmp_path)
    assert owners(App(feeds=feeds), one, other) == {"x": ["x.recording"], "y": ["elsewhere.recording"]}


def test_of_several_feeds_of_that_class_it_goes_to_the_one_of_its_name(tmp_path: Path) -> None:
    one, other = steady("b", name="ETH-USDT").write(tmp_path), steady("a").write(tmp_path)
    assert owners(app(*TWO), one, other) == {"a": ["a.recording"], "b": ["b.recording"]}


def test_where_several_could_take_it_that_is_said_and_saying_whose_helps(tmp_path: Path) -> None:
    path = steady("live").write(tmp_path)
    kind = f"{WordsFeed.__module__}:WordsFeed"
    assert refused(app(*TWO), path) == (
        f"{path} is a recording of {kind}, and several feeds could take it: a, b; say whose it is: FEED=live.recording"
    )
    other = steady("other").write(tmp_path)
    assert owners(app(*TWO), f"b={path}", f"a={other}") == {"a": ["other.recording"], "b": ["live.recording"]}


def test_a_recording_that_no_feed_reads_is_named(tmp_path: Path) -> None:
    path = steady("a", kind=OtherFeed).write(tmp_path)
    kind = f"{OtherFeed.__module__}:OtherFeed"
    assert refused(app(*TWO), path) == (
        f"{path} is a recording of {kind}, and no feed here reads that; "
        "say whose it is: FEED=a.recording, or leave it out"
    )


def test_a_recording_for_a_simulated_feed_cannot_be_played(tmp_path: Path) -> None:
    path = steady("a").write(tmp_path)
    simulated = App(feeds=(SimulatedPart("s"),))
    assert refused(simulated, f"s={path}") == (
        f"{path} is a recording of an exchange, and no feed here reads that; "
        "say whose it is: FEED=a.recording, or leave it out"
    )


def test_a_feed_without_data_is_named_and_what_it_would_take(tmp_path: Path) -> None:
    path = steady("a").write(tmp_path)
    assert refused(app(*TWO), path) == ("nothing is given for the feed b: b=FILE; or leave it out of the configuration")
    feeds = feed_part("a"), FeedPart("k", KrakenFeed, ("BTC-USD",), type="kraken")
    assert refused(app(*feeds), path) == (
        "nothing is given for the feed k: a recording of kraken, or k=FILE; or leave it out of the configuration"
    )


def test_a_table_goes_to_the_only_feed_or_to_the_one_its_name_has_in_it(tmp_path: Path) -> None:
    path = csv(tmp_path, (0, 1.0, 2.0)).rename(tmp_path / "quotes 2024.csv")
    assert owners(app(feed_part("a"), instruments=(BTC,)), path) == {"a": ["quotes 2024.csv"]}
    known = (BTC, ETH)
    one = path.rename(tmp_path / "A_quotes-2024.csv")
    other = csv(tmp_path, (0, 1.0, 2.0), feed="b", name="ETH-USDT")
    assert owners(app(*TWO, instruments=known), other, one) == {"a": ["A_quotes-2024.csv"], "b": ["b.csv"]}


def test_a_table_that_does_not_tell_whose_it_is_needs_to_be_told(tmp_path: Path) -> None:
    path = csv(tmp_path, (0, 1.0, 2.0), feed="quotes")
    assert refused(app(*TWO, instruments=(BTC, ETH)), path) == (
        f"{path} does not tell whose data it has; say it: a=quotes.csv"
    )


def test_recordings_and_tables_of_one_feed_do_not_mix(tmp_path: Path) -> None:
    one, other = steady("a").write(tmp_path), table(tmp_path, (0, 1.0, 2.0))
    assert refused(app(feed_part("a"), instruments=(BTC,)), one, other) == (
        "the feed a takes recordings or tables, not both: a.recording, a.ticks"
    )


def test_recordings_and_tables_of_different_feeds_go_together(tmp_path: Path) -> None:
    one = steady("a", rows=3).write(tmp_path)
    other = table(tmp_path, (50 * MS, 1.0, 2.0), (100 * MS, 3.0, 4.0), feed="b", name="ETH-USDT")
    seen = Seen()
    outcome = backtested(trading(watching(seen), feeds=TWO), one, other)
    assert [(used.feed, used.format) for used in outcome.data] == [("a", "recording"), ("b", "ticks")]
    told = list(zip((quote.feed for quote in seen.of(Quote)), seen.times(Quote), strict=True))
    assert told == [("a", 0), ("b", 50 * MS), ("a", 100 * MS), ("b", 100 * MS), ("a", 200 * MS)]


def test_files_of_a_feed_are_in_the_order_of_their_beginnings_however_they_were_given(tmp_path: Path) -> None:
    paths = [Tape("a").connect(at * NS).quote(at * NS, 1.0, 2.0).write(tmp_path, f"{at}") for at in (2, 0, 1)]
    assert owners(app(feed_part("a")), *paths) == {"a": ["0.recording", "1.recording", "2.recording"]}


def test_a_file_that_is_given_twice_is_refused(tmp_path: Path) -> None:
    path = table(tmp_path, (0, 1.0, 2.0))
    message = f"{path} is given 2 times: each of its rows would come as often"
    assert refused(app(feed_part("a"), instruments=(BTC,)), path, path) == message
    assert refused(app(feed_part("a"), instruments=(BTC,)), tmp_path, f"a={path}") == message


# --- what is wrong with them -----------------------------------------------------------------------------------------


def test_a_file_that_is_empty_newer_or_something_else_is_an_error_before_anything_starts(tmp_path: Path) -> None:
    path, of = tmp_path / "a.recording", app(feed_part("a"))
    path.touch()
    with pytest.raises(EmptyRecording):
        running(of, path)
    path.write_bytes(b"ticktree recording 99 {}\n")
    with pytest.raises(NewerRecording, match="version 99"):
        running(of, path)
    path.write_bytes(b"\x89PNG")
    with pytest.raises(NoRecording, match="it is something else"):
        running(of, path)
    table_of_others = tmp_path / "a.csv"
    table_of_others.write_text("name,age\nx,1\n")
    with pytest.raises(ForeignFile):
        running(of, table_of_others)


def test_a_table_needs_increments_and_the_error_says_what_to_write(tmp_path: Path) -> None:
    path = csv(tmp_path, (0, 1.0, 2.0))
    with pytest.raises(NoDefinition, match=r"\[instruments\.BTC-USDT\]"):
        backtested(app(feed_part("a")), path)


def test_a_recording_with_a_title_and_no_more_is_told_in_no_time(tmp_path: Path) -> None:
    path = Tape("a").write(tmp_path)
    outcome = backtested(app(feed_part("a")), path)
    assert (outcome.ticks, outcome.incomplete, outcome.began_ns) == (0, "", BEGAN_NS)
    assert outcome.warnings == ("no tick was told: the data have nothing that the feeds of this configuration bring",)


def test_damage_where_a_table_begins_is_an_error_before_anything_starts(tmp_path: Path) -> None:
    path = csv(tmp_path, *((row * MS, 1.0 + row, 2.0 + row) for row in range(5)))
    path.write_text(path.read_text().replace(",4.0,", ",none,"))
    with pytest.raises(BadRow, match=r"a\.csv: row 4: bid 'none' is no number"):
        running(app(feed_part("a"), instruments=(BTC,)), path)


# --- when they begin -------------------------------------------------------------------------------------------------


def apart(folder: Path, apart_ns: int) -> tuple[Path, Path]:
    one, other = steady("a", rows=3), Tape("b").connect(apart_ns)
    for row in range(3):
        other.quote(apart_ns + row * 100 * MS, 1.0 + row, 2.0 + row, name="ETH-USDT")
    return one.write(folder), other.write(folder)


def test_data_that_begin_far_apart_are_refused_until_it_is_said_how_they_go_together(tmp_path: Path) -> None:
    one, other = apart(tmp_path, 40 * DAY_NS)
    assert refused(app(*TWO), one, other) == (
        "the data of b begin 40.0 days after those of a: "
        "--align has all begin at the same time, --no-align plays them as they were"
    )
    aligned = Seen()
    outcome = backtested(trading(watching(aligned), feeds=TWO), one, other, align=True)
    assert [quote.feed for quote in aligned.of(Quote)] == ["a", "b"] * 3
    assert outcome.ended_ns - outcome.began_ns == 200 * MS


def test_as_they_were_the_time_between_passes(tmp_path: Path) -> None:
    one, other = apart(tmp_path, 60 * NS)
    seen = Seen()
    outcome = backtested(trading(watching(seen), feeds=TWO), one, other)
    assert outcome.ended_ns - outcome.began_ns == 60 * NS + 200 * MS
    running(app(*TWO), *apart(tmp_path, 40 * DAY_NS), align=False)  # it is said
    assert [quote.feed for quote in seen.of(Quote)] == ["a"] * 3 + ["b"] * 3


def test_tables_cannot_be_moved_in_time(tmp_path: Path) -> None:
    one = steady("a", rows=3).write(tmp_path)
    other = table(tmp_path, (5 * NS, 1.0, 2.0), feed="b", name="ETH-USDT")
    assert refused(app(*TWO), one, other, align=True) == "only recordings can be moved in time, and b has tables"


# --- what becomes of the application ---------------------------------------------------------------------------------


def test_definitions_are_those_of_the_configuration_and_of_simulated_markets() -> None:
    of = App(feeds=(SimulatedPart("s"),), instruments=(BTC,))
    known = definitions(of)
    assert known["BTC-USDT"] is BTC
    assert set(SimulatedPart("s").instruments) <= set(known)


def test_a_feed_keeps_what_it_was_but_for_its_address_and_records_nothing(tmp_path: Path) -> None:
    path = steady("a").write(tmp_path)
    part = feed_part("a", record=tmp_path / "records", stale_after_s=3.0)
    files = assigned(app(part), [path])["a"]
    made = fed(part, files, BEGAN_NS, {}, 0.0)
    assert attrs.evolve(made, make=part.make, record=part.record) == part
    assert made.record is None
    backtested(app(part), path)
    assert not (tmp_path / "records").exists()
