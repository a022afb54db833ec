"""`ticktree relay`: the feeds of a configuration, for other processes, and nothing that trades."""

import re
from pathlib import Path

from click.testing import CliRunner

from ticktree.cli import main
from ticktree.feeds.plugins import FEEDS
from ticktree.feeds.wire import WireFeed

from ..e2e.configured import command, config, told


def test_feeds_alone_are_served_to_who_connects(tmp_path: Path) -> None:
    path = config(tmp_path)
    with command("relay", path, "--listen", "tcp://127.0.0.1:0") as market:
        found = re.search(r"relay/server: listens at (\S+)$", market.until("relay/server: listens at ").strip())
        assert found
        folder = tmp_path / "other"
        folder.mkdir()
        feed = f'[feeds.market]\ntype = "relay"\nurl = "{found[1]}"\ninstruments = ["BTC-USDT"]'
        with command("run", config(folder, base=feed)) as reader:
            reader.until("market: live")
            reader.interrupt()
            code, printed = reader.end()
        assert code == 0, printed
        assert printed.startswith("NO VENUES: nothing can be ordered\n")
        market.interrupt()
        code, printed = market.end()
    assert code == 0, printed
    assert printed.startswith("RELAY: market; nothing can be ordered\n")
    report = told(path)
    assert (report["venues"], report["routers"], report["feeds"]["market"]["gaps"]) == ({}, {}, 0)
    assert not any(place.startswith("strategies") for place in report["mailboxes"])


def test_where_to_listen_must_be_said(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["relay", str(config(tmp_path))])
    assert result.exit_code == 2
    assert "say where to listen: --listen tcp://127.0.0.1:7400, or [relay] listen in " in result.output


def test_an_address_that_is_none_is_refused_before_anything_starts(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["relay", str(config(tmp_path)), "--listen", "localhost:7400"])
    assert result.exit_code == 2, result.output
    assert "is no address" in result.output


def test_the_help_names_a_type_of_feed_that_there_is() -> None:
    (named,) = re.findall(r'type = "(\w+)"', CliRunner().invoke(main, ["relay", "--help"]).output)
    assert FEEDS.load(named) is WireFeed
