"""An application against recorded exchanges: what it is made of, who plays what, and how it ends."""

from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest

from ticktree.app import App, FeedPart, GatewayPart, JournalPart, RouterPart, SimulatedPart, TcpVenuePart, VenuePart
from ticktree.config import load
from ticktree.config.maker import Maker
from ticktree.director import Progress
from ticktree.feeds import WireFeed
from ticktree.feeds.exchanges.binance import BinanceFeed
from ticktree.feeds.exchanges.kraken import KrakenFeed
from ticktree.feeds.playback import Cuts
from ticktree.feeds.recording.blocks import Title
from ticktree.market import EventKind, Quote
from ticktree.parts import GroupPart, OperationsPart, RelayPart, SupervisionPart, VenueServerPart, strategy_part
from ticktree.recordings import Recorded
from ticktree.rehearsal import CannotRehearse, Manner, RehearsalFailed, assigned, headline, rehearse, rehearsed
from ticktree.routing import Patience, Timeout
from ticktree.strategies import Strategy

from . import recordings
from .test_recordings import capture, ours

EXAMPLES = Path(__file__).parents[1] / "examples"
URLS = {"url": "ws://127.0.0.1:1/", "rest_url": "http://127.0.0.1:1"}
KINDS = EventKind.QUOTE, EventKind.TRADE
BINANCE = FeedPart("binance", BinanceFeed, ("NKN-USDT",), KINDS, type="binance")
KRAKEN = FeedPart("kraken", KrakenFeed, ("SC-EUR",), KINDS)


class Buyer(Strategy):
    """Buys once, at the market: told as fast as can be, a price is gone before an order at it arrives."""

    topics = ("binance/NKN-USDT/quote",)

    def on_quote(self, quote: Quote) -> None:
        if not self.exposure(quote.instrument):
            self.buy(quote.instrument, "60")


def never() -> Any:
    raise AssertionError("the gateway to a real venue was made")


def trading(venue: Any, **others: Any) -> App:
    """A strategy that trades there on Binance's quotes."""
    return App(
        feeds=(BINANCE,), venues=(venue,), routers=(RouterPart("default", Timeout(venue.name, deadline_s=0.25)),),
        strategies=(strategy_part(Buyer),), **others,
    )  # fmt: skip


REAL = GatewayPart("real", never, Patience(ack_s=2.0), prices="binance")
LIVE = JournalPart(Path("live.journal"))


# --- what is rehearsed -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["binance", "rehearsal"])
def test_it_differs_from_the_live_application_in_its_addresses_alone(name: str) -> None:
    app = load(EXAMPLES / f"{name}.toml")
    made = rehearsed(app, {feed.name: URLS for feed in app.feeds}, app.journal)
    for live, there in zip(app.feeds, made.feeds, strict=True):
        assert isinstance(there, FeedPart)
        assert isinstance(live, FeedPart)
        assert isinstance(there.make, partial)
        assert (there.make.func, there.make.args, there.make.keywords) == (live.make, (), URLS)
        assert attrs.evolve(there, make=live.make) == live
    assert attrs.evolve(made, feeds=app.feeds, operations=app.operations) == app


def test_the_addresses_of_a_configuration_are_replaced_too() -> None:
    live = attrs.evolve(BINANCE, make=Maker(BinanceFeed, {"url": "wss://there/stream"}), record=Path("tapes"))
    (feed,) = rehearsed(App((live,)), {"binance": URLS}, None).feeds
    assert isinstance(feed, FeedPart)
    assert isinstance(feed.make, partial)
    assert feed.make.keywords == URLS
    assert feed.record is None


def test_every_venue_is_simulated_and_the_journal_is_another() -> None:
    app = trading(REAL, journal=LIVE)
    tcp = TcpVenuePart("real", "tcp://there:1", "us", prices="binance", patience=Patience(ack_s=2.0))
    other = JournalPart(Path("another.journal"))
    for each in (app, attrs.evolve(app, venues=(tcp,))):
        made = rehearsed(each, {"binance": URLS}, other)
        assert made.venues == (VenuePart("real", "binance", patience=Patience(ack_s=2.0)),)
        assert (made.paper, made.journal) == (True, other)


def test_a_venue_without_prices_is_an_error_that_says_what_to_write() -> None:
    app = trading(attrs.evolve(REAL, prices=""), journal=LIVE)
    with pytest.raises(CannotRehearse, match=r'venue real .*: \[venues\.real\] prices = "the name of a feed"'):
        rehearsed(app, {"binance": URLS}, None)


def test_a_venue_whose_prices_are_of_no_feed_is_an_error() -> None:
    with pytest.raises(CannotRehearse, match=r"prices of venue real .*'binanse'.* did you mean 'binance'"):
        rehearsed(trading(attrs.evolve(REAL, prices="binanse"), journal=LIVE), {"binance": URLS}, None)


def test_what_would_concern_others_is_left_out() -> None:
    server = VenueServerPart("server", "binance", ("tcp://127.0.0.1:0",), {"us": ""})
    groups = {"servers": {"group": GroupPart(members=("server",))}, "feeds": {"group": GroupPart(members=("binance",))}}
    app = App(
        (BINANCE,), relay=RelayPart(("tcp://127.0.0.1:0",)), servers=(server,), operations=OperationsPart(Path("s")),
        supervision=SupervisionPart(groups=groups),
    )  # fmt: skip
    made = rehearsed(app, {"binance": URLS}, None)
    assert (made.relay, made.servers, made.operations) == (None, (), None)
    assert list(made.supervision.groups) == ["feeds"]


# --- who plays what --------------------------------------------------------------------------------------------------


def test_each_feed_gets_the_recording_of_its_exchange(tmp_path: Path) -> None:
    two = capture(tmp_path / "any name.jsonl", "wss://ws.kraken.com")
    one = capture(tmp_path / "other.jsonl", "wss://stream.binance.com:9443/stream")
    app = App((BINANCE, KRAKEN, SimulatedPart("simulated")))
    assert assigned(app, tmp_path) == {"binance": Recorded(one, "binance"), "kraken": Recorded(two, "kraken")}


def test_of_several_recordings_a_feed_gets_the_one_that_it_made(tmp_path: Path) -> None:
    capture(tmp_path / "a.jsonl", "wss://ws.kraken.com")
    path = ours(tmp_path / "b.recording", Title("kraken"), "wss://ws.kraken.com")
    assert assigned(App((KRAKEN,)), tmp_path) == {"kraken": Recorded(path, "kraken", "kraken")}
    ours(tmp_path / "c.recording", Title("kraken"), "wss://ws.kraken.com")
    with pytest.raises(CannotRehearse, match=r"several recordings of kraken: b\.recording, c\.recording; "):
        assigned(App((KRAKEN,)), tmp_path)


def test_a_feed_without_a_recording_is_an_error_that_says_what_there_is(tmp_path: Path) -> None:
    capture(tmp_path / "a.jsonl", "wss://ws.kraken.com")
    capture(tmp_path / "b.jsonl", "wss://elsewhere")
    with pytest.raises(CannotRehearse) as caught:
        assigned(App((BINANCE,)), tmp_path)
    assert str(caught.value) == (
        f"feed binance: nothing of binance is recorded in {tmp_path}; there is a.jsonl (kraken), "
        "b.jsonl (of no exchange that is known)"
    )


@pytest.mark.parametrize(
    ("app", "why"),
    [
        (
            App((FeedPart("there", partial(WireFeed, url="tcp://there:1"), ("A-B",), type="relay"),)),
            "feed there is of type relay, and played are ",
        ),
        (App((SimulatedPart("simulated"),)), "no feed is of an exchange"),
    ],
)
def test_what_no_recording_could_be_played_to_is_an_error(app: App, why: str, tmp_path: Path) -> None:
    capture(tmp_path / "a.jsonl", "wss://ws.kraken.com")
    with pytest.raises(CannotRehearse, match=why):
        assigned(app, tmp_path)


def test_a_folder_without_recordings_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(CannotRehearse, match=f"there is no recording in {tmp_path}"):
        assigned(App((BINANCE,)), tmp_path)


def test_the_first_line_says_that_no_order_leaves(tmp_path: Path) -> None:
    capture(tmp_path / "a.jsonl", "wss://stream.binance.com:9443/stream")
    app, end = App((BINANCE,)), "; every venue is simulated, no order leaves this machine"
    assert headline(app, tmp_path, Manner()) == f"REHEARSAL: binance (a.jsonl), as fast as it is read{end}"
    assert headline(app, tmp_path, Manner(10.0)) == f"REHEARSAL: binance (a.jsonl), at speed 10{end}"


def test_a_journal_that_is_there_already_is_not_written_to(tmp_path: Path) -> None:
    (journal := tmp_path / "orders.journal").write_bytes(b"live")
    capture(tmp_path / "a.jsonl", "wss://stream.binance.com:9443/stream")
    with pytest.raises(CannotRehearse, match="is there already"):
        rehearse(App((BINANCE,)), tmp_path, Manner(journal=journal))
    assert journal.read_bytes() == b"live"


# --- from its beginning to its end, in processes of their own --------------------------------------------------------


def test_orders_are_filled_by_what_was_recorded_and_never_leave(tmp_path: Path) -> None:
    folder, journal = recordings.path("binance").parent, tmp_path / "rehearsed.journal"
    app = trading(REAL, journal=JournalPart(tmp_path / "live.journal"))
    report = rehearse(app, folder, Manner(journal=journal))
    assert (report.exit_code, report.orders.fills > 0, report.orders.open) == (0, True, 0)
    assert report.accounts["binance"].kinds["quote"] == 74
    (holding,) = report.portfolio.holdings
    assert holding.quantity == Decimal(60)
    assert journal.exists()
    assert not (tmp_path / "live.journal").exists()


def test_an_instrument_that_was_not_recorded_ends_it_with_an_error(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("ticktree.director.BEGINS_WITHIN_S", 1.0)
    folder = recordings.path("kraken").parent
    app = App((attrs.evolve(KRAKEN, instruments=("ETH-EUR",)),))
    with pytest.raises(RehearsalFailed, match="feed kraken did not subscribe within 1 s") as caught:
        rehearse(app, folder)
    assert "ETH/EUR" in caplog.text
    assert caught.value.report.stop.duration_s < 5


def test_a_recording_that_is_damaged_is_an_error_in_its_own_words(tmp_path: Path) -> None:
    lines = recordings.path("binance").read_bytes()
    (tmp_path / "a.jsonl.gz").write_bytes(lines[:80_000] + b"damage" + lines[80_006:])
    with pytest.raises(CannotRehearse, match=r"a\.jsonl\.gz, at byte \d+: "):
        rehearse(App((BINANCE,)), tmp_path)


def test_it_lasts_no_longer_than_told_and_says_meanwhile_how_far_it_is() -> None:
    shown = list[str]()
    report = rehearse(
        App((BINANCE,)), recordings.path("binance").parent, Manner(1.0, Cuts()), Progress(shown.append, 0.1), for_s=1.0
    )
    assert report.exit_code == 0
    assert any("of 265, 2021-10-12 00:28:" in line for line in shown)
