"""Whether messages of one stream follow upon each other: four rules, one question."""

from enum import Enum


class SequenceRule(Enum):
    """What an exchange promises of the numbers in one stream of one instrument.

    NONE       nothing
    MONOTONIC  each is greater than the one before; what lies between cannot be known
    PLUS_ONE   each is one more than the one before
    RANGE      each message covers first..last, and begins at most one after the end of the one before (Binance's U, u)
    """

    NONE = 0
    MONOTONIC = 1
    PLUS_ONE = 2
    RANGE = 3


class Verdict(Enum):
    """What a message is, by its numbers."""

    NEXT = 0
    DUPLICATE = 1
    GAP = 2


def judge(rule: SequenceRule, last: int, first: int, sequence: int) -> Verdict:
    """What a message of `first`..`sequence` is, where `last` was the last number seen."""
    if rule is SequenceRule.NONE:
        return Verdict.NEXT
    if sequence <= last:
        return Verdict.DUPLICATE
    if rule is SequenceRule.MONOTONIC or first <= last + 1:
        return Verdict.NEXT
    return Verdict.GAP
