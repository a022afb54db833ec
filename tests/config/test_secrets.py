"""What is secret is found where the configuration says, and shown nowhere."""

import logging
import traceback
from pathlib import Path

import pytest
from click.testing import CliRunner

from ticktree import App, BadConfig, load
from ticktree.app import FeedPart, GatewayPart, TcpVenuePart
from ticktree.cli import main
from ticktree.config.secrets import BadSecret, is_secret, secret
from ticktree.distribution import Hub
from ticktree.feeds import WireFeed
from ticktree.feeds.source import Source

from .support import loaded, problems, written

VALUE = "hunter2-is-the-value"

EVERYWHERE = """\
[system]
journal = "orders.journal"

[feeds.upstream]
type = "relay"
instruments = ["BTC-USDT"]
url = "tcp://127.0.0.1:7001"
token = "env:FEED_TOKEN"

[venues.alpha]
type = "tcp"
url = "tcp://127.0.0.1:7100"
account = "one"
token = "file:secrets/alpha"

[venues.beta]
type = "private:Gate"
api_key = "env:FEED_TOKEN"

[routers.default]
policy = "any"
venues = ["alpha", "beta"]
deadline = "1s"

[routers.private]
policy = "private:Worker"
venues = ["alpha"]
token = "env:FEED_TOKEN"

[strategies.private]
type = "private:Private"
router = "private"
params = { password = "env:FEED_TOKEN" }

[relay]
listen = "tcp://0.0.0.0:7001"
token = "env:FEED_TOKEN"
"""

PRIVATE = """\
import attrs
import msgspec
from ticktree import Strategy
from ticktree.routing import VenueRules

class Params(msgspec.Struct, frozen=True):
    password: str

class Private(Strategy[Params]):
    topics = ("*/BTC-USDT/quote",)

@attrs.frozen
class Worker:
    venues: tuple[str, ...]
    token: str

    async def execute(self, order, legs): ...

class Gate:
    def __init__(self, api_key: str, verbose: bool = False) -> None:
        if verbose:
            raise ValueError(f"{api_key} is no key")
        assert type(api_key) is str
        self.api_key = api_key

    rules = property(lambda self: VenueRules())
    account = property(lambda self: "me")

    def start(self, *args): ...
    async def stop(self): ...
    reset = submit = cancel = replace = query = query_fills = query_account = query_quote = start
"""


@pytest.fixture
def hidden(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The secrets are there, in the environment and in a file."""
    monkeypatch.setenv("FEED_TOKEN", VALUE)
    (folder / "secrets").mkdir()
    path = folder / "secrets" / "alpha"
    path.touch(0o600)
    path.write_text(f"{VALUE}\n")
    (folder / "private.py").write_text(PRIVATE)
    return path


@pytest.mark.parametrize(
    "name", ["token", "password", "secret", "api_key", "apikey", "key", "api_secret", "passphrase", "credentials"]
)
def test_such_names_are_of_secrets(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize("name", ["url", "tokens_a_second", "keyboard", "instrument", "account", "max_key_size"])
def test_such_names_are_not(name: str) -> None:
    assert not is_secret(name)


def test_a_secret_reaches_who_needs_it(hidden: Path) -> None:
    app = loaded(EVERYWHERE)
    feed, (alpha, beta), (strategy,) = app.feeds[0], app.venues, app.strategies
    assert isinstance(feed, FeedPart)
    assert isinstance(alpha, TcpVenuePart)
    assert isinstance(beta, GatewayPart)
    made = feed.make(Source("upstream", feed.topics, Hub()))
    assert isinstance(made, WireFeed)
    assert vars(made)["_token"] == VALUE
    assert alpha.token == VALUE
    assert vars(beta.make())["api_key"] == VALUE
    assert getattr(strategy.params, "password") == VALUE  # noqa: B009  # of a class that is written here
    assert app.relay is not None
    assert app.relay.token == VALUE
    assert getattr(app.routers[1].policy, "token") == VALUE  # noqa: B009  # likewise


def test_it_is_never_shown(hidden: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    path = written(EVERYWHERE)
    app = load(path)
    assert isinstance(app, App)
    ran = CliRunner().invoke(main, ["check", str(path)])
    assert ran.exit_code == 0, ran.output
    for text in (repr(app), str(app), ran.output, caplog.text, *map(repr, app.feeds)):
        assert VALUE not in text


def test_a_plug_in_that_tells_it_is_not_repeated(hidden: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(EVERYWHERE.replace('api_key = "env', 'verbose = true\napi_key = "env'))
    with pytest.raises(BadConfig) as caught:
        load(path)
    assert str(caught.value) == "app.toml:16: venues.beta: *** is no key"
    told = "".join(traceback.format_exception(caught.value))
    ran = CliRunner().invoke(main, ["check", str(path)])
    assert ran.exit_code == 2
    for text in (told, repr(caught.value), repr(caught.value.problems), ran.output, *capsys.readouterr()):
        assert VALUE not in text


def test_a_secret_among_the_options_of_a_policy_is_refused_where_it_is_written_down(hidden: Path) -> None:
    (line,) = problems(
        EVERYWHERE.replace('token = "env:FEED_TOKEN"\n\n[strategies', f'token = "{VALUE}"\n\n[strategies')
    )
    assert "routers.private.token: a secret is written where it can be found" in line
    assert VALUE not in line


LITERAL = [f'"{VALUE}"', '"env:"', '"environment:X"', "5", f'["{VALUE}"]', f'{{ a = "{VALUE}" }}']


@pytest.mark.parametrize("literal", LITERAL)
def test_a_secret_that_is_written_down_is_refused_and_not_repeated(literal: str, hidden: Path) -> None:
    text = EVERYWHERE.replace('token = "file:secrets/alpha"', f"token = {literal}")
    assert problems(text) == [
        'app.toml:14: venues.alpha.token: a secret is written where it can be found, as "env:NAME" or "file:PATH"; its '
        "value never stands here"
    ]


def test_each_way_to_find_none_is_told_without_it(hidden: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = hidden.parent.parent
    monkeypatch.setenv("EMPTY", "")
    hidden.chmod(0o640)
    for name, content in (("empty", b"\n"), ("binary", b"\xff\xfe"), ("long", b"x" * 70_000)):
        path = hidden.with_name(name)
        path.touch(0o600)
        path.write_bytes(content)
    said = {
        "env:NOT_THERE": 'the environment has no NOT_THERE: export NOT_THERE=..., or name a file: "file:PATH"',
        "env:EMPTY": 'the environment has no EMPTY: export EMPTY=..., or name a file: "file:PATH"',
        "file:secrets/alpha": "secrets/alpha is open to others (mode 0640): chmod 600 secrets/alpha",
        "file:secrets/none": "secrets/none cannot be read: No such file or directory",
        "file:secrets": "secrets is no file",
        "file:/dev/null": "/dev/null is no file",
        "file:~nobody-of-that-name/x": "~nobody-of-that-name/x cannot be read: no such file",
        "file:secrets/empty": "secrets/empty is empty",
        "file:secrets/binary": "secrets/binary cannot be read as text",
        "file:secrets/long": "secrets/long is too long for a secret",
    }
    for written_as, message in said.items():
        with pytest.raises(BadSecret) as caught:
            secret(written_as, folder)
        assert str(caught.value) == message
