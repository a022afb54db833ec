"""Values in place of those of the file: how they are written, where they go, and what is said of wrong ones."""

import datetime
from typing import Any

import pytest
from hypothesis import given, strategies as st

from ticktree import BadConfig, load
from ticktree.config.changes import BadChange, Change, change, path_of
from ticktree.routing import Timeout

from .support import FEED, PAPER, written

LEAST = '[feeds.market]\ntype = "simulated"\n[strategies.momentum]\ntype = "momentum"\n'


def problems(text: str, *changes: str) -> list[str]:
    with pytest.raises(BadConfig) as caught:
        load(written(text), [change(one, "--set") for one in changes])
    return str(caught.value).splitlines()


# --- how they are written --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("strategies.m.params.fast=5", ("strategies", "m", "params", "fast"), 5),
        ("a.b=2ms", ("a", "b"), "2ms"),
        ('a.b="5"', ("a", "b"), "5"),
        ('a.b=""', ("a", "b"), ""),
        ("a = true", ("a",), True),
        ("a.\"b.c\" . 'd=e' = [1, 2] # so", ("a", "b.c", "d=e"), [1, 2]),
        ("risk.max_position.BTC-USDT=0.5", ("risk", "max_position", "BTC-USDT"), 0.5),
        ("a={b=1}", ("a",), {"b": 1}),
        ("a=2020-01-01", ("a",), datetime.date(2020, 1, 1)),
        ("a=x = y", ("a",), "x = y"),
        ("a=5\nb = 6", ("a",), "5\nb = 6"),
        ("a=../b", ("a",), "../b"),
    ],
)
def test_a_key_and_a_value_are_as_toml_writes_them_and_a_bare_word_is_a_text(
    text: str, path: tuple[str, ...], value: object
) -> None:
    assert change(text) == Change(path, value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x", "a key of the configuration and its value, as in strategies.momentum.params.fast=5"),
        ("=5", "a key of the configuration and its value"),
        ("a..b=5", "a key of the configuration and its value"),
        ("a\n.b=5", "a key of the configuration"),
        ('a."\\q"=5', "a key of the configuration, as in"),
        ("a.b=", "--set a.b: a value stands after the =, as in =5"),
        ("a.b=[1,", "--set a.b: no value as TOML writes it"),
        ("a.b='x", "--set a.b: no value as TOML writes it"),
    ],
)
def test_what_is_no_change_is_told_with_what_to_write(text: str, said: str) -> None:
    with pytest.raises(BadChange) as caught:
        change(text, "--set")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


LETTERS = st.characters(max_codepoint=0xFFFF, exclude_categories=("Cs", "Cc"))


@given(st.lists(st.text(LETTERS, min_size=1), min_size=1, max_size=4))
def test_a_key_names_what_it_was_made_of(path: list[str]) -> None:
    assert path_of(Change(tuple(path), 0).key) == tuple(path)


@given(st.text())
def test_whatever_is_given_is_a_change_or_none(text: str) -> None:
    try:
        found = change(text)
    except BadChange:
        return
    assert found.path
    assert "\n" not in str(found)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("a", "b"), "2ms", "--set a.b=2ms"),
        (("a", "b"), "5", '--set a.b="5"'),
        (("a", "b.c"), [1, "x"], '--set a."b.c"=[1, "x"]'),
        (("venues", "a", "token"), "hunter2", "--set venues.a.token=***"),
        (("venues", "a"), {"token": "hunter2"}, "--set venues.a=..."),
    ],
)
def test_it_is_told_as_it_may_have_been_written_and_without_secrets(
    path: tuple[str, ...], value: object, said: str
) -> None:
    assert str(Change(path, value, "--set")) == said


# --- where they go ---------------------------------------------------------------------------------------------------


def test_values_take_the_place_of_those_of_the_file_or_stand_beside_them() -> None:
    changes = {
        "strategies.momentum.params.fast": 3, "routers.default.deadline": "2s", "venues.paper.fees.taker": "0.002",
        "instruments.BTC-USDT": {"price_increment": "0.01", "size_increment": 1}, "system.budget": "3s",
    }  # fmt: skip
    path = written(PAPER)
    app = load(path, changes)
    params: Any = app.strategies[0].params
    assert (params.fast, app.routers[0].policy, app.system.budget_s) == (3, Timeout("paper", 2.0), 3.0)
    assert [one.name for one in app.instruments] == ["BTC-USDT"]
    assert path.read_text() == PAPER
    assert load(path).instruments == ()


def test_a_table_that_is_changed_as_a_whole_may_be_changed_further_and_stays_as_it_was_given() -> None:
    table = {"fast": 3, "slow": 5}
    app = load(written(PAPER), {"strategies.momentum.params": table, "strategies.momentum.params.slow": 7})
    params: Any = app.strategies[0].params
    assert (params.fast, params.slow, table) == (3, 7, {"fast": 3, "slow": 5})


def test_the_venue_and_the_router_that_are_there_unless_told_can_be_changed() -> None:
    app = load(written(LEAST), {"venues.paper.seed": 5, "routers.default.deadline": "1s"})
    assert (app.venues[0].name, app.routers[0].policy) == ("paper", Timeout("paper", 1.0))
    assert load(written(LEAST), {"venues.paper.seed": 5}).routers[0].policy == Timeout("paper", 0.25)


def test_a_part_of_a_new_name_is_made_where_it_is_said_what_it_is() -> None:
    changes = ["venues.other.type=simulated", "venues.other.prices=binance"]
    app = load(written(PAPER), [change(one) for one in changes])
    assert [venue.name for venue in app.venues] == ["paper", "other"]


# --- what is wrong with them -----------------------------------------------------------------------------------------


def test_what_is_wrong_is_told_of_the_change_and_not_of_a_line_all_at_once() -> None:
    changes = (
        "strategies.momentum.params.fasst=5", "strategies.momentun.params.fast=5", "venues.paper.latency=3",
        "venues.papr.latency=3ms", "strategy.x.y=1", "strategies.momentum.type.x=5", "relay.token=hunter2",
    )  # fmt: skip
    assert sorted(problems(PAPER, *changes)) == sorted([
        "--set strategies.momentum.type.x=5: strategies.momentum.type is \"momentum\", and no table",
        '--set venues.papr.latency=3ms: venues.papr: there is no venue "papr"; did you mean "paper"?',
        '--set strategies.momentun.params.fast=5: strategies.momentun: there is no strategy "momentun"; '
        'did you mean "momentum"?',
        '--set strategy.x.y=1: strategy: there is no section "strategy"; did you mean "strategies"?',
        '--set venues.paper.latency=3: a duration or a table, as in "5ms"; not 3; did you mean "3s"?',
        '--set strategies.momentum.params.fasst=5: there is no key "fasst"; did you mean "fast"?',
        '--set relay.token=***: relay.listen: is missing: listen = "tcp://127.0.0.1:7001"',
        '--set relay.token=***: a secret is written where it can be found, as "env:NAME" or "file:PATH"; its value '
        "never stands here",
    ])  # fmt: skip


def test_what_is_below_a_change_is_told_with_its_key() -> None:
    assert problems(PAPER, "strategies.momentum.params={fast=3, slw=4}", 'feeds.binance.kinds=["quote", "trad"]') == [
        '--set feeds.binance.kinds=["quote", "trad"]: feeds.binance.kinds[1]: "quote", "trade", "book", "bar" or '
        '"status"; not "trad"; did you mean "trade"?',
        '--set strategies.momentum.params=...: strategies.momentum.params.slw: there is no key "slw"; '
        'did you mean "slow"?',
    ]


def test_what_is_wrong_with_a_table_of_the_file_names_the_changes_within() -> None:
    (problem,) = problems(f"{PAPER}params = {{ slow = 5 }}\n", "strategies.momentum.params.fast=7")
    assert problem.startswith("app.toml:16: strategies.momentum.params: ")
    assert problem.endswith(" (with --set strategies.momentum.params.fast=7)")


def test_a_number_that_is_beyond_all_is_a_problem_like_others() -> None:
    (problem,) = problems(FEED, f"feeds.binance.stale_after={10**30}")
    assert problem.startswith("--set feeds.binance.stale_after=")
    assert "a whole number is at most 9223372036854775807" in problem
