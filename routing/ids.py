"""Client order ids: unique for ever within a venue's account, in the letters and the length that the venue allows.

A leg's id is made of the epoch (new with each new journal), the order's count within it, the leg's number and the
attempt. Where a venue takes it as it reads, that is the id; else the four are packed into one number, in the venue's
letters.
"""

from collections.abc import Callable

from .errors import BadPolicy
from .gateway import READABLE, VenueRules

_LONGEST = 36  # of a readable id: an epoch of 11, a count of 10 digits, leg and attempt of 4
_COUNT_BITS, _LEG_BITS, _ATTEMPT_BITS = 36, 10, 10
_EPOCH_BITS = 64


def id_rule(venue: str, rules: VenueRules) -> Callable[[str, int, int], str]:
    """How `venue` wants them: a function of (order id, leg number, attempt). Raises `BadPolicy` for too few letters.

    The function raises OverflowError beyond 2^36 orders an epoch, or 1,023 legs or attempts.
    """
    alphabet, length = rules.client_id_alphabet, rules.client_id_length
    if set(READABLE) <= set(alphabet) and length >= _LONGEST:
        return readable_id
    letters = "".join(sorted(set(alphabet)))
    bits = _EPOCH_BITS + _COUNT_BITS + _LEG_BITS + _ATTEMPT_BITS
    if len(letters) < 2 or len(letters) ** length < 1 << bits:
        raise BadPolicy(
            f"{venue} allows client order ids of {length} characters out of {len(letters)}: too few to tell all orders "
            f"apart for ever, which takes {bits} bits"
        )

    def packed_id(order_id: str, number: int, attempt: int) -> str:
        return _write(_pack(order_id, number, attempt), letters)

    return packed_id


def readable_id(order_id: str, number: int, attempt: int) -> str:
    """As it reads: `order.leg`, and from the second attempt on `order.leg.attempt`."""
    return f"{order_id}.{number}" if attempt == 1 else f"{order_id}.{number}.{attempt}"


def _pack(order_id: str, number: int, attempt: int) -> int:
    epoch, _, count = order_id.partition("-")
    packed = 0
    fields = (int(epoch, 36), _EPOCH_BITS), (int(count), _COUNT_BITS), (number, _LEG_BITS), (attempt, _ATTEMPT_BITS)
    for value, bits in fields:
        if value >> bits:
            raise OverflowError(f"{order_id}, leg {number}, attempt {attempt}: more than {bits} bits")
        packed = packed << bits | value
    return packed


def _write(number: int, letters: str) -> str:
    text = ""
    while number:
        number, digit = divmod(number, len(letters))
        text = letters[digit] + text
    return text or letters[0]
