"""The value that each life of a feed is made with."""

from ticktree.actors import Backoff
from ticktree.feeds import Source
from ticktree.market import Topic

from .rig import Collector


def test_what_is_not_said_is_as_a_careful_user_would_have_it() -> None:
    source = Source("test", (Topic.parse("test/*/trade"),), Collector())
    assert source.on_bad == "skip"
    assert source.stale_after_s is None
    assert source.checked
    assert source.stamped
    assert source.tap is None
    assert source.backoff == Backoff()


def test_two_sources_share_nothing() -> None:
    one, other = (Source("test", (), Collector()) for _ in range(2))
    assert one.account is not other.account
    assert one.ids is not other.ids
    assert one.defined is not other.defined
