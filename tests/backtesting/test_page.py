"""The page of a back-test: whole, closed to everything else, and drawn as it says."""

import re
import shutil
import subprocess
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from ticktree.actors.extras import library
from ticktree.backtesting.charts import PageData, page_data
from ticktree.backtesting.definitions import DEFINITIONS
from ticktree.backtesting.page import page
from ticktree.backtesting.result import Outcome
from ticktree.backtesting.statistics import statistics

from .outcomes import Street, busy

VOID = {"meta", "br", "link", "img", "input", "hr"}
ATTACK = '</script><script>document.title="gone"</script><img src=x onerror=alert(1)>'
PLOTLY: str = library("plotly.offline", "this test").get_plotlyjs()
CHROMIUM = shutil.which("chromium")


class Elements(HTMLParser):
    """What stands in a page; each must end where it should."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open = list[tuple[str, str]]()  # by tag and id
        self.tags = list[tuple[str, dict[str, str | None]]]()
        self.texts = dict[str, str]()  # by id, and by name for those without
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append((tag, dict(attrs).get("id") or tag))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            name = self.open[-1][1]
            self.texts[name] = self.texts.get(name, "") + data

    def values(self, attribute: str) -> list[str]:
        return [value for _, attributes in self.tags if (value := attributes.get(attribute)) is not None]


def made(outcome: Outcome) -> str:
    return page(outcome, statistics(outcome))


def without_library(text: str) -> str:
    assert PLOTLY in text
    return text.replace(PLOTLY, "")


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    return busy().outcome(warnings=("no trades in the data",))


@pytest.fixture(scope="module")
def whole(outcome: Outcome) -> str:
    return made(outcome)


@pytest.fixture(scope="module")
def text(whole: str) -> str:
    return without_library(whole)


def test_its_data_are_those_of_the_outcome(text: str, outcome: Outcome) -> None:
    data = msgspec.json.decode(Elements(text).texts["data"], type=PageData)
    assert data == page_data(outcome, statistics(outcome))


def test_every_element_ends_where_it_should_and_every_id_is_one_thing(text: str) -> None:
    assert text.startswith('<!DOCTYPE html>\n<html lang="en">')
    elements = Elements(text)
    ids = elements.values("id")
    assert len(ids) == len(set(ids))
    assert "{{" not in text
    for reference in [*elements.values("aria-labelledby"), *elements.values("for")]:
        assert reference in ids
    for link in elements.values("href"):
        assert link.startswith("#")
        assert link[1:] in ids


def test_it_asks_for_nothing_from_anywhere(text: str) -> None:
    assert re.findall(r"(?:https?:)?//[a-z]", re.sub(r"//\s.*", "", text)) == []
    elements = Elements(text)
    assert elements.values("src") == elements.values("srcset") == elements.values("action") == []
    assert {tag for tag, _ in elements.tags} & {"link", "img", "iframe", "object", "base", "form"} == set()
    assert "@import" not in text
    assert "url(" not in text


def test_no_other_script_than_its_own_may_run(whole: str) -> None:
    (policy,) = re.findall(r'<meta http-equiv="Content-Security-Policy" content="(.*?)">', whole)
    scripts = re.findall(r"<script>(.*?)</script>", whole, re.DOTALL)
    hashes = [b64encode(sha256(script.encode()).digest()).decode() for script in scripts]
    assert len(hashes) == 2
    assert f"script-src {' '.join(f'&#x27;sha256-{one}&#x27;' for one in hashes)};" in policy
    assert policy.startswith("default-src &#x27;none&#x27;;")


def test_no_text_of_the_users_becomes_markup() -> None:
    street = busy(strategies=(ATTACK,), names=("BTC-USDT",))
    ordinary = Elements(without_library(made(busy(strategies=("a",)).outcome(warnings=("w",), incomplete="i"))))
    outcome = street.outcome(config=ATTACK, warnings=(ATTACK,), incomplete=ATTACK)
    attacked = Elements(without_library(made(outcome)))
    assert [tag for tag, _ in attacked.tags] == [tag for tag, _ in ordinary.tags]
    assert ATTACK not in without_library(made(outcome))
    assert msgspec.json.decode(attacked.texts["data"], type=PageData).money[0].strategy == ATTACK
    assert attacked.texts["h1"] == ATTACK


def test_what_was_assumed_and_what_is_wrong_stand_before_the_charts(text: str) -> None:
    for said in (
        "is there to take, once;",
        "20 ms there, 20 ms back",
        "maker 1 bp, taker 5 bp",
        "no trades in the data",
        "Batch window",
        "Seed",
    ):
        assert said in text
        assert text.index(said) < text.index('id="course-chart"')
    incomplete = without_library(made(busy().outcome(incomplete="its feed failed")))
    assert "It did not come to its end" in incomplete
    assert "INCOMPLETE: its feed failed" in incomplete
    assert 'class="banner"' not in without_library(made(busy().outcome()))


def test_every_statistic_leads_to_what_it_means(text: str) -> None:
    elements = Elements(text)
    links = {(attributes.get("href"), attributes.get("title")) for tag, attributes in elements.tags if tag == "a"}
    known = {(f"#means-{one.anchor}", one.means) for one in DEFINITIONS}
    assert links <= known
    assert len(links) >= len(known) - 2  # no share without a capital, and no recovery
    for one in DEFINITIONS:
        assert f'<div id="means-{one.anchor}"><dt>{one.label}</dt>' in text


def test_it_can_be_read_without_seeing_it(text: str) -> None:
    elements = Elements(text)
    assert elements.texts["title"] == "Back-test of maker, momentum"
    assert [tag for tag, _ in elements.tags if tag in ("h1", "main", "header", "footer")] == [
        "header", "h1", "main", "footer",
    ]  # fmt: skip
    for tag, attributes in elements.tags:
        if attributes.get("class") == "chart":
            assert attributes["role"] == "img"
            assert attributes["aria-label"]
        if tag == "th":
            assert attributes["scope"] in ("col", "row", "rowgroup")
    assert text.count("<table>") == text.count("<caption>") == text.count("<thead>") > 3


def test_it_says_its_digest_orders_feeds_and_files(text: str) -> None:
    for said in ("5f" * 32, "filled", "canceled", "day.rec", "1,234,567 ticks", "234,567", "its time was over"):
        assert said in text


def test_a_back_test_without_orders_has_a_page() -> None:
    text = without_library(made(Street().outcome()))
    assert "Nothing was ordered." in text
    assert "slippage-chart" not in text.partition("<script")[0]
    Elements(text)


@pytest.mark.skipif(CHROMIUM is None, reason="needs the browser chromium")
def test_a_browser_draws_every_fill_and_finds_nothing_wrong(tmp_path: Path) -> None:
    assert CHROMIUM is not None
    street = busy(strategies=("maker", ATTACK), names=("BTC-USDT", "ES-USD"))
    (tmp_path / "page.html").write_text(made(street.outcome(warnings=(ATTACK,))))
    options = ("headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
               "disable-component-update", "disable-sync", f"user-data-dir={tmp_path / 'profile'}",
               "enable-logging=stderr", "virtual-time-budget=5000", "dump-dom")  # fmt: skip
    command = [CHROMIUM, *(f"--{option}" for option in options), (tmp_path / "page.html").as_uri()]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    course = ran.stdout.partition('id="course-chart"')[2].partition("<figcaption>")[0]
    assert 'data-drawn="yes"' in ran.stdout
    assert "<svg" in course
    assert course.count('class="point plotly-customdata"') == len(street.fills)
    assert ran.stdout.count('class="main-svg"') >= 3
    assert [line for line in ran.stderr.splitlines() if "CONSOLE" in line] == []
    assert "<title>gone</title>" not in ran.stdout
    # plotly's own choice of buttons has one that opens its makers' site with the chart in it
    assert set(re.findall(r'data-title="(.*?)"', ran.stdout)) == {
        "Download plot as a PNG", "Zoom", "Pan", "Zoom in", "Zoom out", "Reset axes",
    }  # fmt: skip
