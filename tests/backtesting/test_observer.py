"""What is looked at while it runs: middles around each fill, and samples of prices, positions and money."""

import hashlib
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest

from ticktree.backtesting import observer as observer_module
from ticktree.backtesting.observer import FIRST_EVERY_NS, FactsInOrder
from ticktree.backtesting.result import MoneySeries, Outcome
from ticktree.backtesting.running import AS_IT_WAS, prepared
from ticktree.market import Quote, Side, Topic
from ticktree.parts import App, RouterPart, VenuePart
from ticktree.routing import Terms, TimeInForce, Timeout, VenueRules
from ticktree.routing.facts import Began
from ticktree.routing.gateway import Fees
from ticktree.routing.venues.simulated import Latency

from .markets import (
    BEGAN_NS,
    BTC,
    MS,
    NS,
    Seen,
    Tape,
    Watcher,
    backtested,
    feed_part,
    steady,
    table,
    trading,
    watching,
)

IOC: Final = Terms(time_in_force=TimeInForce.IOC)
FEES: Final = VenueRules(fees=Fees(maker=Decimal("0.001"), taker=Decimal("0.002")))


def trades(when: dict[float, tuple[Side, str]]) -> Any:
    """What orders at the market, by the bid it is told."""

    def act(strategy: Watcher, message: Any) -> None:
        if isinstance(message, Quote) and (wanted := when.get(message.bid)) is not None:
            send = strategy.buy if wanted[0] is Side.BUY else strategy.sell
            send(message.instrument, wanted[1], terms=IOC)

    return act


def money(outcome: Outcome, strategy: str = "", currency: str = "USDT") -> MoneySeries:
    (found,) = (one for one in outcome.samples.money if (one.strategy, one.currency) == (strategy, currency))
    return found


def test_middles_are_those_at_the_fill_and_a_second_ten_and_sixty_after_it(tmp_path: Path) -> None:
    tape = Tape().connect()
    for at_s in range(75):
        tape.quote(at_s * NS, 100.0 + at_s, 102.0 + at_s)
    act = trades({105.0: (Side.BUY, "0.5"), 140.0: (Side.SELL, "0.5")})
    venue = VenuePart("paper", "a", latency=Latency(0.5))
    one, other = backtested(trading(watching(Seen(), act), venue=venue), tape.write(tmp_path)).fills
    assert (one.decided_mid, one.mid, one.later_mids) == (106.0, 106.0, (107.0, 116.0, 166.0))
    assert (other.decided_mid, other.mid, other.later_mids) == (141.0, 141.0, (142.0, 151.0, None))
    assert (one.time_ns - one.decided_ns, one.price) == (NS // 2, Decimal("107.00"))


def test_without_a_price_there_is_no_middle(tmp_path: Path) -> None:
    tape = Tape().connect().quote(0, 100.0, 101.0).quote(500 * MS, 0.0, 200.0).quote(5 * NS, 100.0, 101.0)
    tape.quote(20 * NS, 100.0, 101.0)
    venue = VenuePart("paper", "a", latency=Latency(0.6))
    act = trades({100.0: (Side.BUY, "0.5")})
    fills = backtested(trading(watching(Seen(), act), venue=venue), tape.write(tmp_path)).fills
    first = fills[0]
    assert first.price == Decimal(200)
    assert first.decided_mid == 100.5
    assert first.later_mids[1:] == (100.5, None)


def test_samples_are_taken_on_a_grid_from_the_first_row_on_and_at_the_end(tmp_path: Path) -> None:
    outcome = backtested(trading(watching(Seen())), steady(rows=6).write(tmp_path))
    times = [at - BEGAN_NS for at in outcome.samples.time_ns]
    assert times[:17] == [row * FIRST_EVERY_NS for row in range(17)]
    assert all(at >= 500 * MS for at in times[18:])
    (prices,) = outcome.samples.prices
    assert prices.bid[:17] == [100.0 + at // (100 * MS) for at in times[:17]]
    assert prices.ask[-1] == 106.0
    assert outcome.samples.every_s == FIRST_EVERY_NS / NS


def test_the_grid_meets_the_minutes_however_often_it_is_made_coarser() -> None:
    assert all(60 * NS % (FIRST_EVERY_NS << power) == 0 for power in range(12))


def test_where_they_become_too_many_every_other_one_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observer_module, "MOST_SAMPLES", 20)
    outcome = backtested(trading(watching(Seen())), steady(rows=30).write(tmp_path))
    times = [at - BEGAN_NS for at in outcome.samples.time_ns]
    every_ns = round(outcome.samples.every_s * NS)
    assert every_ns in {FIRST_EVERY_NS << power for power in range(1, 10)}
    assert len(times) <= 22
    assert all(at % every_ns == 0 for at in times[:-1])
    assert {after - before for before, after in pairwise(times[:-1])} == {every_ns}


def test_the_last_sample_is_what_is_held_in_the_end_at_the_last_prices(tmp_path: Path) -> None:
    act = trades({101.0: (Side.BUY, "0.5"), 104.0: (Side.SELL, "0.2")})
    app = trading(watching(Seen(), act), venue=VenuePart("paper", "a", rules=FEES))
    ready = prepared(app, [steady().write(tmp_path)], AS_IT_WAS)
    outcome = ready.run()
    (held,) = ready.assembly.office.ledger.snapshot(lambda _: None).holdings
    last = money(outcome)
    assert outcome.samples.positions[0].quantity[-1] == float(held.quantity) == 0.3
    assert last.realised[-1] == pytest.approx(float(held.realised)) == pytest.approx(0.2 * (104 - 102))
    assert last.fees[-1] == pytest.approx(float(held.fees["USDT"]))
    assert last.unrealised[-1] == pytest.approx(0.3 * (109.5 - 102))  # the last row's, though its feed is lost by then
    assert outcome.samples.prices[0].bid[-1] == 109.0


def test_what_the_fills_realise_and_cost_adds_up_to_the_samples(tmp_path: Path) -> None:
    when = {100.0 + row: ((Side.SELL, "0.3") if row % 3 else (Side.BUY, "0.4")) for row in range(1, 19)}
    app = trading(watching(Seen(), trades(when)), venue=VenuePart("paper", "a", rules=FEES))
    outcome = backtested(app, steady(rows=20).write(tmp_path))
    assert len(outcome.fills) == 18
    series = money(outcome, "watcher")
    for place, at_ns in enumerate(outcome.samples.time_ns):
        known = [fill for fill in outcome.fills if fill.time_ns < at_ns]
        settled = {fill.time_ns for fill in outcome.fills}
        if at_ns in settled:
            continue  # taken within the same instant
        assert series.realised[place] == pytest.approx(float(sum(fill.realised for fill in known)))
        assert series.fees[place] == pytest.approx(float(sum(fill.fee for fill in known)))
        held = known[-1].position if known else Decimal(0)
        assert outcome.samples.positions[0].quantity[place] == float(held) if outcome.samples.positions else not held


def test_currencies_stand_apart_and_each_has_a_total(tmp_path: Path) -> None:
    feeds = feed_part("a"), feed_part("b", ("BTC-EUR",))
    act = trades({102.0: (Side.BUY, "0.5")})
    venues = VenuePart("paper", "a", rules=FEES), VenuePart("euro", "b", rules=FEES)
    one = watching(Seen(), act, name="one", topics=(Topic.parse("a/*/*"),))
    two = watching(Seen(), act, name="two", router="euro", topics=(Topic.parse("b/*/*"),))
    routers = RouterPart("default", Timeout("paper", deadline_s=1.0)), RouterPart("euro", Timeout("euro", 1.0))
    app = App(feeds=feeds, venues=venues, routers=routers, strategies=(one, two))
    outcome = backtested(app, steady("a").write(tmp_path), steady("b", name="BTC-EUR").write(tmp_path))
    assert {(each.strategy, each.currency) for each in outcome.samples.money} == {
        ("", "USDT"), ("", "EUR"), ("one", "USDT"), ("two", "EUR")
    }  # fmt: skip
    for currency, strategy in (("USDT", "one"), ("EUR", "two")):
        assert money(outcome, "", currency).unrealised == money(outcome, strategy, currency).unrealised
    assert {fill.currency for fill in outcome.fills} == {"USDT", "EUR"}


def test_it_looks_and_never_acts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same orders at the same instants, however often it looks."""
    act = trades({100.0 + row: ((Side.SELL, "0.3") if row % 3 else (Side.BUY, "0.4")) for row in range(1, 19)})
    path = steady(rows=20).write(tmp_path)
    one = backtested(trading(watching(Seen(), act)), path)
    monkeypatch.setattr(observer_module, "MOST_SAMPLES", 3)
    other = backtested(trading(watching(Seen(), act)), path)
    assert one.digest == other.digest
    assert len(one.samples.time_ns) > len(other.samples.time_ns)


def test_the_prices_of_a_table_are_known_to_its_end(tmp_path: Path) -> None:
    act = trades({101.0: (Side.BUY, "0.5")})
    path = table(tmp_path, *((row * NS, 100.0 + row, 101.0 + row) for row in range(5)))
    outcome = backtested(trading(watching(Seen(), act), instruments=(BTC,)), path)
    assert None not in money(outcome).unrealised
    assert money(outcome).unrealised[-1] == pytest.approx(0.5 * (104.5 - 102))


def test_the_digest_is_of_all_facts_in_order() -> None:
    facts = [Began(at_ns, "epoch") for at_ns in (1, 2)]
    kept = [FactsInOrder() for _ in range(4)]
    for journal, said in zip(kept, (facts, facts, facts[::-1], []), strict=True):
        for fact in said:
            journal.append(fact)
    digests = [journal.digest for journal in kept]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3
    assert digests[3] == hashlib.sha256(b"").hexdigest()
    assert list(kept[0].facts) == facts
