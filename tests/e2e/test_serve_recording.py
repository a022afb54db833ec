"""`ticktree serve-recording`, a process of its own, and a real feed that takes it for the exchange."""

import asyncio
import gzip
import json
from pathlib import Path
from random import Random

import pytest

from ticktree.actors import ChildSpec, Supervisor, System
from ticktree.feeds import FeedAccount, Source
from ticktree.feeds.exchanges.coinbase import CoinbaseFeed
from ticktree.market import BookUpdate, Quote, Topic, Trade

from ..feeds.exchanges.collector import QUICK, Collector
from ..feeds.exchanges.test_coinbase_recorded import TOPICS
from ..probe import BOX
from ..recordings import path
from .program import DEADLINE_S, Program, in_process

COMMAND = ("-m", "ticktree", "serve-recording")


def served(*arguments: str) -> tuple[int, str]:
    """It, to its end in this process: the exit code, and all it printed."""
    return in_process("serve-recording", *arguments)


async def test_a_feed_reads_the_whole_recording_from_it_and_then_it_ends() -> None:
    with Program(*COMMAND, str(path("coinbase")), "--speed", "max") as program:
        url, rest_url = (program.until(f"  coinbase, {what}").split()[0] for what in ("WebSockets", "HTTP"))
        sink, account = Collector(DEADLINE_S), FeedAccount()
        topics = tuple(map(Topic.parse, TOPICS))
        source = Source("coinbase", topics, sink, account=account, backoff=QUICK, random=Random(1))
        feed = ChildSpec("feed", lambda: CoinbaseFeed(source, url, rest_url), BOX)
        async with System(Supervisor((feed,), intensity=3)):
            await sink.until(lambda: len(sink.of(BookUpdate, Quote, Trade)) == 9_729 + 107 + 97)
            assert (account.skipped, account.gaps, account.crossed) == (0, 0, 0)
            code, printed = await asyncio.to_thread(program.end)
    assert code == 0, printed
    assert "9,943 of 9,943 messages told, to 2021-04-17 16:44:07 UTC; 1 connection, 1 question answered, " in printed


def test_several_recordings_are_exchanges_of_their_own() -> None:
    files = str(path("kraken")), str(path("binance"))
    code, printed = served(*files, "--exchange", "kraken", "--exchange", "binance", "--for", "10ms")
    assert code == 0, printed
    words = [line.partition("  ")[2] for line in printed.splitlines() if line.startswith(("ws://", "http://"))]
    assert words == ["kraken, WebSockets", "kraken, HTTP", "binance, WebSockets", "binance, HTTP"]
    assert "kraken: 0 of 4,397 messages told" in printed
    assert "once for each FILE, or not at all; not 1 times" in refused(*files, "--exchange", "kraken")


def test_it_ends_on_ctrl_c_and_says_how_far_it_came() -> None:
    with Program(*COMMAND, str(path("kraken"))) as program:
        assert program.until("  kraken, WebSockets").startswith("ws://127.0.0.1:")
        assert program.until("  kraken, HTTP").startswith("http://127.0.0.1:")
        program.interrupt()
        code, printed = program.end()
    assert code == 0, printed
    assert "0 of 4,397 messages told; 0 connections, 0 questions answered, 0 cuts" in printed
    assert "Traceback" not in printed


def test_it_ends_when_its_time_is_over() -> None:
    code, printed = served(str(path("binance")), "--for", "100ms", "--loop", "asyncio")
    assert code == 0, printed
    assert "0 of 265 messages told" in printed


def refused(*arguments: str) -> str:
    """What is printed about a usage that is wrong."""
    code, printed = served(*arguments)
    assert code == 2, printed
    assert "Traceback" not in printed
    return printed


def test_what_cannot_be_served_is_a_usage_error_that_says_what_to_do(tmp_path: Path) -> None:
    kraken = str(path("kraken"))
    assert "its addresses are of kraken" in refused(kraken, "--exchange", "coinbase")
    assert "there is binance, coinbase, kraken" in refused(kraken, "--exchange", "krakne")
    assert "'soon' is no duration" in refused(kraken, "--for", "soon")
    assert "does not exist" in refused(str(tmp_path / "none.jsonl"))
    assert "'2' is not one of '1', '10', 'max'" in refused(kraken, "--speed", "2")


NOTHING, CUT_OFF = gzip.compress(b"", mtime=0), gzip.compress(b"x" * 10_000, mtime=0)[:20]
SILENT = b'{"t":1,"kind":"connect"}\n'


@pytest.mark.parametrize("data", [b"", b"{", b"\x00" * 100, NOTHING, CUT_OFF, SILENT])
@pytest.mark.parametrize("name", ["bad.jsonl", "bad.jsonl.gz", "bad"])
def test_a_file_that_is_no_recording_is_a_usage_error(tmp_path: Path, name: str, data: bytes) -> None:
    (file := tmp_path / name).write_bytes(data)
    assert "Error: " in refused(str(file), "--exchange", "kraken")


def test_a_recording_that_was_cut_off_is_served_up_to_there_or_refused_by_name(tmp_path: Path) -> None:
    (file := tmp_path / "cut.jsonl.gz").write_bytes(path("kraken").read_bytes()[:100_000])
    code, printed = served(str(file), "--for", "10ms", "--loop", "asyncio")
    assert code in (0, 2), printed


def test_the_exchange_is_named_where_addresses_do_not_tell_it(tmp_path: Path) -> None:
    line = {"t": 1.0, "kind": "received", "conn": 1, "url": "ws://127.0.0.1:1/", "data": '{"event":"heartbeat"}'}
    (file := tmp_path / "local.jsonl").write_text(json.dumps(line) + "\n")
    assert "say which it is, of binance, coinbase, kraken" in refused(str(file))
    code, printed = served(str(file), "--exchange", "kraken", "--for", "10ms")
    assert code == 0, printed


def test_a_port_that_is_taken_is_an_error_that_names_it() -> None:
    with Program(*COMMAND, str(path("kraken"))) as first:
        port = first.until("  kraken, HTTP").split()[0].rpartition(":")[2]
        code, printed = served(str(path("kraken")), "--port", port)
    assert code == 1, printed
    assert f"cannot listen at 127.0.0.1, port {port}: Address already in use; port 0 takes a free one" in printed
    assert "Traceback" not in printed
