"""A specification that cannot work is refused where it is written, and the error says what would do."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.actors.support import ROOMY
from ticktree.actors import (
    Actor,
    AutoShutdown,
    Backoff,
    Block,
    ChildSpec,
    Conflate,
    DropOldest,
    Mailbox,
    NoDelay,
    Restart,
    RestartStrategy,
    Shutdown,
    SpecError,
    Supervisor,
    System,
)


class Idle(Actor[object]):
    """Never asked for anything."""


def child(id: Any = "a", start: Any = Idle, mailbox: Any = ROOMY, **more: Any) -> ChildSpec:
    return ChildSpec(id, start, mailbox, **more)


def supervisor(*children: Any, **more: Any) -> Supervisor:
    return Supervisor(children, **more)


class Keyed:
    """Has a key, but cannot merge."""

    def key(self, message: object) -> object:
        return message


NOT_IDS = ["", " a", "a b", "a/b", "/", ".a", "-a", "é", "a\n", None, 7, b"a"]
NOT_SECONDS = [0, -1, 0.0, float("nan"), float("inf"), True, "5", None]
NOT_FLAGS = [1, 0, "no", None]


@pytest.mark.parametrize("id", NOT_IDS, ids=repr)
def test_an_id_is_letters_digits_and_a_few_signs(id: Any) -> None:
    with pytest.raises(SpecError, match="an id is letters, digits and _ "):
        child(id)
    with pytest.raises(SpecError, match="an id is letters, digits and _ "):
        supervisor(id=id)


@pytest.mark.parametrize("id", ["a", "A9", "9", "_", "binance.btc-usdt", "a:1"])
def test_usual_ids_are_taken(id: str) -> None:
    assert (child(id).id, supervisor(id=id).id) == (id, id)


@pytest.mark.parametrize("start", [None, "a", Idle()], ids=["None", "str", "an actor"])
def test_start_is_a_factory_and_not_an_actor(start: Any) -> None:
    with pytest.raises(SpecError, match="a: start is a factory that returns a new actor for each life; not "):
        child(start=start)


@pytest.mark.parametrize("mailbox", [None, 100, DropOldest()], ids=repr)
def test_a_mailbox_is_asked_for(mailbox: Any) -> None:
    with pytest.raises(SpecError, match=r"a: mailbox is a Mailbox\(capacity, overflow\); not "):
        child(mailbox=mailbox)


@pytest.mark.parametrize("capacity", [0, -1, 1.5, True, "9", None, 1 << 41], ids=repr)
def test_a_capacity_is_a_number_of_ticks(capacity: Any) -> None:
    with pytest.raises(SpecError, match="a mailbox's capacity is a number of ticks, at least 1; not "):
        Mailbox(capacity, Block())


@pytest.mark.parametrize("overflow", [None, "block", Block], ids=repr)
def test_an_overflow_is_a_policy_value(overflow: Any) -> None:
    with pytest.raises(SpecError, match=r"a mailbox's overflow is Block\(\), "):
        Mailbox(9, overflow)


@pytest.mark.parametrize("merge", [None, Keyed(), max], ids=["None", "key only", "a function"])
def test_conflation_needs_a_key_and_a_merge(merge: Any) -> None:
    with pytest.raises(SpecError, match=r"Conflate needs an object with key\(message\) and merge\(older, newer\)"):
        Conflate(merge, otherwise=Block())


@pytest.mark.parametrize("make", [child, supervisor])
@pytest.mark.parametrize("restart", ["always", "", None, 1, ["permanent"]], ids=repr)
def test_a_restart_is_one_of_three(make: Callable[..., object], restart: Any) -> None:
    with pytest.raises(SpecError, match="restart is one of permanent, transient, temporary; not "):
        make(restart=restart)


@pytest.mark.parametrize("make", [child, supervisor])
@pytest.mark.parametrize("shutdown", [*NOT_SECONDS, "kill", ""], ids=repr)
def test_a_shutdown_is_seconds_brutal_kill_or_infinity(make: Callable[..., object], shutdown: Any) -> None:
    with pytest.raises(SpecError, match=r"shutdown .*brutal_kill.*infinity; not "):
        make(shutdown=shutdown)


@pytest.mark.parametrize("strategy", ["one_for_some", "", None, 1], ids=repr)
def test_a_strategy_is_one_of_four(strategy: Any) -> None:
    with pytest.raises(SpecError, match="strategy is one of one_for_one, one_for_all, rest_for_one, simple_one_for"):
        supervisor(strategy=strategy)


@pytest.mark.parametrize("auto_shutdown", ["always", None, True], ids=repr)
def test_an_auto_shutdown_is_one_of_three(auto_shutdown: Any) -> None:
    with pytest.raises(SpecError, match="auto_shutdown is one of never, any_significant, all_significant; not "):
        supervisor(auto_shutdown=auto_shutdown)


@pytest.mark.parametrize("intensity", [-1, 1.0, True, "1", None], ids=repr)
def test_an_intensity_is_a_number_of_restarts(intensity: Any) -> None:
    with pytest.raises(SpecError, match="root: intensity is a number of restarts, 0 or more; not "):
        supervisor(intensity=intensity)


@pytest.mark.parametrize("seconds", NOT_SECONDS, ids=repr)
def test_durations_are_seconds_above_zero(seconds: Any) -> None:
    with pytest.raises(SpecError, match="root: period_s is a number of seconds above 0; not "):
        supervisor(period_s=seconds)
    with pytest.raises(SpecError, match="a: start_timeout_s is a number of seconds above 0; not "):
        child(start_timeout_s=seconds)


@pytest.mark.parametrize("flag", NOT_FLAGS, ids=repr)
def test_flags_are_true_or_false_and_not_a_word(flag: Any) -> None:
    with pytest.raises(SpecError, match="a: significant is True or False; not "):
        child(significant=flag, restart="transient")
    with pytest.raises(SpecError, match="a: hand_off is True or False; not "):
        child(hand_off=flag)
    with pytest.raises(SpecError, match="root: significant is True or False; not "):
        supervisor(significant=flag, restart="transient")


@pytest.mark.parametrize("delay", [None, 1.0, Backoff], ids=repr)
def test_a_delay_is_a_policy_value(delay: Any) -> None:
    with pytest.raises(SpecError, match=r"root: delay is NoDelay\(\) or Backoff\(...\); not "):
        supervisor(delay=delay)


@pytest.mark.parametrize(("base_s", "ceiling_s"), [(0, 1), (-1, 1), (2, 1), (1, float("inf")), (float("nan"), 1)])
def test_a_backoff_grows_from_its_base_to_its_ceiling(base_s: float, ceiling_s: float) -> None:
    with pytest.raises(SpecError, match="Backoff needs 0 < base_s <= ceiling_s"):
        Backoff(base_s, ceiling_s)


@pytest.mark.parametrize("children", [None, 7, child()], ids=["None", "7", "one child"])
def test_children_are_a_sequence(children: Any) -> None:
    with pytest.raises(SpecError, match="children is a sequence of ChildSpec and Supervisor; not "):
        Supervisor(children)


@pytest.mark.parametrize("other", [None, "a", Idle, Idle(), ("a", Idle, ROOMY)], ids=lambda other: type(other).__name__)
def test_a_child_is_a_specification(other: Any) -> None:
    with pytest.raises(SpecError, match="root: a child is a ChildSpec or a Supervisor; not "):
        supervisor(child(), other)


def test_duplicate_ids_are_named() -> None:
    with pytest.raises(SpecError, match="root: more than one child is called a, c"):
        supervisor(*map(child, "abcca"), child("d"))
    with pytest.raises(SpecError, match="top: more than one child is called a"):
        supervisor(child("a"), supervisor(id="a"), id="top")


@pytest.mark.parametrize("children", [(), (child("a"), child("b")), (supervisor(id="a"),)], ids=["0", "2", "nested"])
def test_a_template_is_exactly_one_child(children: tuple[Any, ...]) -> None:
    with pytest.raises(SpecError, match="root: simple_one_for_one needs exactly one ChildSpec as its template"):
        supervisor(*children, strategy="simple_one_for_one")


def test_significant_goes_with_neither_permanent_nor_never() -> None:
    for make in (child, supervisor):
        with pytest.raises(SpecError, match=": a significant child cannot be permanent"):
            make(significant=True)
    for make in (child, supervisor):
        significant = make(id="a", significant=True, restart="temporary")
        with pytest.raises(SpecError, match="top/a: a significant child needs a supervisor with auto_shutdown any_"):
            supervisor(significant, id="top")
        assert supervisor(significant, auto_shutdown="any_significant").children == (significant,)


def test_a_systems_root_is_a_supervisor_and_its_budget_is_seconds() -> None:
    root: Any = child()
    with pytest.raises(SpecError, match="a system's root is a Supervisor; not "):
        System(root)
    for budget_s in (0, -1, float("nan"), float("inf")):
        with pytest.raises(SpecError, match="budget_s is a number of seconds above 0; not "):
            System(supervisor(), budget_s=budget_s)


def test_words_become_values_and_defaults_are_otps() -> None:
    spec = child(restart="transient", shutdown="brutal_kill")
    assert (spec.restart, spec.shutdown) == (Restart.TRANSIENT, Shutdown.BRUTAL_KILL)
    assert (child().restart, child().shutdown, child().significant) == (Restart.PERMANENT, 5.0, False)
    top = supervisor(strategy="rest_for_one", auto_shutdown="all_significant", shutdown=3)
    assert (top.strategy, top.auto_shutdown, top.shutdown) == (
        RestartStrategy.REST_FOR_ONE,
        AutoShutdown.ALL_SIGNIFICANT,
        3.0,
    )
    top = supervisor()
    assert (top.strategy, top.intensity, top.period_s) == (RestartStrategy.ONE_FOR_ONE, 1, 5.0)
    assert (top.shutdown, top.auto_shutdown, top.delay) == (Shutdown.INFINITY, AutoShutdown.NEVER, NoDelay())
    assert Supervisor(child(id) for id in "ab").children[1].id == "b"
