"""What `AllOf` does when its shares were filled unevenly: declared, and bounded in attempts and time."""

import attrs

from ..errors import Refused
from .children import Child, Reasons, answered, at_least_one, due, left_s, positive
from .policy import Legs, Part
from .shares import Progress


@attrs.frozen
class Hold:
    """Nothing: the result says how far each share came."""


@attrs.frozen
class Unwind:
    """Bring every share down to the least filled one, by selling at the market what was bought, or the other way."""

    within_s: float = attrs.field(validator=positive)
    attempts: int = attrs.field(default=3, validator=at_least_one)


@attrs.frozen
class Retry:
    """Send again what shares lack, each its next attempt."""

    within_s: float = attrs.field(validator=positive)
    attempts: int = attrs.field(default=3, validator=at_least_one)


Compensation = Hold | Unwind | Retry
COMPENSATIONS: dict[str, type] = {"hold": Hold, "unwind": Unwind, "retry": Retry}
Begun = list[tuple[Child, Part]]


async def compensate(by: Unwind | Retry, shares: list[Progress], legs: Legs, reasons: Reasons) -> None:
    """Mend what is uneven. Nothing of it is sent before all is accounted for, nor between attempts."""
    due_ns = due(legs.clock, by.within_s)
    for attempt in range(by.attempts):
        seconds = left_s(legs.clock, due_ns)
        if seconds <= 0 or reasons.canceled:
            break
        before = reasons.refusals
        begun = _again(shares, seconds) if isinstance(by, Retry) else _back(shares, seconds)
        if not begun:
            return
        await settled(begun, reasons, takes_back=True)
        # Whoever refuses now will refuse in the same breath, too.
        if reasons.refusals - before == len(begun) and attempt + 1 < by.attempts and not reasons.canceled:
            await _pause(legs, min(by.within_s / by.attempts, max(0.0, left_s(legs.clock, due_ns))), reasons)
    _say_rest(by, shares, legs, reasons)


async def settled(begun: Begun, reasons: Reasons, takes_back: bool) -> None:
    """Wait for all of them: to their deadlines, after which what is out is taken back if so, then to their ends."""
    for _, part in begun:
        await answered(part)
    for _, part in begun if takes_back else ():
        part.cancel()
    for what, part in begun:
        await reasons.outcome(what, part)


async def _pause(legs: Legs, seconds: float, reasons: Reasons) -> None:
    try:
        await legs.sleep(seconds)
    except Refused as refused:  # canceled meanwhile
        reasons.refused("compensation", refused)


def _again(shares: list[Progress], seconds: float) -> Begun:
    behind = [one for one in shares if one.missing_increments]
    return [(one.share.child, one.begin(one.missing_increments, seconds)) for one in behind]


def _back(shares: list[Progress], seconds: float) -> Begun:
    least = min(one.ratio for one in shares)
    return [(one.share.child, part) for one in shares for part in one.take_back(least, seconds)]


def _say_rest(by: Unwind | Retry, shares: list[Progress], legs: Legs, reasons: Reasons) -> None:
    least = min(one.ratio for one in shares)
    for one in shares:
        rest = one.missing_increments if isinstance(by, Retry) else one.beyond(least)
        if rest:
            what = "lacks" if isinstance(by, Retry) else "is still beyond the least filled share by"
            reasons.say(f"{one.share.name} {what} {legs.order.instrument.size(rest)}")
