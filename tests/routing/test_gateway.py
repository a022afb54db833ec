"""What venues declare."""

from decimal import Decimal

import pytest

from ticktree.routing.gateway import Fees, FeeTier

TIER = FeeTier(Decimal(1_000_000), Decimal("-0.0001"), Decimal("0.0005"))


@pytest.mark.parametrize(
    ("fees", "words"),
    [
        (Fees(), "none"),
        (Fees(Decimal("0.0002"), Decimal("0.001")), "0.1 % taker, 0.02 % maker"),
        (Fees(taker=Decimal("0.0010"), currency="USDT"), "0.1 % taker, 0 % maker, in USDT"),
        (Fees(per_unit=Decimal("0.005"), per_execution=Decimal(1)), "0.005 a unit, 1 an execution"),
        (
            Fees(taker=Decimal("0.001"), tiers=(TIER,)),
            "0.1 % taker, 0 % maker; from 1000000 on 0.05 % taker, -0.01 % maker",
        ),
    ],
)
def test_fees_say_what_they_are(fees: Fees, words: str) -> None:
    assert str(fees) == words


@pytest.mark.parametrize("above", [0, 1_000_000, 2_000_000])
def test_tiers_begin_above_nothing_and_ascend(above: int) -> None:
    with pytest.raises(ValueError, match="tiers ascend, and begin above 0"):
        Fees(tiers=(FeeTier(Decimal(above), Decimal(0), Decimal(0)), TIER))
