"""Where connections are broken off: random places, the same for the same seed."""

from itertools import pairwise
from random import Random

import attrs


@attrs.frozen
class Cut:
    """Before message `at`, of which `part` (0 to 1) is still sent; then `missed` messages pass unheard."""

    at: int
    part: float
    missed: int


@attrs.frozen
class Cuts:
    """`count` cuts drawn from `seed`. After each, up to `missed` messages pass before time stands still."""

    count: int = attrs.field(default=0, validator=attrs.validators.ge(0))
    seed: int = 1
    missed: int = attrs.field(default=0, validator=attrs.validators.ge(0))

    def among(self, messages: int) -> list[Cut]:
        """The cuts of a recording of so many messages: in order, never before the first, none while others pass."""
        random = Random(self.seed)
        places = range(1, messages)
        chosen = sorted(random.sample(places, min(self.count, len(places))))
        rooms = [after - at for at, after in pairwise((*chosen, messages))]
        missed = [random.randint(0, min(self.missed, room)) for room in rooms]
        return [Cut(at, random.random(), count) for at, count in zip(chosen, missed, strict=True)]
