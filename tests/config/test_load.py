"""Every section, and the parts that it becomes."""

import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest

from ticktree import Strategy, load
from ticktree.actors import Backoff, Block, Conflate, DropOldest, Fail, NoDelay, RestartStrategy
from ticktree.app import FeedPart, GatewayPart, JournalPart, SimulatedPart, SystemPart, TcpVenuePart, VenuePart
from ticktree.config.maker import Maker
from ticktree.distribution import Hub
from ticktree.feeds import RecordFeed, Source
from ticktree.feeds.exchanges.kraken import KrakenFeed
from ticktree.feeds.simulated.market import BTC_USDT, Halt, Market
from ticktree.market import EventKind, Instrument, Topic
from ticktree.operations.place import socket_for
from ticktree.routing import AnyOf, Durability, Fees, Limits, Patience, SelfTrade, Timeout
from ticktree.routing.venues.simulated import Faults, Latency

from .support import FEED, PAPER, loaded, written

COMPLETE = """\
[feeds.binance]
type = "binance"                              # entry point, or package.module:Class
instruments = ["BTC-USDT"]
kinds = ["quote", "trade"]

[venues.paper]
type = "simulated"
prices = "binance"                            # what it matches against

[routers.default]
policy = "timeout"
venues = ["paper"]
deadline = "250ms"

[strategies.momentum]
type = "my_strategy:Momentum"
router = "default"

[risk]
max_order_notional = { USDT = "1000" }
"""
MINE = """\
import msgspec
from ticktree import Strategy
from ticktree.routing import VenueRules

class Params(msgspec.Struct, frozen=True):
    size: float = 1.0
    pause_s: float = 0.5

class Momentum(Strategy[Params]):
    topics = ("*/BTC-USDT/quote",)

class Gate:
    def __init__(self, account: str = "me", timeout_s: float = 1.0, buffer_bytes: int = 10) -> None:
        self.account, self.timeout_s, self.buffer_bytes = account, timeout_s, buffer_bytes
        self.rules = VenueRules()

    def start(self, *args): ...
    async def stop(self): ...
    reset = submit = cancel = replace = query = query_fills = query_account = query_quote = start
"""


@pytest.fixture(autouse=True)
def mine(folder: Path) -> None:
    (folder / "my_strategy.py").write_text(MINE)


def maker(feed: FeedPart) -> Maker[Any]:
    assert isinstance(feed.make, Maker)
    return feed.make  # pyright: ignore[reportUnknownVariableType]  # of what, is seen at run time only


def test_the_complete_example_is_an_application() -> None:
    app = loaded(COMPLETE)
    (feed,), (venue,), (router,), (strategy,) = app.feeds, app.venues, app.routers, app.strategies
    assert isinstance(feed, FeedPart)
    assert (feed.name, feed.type, feed.instruments) == ("binance", "binance", ("BTC-USDT",))
    assert feed.kinds == (EventKind.QUOTE, EventKind.TRADE)
    assert venue == VenuePart("paper", "binance")
    assert router.policy == Timeout("paper", 0.25)
    assert (strategy.name, strategy.router, strategy.topics) == (
        "momentum", "default", (Topic("*", "BTC-USDT", "quote"),),
    )  # fmt: skip
    assert issubclass(strategy.make, Strategy)  # type: ignore[arg-type]  # it is the class
    assert app.limits == Limits(max_order_notional={"USDT": "1000"})
    assert app.paper
    assert [child.id for child in app.tree().children if child.id in ("venues", "routers", "strategies", "feeds")] == [
        "venues", "routers", "strategies", "feeds",
    ]  # fmt: skip


def test_what_is_left_out_is_sensible(folder: Path) -> None:
    app = loaded(f'{FEED}[strategies.momentum]\ntype = "momentum"\n')
    feed = app.feeds[0]
    assert isinstance(feed, FeedPart)
    assert feed.kinds == (EventKind.QUOTE, EventKind.TRADE, EventKind.BOOK, EventKind.STATUS)
    assert (feed.record, feed.stale_after_s, feed.on_bad, feed.backoff) == (None, None, "skip", Backoff())
    assert app.venues == (VenuePart("paper", "binance"),)
    assert app.routers[0].policy == Timeout("paper", 0.25)
    assert app.strategies[0].router == "default"
    assert app.strategies[0].mailbox == Strategy.mailbox
    assert (app.journal, app.relay, app.limits, app.system) == (None, None, Limits(), SystemPart())
    assert app.operations is not None
    assert app.operations.socket == socket_for(folder / "app.toml")
    assert (app.supervision.root.intensity, app.supervision.rooms, app.supervision.groups) == (3, {}, {})


def test_a_feed_is_described_by_two_keys_and_a_strategy_by_one() -> None:
    app = loaded(PAPER.partition("[venues")[0])
    assert app.strategies == ()
    assert [feed.name for feed in app.feeds] == ["binance"]


def test_system(folder: Path) -> None:
    app = loaded(
        f"""{FEED}
[system]
loop = "asyncio"
journal = "state/orders.journal"
durability = "fsync"
budget = "1m"
watchdog = "100ms"
opens_within = "0s"
cpus = [0]
log = "json"
"""
    )
    assert app.system == SystemPart("asyncio", 60.0, 0.1, 0.0, (0,), (), "json")
    assert app.journal == JournalPart(folder / "state/orders.journal", Durability.FSYNC)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux preloads libraries")
def test_libraries_to_preload_stand_beside_the_configuration_as_other_files_do(folder: Path) -> None:
    (folder / "stack.so").write_bytes(b"\x7fELF")
    assert loaded(f'{FEED}[system]\npreload = ["stack.so"]\n').system.preload == (folder / "stack.so",)


def test_a_feed_with_all_its_keys_and_options_of_its_class(folder: Path) -> None:
    app = loaded(
        """\
        [feeds.kraken]
        type = "ticktree.feeds.exchanges.kraken:KrakenFeed"
        instruments = ["BTC-USD"]
        kinds = ["book"]
        record = "recordings"
        stale_after = "5s"
        on_bad = "reconnect"
        backoff = { base = "1s", ceiling = "1m" }
        url = "ws://127.0.0.1:9/"
        depth = 25
        """
    )
    (feed,) = app.feeds
    assert isinstance(feed, FeedPart)
    assert attrs.evolve(feed, make=KrakenFeed) == FeedPart(
        "kraken", KrakenFeed, ("BTC-USD",), (EventKind.BOOK,), folder / "recordings", 5.0, "reconnect",
        Backoff(1.0, 60.0), "ticktree.feeds.exchanges.kraken:KrakenFeed",
    )  # fmt: skip
    made = maker(feed)(Source("kraken", feed.topics, Hub()))
    assert isinstance(made, KrakenFeed)
    assert made.url == "ws://127.0.0.1:9/"
    moved = maker(feed)(Source("kraken", feed.topics, Hub()), url="ws://127.0.0.1:8/")
    assert isinstance(moved, KrakenFeed)
    assert moved.url == "ws://127.0.0.1:8/"
    assert maker(feed).option("depth") == 25
    assert maker(feed).option("rest_url") == "https://api.kraken.com"
    assert maker(feed).option("no_such") is None


def test_a_feed_of_bare_records_has_its_instruments_defined() -> None:
    app = loaded(
        """\
        [feeds.bare]
        type = "records"
        instruments = ["BTC-USDT"]
        url = "tcp://127.0.0.1:5"
        definitions = [{ name = "BTC-USDT", id = 7, price_increment = "0.01", size_increment = 0.0001 }]
        """
    )
    (feed,) = app.feeds
    assert isinstance(feed, FeedPart)
    made = feed.make(Source("bare", feed.topics, Hub()))
    assert isinstance(made, RecordFeed)
    (listed,) = vars(made)["_listed"]
    assert listed == Instrument("BTC-USDT", 7, Decimal("0.01"), Decimal("0.0001"))
    assert listed.id == 7


def test_a_recording_is_relative_to_the_configuration(folder: Path) -> None:
    (folder / "of today.ttrec").touch()
    app = loaded(f'{FEED}url = "file:of%20today.ttrec?speed=max"\n')
    (feed,) = app.feeds
    assert isinstance(feed, FeedPart)
    assert maker(feed).option("url") == f"file:{folder}/of%20today.ttrec?speed=max"


def test_a_simulated_feed() -> None:
    app = loaded(
        """\
        [feeds.market]
        type = "simulated"
        instruments = ["SOL-USDT", "BTC-USDT"]
        kinds = ["quote"]
        listen = ["tcp://127.0.0.1:0", "ws://127.0.0.1:0/"]
        seed = 7
        interval = "5ms"
        steps_a_turn = 2
        depth = 3
        trade_probability = 1
        correlation = 0.5
        volatility = 0.001
        wide_probability = 0.1
        halts = [{ instrument = "BTC-USDT", step = 10, steps = 5 }]
        """
    )
    sol = Instrument("SOL-USDT", 1, Decimal("0.01"), Decimal("0.001"), Decimal(5))
    market = Market(
        (sol, attrs.evolve(BTC_USDT, id=2)), (10_000, 6_400_000), 0.005, 1.0, 7, 3, 0.5, 0.001, 0.1, 2,
        (Halt("BTC-USDT", 10, 5),),
    )  # fmt: skip
    assert app.feeds == (
        SimulatedPart("market", market, (EventKind.QUOTE,), ("tcp://127.0.0.1:0", "ws://127.0.0.1:0/")),
    )
    assert loaded('[feeds.market]\ntype = "simulated"\n').feeds == (SimulatedPart("market"),)


def test_venues_and_routers() -> None:
    app = loaded(
        f"""{FEED}
[system]
journal = "orders.journal"

[venues.paper]
type = "simulated"
prices = "binance"
latency = {{ fixed = "5ms", jitter = "2ms" }}
fees = {{ maker = "-0.0001", taker = 0.001 }}
faults = {{ drop = 0.1, delay = 0.2, later = ["2ms", "1s"], seed = 3 }}
seed = 5
patience = {{ ack = "2s", live = "1m", resets_after = 9 }}

[venues.near]
type = "simulated"
prices = "binance"
latency = "3ms"

[venues.alpha]
type = "tcp"
url = "tcp://127.0.0.1:7100"
account = "one"
prices = "binance"

[venues.own]
type = "my_strategy:Gate"
timeout = "250ms"
buffer = "2KiB"
account = "you"

[routers.nested]
policy = "any"
venues = ["alpha", {{ policy = "timeout", venues = ["paper"], deadline = "50ms" }}]
deadline = "1s"
"""
    )
    paper, near, alpha, own = app.venues
    assert isinstance(paper, VenuePart)
    assert paper.latency == Latency(0.005, 0.002)
    assert paper.rules.fees == Fees(Decimal("-0.0001"), Decimal("0.001"))
    assert paper.faults == Faults(drop=0.1, delay=0.2, delay_s=(0.002, 1.0), seed=3)
    assert (paper.seed, paper.patience) == (5, Patience(ack_s=2.0, live_s=60.0, resets_after=9))
    assert isinstance(near, VenuePart)
    assert near.latency == Latency(0.003)
    assert alpha == TcpVenuePart("alpha", "tcp://127.0.0.1:7100", "one", prices="binance")
    assert isinstance(own, GatewayPart)
    made = vars(own.make())
    assert (made["account"], made["timeout_s"], made["buffer_bytes"]) == ("you", 0.25, 2048)
    assert app.routers[0].policy == AnyOf(("alpha", Timeout("paper", 0.05)), 1.0)
    assert not app.paper


def test_a_strategy_with_all_its_keys() -> None:
    app = loaded(
        f"""{PAPER}
[strategies.second]
type = "my_strategy:Momentum"
router = "default"
topics = ["binance/*/trade"]
params = {{ size = 3, pause = "250ms" }}
mailbox = {{ capacity = 7, overflow = "block" }}
hand_off = true
pauses_feed = true

[strategies.third]
type = "my_strategy:Momentum"
params = {{ pause_s = 2.5 }}
mailbox = {{ overflow = "conflate", otherwise = "fail" }}
"""
    )
    _, second, third = app.strategies
    assert second.topics == (Topic("binance", "*", "trade"),)
    assert (second.mailbox.capacity, second.mailbox.overflow) == (7, Block())
    assert (second.hand_off, second.pauses_feed, second.columns) == (True, True, False)
    assert repr(second.params) == "Params(size=3.0, pause_s=0.25)"
    assert repr(third.params) == "Params(size=1.0, pause_s=2.5)"
    assert third.mailbox.capacity == 65_536
    assert isinstance(third.mailbox.overflow, Conflate)
    assert third.mailbox.overflow.otherwise == Fail()


def test_risk() -> None:
    app = loaded(
        f"""{PAPER}
[risk]
max_order_size = {{ "BTC-USDT" = 2, "*" = "1.5" }}
max_order_notional = {{ USDT = "1000" }}
max_position = {{ "*" = 5 }}
max_open_exposure = {{ USDT = 50000.5 }}
max_orders_per_s = 50
price_collar = 0.05
max_price_age = "5s"
self_trade = "cancel_resting"
"""
    )
    assert app.limits == Limits(
        {"BTC-USDT": 2, "*": "1.5"}, {"USDT": 1000}, {"*": 5}, {"USDT": "50000.5"}, 50, "0.05", 5.0,
        SelfTrade.CANCEL_RESTING,
    )  # fmt: skip


def test_supervision() -> None:
    app = loaded(
        f"""{FEED}
[feeds.second]
type = "binance"
instruments = ["ETH-USDT"]

[supervision]
strategy = "rest_for_one"
intensity = 9
period = "1m"

[supervision.feeds]
intensity = 20
delay = {{ base = "1s", ceiling = "5s" }}

[supervision.feeds.groups.pair]
strategy = "one_for_all"
members = ["binance", "second"]
delay = "none"
"""
    )
    root, feeds = app.supervision.root, app.supervision.rooms["feeds"]
    assert (root.strategy, root.intensity, root.period_s) == (RestartStrategy.REST_FOR_ONE, 9, 60.0)
    assert (feeds.strategy, feeds.intensity, feeds.delay) == (RestartStrategy.ONE_FOR_ONE, 20, Backoff(1.0, 5.0))
    pair = app.supervision.groups["feeds"]["pair"]
    assert (pair.strategy, pair.members, pair.delay) == (RestartStrategy.ONE_FOR_ALL, ("binance", "second"), NoDelay())
    assert app.supervision.place("feeds", "second") == "feeds/pair/second"


def test_relay_and_operations(folder: Path) -> None:
    app = loaded(
        f"""{FEED}
[relay]
listen = "ws://127.0.0.1:0/"
buffer = {{ capacity = 9 }}

[operations]
socket = "my.sock"
metrics = "127.0.0.1:9464"
"""
    )
    assert app.relay is not None
    assert (app.relay.listen, app.relay.token, app.relay.pauses_feed) == (("ws://127.0.0.1:0/",), "", False)
    assert (app.relay.buffer.capacity, app.relay.buffer.overflow) == (9, DropOldest())
    assert app.operations is not None
    assert (app.operations.socket, app.operations.metrics) == (folder / "my.sock", "127.0.0.1:9464")
    assert loaded(f"{FEED}[operations]\nenabled = false\n").operations is None


def test_a_socket_with_too_long_a_path_is_refused() -> None:
    with pytest.raises(ValueError, match="longer than the 100 bytes"):
        loaded(f'{FEED}[operations]\nsocket = "{"x" * 100}"\n')


def test_the_folder_is_searched_last_and_once(folder: Path) -> None:
    other = folder / "inner"
    other.mkdir()
    (other / "json.py").write_text("raise SystemExit")
    (other / "only_here.py").write_text(MINE)
    path = written(f'{FEED}[strategies.mine]\ntype = "only_here:Momentum"\n', "inner/app.toml")
    for _ in range(2):
        assert [part.name for part in load(path).strategies] == ["mine"]
    assert sys.path.count(str(other)) == 1
    assert sys.path[-1] == str(other)


def test_a_folder_named_strategies_beside_the_configuration_hides_nothing(folder: Path) -> None:
    sys.path[:] = [place for place in sys.path if not (Path(place) / "strategies").is_dir()]  # ours, in these tests
    (folder / "strategies").mkdir()
    (folder / "strategies" / "__init__.py").write_text(MINE)
    app = loaded(f'{FEED}[strategies.a]\ntype = "strategies:Momentum"\n[strategies.b]\ntype = "momentum"\n')
    assert [part.make.__module__ for part in app.strategies] == ["strategies", "ticktree.strategies.momentum"]


def test_loading_the_same_file_twice_makes_equal_parts() -> None:
    path = written(COMPLETE)
    one, other = load(path), load(str(path))
    assert one == other
