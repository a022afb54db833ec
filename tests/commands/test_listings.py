"""`ticktree feeds`, `strategies` and `venues`: what is installed, what it takes, and lines that can be pasted."""

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.packages import Packages, packages
from ticktree.cli import main
from ticktree.config import load

OURS = {
    "feeds": ("binance", "coinbase", "dialect", "kraken", "records", "relay", "simulated"),
    "strategies": ("arbitrage", "market_maker", "momentum", "pairs", "risk_monitor", "twap"),
    "venues": ("simulated", "tcp"),
}
EACH = [(what, name) for what, names in OURS.items() for name in names]

PASTE = "In a configuration:\n"
BINANCE = '[feeds.binance]\ntype = "simulated"\n\n'
AROUND = """
[system]
journal = "orders.journal"

[venues.paper]
type = "simulated"
prices = "binance"

[routers.default]
policy = "timeout"
venue = "paper"
deadline = "250ms"

"""
Reading = Callable[[str], str]

ACME = '''
"""Shapes as a feed."""

from ticktree.feeds import Feed


class Acme(Feed):
    """Brings circles.

    radius         of each
    pause_s, wai*  between two of them, and
                   before the first
    """

    def __init__(self, source, url="wss://acme.example", *, radius: float, pause_s: float = 0.25, wait: bool = False,
                 api_key: str = "", colours: tuple[str, ...] = ("red", "blue")):
        super().__init__(source, url)

    def subscribe_frames(self, topics): return ()
    def decode(self, frame, received_ns): return ()
'''
MINE = '''
"""Mine."""

from typing import Annotated, Literal

from msgspec import Meta, Struct
from ticktree import Mailbox, Strategy
from ticktree.actors import DropNewest


class Params(Struct, frozen=True):
    """What it may be told."""

    size: Annotated[str, Meta(description="of each order")]
    side: Literal["buy", "sell"] = "buy"
    limits: dict[str, float] = {}


class Mine(Strategy[Params]):
    """Does nothing."""

    mailbox = Mailbox(10, DropNewest())


class Other(Strategy):
    """Does nothing either."""

    topics = ("a/*/trade",)
'''


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def pasted(text: str) -> str:
    """What is to be pasted into a configuration."""
    return text.split(PASTE)[1]


def uncommented(text: str) -> str:
    """The same, with all that may be left out."""
    return pasted(text).replace("\n# ", "\n")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Packages]:
    with packages(tmp_path, monkeypatch, "ticktree.feeds") as place:
        yield place


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Packages]:
    with packages(tmp_path, monkeypatch, "ticktree.strategies") as place:
        place.install("mine", "mine = mine_module:Mine\nother = mine_module:Other", MINE)
        yield place


@pytest.mark.parametrize("what", OURS)
def test_the_list_has_each_name_where_it_leads_and_what_it_says_of_itself(what: str) -> None:
    result = run(what)
    assert result.exit_code == 0, result.output
    assert "BROKEN" not in result.output
    listed = [line.split()[0] for line in result.output.splitlines() if line and line[0] not in " `"]
    assert set(listed) >= set(OURS[what])
    assert listed == sorted(listed)
    assert result.output.count(" of ticktree ") >= len(OURS[what])


@pytest.mark.parametrize(("what", "name"), EACH)
def test_each_of_ours_is_told_in_100_columns_with_lines_to_paste(what: str, name: str) -> None:
    result = run(what, name)
    assert result.exit_code == 0, result.output
    told = result.output.split(PASTE)[0].splitlines()
    assert max(map(len, told)) <= 100


@pytest.mark.parametrize(("what", "name"), EACH)
@pytest.mark.parametrize("reading", [pasted, uncommented])
def test_what_is_to_be_pasted_is_a_configuration(
    what: str, name: str, reading: Reading, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{name.upper()}_TOKEN", "secret")
    monkeypatch.setattr(sys, "path", [*sys.path])  # the folder of a configuration is appended to it
    file = tmp_path / "config.toml"
    file.write_text(AROUND + ("" if name == "binance" else BINANCE) + reading(run(what, name).output))
    app = load(file)
    assert name in {part.name for part in (*app.feeds, *app.venues, *app.strategies)}


def test_what_a_configuration_cannot_make_is_for_code_alone(place: Packages) -> None:
    place.install("acme", "acme = acme_module:Acme", ACME.replace("radius: float", "radius: object"))
    told = run("feeds", "acme").output
    assert "only from code  it is made with radius" in told
    assert PASTE not in told


def test_a_feed_tells_its_kinds_and_its_default_address() -> None:
    told = run("feeds", "kraken").output
    assert "kinds     quote, trade, book, status\n" in told
    assert '"wss://ws.kraken.com"' in told
    assert "depth     a whole number  1000" in told
    assert tomllib.loads(uncommented(told))["feeds"]["kraken"]["depth"] == 1_000


def test_a_strategy_tells_its_topics_its_mailbox_and_its_parameters(mine: Packages) -> None:
    told = run("strategies", "mine").output
    assert "topics    none of its own" in told
    assert 'mailbox   { capacity = 10, overflow = "drop_newest" }' in told
    assert "needed  of each order" in told
    assert "  What it may be told.\n" in told
    assert tomllib.loads(pasted(told))["strategies"]["mine"] == {
        "type": "mine", "topics": ["*/BTC-USDT/quote"], "params": {"size": "SIZE"}
    }  # fmt: skip
    assert tomllib.loads(uncommented(told))["strategies"]["mine"]["params"] == {
        "size": "SIZE",
        "side": "buy",
        "limits": {},
    }


def test_one_without_parameters_says_so(mine: Packages) -> None:
    told = run("strategies", "other").output
    assert "It has no options of its own." in told
    assert "params]" not in told
    assert tomllib.loads(pasted(told)) == {"strategies": {"other": {"type": "other"}}}


def test_options_are_written_as_a_configuration_writes_them(place: Packages) -> None:
    place.install("acme", "acme = acme_module:Acme", ACME)
    told = run("feeds", "acme").output
    assert re.search(r"radius +a number +needed +of each\n", told)
    assert " ".join(told.split()).count("between two of them, and before the first") == 2
    acme = tomllib.loads(uncommented(told))["feeds"]["acme"]
    assert acme["pause"] == "250ms"
    assert acme["api_key"] == "env:ACME_API_KEY"
    assert acme["colours"] == ["red", "blue"]
    assert acme["wait"] is False
    assert tomllib.loads(pasted(told))["feeds"]["acme"].keys() == {"type", "instruments", "radius"}


def test_a_module_speaks_for_its_one_plugin_and_classes_for_themselves(place: Packages, mine: Packages) -> None:
    place.install("acme", "acme = acme_module:Acme", ACME)
    assert "acme       Shapes as a feed.\n" in run("feeds").output
    strategies = run("strategies").output
    assert "mine          Does nothing.\n" in strategies
    assert "other         Does nothing either.\n" in strategies


@pytest.mark.parametrize("source", ["import no_such_module", "import sys; sys.exit(7)", "class Acme: pass", "(", ""])
def test_a_broken_one_is_listed_as_broken_and_hides_no_other(place: Packages, source: str) -> None:
    place.install("acme", "acme = acme_module:Acme", source)
    result = run("feeds")
    assert result.exit_code == 0
    assert "acme       BROKEN: acme_module:Acme of acme 1.0 " in result.output
    assert "kraken     Kraken" in result.output
    entries = {entry["name"]: entry for entry in json.loads(run("feeds", "--json").output)["entries"]}
    assert entries["acme"]["problem"]
    assert not entries["kraken"]["problem"]


def test_a_broken_one_that_is_asked_for_fails_with_the_reason(place: Packages) -> None:
    place.install("acme", "acme = acme_module:Acme", "import nowhere_to_be_found")
    result = run("feeds", "acme")
    assert result.exit_code == 1
    assert "acme_module:Acme of acme 1.0 cannot be imported: ModuleNotFoundError" in result.output


@pytest.mark.parametrize(
    ("what", "name", "near"),
    [("feeds", "krakn", "kraken"), ("strategies", "momentun", "momentum"), ("venues", "simulatd", "simulated")],
)
def test_an_unknown_name_is_wrong_usage_and_answered_with_the_nearest(what: str, name: str, near: str) -> None:
    result = run(what, name)
    assert result.exit_code == 2
    assert f"did you mean '{near}'?" in result.output


def test_one_that_two_packages_claim_is_wrong_usage(place: Packages) -> None:
    place.install("acme", "acme = acme_module:Acme", ACME)
    place.install("zenith", "acme = zenith_module:Zenith", ACME)
    assert "BROKEN: several packages claim it" in run("feeds").output
    assert run("feeds", "acme").exit_code == 2


def test_what_a_plugin_prints_when_it_is_imported_does_not_mix_with_the_answer(place: Packages) -> None:
    place.install("acme", "acme = acme_module:Acme", f"print('here I am')\n{ACME}")
    result = run("feeds", "acme", "--json")
    assert json.loads(result.stdout)["name"] == "acme"
    assert "here I am" in result.stderr


def test_json_has_the_same(place: Packages) -> None:
    place.install("acme", "acme = acme_module:Acme", ACME)
    told = json.loads(run("feeds", "acme", "--json").output)
    assert told["leads_to"] == "acme_module:Acme of acme 1.0"
    assert {option["name"]: option["default"] for option in told["options"]}["radius"] is None


def test_a_class_of_this_folder_is_found_by_its_module(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MINE)
    command = [sys.executable, "-P", "-m", "ticktree", "strategies", "mine:Mine"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == 0, run.stderr
    assert tomllib.loads(pasted(run.stdout))["strategies"]["mine"]["type"] == "mine:Mine"
