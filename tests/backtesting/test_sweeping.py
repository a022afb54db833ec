"""Parameters to be swept, and every combination of their values."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from ticktree.backtesting.errors import BadData, BadSweep
from ticktree.backtesting.sweeping import MOST, Parameter, Sweep, ran
from ticktree.config.changes import Change, change

from .small import config, data

FAST, SLOW = "strategies.momentum.params.fast", "strategies.momentum.params.slow"


def sweep(folder: Path, *parameters: str, sets: tuple[str, ...] = ()) -> Sweep:
    file = folder / "market.ticks" if (folder / "market.ticks").exists() else data(folder)
    changes = tuple(change(one, "--set") for one in sets)
    return Sweep(config(folder), (str(file),), tuple(map(Parameter.parsed, parameters)), changes)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("5", [5]),
        ("5,10, 20", [5, 10, 20]),
        ("0.1,1e3,true", [0.1, 1000.0, True]),
        ("1ms,2ms", ["1ms", "2ms"]),
        ('"a,b",c', ["a,b", "c"]),
        ("'[,',x", ["[,", "x"]),
        ("[1,2,3]", [1, 2, 3]),
        ('["a,b","c"]', ["a,b", "c"]),
        ("[1,2],[3,4]", [[1, 2], [3, 4]]),
        ("[[1,2],[3,4]]", [[1, 2], [3, 4]]),
        ("{a=1,b=2},{a=2,b=3}", [{"a": 1, "b": 2}, {"a": 2, "b": 3}]),
        ("1..4..1", [1, 2, 3, 4]),
        ("1..10..4", [1, 5, 9]),
        ("3..1..-1", [3, 2, 1]),
        ("5..5..1", [5]),
        ("0.1..0.3..0.1", [0.1, 0.2, 0.3]),
        ("-0.5..0.5..0.5", [-0.5, 0.0, 0.5]),
        ("1.0..3..1", [1.0, 2.0, 3.0]),
        ("1ms..2ms..0.5ms", ["1ms", "1.5ms", "2ms"]),
        ("../a,../b", ["../a", "../b"]),
    ],
)
def test_values_are_a_list_or_a_range(text: str, values: list[Any]) -> None:
    found = Parameter.parsed(f'strategies."a.b".x = {text}')
    assert found.path == ("strategies", "a.b", "x")
    assert [(type(one), one) for one in found.values] == [(type(one), one) for one in values]


@given(st.decimals(-1000, 1000, places=3), st.decimals("0.001", 10, places=3), st.integers(0, 50))
def test_a_range_is_exact_and_has_both_ends(first: Decimal, step: Decimal, steps: int) -> None:
    last = first + steps * step
    found = Parameter.parsed(f"a={first}..{last}..{step}").values
    assert list(found) == [float(first + number * step) for number in range(steps + 1)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a", "--sweep: a key of the configuration and its value"),
        ("a=", "--sweep a: a value stands after the ="),
        ("a=1,,2", "--sweep a: a value stands after the ="),
        ("a=[]", "--sweep a: an empty list has no values"),
        ("a=1,2,1", "--sweep a: 1 stands there twice"),
        ("a=[1,2", "--sweep a: no value as TOML writes it"),
        ("a=1..5", "a range is FROM..TO..STEP, as in 1..10..3"),
        ("a=1..x..2", "a range is FROM..TO..STEP"),
        ("a=1ms..5s..1ms", "all in one unit"),
        ("a=1..5..0", "steps of 0 never come from 1 to 5"),
        ("a=1..5..-1", "steps of -1 never come from 1 to 5"),
        ("a=0..1000000000000..1", "1,000,000,000,001 values, and 10,000 runs are the most"),
    ],
)
def test_what_cannot_be_swept_is_refused_with_what_to_write(text: str, said: str) -> None:
    with pytest.raises(BadSweep) as caught:
        Parameter.parsed(text)
    assert said in str(caught.value)


def test_there_is_a_run_for_each_combination_the_last_parameter_changing_fastest(tmp_path: Path) -> None:
    made = sweep(tmp_path, f"{FAST}=1,2", f"{SLOW}=8,9")
    assert made.count == 4
    assert [[one.value for one in each] for each in made.combinations()] == [[1, 8], [1, 9], [2, 8], [2, 9]]


def test_more_runs_than_anybody_waits_for_are_refused(tmp_path: Path) -> None:
    assert MOST == 10_000
    with pytest.raises(BadSweep, match=r"^101 x 100 = 10,100 runs, and 10,000 are the most"):
        sweep(tmp_path, f"{FAST}=1..101..1", f"{SLOW}=1..100..1")


def test_what_is_given_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSweep, match=f"{FAST} would be given twice: {FAST} is, already"):
        sweep(tmp_path, f"{FAST}=1,2", f"{FAST}=3,4")
    with pytest.raises(BadSweep, match="strategies would be given twice"):
        sweep(tmp_path, "strategies={},{a=1}", sets=(f"{FAST}=1",))
    assert sweep(tmp_path, f"{FAST}=1,2", sets=("strategies.momentum.params={slow=9}",)).problems() == []


def test_all_that_is_wrong_with_any_run_is_told_each_once(tmp_path: Path) -> None:
    made = sweep(tmp_path, f"{FAST}=1,9,x", "strategies.momentum.params.fasst=1,2", sets=("system.budget=5",))
    assert [line.removeprefix(f"{tmp_path}/") for line in made.problems()] == [
        '--set system.budget=5: a duration, as in "10s"; not 5; did you mean "5s"?',
        '--sweep strategies.momentum.params.fasst=1: there is no key "fasst"; did you mean "fast"?',
        '--sweep strategies.momentum.params.fast=x: a number; not "x"',
    ]
    (problem,) = sweep(tmp_path, f"{FAST}=7,9", f"{SLOW}=8,10").problems()
    assert f"(with --sweep {FAST}=9, --sweep {SLOW}=8)" in problem


def test_of_very_many_problems_the_first_are_told(tmp_path: Path) -> None:
    told = list[int]()
    problems = sweep(tmp_path, f"{FAST}=9..58..1").problems(told.append)
    assert (len(problems), problems[-1]) == (31, "and 20 more")
    assert told == list(range(50))


def test_data_that_cannot_be_used_are_told_before_anything_runs(tmp_path: Path) -> None:
    made = Sweep(config(tmp_path), ("nothing",), (Parameter(("strategies", "momentum", "params", "fast"), (1, 2)),))
    with pytest.raises(BadData, match="nothing is not there"):
        made.problems()


def test_a_run_has_what_one_by_itself_has(tmp_path: Path) -> None:
    made = sweep(tmp_path, f"{FAST}=2,3", sets=(f"{SLOW}=9",))
    one, other = (ran(made, combination) for combination in made.combinations())
    assert (one.error, one.ticks, len(one.digest)) == ("", 200, 64)
    assert one.digest != other.digest
    assert one.statistics is not None
    assert one.statistics.total[0].activity.fills > 0
    assert ran(made, (Change(made.parameters[0].path, 2),)) == one
