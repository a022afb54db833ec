"""Two exchanges whose prices follow each other."""

from statistics import fmean, pstdev

from ticktree.demo.markets import Following, pair
from ticktree.feeds.simulated import Prices
from ticktree.market import BookUpdate, Quote, Trade


def apart(seed: int, steps: int) -> list[float]:
    """How far the second one is from the first after each step, in standard deviations of a step."""
    leads, follows = pair(seed)
    leader = Prices("north", leads)
    follower = Following("south", follows, lambda: leader)
    found = list[float]()
    for _ in range(steps):
        leader.step(0)
        follower.step(0)
        here, there = leader.quote("BTC-USDT").mid, follower.quote("BTC-USDT").mid
        found.append((there - here) / (leads.volatility * here))
    return found


def test_the_second_market_is_never_far_from_the_first_and_never_the_same() -> None:
    distances = apart(seed=7, steps=2_000)
    assert max(map(abs, distances)) < 45  # two that go their own ways were 76, 234 and 107 apart, with three seeds
    assert 2 < pstdev(distances) < 12
    assert abs(fmean(distances)) < 3


def test_the_same_seed_tells_the_same_of_both() -> None:
    assert apart(seed=3, steps=50) == apart(seed=3, steps=50)
    assert apart(seed=3, steps=50) != apart(seed=4, steps=50)


def test_what_follows_tells_books_quotes_and_trades_as_any_exchange() -> None:
    leads, follows = pair(1)
    leader = Prices("north", leads)
    follower = Following("south", follows, lambda: leader)
    told = [one for _ in range(50) for one in follower.step(1)]
    assert {type(one) for one in told} == {BookUpdate, Quote, Trade}
    assert {one.feed for one in told} == {"south"}
    assert follower.steps == 50
    assert follower.sequence("BTC-USDT") == 50
