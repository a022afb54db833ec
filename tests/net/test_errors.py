"""Errors name the address, and keep its secrets."""

import pytest

from ticktree.net import BadAddress, CannotListen, NetError, Oversize, TlsFailed, TokenNeeded

SECRET = "wss://me:hunter2@example.org/ws?token=hunter2#hunter2"


@pytest.mark.parametrize("error", [BadAddress(SECRET, "x"), CannotListen(SECRET, "x"), TlsFailed(SECRET, "x")])
def test_no_error_carries_a_secret(error: BadAddress | CannotListen | TlsFailed) -> None:
    assert "hunter2" not in f"{error}{error!r}{vars(error)}"
    assert "example.org/ws" in str(error)


def test_a_missing_token_says_where_to_give_it() -> None:
    assert "token=" in str(TokenNeeded("tcp://0.0.0.0:1"))


def test_a_bad_frame_carries_its_place_and_first_bytes() -> None:
    error = Oversize(1000, bytes(range(32)), 70_000, 65_536)
    assert (error.offset, error.length, error.bound, len(error.head)) == (1000, 70_000, 65_536, 16)
    assert "00 01 02" in str(error)
    assert isinstance(error, NetError)
