"""What can go wrong between an exchange and its clients, on purpose: how often, when, and how much of it was done.

Whether a fault strikes a client depends on the seed, the fault, the client's place (the lowest that is free when it
connects) and the step alone: the same steps are struck in every run, however long a client takes to come back.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from enum import StrEnum
from hashlib import blake2b
from random import Random
from struct import Struct

import attrs

from ticktree.market import BadUnit, units

from ..errors import FeedError

_KEY = Struct("<qQQ")


class BadFault(FeedError, ValueError):
    """No fault that there is, or not how one is written."""


class FaultKind(StrEnum):
    """What is done to a client."""

    DISCONNECTS = "disconnects"  # a write is cut at any byte, then the connection
    GAPS = "gaps"  # a message is never sent
    DUPLICATES = "duplicates"  # one is sent twice
    SILENCE = "silence"  # for a while nothing is sent; what was to be sent comes afterwards
    GARBAGE = "garbage"  # something is sent besides that means nothing
    SLOW_READS = "slow_reads"  # for a while nothing is read from it


@attrs.frozen
class When:
    """With which probability a fault strikes in each step, or at which steps it does."""

    probability: float = 0.0
    steps: frozenset[int] = frozenset()

    def __attrs_post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise BadFault(f"a probability is a number from 0 to 1; not {self.probability!r}")

    def __bool__(self) -> bool:
        return bool(self.probability or self.steps)


def when(value: "When | float | Iterable[int]") -> When:
    """A probability, or numbers of steps, as a `When`."""
    if isinstance(value, When):
        return value
    return When(float(value)) if isinstance(value, int | float) else When(steps=frozenset(value))


@attrs.frozen
class Faults:
    """What goes wrong. Each of the first six is a probability in each step, for each client, or a set of steps.

    silence_s, slow_reads_s  how long one takes
    latency_s, jitter_s      what everything sent waits: the first, and up to all of the second; the order is kept
    """

    disconnects: When = attrs.field(default=When(), converter=when)
    gaps: When = attrs.field(default=When(), converter=when)
    duplicates: When = attrs.field(default=When(), converter=when)
    silence: When = attrs.field(default=When(), converter=when)
    garbage: When = attrs.field(default=When(), converter=when)
    slow_reads: When = attrs.field(default=When(), converter=when)
    silence_s: float = attrs.field(default=3.0, validator=attrs.validators.ge(0))
    slow_reads_s: float = attrs.field(default=0.5, validator=attrs.validators.ge(0))
    latency_s: float = attrs.field(default=0.0, validator=attrs.validators.ge(0))
    jitter_s: float = attrs.field(default=0.0, validator=attrs.validators.ge(0))
    seed: int = 1

    def of(self, kind: FaultKind) -> When:
        """When a fault of that kind strikes."""
        found: When = getattr(self, kind)
        return found

    @classmethod
    def parse(cls, texts: Iterable[str], seed: int = 1) -> "Faults":
        """Read `gaps=0.01` (a probability), `gaps=@100,200` (steps), `latency=20ms`. Raises `BadFault`."""
        given: dict[str, When | float] = {}
        for text in texts:
            name, _, value = text.partition("=")
            name = name.strip().replace("-", "_")
            if name in DURATIONS:
                given[DURATIONS[name]] = seconds(value.strip())
            elif name in _KINDS:
                given[name] = _written(text, value.strip())
            else:
                raise BadFault(_advice(name))
        return cls(**given, seed=seed)  # type: ignore[arg-type]  # by name each is of the right type


DURATIONS = {"latency": "latency_s", "jitter": "jitter_s", "silence_for": "silence_s", "slow_reads_for": "slow_reads_s"}
_KINDS = tuple(FaultKind)


def seconds(text: str) -> float:
    """`20ms`, `1.5s`, `2m` or `1h` as seconds. Raises `BadFault`."""
    try:
        return units.seconds(text)
    except BadUnit as error:
        meant = f"; did you mean {error.near}?" if error.near else ""
        raise BadFault(f"{text!r} is no duration: one is written 20ms, 1.5s, 2m or 1h{meant}") from error


def _written(text: str, value: str) -> When:
    try:
        found = [int(step) for step in value[1:].split(",")] if value.startswith("@") else float(value)
    except ValueError:
        raise BadFault(f"{text!r}: after = comes a probability (0.01), or steps (@100,200)") from None
    return when(found)


def _advice(name: str) -> str:
    known = [known.replace("_", "-") for known in (*_KINDS, *DURATIONS)]
    nearest = get_close_matches(name.replace("_", "-"), known, 1)
    hint = f"did you mean {nearest[0]!r}?" if nearest else f"there is {', '.join(known)}"
    return f"there is no fault {name!r}; {hint}"


class Plan:
    """Which faults strike the client at one place, step by step."""

    def __init__(self, faults: Faults, place: int) -> None:
        self.faults = faults
        self._place = place
        self._whens = {kind: when for kind in FaultKind if (when := faults.of(kind))}

    def struck(self, kind: FaultKind, steps: range) -> Random | None:
        """If a fault of that kind strikes in one of `steps`: what to draw its details from."""
        when = self._whens.get(kind)
        if when is None:
            return None
        for step in steps:
            number = self._number(kind, step)
            if step in when.steps or number < when.probability * 2.0**64:
                return Random(number)
        return None

    def _number(self, kind: FaultKind, step: int) -> int:
        """A number of 64 bits, as good as drawn, that is always the same for this fault, place and step."""
        key = _KEY.pack(self.faults.seed, self._place, step)
        return int.from_bytes(blake2b(key, digest_size=8, person=kind.encode()).digest(), "little")
