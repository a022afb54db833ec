"""What may be said to a running system, and how what may not is answered."""

import pytest

from ticktree.operations.errors import Refused
from ticktree.operations.words import COMMANDS, EXAMPLES, Command, Drain, Flatten, Halt, Resolve, Resume, read


@pytest.mark.parametrize(
    ("kind", "body", "command"),
    [
        (Halt, b'{"reason": "lunch"}', Halt("lunch")),
        (Halt, b"", Halt("the operator's word")),
        (Resume, b" \n", Resume("the operator's word")),
        (Drain, b"{}", Drain()),
        (Flatten, b'{"within_s": 2}', Flatten(None, 2.0)),
        (Flatten, b'{"strategy": "pairs"}', Flatten("pairs", 5.0)),
        (Resolve, b'{"name": "x-1", "state": "filled"}', Resolve("x-1", "filled")),
    ],
)
def test_a_command_is_read_from_json_and_nothing_said_is_all_defaults(
    kind: type[Command], body: bytes, command: Command
) -> None:
    assert read(kind, body) == command


@pytest.mark.parametrize(
    ("kind", "body", "why"),
    [
        (Halt, b'{"reason": 5}', "Expected `str`, got `int`"),
        (Halt, b'{"reson": "x"}', "unknown field `reson`"),
        (Halt, b'{"reason": ""}', "length >= 1"),
        (Halt, b'{"reason": "%s"}' % (b"x" * 501), "length <= 500"),
        (Halt, b'{"reason": "one\\ntrading resumes"}', "reason is one line"),
        (Halt, b'{"reason": "\\u001b[2J"}', "reason is one line"),
        (Halt, b"{", "truncated"),
        (Halt, b"[]", "Expected `object`, got `array`"),
        (Halt, b'"\xff"', "Expected `object`"),
        (Halt, b'{"reason": "\xff"}', "can't decode byte 0xff"),
        (Drain, b'{"reason": "x"}', "unknown field"),
        (Flatten, b'{"within_s": 0}', "> 0"),
        (Flatten, b'{"within_s": 301}', "<= 300"),
        (Flatten, b'{"within_s": NaN}', "malformed"),
        (Flatten, b'{"within_s": "5s"}', "Expected `float`"),
        (Resolve, b"{}", "missing required field `name`"),
        (Resolve, b'{"name": "x", "state": "open"}', "Invalid enum value 'open'"),
        (Resolve, b'{"name": "x", "state": "unknown"}', "Invalid enum value 'unknown'"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_send_instead(kind: type[Command], body: bytes, why: str) -> None:
    with pytest.raises(Refused) as refused:
        read(kind, body)
    assert refused.value.status == 400
    assert why in str(refused.value)
    assert f"; send {EXAMPLES[kind]}" in str(refused.value)


def test_every_command_has_an_example() -> None:
    assert set(EXAMPLES) == set(COMMANDS.values())
