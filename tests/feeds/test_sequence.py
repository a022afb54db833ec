"""Whether messages of a stream follow upon each other."""

import pytest

from ticktree.feeds import SequenceRule
from ticktree.feeds.sequence import Verdict, judge

N, D, G = Verdict.NEXT, Verdict.DUPLICATE, Verdict.GAP


@pytest.mark.parametrize(
    ("rule", "verdicts"),
    [  # of what follows 10: 9, 10, 11, 12, 8..10, 9..11, 11..13, 12..13
        (SequenceRule.NONE, [N, N, N, N, N, N, N, N]),
        (SequenceRule.MONOTONIC, [D, D, N, N, D, N, N, N]),
        (SequenceRule.PLUS_ONE, [D, D, N, G, D, N, N, G]),
        (SequenceRule.RANGE, [D, D, N, G, D, N, N, G]),
    ],
)
def test_each_rule_by_the_numbers(rule: SequenceRule, verdicts: list[Verdict]) -> None:
    spans = [(9, 9), (10, 10), (11, 11), (12, 12), (8, 10), (9, 11), (11, 13), (12, 13)]
    assert [judge(rule, 10, *span) for span in spans] == verdicts
