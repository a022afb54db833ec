"""Policies that are values: how long to wait before trying again."""

import math
from random import Random

import attrs

from .errors import SpecError


@attrs.frozen
class NoDelay:
    """Try again at once."""

    def delay_s(self, attempt: int, random: Random) -> float:
        """0, always."""
        return 0.0


@attrs.frozen
class Backoff:
    """Capped exponential with full jitter: uniform in [0, min(ceiling_s, base_s * 2**attempt)], attempt from 0.

    The source of the rule: "Exponential Backoff and Jitter", AWS Architecture Blog, 2015 ("full jitter").
    """

    base_s: float = attrs.field(default=0.1)
    ceiling_s: float = attrs.field(default=30.0)

    def __attrs_post_init__(self) -> None:
        if not _in_order(self.base_s, self.ceiling_s):
            raise SpecError(
                f"Backoff needs 0 < base_s <= ceiling_s, in seconds; not {self.base_s!r}, {self.ceiling_s!r}"
            )

    def delay_s(self, attempt: int, random: Random) -> float:
        """How long to wait before try number `attempt` (from 0), in seconds."""
        return random.uniform(0.0, min(self.ceiling_s, self.base_s * 2.0 ** min(attempt, 1000)))


def _in_order(base_s: object, ceiling_s: object) -> bool:
    return isinstance(base_s, int | float) and isinstance(ceiling_s, int | float) and 0 < base_s <= ceiling_s < math.inf
