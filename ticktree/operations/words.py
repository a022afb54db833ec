"""What may be said to a running system: the bodies of its commands. Pure, and imports none of our rooms."""

from typing import Annotated, Literal, TypeVar

import msgspec

from .errors import Refused

C = TypeVar("C", bound="Command")
MOST_CHARACTERS = 500
LONGEST_S = 300.0
SOMEBODY = "the operator's word"

Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=MOST_CHARACTERS)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MOST_CHARACTERS)]
Within = Annotated[float, msgspec.Meta(gt=0, le=LONGEST_S)]
Ending = Literal["canceled", "filled", "rejected", "expired"]


class Command(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Said by POST to `/` and its name, as JSON."""


class Halt(Command, frozen=True):
    """Send nothing new."""

    reason: Reason = SOMEBODY


class Resume(Command, frozen=True):
    """Take orders again."""

    reason: Reason = SOMEBODY


class Drain(Command, frozen=True):
    """Take no more orders, and cancel those that are open."""


class Flatten(Command, frozen=True):
    """Halt, cancel, and close positions; those of one strategy, or everybody's."""

    strategy: Name | None = None
    within_s: Within = 5.0


class Resolve(Command, frozen=True):
    """The operator's word about what no venue explains."""

    name: Name
    state: Ending = "canceled"
    reason: Reason = SOMEBODY


COMMANDS: dict[str, type[Command]] = {
    "halt": Halt,
    "resume": Resume,
    "drain": Drain,
    "flatten": Flatten,
    "resolve": Resolve,
}
EXAMPLES: dict[type[Command], str] = {
    Halt: '{"reason": "the feed looks wrong"}',
    Resume: '{"reason": "all is well"}',
    Drain: "{}",
    Flatten: '{"strategy": "momentum", "within_s": 5}, or {} for everybody\'s positions',
    Resolve: '{"name": "ORDER_ID or VENUE/NAME", "state": "canceled", "reason": "the venue said so by telephone"}',
}


def read(kind: type[C], body: bytes) -> C:
    """The command that `body` says; nothing said is `{}`. Raises `Refused` with what to send instead."""
    try:
        command = msgspec.json.decode(body.strip() or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:  # a ValidationError is a DecodeError
        raise Refused(400, f"{error}; send {EXAMPLES[kind]}") from None
    for field, value in msgspec.structs.asdict(command).items():
        if isinstance(value, str) and not value.isprintable():  # it goes to the log, and there to one line
            raise Refused(400, f"{field} is one line of text; send {EXAMPLES[kind]}")
    return command
