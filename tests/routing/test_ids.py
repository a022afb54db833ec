"""Client order ids: unique for ever, in the letters and the length that a venue allows."""

import string

import pytest
from hypothesis import given, settings, strategies as st

from ticktree.routing.errors import BadPolicy
from ticktree.routing.gateway import READABLE, VenueRules
from ticktree.routing.ids import id_rule, readable_id

DIGITS = string.digits + string.ascii_lowercase
EPOCHS = st.text(DIGITS, min_size=11, max_size=11).filter(lambda epoch: epoch[0] != "0")  # as the blotter makes them
LEGS = st.tuples(EPOCHS, st.integers(1, (1 << 36) - 1), st.integers(1, 1_023), st.integers(1, 1_023))


def rules(length: int, alphabet: str) -> VenueRules:
    return VenueRules(client_id_length=length, client_id_alphabet=alphabet)


def test_where_a_venue_takes_them_ids_read_as_order_leg_and_attempt() -> None:
    rule = id_rule("a", VenueRules())
    assert rule is readable_id
    assert [rule("k3f-7", 1, 1), rule("k3f-7", 2, 1), rule("k3f-7", 2, 3)] == ["k3f-7.1", "k3f-7.2", "k3f-7.2.3"]


def test_the_longest_readable_id_fits_the_length_that_is_asked_for() -> None:
    assert len(readable_id(f"{'z' * 11}-{10**10 - 1}", 1_023, 1_023)) <= 36


@pytest.mark.parametrize(
    ("length", "alphabet"), [(35, READABLE), (36, READABLE.replace(".", "")), (40, string.digits), (24, READABLE)]
)
def test_else_they_are_packed_into_the_venues_letters(length: int, alphabet: str) -> None:
    rule = id_rule("a", rules(length, alphabet))
    longest = rule("3w5e11264sgsf-68719476735", 1_023, 1_023)  # the greatest of all four
    assert len(longest) <= length
    assert set(longest) <= set(alphabet)
    assert len(rule("0-0", 0, 0)) == 1


@pytest.mark.parametrize(("length", "alphabet"), [(36, "0"), (36, ""), (36, "000"), (18, string.digits), (119, "01")])
def test_too_few_letters_are_refused(length: int, alphabet: str) -> None:
    with pytest.raises(BadPolicy, match="too few to tell all orders apart for ever, which takes 120 bits"):
        id_rule("a", rules(length, alphabet))


def test_a_hundred_and_twenty_bits_are_enough() -> None:
    assert len(id_rule("a", rules(120, "01"))("3w5e11264sgsf-68719476735", 1_023, 1_023)) == 120


@pytest.mark.parametrize(
    ("order_id", "number", "attempt"),
    [("k-68719476736", 1, 1), ("k-1", 1_024, 1), ("k-1", 1, 1_024), ("3w5e11264sgsg-1", 1, 1)],
)
def test_what_does_not_fit_is_an_error_and_never_somebody_elses_id(order_id: str, number: int, attempt: int) -> None:
    with pytest.raises(OverflowError, match=f"{order_id}, leg {number}, attempt {attempt}"):
        id_rule("a", rules(24, READABLE))(order_id, number, attempt)


@settings(max_examples=50, deadline=None)
@given(
    LEGS, LEGS, st.sampled_from([rules(36, READABLE), rules(24, READABLE), rules(40, string.digits), rules(120, "ab")])
)
def test_two_legs_never_share_an_id(
    one: tuple[str, int, int, int], other: tuple[str, int, int, int], at: VenueRules
) -> None:
    rule = id_rule("a", at)
    ids = [rule(f"{epoch}-{count}", number, attempt) for epoch, count, number, attempt in (one, other)]
    assert (ids[0] == ids[1]) == (one == other)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 30), st.integers(1, 30), st.integers(1, 30)), unique=True, min_size=2, max_size=12
    )
)
def test_nor_do_the_legs_and_attempts_of_one_epoch(legs: list[tuple[int, int, int]]) -> None:
    for at in (VenueRules(), rules(24, READABLE)):
        rule = id_rule("a", at)
        assert len({rule(f"k3f-{count}", number, attempt) for count, number, attempt in legs}) == len(legs)
