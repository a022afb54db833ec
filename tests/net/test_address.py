"""Where to connect to, or to listen."""

import pytest

from ticktree.net import Address, BadAddress

GOOD = [
    ("tcp://127.0.0.1:9000", "127.0.0.1", 9000, ""),
    ("tcp://[::1]:9000", "::1", 9000, ""),
    ("tls://prices.example.org:443", "prices.example.org", 443, ""),
    ("unix:///run/ticktree/bus.sock", "", 0, "/run/ticktree/bus.sock"),
    ("ws://example.org", "example.org", 80, "/"),
    ("wss://example.org", "example.org", 443, "/"),
    ("wss://example.org:9443/ws?streams=a/b&c=%20", "example.org", 9443, "/ws?streams=a/b&c=%20"),
    ("ws://example.org?x=1", "example.org", 80, "/?x=1"),
]


@pytest.mark.parametrize(("url", "host", "port", "path"), GOOD)
def test_an_address_is_taken_apart(url: str, host: str, port: int, path: str) -> None:
    address = Address.parse(url)
    assert (address.url, address.host, address.port, address.path) == (url, host, port, path)
    assert address.scheme == url.partition(":")[0]


BAD = [
    "", "host:1", "http://host:1", "tcp://host", "tcp://:5", "tcp://host:x", "tcp://host:99999", "tcp://h:1/x",
    "tcp://h:1?x", "tls://host", "unix://relative", "unix://host/path", "unix:///", "unix:///a?b", "ws://", "ws:///x",
    "ws://h:0x50/", "wss://h/#here", "wss://h/a b", "wss://h/\n", "ws://h/é", "tcp://[::1:5", "tcp://h:1\x00",
]  # fmt: skip


@pytest.mark.parametrize("url", BAD)
def test_what_is_no_address_is_refused_and_told_what_one_looks_like(url: str) -> None:
    with pytest.raises(BadAddress, match="tcp://host:port"):
        Address.parse(url)


@pytest.mark.parametrize(
    ("url", "is_loopback"),
    [
        ("tcp://127.0.0.1:1", True),
        ("tcp://127.8.8.8:1", True),
        ("tcp://[::1]:1", True),
        ("ws://localhost", True),
        ("unix:///x", True),
        ("tcp://0.0.0.0:1", False),
        ("tcp://[::]:1", False),
        ("tcp://10.0.0.1:1", False),
        ("tcp://localhost.example.org:1", False),
    ],
)
def test_loopback_is_known_by_number_and_by_its_one_name(url: str, is_loopback: bool) -> None:
    assert Address.parse(url).is_loopback is is_loopback


def test_a_query_may_be_a_secret_and_is_not_shown() -> None:
    address = Address.parse("wss://example.org/ws?token=hunter2")
    assert str(address) == "wss://example.org/ws?..."
    assert "hunter2" not in repr(address)


def test_a_password_is_refused_and_not_shown() -> None:
    with pytest.raises(BadAddress) as caught:
        Address.parse("wss://me:hunter2@example.org/ws")
    assert "hunter2" not in str(caught.value) + caught.value.url


def test_a_bound_address_names_the_socket() -> None:
    assert Address.parse("ws://localhost:0/x?y").bound("::1", 5) == "ws://[::1]:5/x?y"


def test_the_scheme_says_what_travels() -> None:
    told = [(Address.parse(url).is_tls, Address.parse(url).is_websocket) for url, *_ in GOOD]
    assert told[0] == (False, False)
    assert told[2] == (True, False)
    assert told[4] == (False, True)
    assert told[5] == (True, True)
