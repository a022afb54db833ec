"""Where connections are broken off."""

from hypothesis import given, strategies as st

from ticktree.feeds.playback import Cuts


@given(st.integers(0, 50), st.integers(), st.integers(0, 9), st.integers(0, 200))
def test_they_lie_within_the_recording_each_at_its_own_place_in_order(
    count: int, seed: int, missed: int, messages: int
) -> None:
    cuts = Cuts(count, seed, missed).among(messages)
    places = [cut.at for cut in cuts]
    assert places == sorted(set(places))
    assert len(places) == min(count, max(0, messages - 1))
    assert all(1 <= cut.at < messages and 0 <= cut.part < 1 and 0 <= cut.missed <= missed for cut in cuts)
    assert all(cut.at + cut.missed <= after for cut, after in zip(cuts, [*places, messages][1:], strict=False))


def test_the_same_seed_cuts_at_the_same_places() -> None:
    assert Cuts(9, 7, 5).among(1_000) == Cuts(9, 7, 5).among(1_000) != Cuts(9, 8, 5).among(1_000)
