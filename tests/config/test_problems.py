"""Broken configurations, each with exactly what is said about it."""

import re
import sys
import time
from pathlib import Path

import pytest

from ticktree import BadConfig, load
from ticktree.config import Problem

from .support import FEED, PAPER, loaded, problems, written

# Name -> the configuration, and every line that is said.
BROKEN = {
    "misspelt keys and sections": (
        """\
        [sytem]
        loop = "uvloop"

        [feeds.binance]
        type = "binance"
        instrments = ["BTC-USDT"]
        rest_ulr = "https://api.binance.com"
        quack = 1
        """,
        [
            'app.toml:1: sytem: there is no section "sytem"; did you mean "system"?',
            'app.toml:6: feeds.binance.instrments: there is no key "instrments"; did you mean "instruments"?',
            'app.toml:7: feeds.binance.rest_ulr: there is no key "rest_ulr"; did you mean "rest_url"?',
            'app.toml:8: feeds.binance.quack: there is no key "quack"; known: type, instruments, kinds, record, '
            "stale_after, on_bad, backoff, url, rest_url",
        ],
    ),
    "wrong types": (
        """\
        [system]
        loop = "asyncoi"
        budget = 10
        watchdog = "250 parsecs"
        opens_within = true
        cpus = [0, -1]

        [feeds.kraken]
        type = "kraken"
        instruments = 5
        kinds = ["trade", "qoute"]
        depth = "deep"
        stale_after = "0s"
        backoff = { base = "1m", ceiling = "30s" }
        record = ["here"]
        """,
        [
            'app.toml:2: system.loop: "uvloop" or "asyncio"; not "asyncoi"; did you mean "asyncio"?',
            'app.toml:3: system.budget: a duration, as in "10s"; not 10; did you mean "10s"?',
            'app.toml:4: system.watchdog: a duration, as in "250ms"; not "250 parsecs"',
            'app.toml:5: system.opens_within: a duration, as in "3s"; not true',
            "app.toml:6: system.cpus[1]: a whole number from 0 on; not -1",
            'app.toml:10: feeds.kraken.instruments: a list of texts, as in ["BTC-USDT"]; not 5',
            'app.toml:11: feeds.kraken.kinds[1]: "quote", "trade", "book", "bar" or "status"; not "qoute"; '
            'did you mean "quote"?',
            'app.toml:12: feeds.kraken.depth: a whole number; not "deep"',
            'app.toml:13: feeds.kraken.stale_after: a duration, as in "5s"; not "0s", for it is above 0',
            'app.toml:14: feeds.kraken.backoff: base is at most ceiling; not "1m" and "30s"',
            'app.toml:15: feeds.kraken.record: a path, as in "recordings"; not ["here"]',
        ],
    ),
    "plug-ins that are not there": (
        """\
        [feeds.a]
        type = "binanc"
        instruments = ["BTC-USDT"]
        [venues.b]
        type = "odd.module:Gate"
        [routers.c]
        policy = "tiemout"
        [strategies.d]
        type = "broken:Mine"
        router = "c"
        [strategies.e]
        type = "broken"
        router = "c"
        """,
        [
            "app.toml:2: feeds.a.type: feed type 'binanc': no installed package has it (did you mean 'binance'?); "
            "known: binance, coinbase, dialect, kraken, records, relay, simulated; or write package.module:Class",
            "app.toml:4: venues.b: may be a real venue, and nothing would be remembered of its orders after a crash: "
            '[system] journal = "orders.journal"',
            "app.toml:5: venues.b.type: venue type 'odd.module:Gate': odd.module:Gate cannot be imported: "
            "ModuleNotFoundError: No module named 'odd'",
            "app.toml:7: routers.c.policy: policy 'tiemout': no installed package has it (did you mean 'timeout'?); "
            "known: all, any, best, sweep, timeout; or write package.module:Class",
            "app.toml:9: strategies.d.type: strategy type 'broken:Mine': broken:Mine cannot be imported: "
            "ZeroDivisionError: division by zero",
            "app.toml:12: strategies.e.type: strategy type 'broken': no installed package has it; known: arbitrage, "
            "market_maker, momentum, pairs, risk_monitor, twap; or write package.module:Class",
        ],
    ),
    "names that nobody has": (
        """\
        [feeds.binance]
        type = "binance"
        instruments = ["BTC-USDT"]

        [venues.paper]
        type = "simulated"
        prices = "binanse"

        [routers.default]
        policy = "any"
        venues = ["paper", "papre"]
        deadline = "1s"

        [strategies.momentum]
        type = "momentum"
        router = "defualt"

        [supervision.feeds.groups.pair]
        members = ["binance", "kraken"]
        """,
        [
            'app.toml:7: venues.paper.prices: there is no feed "binanse"; did you mean "binance"?',
            'app.toml:11: routers.default.venues[1]: there is no venue "papre"; did you mean "paper"?',
            'app.toml:16: strategies.momentum.router: there is no router "defualt"; did you mean "default"?',
            'app.toml:19: supervision.feeds.groups.pair.members[1]: there is no member "kraken"; known: binance',
        ],
    ),
    "topics that select nothing": (
        PAPER
        + """\
topics = [
    "binance/BTC-USD/quote",
    "*/SOL-EUR/trade",
    "kraken/BTC-USDT/quote",
    "*/BTC-USDT/bar",
    "*/BTC-USDT",
    "*/BTC-USDT/quote",
    "*/BTC-USDT/quote",
]
""",
        [
            'app.toml:17: strategies.momentum.topics[0]: "binance/BTC-USD/quote" selects nothing: binance does not '
            "bring the instrument BTC-USD; did you mean BTC-USDT?",
            'app.toml:18: strategies.momentum.topics[1]: "*/SOL-EUR/trade" selects nothing: binance does not bring '
            "the instrument SOL-EUR; known: BTC-USDT",
            'app.toml:19: strategies.momentum.topics[2]: "kraken/BTC-USDT/quote" selects nothing: there is no feed '
            '"kraken"; known: binance',
            'app.toml:20: strategies.momentum.topics[3]: "*/BTC-USDT/bar" selects nothing: of BTC-USDT binance brings '
            'quote, trade, book, status, and no bar: kinds = ["quote", "trade", "book", "status", "bar"]',
            "app.toml:21: strategies.momentum.topics[4]: '*/BTC-USDT' is no topic: it has 2 parts; a topic is "
            "feed/instrument/kind, as in */BTC-USDT/quote",
            'app.toml:23: strategies.momentum.topics[6]: "*/BTC-USDT/quote" stands there already; once is enough',
        ],
    ),
    "instruments that cannot be": (
        """\
        [feeds.binance]
        type = "binance"
        instruments = ["btc-usdt", "ETH USDT", "BTC-USDT", "BTC-USDT"]

        [feeds.kraken]
        type = "kraken"
        instruments = []
        kinds = []

        [feeds.simulated]
        type = "simulated"
        instruments = ["BTC"]
        halts = [{ instrument = "ETH-USDT", step = 0, steps = 1 }]
        """,
        [
            'app.toml:3: feeds.binance.instruments[0]: an instrument is written in capitals: "BTC-USDT"; not '
            '"btc-usdt"',
            "app.toml:3: feeds.binance.instruments[1]: an instrument is written BASE-QUOTE, as in BTC-USDT; not "
            '"ETH USDT"',
            'app.toml:3: feeds.binance.instruments[3]: "BTC-USDT" stands there already; once is enough',
            'app.toml:7: feeds.kraken.instruments: names one instrument or more: instruments = ["BTC-USDT"]',
            'app.toml:8: feeds.kraken.kinds: names one kind or more: kinds = ["quote", "trade"]',
            "app.toml:12: feeds.simulated.instruments[0]: an instrument is written BASE-QUOTE, as in "
            'BTC-USDT; not "BTC"',
            "app.toml:13: feeds.simulated.halts[0].step: a whole number from 1 on; not 0",
            'app.toml:13: feeds.simulated.halts[0].instrument: there is no instrument "ETH-USDT"; known: BTC',
        ],
    ),
    "what a class has against its options": (
        """\
        [feeds.kraken]
        type = "kraken"
        instruments = ["BTC-USD"]
        depth = 7

        [feeds.coinbase]
        type = "coinbase"
        instruments = ["BTC-USD"]
        kinds = ["bar"]

        [feeds.relay]
        type = "relay"
        instruments = ["BTC-USD"]
        url = "tcp://nohost"

        [feeds.played]
        type = "binance"
        instruments = ["BTC-USDT"]
        url = "file:not-there.ttrec"
        rest_url = "ftp://x"
        """,
        [
            "app.toml:1: feeds.kraken: kraken: the exchange has books of 10, 25, 100, 500, 1000 levels a side; not 7",
            "app.toml:6: feeds.coinbase: coinbase: there is no bar of this exchange, only trade, quote, book: ask for "
            "these",
            "app.toml:14: feeds.relay.url: 'tcp://nohost' is no address: it needs a host and a port; an address is "
            "tcp://host:port, tls://host:port, unix:///path, ws://host[:port]/path or wss://host[:port]/path",
            "app.toml:19: feeds.played.url: there is no recording not-there.ttrec",
            "app.toml:20: feeds.played.rest_url: an address, as in https://host or http://host:port",
        ],
    ),
    "limits that mean nothing": (
        PAPER
        + """\
[risk]
max_order_size = { "BTC-USDT" = -1, "BTC-USTD" = 2, "*" = 3 }
max_order_notional = { USD = "1000", USDT = "a lot" }
max_orders_per_s = 0
price_collar = 1.5
max_price_age = 5
max_price_age_s = 5
self_trade = "maybe"
""",
        [
            "app.toml:17: risk.max_order_size.BTC-USDT: a number above 0; not -1. Leave it out where there is no limit",
            'app.toml:17: risk.max_order_size.BTC-USTD: it would limit nothing: there is no instrument "BTC-USTD"; '
            'did you mean "BTC-USDT"?',
            'app.toml:18: risk.max_order_notional.USDT: a number, or a text of one; not "a lot"',
            'app.toml:18: risk.max_order_notional.USD: it would limit nothing: there is no quote currency "USD"; '
            'did you mean "USDT"?',
            "app.toml:19: risk.max_orders_per_s: a whole number from 1 on, as in 50; not 0",
            "app.toml:20: risk.price_collar: a fraction below 1, as in 0.05 for 5 %; not 1.5",
            'app.toml:21: risk.max_price_age: a duration, as in "5s"; not 5; did you mean "5s"?',
            'app.toml:22: risk.max_price_age_s: there is no key "max_price_age_s"; did you mean "max_price_age"?',
            'app.toml:23: risk.self_trade: "refuse", "cancel_resting" or "allow"; not "maybe"',
        ],
    ),
    "real venues": (
        f"""\
{FEED}
[venues.alpha]
type = "tcp"
url = "ws://127.0.0.1:7100/"

[venues.beta]
type = "simulated"
prices = "binance"
faults = {{ drop = 2, later = ["1s", "1ms"] }}
latency = {{ fixd = "5ms" }}
fees = {{ maker = "1%", taker = 2 }}
patience = {{ ack = "soon", resets_after = 0 }}
""",
        [
            'app.toml:5: venues.alpha.account: is missing: account = "alpha"',
            "app.toml:5: venues.alpha: may be a real venue, and nothing would be remembered of its orders "
            "after a crash: "
            '[system] journal = "orders.journal"',
            "app.toml:7: venues.alpha.url: orders do not travel over WebSockets: tcp://, tls:// or unix://",
            "app.toml:12: venues.beta.faults.drop: a number from 0 to 1; not 2",
            'app.toml:12: venues.beta.faults.later: the least is at most the most; not ["1s", "1ms"]',
            'app.toml:13: venues.beta.latency.fixd: there is no key "fixd"; did you mean "fixed"?',
            'app.toml:14: venues.beta.fees.maker: a number, or a text of one, as in "-0.0001"; not "1%"',
            "app.toml:14: venues.beta.fees.taker: a part of the notional between -1 and 1, as in 0.001 for ten basis "
            "points; not 2",
            'app.toml:15: venues.beta.patience.ack: a duration, as in "1s"; not "soon"',
            "app.toml:15: venues.beta.patience.resets_after: a whole number from 1 on; not 0",
        ],
    ),
    "policies": (
        """\
        [feeds.simulated]
        type = "simulated"
        [venues.a]
        type = "simulated"
        prices = "simulated"
        [venues.b]
        type = "simulated"
        prices = "simulated"
        [routers.one]
        policy = "timeout"
        venues = ["a", "b"]
        deadline = "1s"
        [routers.two]
        policy = "any"
        venues = ["a", "b"]
        deadline = "fast"
        [routers.three]
        policy = "all"
        venues = "a"
        deadline = "1s"
        [routers.four]
        venues = ["a"]
        """,
        [
            "app.toml:11: routers.one.venues: policy 'timeout' has no option 'venues' (did you mean 'venue'?); it has "
            "venue, deadline",
            'app.toml:16: routers.two.deadline: policy \'any\': deadline is a duration, as in "250ms", "1.5s", '
            "\"2m\", or a number of seconds; not 'fast'",
            'app.toml:17: routers.three: shares are written in brackets, as in ("a", Share("b", weight=2)); not \'a\'',
            'app.toml:21: routers.four.policy: is missing: policy = "timeout"',
        ],
    ),
    "strategies": (
        """\
        [feeds.binance]
        type = "binance"
        instruments = ["BTC-USDT"]
        [venues.paper]
        type = "simulated"
        prices = "binance"
        [routers.a]
        policy = "timeout"
        venue = "paper"
        deadline = "1s"
        [routers.b]
        policy = "timeout"
        venue = "paper"
        deadline = "1s"
        [strategies.deaf]
        type = "mine:Deaf"
        [strategies.columns]
        type = "mine:Columns"
        router = "a"
        mailbox = { overflow = "conflate" }
        [strategies.blocking]
        type = "mine:Tuned"
        router = "a"
        mailbox = { capacity = 0, overflow = "block" }
        params = { size = "big", speeed = 3, every = "often" }
        [strategies.other]
        type = "mine:Columns"
        router = "a"
        mailbox = { overflow = "drop_oldest", otherwise = "fail" }
        pauses_feed = true
        params = { size = 1 }
        [strategies.slow]
        type = "mine:Tuned"
        router = "a"
        hand_off = "no"
        mailbox = { overflow = "block" }
        params = { size = 0, every = "1s", every_s = 1 }
        [strategies."a/b"]
        type = "mine:Tuned"
        router = "b"
        """,
        [
            'app.toml:15: strategies.deaf.router: is missing, and there are several routers: router = "a"',
            'app.toml:15: strategies.deaf.topics: is missing, and Deaf declares none: topics = ["*/BTC-USDT/quote"]',
            "app.toml:20: strategies.columns.mailbox: Columns takes columns, which do not conflate: overflow = "
            '"drop_oldest"',
            "app.toml:24: strategies.blocking.mailbox.capacity: a whole number from 1 to 1000000000, as in 65536; "
            "not 0",
            'app.toml:25: strategies.blocking.params.every: a duration, as in "5ms"; not "often"',
            'app.toml:25: strategies.blocking.params.speeed: there is no key "speeed"; known: size, every_s',
            'app.toml:25: strategies.blocking.params.size: a number; not "big"',
            'app.toml:29: strategies.other.mailbox.otherwise: goes with overflow = "conflate" only: leave it out',
            "app.toml:31: strategies.other.params: Columns has none: leave them out, or say class "
            "Columns(Strategy[Params])",
            'app.toml:35: strategies.slow.hand_off: true or false; not "no"',
            "app.toml:36: strategies.slow.mailbox: it blocks, which would stop the feeds for everyone: overflow = "
            '"drop_oldest"; or, where nothing may be left out, pauses_feed = true',
            "app.toml:37: strategies.slow.params.every: every_s stands there too: keep one",
            'app.toml:38: strategies."a/b": a name is 1 to 64 letters, digits and _ . : -, and begins with one of the '
            "first three",
        ],
    ),
    "supervision": (
        FEED
        + """\
[feeds.second]
type = "binance"
instruments = ["BTC-USDT"]
[supervision]
strategy = "one_for_al"
delay = "some"
[supervision.feeds]
intensity = -1
[supervision.feeds.groups.binance]
members = ["binance", "second"]
[supervision.feeds.groups.other]
members = ["second"]
[supervision.feeds.groups.none]
members = []
""",
        [
            'app.toml:8: supervision.strategy: "one_for_one", "one_for_all" or "rest_for_one"; not "one_for_al"; '
            'did you mean "one_for_all"?',
            'app.toml:9: supervision.delay: "none" or a table, as in { base = "100ms", ceiling = "10s" }; not "some"',
            "app.toml:11: supervision.feeds.intensity: a whole number from 0 on; not -1",
            'app.toml:12: supervision.feeds.groups.binance: one of its feeds is called "binance": give the group '
            "another name",
            'app.toml:15: supervision.feeds.groups.other.members[0]: "second" stands in the group binance already; '
            "once is enough",
            "app.toml:17: supervision.feeds.groups.none.members: names one member or more",
        ],
    ),
    "what listens": (
        FEED
        + """\
[relay]
listen = [
    "tcp://0.0.0.0:7001",
    "tls://127.0.0.1:7002",
    "http://127.0.0.1",
]
pauses_feed = true

[operations]
metrics = "0.0.0.0:9464"
socket = 5
enabled = "yes"
""",
        [
            "app.toml:6: relay.listen[0]: tcp://0.0.0.0:7001 is open to other machines and asks for nothing: token = "
            '"env:RELAY_TOKEN"',
            "app.toml:7: relay.listen[1]: a configuration names no certificate: tcp:// or ws:// instead of tls://",
            "app.toml:8: relay.listen[2]: 'http://127.0.0.1' is no address: the scheme 'http' is not spoken; "
            "an address "
            "is tcp://host:port, tls://host:port, unix:///path, ws://host[:port]/path or wss://host[:port]/path",
            'app.toml:10: relay.pauses_feed: goes with buffer = { overflow = "block" } only: leave it out',
            'app.toml:13: operations.metrics: answers anybody, so on this machine only, as in "127.0.0.1:9464"; not '
            '"0.0.0.0:9464"',
            'app.toml:14: operations.socket: a path, as in "ticktree.sock"; not 5',
            'app.toml:15: operations.enabled: true or false; not "yes"',
        ],
    ),
    "a name that is taken": (
        """\
        [feeds.a]
        type = "simulated"
        [feeds.a-exchange]
        type = "simulated"
        """,
        ["app.toml:3: feeds.a-exchange: so is the exchange of the simulated feed a called: another name"],
    ),
    "nothing at all": (
        "",
        ['app.toml:1: feeds: is missing, and without a feed nothing happens: [feeds.NAME] type = "binance", ...'],
    ),
    "sections that are no tables": (
        """\
        risk = "none"
        feeds = { a = 1 }
        venues = ["paper"]
        """,
        [
            'app.toml:1: risk: a table: [risk]; not "none"',
            "app.toml:2: feeds.a: a table: [feeds.NAME]; not 1",
            'app.toml:3: venues: a table: [venues]; not ["paper"]',
        ],
    ),
    "strategies without a way to trade": (
        FEED
        + """\
[feeds.kraken]
type = "kraken"
instruments = ["BTC-USD"]
[strategies.momentum]
type = "momentum"
""",
        [
            "app.toml:7: strategies.momentum.router: is missing, and there is no router: [venues.paper] type = "
            '"simulated", prices = a feed; [routers.default] policy = "timeout", venues = ["paper"], deadline '
            '= "250ms"',
        ],
    ),
}

# What is no TOML at all: one problem, with its line.
UNREADABLE = {
    'type = binance\n': 'app.toml:1: no TOML, column 8: Invalid value; a text stands in quotes, as in type = "binance"',
    "a = 1\n\na = 2\n": "app.toml:3: no TOML, column 6: Cannot overwrite a value; this key stands there "
    "already: keep one "
    "of them",
    "[feeds.a]\n[feeds.a]\n": "app.toml:2: no TOML, column 9: Cannot declare ('feeds', 'a') twice; this section stands "
    "there already: join the two",
    '[feeds.a]\ntype = "bin\n': "app.toml:2: no TOML, column 12: Illegal character '\\n'; a text ends on its "
    "line, with the "
    "quote that it begins with",
    "[feeds.a]\nkinds = [\n  1,\n": "app.toml:3: no TOML: Invalid value at the end; something was begun there, "
    "and not ended",
    "[feeds.a\n": "app.toml:1: no TOML, column 9: Expected ']' at the end of a table declaration; a section's "
    "name ends "
    "with ]",
}  # fmt: skip

MINE = """\
import msgspec
from ticktree import Strategy

class Params(msgspec.Struct, frozen=True):
    size: float = 1.0
    every_s: float = 0.5

class Deaf(Strategy):
    pass

class Columns(Strategy):
    topics = ("*/BTC-USDT/quote",)

    def on_batch(self, batch):
        pass

class Tuned(Strategy[Params]):
    topics = ("*/BTC-USDT/quote",)
"""


@pytest.mark.parametrize("name", BROKEN)
def test_all_that_is_wrong_is_said_at_once(name: str, folder: Path) -> None:
    (folder / "broken.py").write_text("1 / 0\n")
    (folder / "mine.py").write_text(MINE)
    text, said = BROKEN[name]
    assert [line.replace(f"{folder}/", "") for line in problems(text)] == said


@pytest.mark.parametrize("text", UNREADABLE)
def test_what_is_no_toml_is_said_with_its_line(text: str) -> None:
    assert problems(text) == [UNREADABLE[text]]


def test_problems_are_values_too() -> None:
    path = written("[feeds.a]\ntype = 5\n")
    with pytest.raises(BadConfig) as caught:
        load(path)
    assert caught.value.problems == (
        Problem(path, 1, "feeds.a.instruments", 'is missing: instruments = ["BTC-USDT"]'),
        Problem(path, 2, "feeds.a.type", 'a text, as in "binance"; not 5'),
    )
    assert caught.value.count == "2 problems"
    assert caught.value.__cause__ is None


def test_a_file_that_cannot_be_read_is_one_problem(folder: Path) -> None:
    (folder / "latin.toml").write_bytes(b"a = 1\nb = '\xe9'\n")
    (folder / "long.toml").write_bytes(b"#" * ((1 << 20) + 1))
    (folder / "deep.toml").write_text(f"a = {'[' * 5_000}{']' * 5_000}")
    said = {
        "nowhere.toml": "nowhere.toml: cannot be read: No such file or directory",
        ".": ".: cannot be read: Is a directory",
        "nul\0": "nul\0: cannot be read: that is no path",
        "latin.toml": "latin.toml:2: this is not UTF-8, which TOML is written in",
        "long.toml": "long.toml: longer than the 1,048,576 bytes that a configuration may have",
        "deep.toml": "deep.toml: its lists or tables are nested too deeply",
    }
    for path, line in said.items():
        with pytest.raises(BadConfig) as caught:
            load(path)
        assert str(caught.value) == line


def test_a_plug_in_may_say_anything_and_a_problem_stays_one_line(folder: Path) -> None:
    (folder / "loud.py").write_text('raise ValueError("first\\nsecond \\x1b[31m red")\n')
    (line,) = problems('[feeds.a]\ntype = "loud:Feed"\ninstruments = ["A-B"]\n')
    assert line.endswith("ValueError: first second \\x1b[31m red")


def test_a_name_that_is_only_meant_for_plug_ins_is_imported_only_there(folder: Path) -> None:
    (folder / "evil.py").write_text('raise SystemExit("imported")\n')
    app = loaded(f'{FEED}rest_url = "https://evil.py"\n[system]\njournal = "evil:Thing"\n')
    assert app.journal is not None
    assert "evil" not in sys.modules


def test_groups_have_names_that_a_tree_can_have_and_hide_nobody() -> None:
    text = PAPER.replace("feeds.binance", "feeds.x").replace('"binance"\ninstruments = ["BTC-USDT"]', '"simulated"')
    text = text.replace('prices = "binance"', 'prices = "x"')
    wrong = dict.fromkeys(('"a/b"', '""', '"m\u03bfmentum"'), "a name is") | {"x-exchange": "one of its feeds is"}
    for name, why in wrong.items():
        (line,) = problems(f'{text}\n[supervision.feeds.groups.{name}]\nmembers = ["x"]\n')
        assert f"supervision.feeds.groups.{name}: {why}" in line
    app = loaded(f'{text}\n[supervision.feeds.groups.y]\nmembers = ["x", "x-exchange"]\n')
    assert app.supervision.place("feeds", "x-exchange") == "feeds/y/x-exchange"


def test_a_number_beyond_64_bits_is_said_wherever_it_stands() -> None:
    huge = f"0x{'f' * 10_000}"
    text = f"{FEED}depth = {huge}\n[routers.a]\npolicy = 'any'\nvenues = [[{huge}]]\n[x]\ny = {{ z = {1 << 63} }}\n"
    why = "a whole number is at most 9223372036854775807; not a number of many digits"
    assert problems(text) == [
        f"app.toml:4: feeds.binance.depth: {why}",
        f"app.toml:7: routers.a.venues[0][0]: {why}",
        "app.toml:9: x.y.z: a whole number is at most 9223372036854775807; not 9223372036854775808",
    ]
    assert problems(f"a = 1\nb = {'9' * 5_000}\nc = 2") == [
        "app.toml: one of its numbers has thousands of digits; a whole number is at most 9223372036854775807"
    ]


@pytest.mark.parametrize(
    ("feed", "said"),
    [
        ('interval = "1us"', 'feeds.x.interval: at least "1ms"; not "1us"'),
        ('interval = "0.01us"', "feeds.x.interval: .* for it is at least 1us"),
        ('interval = "10001h"', "feeds.x.interval: .* for it is at most 10000h"),
        (f'interval = "{"9" * 1_000_100}s"', "feeds.x.interval: a duration"),
        ("depth = 1_001", "feeds.x.depth: 1000 at most, or no turn would end in time; not 1001"),
        ("steps_a_turn = 1_000_000", "feeds.x.steps_a_turn: 1000 at most"),
        ('record = "here"', "feeds.x.record: a simulated feed records nothing, for the same seed tells the same"),
        ('backoff = { base = "1s" }', "feeds.x.backoff: the simulated exchange is in this process"),
    ],
)
def test_what_would_never_end_or_fit_is_refused(feed: str, said: str) -> None:
    (line,) = problems(f'[feeds.x]\ntype = "simulated"\n{feed}\n')
    assert re.search(said.replace('"', ".?"), line)


def test_an_actor_cannot_look_more_often_than_its_timers_do() -> None:
    assert problems(f'{FEED}stale_after = "1ms"\n') == [
        'app.toml:4: feeds.binance.stale_after: at least "8ms"; not "1ms"'
    ]
    text = PAPER.replace('prices = "binance"', 'prices = "binance"\npatience = { look = "10us" }')
    assert problems(text) == ['app.toml:8: venues.paper.patience.look: at least "1ms"; not "10us"']


def test_a_file_may_begin_with_the_mark_that_some_editors_write() -> None:
    assert loaded(f"\ufeff{FEED}").feeds[0].name == "binance"


def test_all_options_of_a_policy_that_are_wrong_are_said_also_of_those_within() -> None:
    text = PAPER.replace(
        'policy = "timeout"\nvenues = ["paper"]\ndeadline = "250ms"',
        """\
policy = "any"
venues = ["paper", { policy = "timeout", venue = "paper", deadlin = "1s" }]
deadline = "soon"
stagger = 5
each = true""",
    )
    duration = 'is a duration, as in "250ms", "1.5s", "2m", or a number of seconds; not'
    assert problems(text) == [
        "app.toml:11: routers.default.venues[1].deadlin: policy 'timeout' has no option 'deadlin' (did you mean "
        "'deadline'?); it has venue, deadline",
        f"app.toml:12: routers.default.deadline: policy 'any': deadline {duration} 'soon'",
        "app.toml:13: routers.default.stagger: policy 'any' has no option 'stagger'; it has venues, deadline, each, "
        "racing",
        f"app.toml:14: routers.default.each: policy 'any': each {duration} True",
    ]


def test_a_socket_that_cannot_be_made_is_said_before_anything_starts(folder: Path) -> None:
    (folder / "inner").mkdir()
    (line,) = problems(f'{FEED}[operations]\nsocket = "nowhere/my.sock"\n')
    assert line.endswith("nowhere is not there: make the folder of the socket first")
    (line,) = problems(f'{FEED}[operations]\nsocket = "inner"\n')
    assert "inner is a folder" in line


def test_thousands_of_names_that_are_wrong_are_said_soon_and_shortly() -> None:
    names = ", ".join(f'"B{n}-USD"' for n in range(1_000))
    feed = f'[feeds.k]\ntype = "kraken"\ninstruments = [{names}]\n'
    limits = "".join(f'"ZYXWVUTS{n}-EUR" = 1\n' for n in range(300))
    began = time.monotonic()
    lines = problems(f"{feed}[risk.max_position]\n{limits}")
    assert time.monotonic() - began < 10  # one after the other with each took 60 s
    assert len(lines) == 300
    assert all(line.endswith("B29-USD and 970 more") and len(line) < 600 for line in lines)
    began = time.monotonic()
    assert len(problems(FEED + "".join(f"key{n} = 1\n" for n in range(3_000)))) == 3_000
    assert time.monotonic() - began < 10


def test_a_cpu_that_is_not_there_is_said_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    def usable(_: int) -> set[int]:
        return {0, 1}

    monkeypatch.setattr("os.sched_getaffinity", usable, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    why = "app.toml:5: system.cpus[1]: this process may not run on CPU 9, only on 0, 1"
    assert problems(f"{FEED}[system]\ncpus = [0, 9]\n") == [why]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux preloads libraries")
def test_what_cannot_be_preloaded_is_told_before_anything_starts(tmp_path: Path) -> None:
    text, spaced = tmp_path / "notes.txt", tmp_path / "a b.so"
    text.write_text("no library")
    names = [str(text), str(spaced), str(tmp_path / "gone.so")]
    listed = ", ".join(f'"{name}"' for name in names)
    assert problems(f"{FEED}[system]\npreload = [{listed}]\n") == [
        f"app.toml:5: system.preload[0]: {text} is no shared library (no ELF file)",
        f"app.toml:5: system.preload[1]: {spaced} has a blank or a colon in its path, which the dynamic linker cannot "
        "take: link to it from elsewhere",
        f"app.toml:5: system.preload[2]: {tmp_path / 'gone.so'} cannot be opened: No such file or directory",
    ]
    why = 'app.toml:5: system.preload: names one library or more, as in ["/usr/lib64/libonload.so"]; leave it out'
    assert problems(f"{FEED}[system]\npreload = []\n") == [f"{why} otherwise"]
