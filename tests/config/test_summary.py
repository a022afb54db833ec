"""`ticktree check`: all that is wrong, or what would run."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ticktree.cli import main
from ticktree.config.summary import warnings

from .support import FEED, PAPER, loaded, written


def check(text: str, *options: str) -> Result:
    return CliRunner().invoke(main, ["check", str(written(text)), *options])


def test_what_would_run_is_told_part_by_part(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "")
    ran = check(
        PAPER
        + """\
topics = ["binance/BTC-USDT/quote"]
[system]
journal = "orders.journal"
[risk]
max_order_notional = { USDT = "1000" }
max_price_age = "5s"
[supervision.feeds]
delay = { base = "1s", ceiling = "5s" }
[supervision.feeds.groups.all]
members = ["binance"]
[operations]
socket = "my.sock"
metrics = "127.0.0.1:9464"
[relay]
listen = "tcp://127.0.0.1:7001"
"""
    )
    assert ran.exit_code == 0
    assert ran.output.replace(f"{folder}/", "") == (
        """\
PAPER: nothing is sent to a real venue

feeds
  binance             binance, at wss://stream.binance.com:9443/stream
                      quote, trade, book, status of BTC-USDT

venues
  paper               simulated, matches against binance

routers
  default             Timeout, venue paper, deadline 250ms

strategies
  momentum            ticktree.strategies.momentum:Momentum
                      gets binance/BTC-USDT/quote
                      orders go to default; mailbox of 65536 ticks, Conflate, otherwise DropOldest

limits
  max_order_notional  USDT 1000
  self_trade          refuse
  max_price_age       5s

supervision
  root                one_for_one, 3 restarts in 30s
  venues              one_for_one, 5 restarts in 30s
  routers             one_for_one, 5 restarts in 30s
  strategies          one_for_one, 5 restarts in 30s
  feeds               one_for_one, 5 restarts in 30s, waits up to 5s before each
  feeds/all           binance; one_for_one, 5 restarts in 30s

process
  loop                uvloop, stops within 10s
  journal             orders.journal, os
  relay               tcp://127.0.0.1:7001
  operations          my.sock
  metrics             http://127.0.0.1:9464/metrics
"""
    )


def test_a_real_venue_is_told_first() -> None:
    ran = check(
        f"""{FEED}
[system]
journal = "orders.journal"
[venues.alpha]
type = "tcp"
url = "tcp://127.0.0.1:7100"
account = "one"
[routers.nested]
policy = "any"
venues = ["alpha", {{ policy = "timeout", venue = "alpha", deadline = "50ms" }}]
deadline = "1s"
"""
    )
    assert ran.output.startswith("LIVE: orders go to real venues\n")
    assert "LIVE; account one at tcp://127.0.0.1:7100" in ran.output
    assert "AnyOf, venues alpha + (Timeout, venue alpha, deadline 50ms), deadline 1s" in ran.output


def test_quiet_says_nothing_of_what_is_fine() -> None:
    assert check(PAPER, "--quiet").output == ""


def test_all_that_is_wrong_is_told_and_counted() -> None:
    ran = check("[feeds.a]\ntype = 5\n", "--quiet")
    assert ran.exit_code == 2
    assert ran.stdout == ""
    assert ran.stderr == (
        'app.toml:1: feeds.a.instruments: is missing: instruments = ["BTC-USDT"]\n'
        'app.toml:2: feeds.a.type: a text, as in "binance"; not 5\n'
        "2 problems\n"
    )


def test_a_file_that_is_not_there_is_told_alike() -> None:
    ran = CliRunner().invoke(main, ["check", "nowhere.toml"])
    assert (ran.exit_code, ran.stderr) == (2, "nowhere.toml: cannot be read: No such file or directory\n1 problem\n")


def test_what_is_perhaps_not_meant_is_told() -> None:
    assert warnings(loaded(FEED)) == ["nobody takes what the feeds bring: a strategy, a relay, or `record` in a feed"]
    app = loaded(
        f"""{PAPER}
[feeds.unused]
type = "kraken"
instruments = ["BTC-USD"]
kinds = ["trade"]
[venues.quoteless]
type = "simulated"
prices = "unused"
[feeds.unheard]
type = "kraken"
instruments = ["ETH-USD"]
[routers.spare]
policy = "timeout"
venue = "paper"
deadline = "1s"
""".replace('type = "momentum"\n', 'type = "momentum"\nrouter = "default"\ntopics = ["binance/*/quote"]\n')
    )
    assert warnings(app) == [
        'nothing is limited: [risk] max_order_notional = { USDT = "1000" }',
        'orders are forgotten with the process: [system] journal = "orders.journal"',
        "no router sends to the venue quoteless",
        "no strategy uses the router spare",
        'unused brings no quotes, which quoteless would match against: kinds = ["quote", ...]',
        "nobody takes what unheard brings",
    ]


def test_a_parameter_that_names_an_instrument_which_no_feed_brings_is_told() -> None:
    app = loaded(
        """\
        [feeds.market]
        type = "simulated"
        [strategies.pairs]
        type = "pairs"
        params = { first = "BTC-USD" }
        """
    )
    assert warnings(app)[-1] == "no feed brings BTC-USD, which the params of pairs name: first"
