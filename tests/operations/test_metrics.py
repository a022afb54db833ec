"""Metrics in Prometheus's format: read back by its own parser, named by its rules, and as the accounts have them."""

import re
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import msgspec
from prometheus_client import REGISTRY
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from ticktree.operations import metrics
from ticktree.operations.status import Node, Status

from .samples import BOX, STATUS
from .support import app, running

UNITS = ("seconds", "bytes", "ticks")


def page(status: Status) -> str:
    return b"".join(metrics.written(status)).decode()


def families(status: Status) -> dict[str, Metric]:
    return {family.name: family for family in text_string_to_metric_families(page(status))}


def value(found: dict[str, Metric], family: str, sample: str = "", **labels: str) -> float:
    (one,) = [one for one in found[family].samples if one.name == (sample or one.name) and one.labels == labels]
    return one.value


async def test_a_page_of_a_running_system_agrees_with_its_accounts(socket: Path) -> None:
    async with running(app(socket)) as it:
        await it.holding()
        status = await it.status()
        found = families(status)
        code, told = await it.ask("GET", "/metrics")
    assert code == 200
    assert {family.name for family in text_string_to_metric_families(told)} == set(found)
    feed = status.feeds["simulated"]
    assert value(found, "ticktree_feed_live", feed="simulated") == 1
    assert value(found, "ticktree_feed_received_bytes", feed="simulated") == feed.bytes_in
    for kind, count in feed.kinds.items():
        assert value(found, "ticktree_feed_events", feed="simulated", kind=kind) == count
    for node in status.tree.walk():
        if (box := node.mailbox) is not None:
            own = {"mailbox": node.path}
            received = value(found, "ticktree_mailbox_received_ticks", **own)
            gone = sum(value(found, f"ticktree_mailbox_{what}_ticks", **own) for what in ("delivered", "conflated"))
            there = sum(value(found, f"ticktree_mailbox_{what}_ticks", **own) for what in ("queued", "in_handler"))
            dropped = found["ticktree_mailbox_dropped_ticks"].samples
            assert received == box.received
            assert received == gone + there + sum(one.value for one in dropped if one.labels["mailbox"] == node.path)
            assert value(found, "ticktree_mailbox_unaccounted_ticks", **own) == 0
    assert value(found, "ticktree_venue_open", venue="paper") == 1
    assert value(found, "ticktree_orders") == 2
    assert value(found, "ticktree_fills") == value(found, "ticktree_venue_fills", venue="paper") == 1
    own = {"strategy": "holder", "instrument": "BTC-USDT", "currency": "USDT"}
    assert value(found, "ticktree_position_size", **own) == 0.01
    stage = {"venue": "paper", "stage": "wire->ack"}
    took = status.latencies["paper"]["wire->ack"]
    assert (
        value(found, "ticktree_order_stage_seconds", "ticktree_order_stage_seconds_count", **stage) == took.count == 2
    )
    assert value(found, "ticktree_order_stage_seconds", quantile="0.99", **stage) == took.p99_ns / 1e9


def test_names_follow_the_rules_of_prometheus() -> None:
    """https://prometheus.io/docs/practices/naming: a prefix, base units, plain; `_total` for what only grows."""
    for family in families(STATUS).values():
        assert re.fullmatch(r"ticktree_[a-z][a-z_]*[a-z]", family.name), family.name
        assert family.documentation.endswith("."), family.name
        for sample in family.samples:
            assert sample.name.endswith("_total") == (family.type == "counter"), sample.name
        for scaled in ("milli", "micro", "nano", "kilo", "percent", "_ms", "_ns"):
            assert scaled not in family.name


def test_every_metric_is_explained_once_and_no_series_comes_twice() -> None:
    text = page(STATUS)
    helps = re.findall(r"^# HELP (\S+)", text, re.MULTILINE)
    assert len(helps) == len(set(helps)) > 50
    series = [line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")]
    assert len(series) == len(set(series))


def test_what_has_no_value_is_left_out_and_exact_decimals_are_told_as_numbers() -> None:
    found = families(STATUS)
    own = {"strategy": "pairs", "instrument": "ETH-USDT", "currency": "USDT"}
    assert value(found, "ticktree_position_size", **own) == -1.5
    assert found["ticktree_position_value"].samples == []
    assert value(found, "ticktree_position_fees", **{**own, "currency": "BNB"}) == 0.002


def test_labels_hold_any_text() -> None:
    odd = 'a "name"\\ with\nall'
    feeds = {odd: STATUS.feeds["simulated"]}
    found = families(msgspec.structs.replace(STATUS, feeds=feeds))
    assert value(found, "ticktree_feed_live", feed=odd) == 0


def test_the_librarys_global_registry_is_left_alone() -> None:
    def ours(collected: Iterable[Metric]) -> list[str]:
        return [family.name for family in collected if family.name.startswith("ticktree")]

    page(STATUS)
    assert ours(REGISTRY.collect()) == []


def test_the_figures_of_a_system_that_is_not_well() -> None:
    found = families(STATUS)
    assert value(found, "ticktree_healthy") == 0
    assert value(found, "ticktree_halted") == 1
    assert value(found, "ticktree_venue_open", venue="paper") == 0
    assert value(found, "ticktree_router_draining", router="default") == 1
    assert value(found, "ticktree_restarts", actor="strategies/pairs") == 3
    assert value(found, "ticktree_feed_errors", feed="simulated", error="PeerLost") == 2
    assert value(found, "ticktree_feed_checksums", feed="simulated", result="failed") == 1
    assert Decimal(str(value(found, "ticktree_start_time_seconds"))) == Decimal("1795408006.5")


def test_no_metric_of_a_large_system_keeps_the_loop_for_long() -> None:
    (pairs,) = STATUS.tree.children[0].children
    many = tuple(msgspec.structs.replace(pairs, path=f"strategies/{number}") for number in range(1_000))
    pieces = list(
        metrics.written(msgspec.structs.replace(STATUS, tree=msgspec.structs.replace(STATUS.tree, children=many)))
    )
    assert len(pieces) > 50
    assert max(map(len, pieces)) < sum(map(len, pieces)) / 3  # the longest is what has a label for each reason


def test_the_page_on_operations_lists_every_metric_as_it_is() -> None:
    text = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    rows = re.findall(r"^\| `(ticktree_\w+)` \| ([\w, ]*) \| (.+) \|$", text, re.MULTILINE)
    there = {name: (labels, what) for name, labels, what in rows}
    told = {f"{one.name}{'_total' * (one.type == 'counter')}": one for one in families(STATUS).values()}
    assert list(there) == list(told)
    for name, family in told.items():
        labels, what = there[name]
        assert f"{what}." == family.documentation
        assert all(set(sample.labels) <= set(labels.split(", ")) for sample in family.samples), name


def test_what_comes_and_goes_is_counted_and_has_no_series_of_its_own() -> None:
    clients = tuple(Node(f"relay/clients/{n}", "running", 1, 0, mailbox=BOX) for n in range(3))
    relay = Node("relay/clients", "running", 1, 0, strategy="simple_one_for_one", children=clients)
    told = page(msgspec.structs.replace(STATUS, tree=msgspec.structs.replace(STATUS.tree, children=(relay,))))
    assert 'ticktree_children{supervisor="relay/clients"} 3.0' in told
    assert 'ticktree_restarts_total{actor="relay/clients"} 0.0' in told
    assert "relay/clients/" not in told
