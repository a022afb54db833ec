"""Errors name the actor, the cause and the history."""

import pytest

from ticktree.actors import (
    ActorsError,
    AlreadyPresent,
    AlreadyStarted,
    AskLost,
    AskTimeout,
    Closed,
    IntensityExceeded,
    Lost,
    MailboxFull,
    Misuse,
    SpecError,
    StartFailed,
    StartTimeout,
    TooHeavy,
    UnknownActor,
    errors,
)

HISTORY = ("1.000 s: life 1 ended: error: ValueError: first", "2.000 s: life 2 ended: killed")

ERRORS: list[tuple[ActorsError, tuple[str, ...]]] = [
    (Closed("root/a"), ("root/a is closed: it was stopped",)),
    (MailboxFull("root/a", 10, 8, 3), ("root/a", "8 of 10 ticks", "3 more", "slower than its senders")),
    (TooHeavy("root/a", 10, 11), ("root/a", "11 ticks can never fit", "capacity 10", "rows")),
    (UnknownActor("root/a", ["root/b"]), ("no actor at 'root/a'", "nearest: root/b")),
    (UnknownActor("root/a", []), ("no actor at 'root/a'",)),
    (AlreadyStarted("root/a"), ("root/a is running already",)),
    (AlreadyPresent("root/a"), ("root/a is specified already but not running", "restart_child")),
    (AskTimeout("root/a", "Total", 1.5, "running, with 3 ticks queued"), ("root/a", "Total", "1.5 s", "3 ticks")),
    (AskLost("root/a", "Total", "it was killed"), ("root/a will not answer Total: it was killed",)),
    (StartFailed("root/a", "ValueError: bad", HISTORY), ("root/a did not start: ValueError: bad", *HISTORY)),
    (StartTimeout("root/a", 2.0, "x.py:3 in on_start", HISTORY), ("root/a", "2 s", "x.py:3 in on_start", *HISTORY)),
    (IntensityExceeded("root/s", 3, 5.0, HISTORY), ("root/s gave up", "more than 3 restarts within 5 s", *HISTORY)),
]


@pytest.mark.parametrize(("error", "parts"), ERRORS, ids=lambda value: type(value).__name__)
def test_a_message_names_actor_cause_and_history(error: ActorsError, parts: tuple[str, ...]) -> None:
    for part in parts:
        assert part in str(error)


@pytest.mark.parametrize("error", [error for error, _ in ERRORS], ids=lambda error: type(error).__name__)
def test_history_stands_on_lines_of_its_own(error: ActorsError) -> None:
    history = getattr(error, "history", ())
    assert str(error).count("\n") == len(history)


def test_ours_and_theirs_are_kept_apart() -> None:
    assert not issubclass(Closed, Lost)
    assert not issubclass(AskTimeout, Misuse)
    assert issubclass(AskTimeout, TimeoutError)
    assert issubclass(SpecError, ValueError)
    assert issubclass(UnknownActor, LookupError)


def test_every_error_stands_in_the_tree_atop_the_module() -> None:
    assert errors.__doc__ is not None
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ActorsError)]
    assert len(kinds) > 15
    for kind in kinds:
        assert f" {kind.__name__} " in f" {errors.__doc__} ".replace("\n", " ")


def test_errors_carry_their_data() -> None:
    error = IntensityExceeded("root/s", 3, 5.0, HISTORY)
    assert (error.path, error.intensity, error.period_s, error.history) == ("root/s", 3, 5.0, HISTORY)
    assert (AskTimeout("a", "Total", 1.5, "").timeout_s, StartTimeout("a", 2.0, "").timeout_s) == (1.5, 2.0)
