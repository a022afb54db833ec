"""Whatever stands in a configuration, it is either an application or a list of problems."""

import string
from pathlib import Path

from hypothesis import HealthCheck, given, settings, strategies as st

from ticktree import App, BadConfig, load

from .test_load import COMPLETE, MINE
from .test_locate import BARE, PLAIN, TEXTS, VALUES, documents, lists, tables
from .test_problems import BROKEN
from .test_secrets import EVERYWHERE

ALL = """\
[system]
loop = "asyncio"
journal = "orders.journal"
budget = "10s"
cpus = [0]

[feeds.kraken]
type = "kraken"
instruments = ["BTC-USD"]
kinds = ["book", "quote"]
record = "recordings"
stale_after = "5s"
on_bad = "skip"
backoff = { base = "1s", ceiling = "1m" }
url = "ws://127.0.0.1:9/"
rest_url = "http://127.0.0.1:9"
depth = 25

[feeds.market]
type = "simulated"
instruments = ["SOL-USDT", "BTC-USDT"]
listen = ["tcp://127.0.0.1:0"]
interval = "5ms"
correlation = 0.5
halts = [{ instrument = "BTC-USDT", step = 10, steps = 5 }]

[feeds.bare]
type = "records"
instruments = ["BTC-USDT"]
url = "tcp://127.0.0.1:5"
definitions = [{ name = "BTC-USDT", id = 7, price_increment = "0.01", size_increment = 0.0001 }]

[instruments.SOL-USDT]
price_increment = "0.01"
size_increment = 0.001
min_notional = 5
multiplier = "10"

[venues.paper]
type = "simulated"
prices = "market"
latency = { fixed = "5ms", jitter = "2ms" }
fees = { maker = "-0.0001", taker = 0.001 }
faults = { drop = 0.1, later = ["2ms", "1s"] }
patience = { ack = "2s", resets_after = 9 }

[routers.default]
policy = "all"
venues = ["paper", { venue = "paper", weight = 2, opposite = true }]
deadline = "1s"
compensation = { kind = "unwind", attempts = 2, within = "1s" }

[routers.other]
policy = "any"
venues = ["paper", { policy = "timeout", venues = ["paper"], deadline = "50ms" }]
deadline = "1s"

[strategies.momentum]
type = "momentum"
router = "default"
topics = ["market/*/quote"]
mailbox = { capacity = 7, overflow = "conflate", otherwise = "fail" }
params = { size = "3" }

[risk]
max_order_size = { "BTC-USDT" = 2, "*" = "1.5" }
max_open_exposure = { USDT = 50000.5 }
price_collar = 0.05
max_price_age = "5s"

[supervision]
strategy = "rest_for_one"
[supervision.feeds]
delay = { base = "1s", ceiling = "5s" }
[supervision.feeds.groups.pair]
members = ["kraken", "market"]

[relay]
listen = "ws://127.0.0.1:0/"
buffer = { capacity = 9 }

[operations]
socket = "my.sock"
metrics = "127.0.0.1:9464"
"""
TEXT = [COMPLETE, EVERYWHERE, ALL, *(text for text, _ in BROKEN.values())]
ODD = st.one_of(
    VALUES, PLAIN, TEXTS, lists(PLAIN), tables(TEXTS),
    st.sampled_from(["9" * 400, "1e400", "-nan", "inf", '"9e99999"', f'"{"9" * 5000}s"', '"\\u0000"', '"env:HOME"']),
)  # fmt: skip


@st.composite
def mutants(draw: st.DrawFn) -> str:
    """A configuration with a few of its lines changed."""
    lines = draw(st.sampled_from(TEXT)).splitlines()
    for _ in range(draw(st.integers(1, 4))):
        if not lines:
            break
        number = draw(st.integers(0, len(lines) - 1))
        key, equals, _value = lines[number].partition("=")
        match draw(st.sampled_from(["value", "value", "key", "gone", "twice", "moved", "cut"])):
            case "value" if equals:
                lines[number] = f"{key}= {draw(ODD)}"
            case "key" if equals:
                lines[number] = lines[number].replace(key.strip(), draw(BARE), 1)
            case "gone":
                del lines[number]
            case "twice":
                lines.insert(draw(st.integers(0, len(lines))), lines[number])
            case "moved":
                lines.insert(draw(st.integers(0, len(lines) - 1)), lines.pop(number))
            case "cut":
                lines[number] = lines[number][: draw(st.integers(0, len(lines[number])))]
            case _:
                pass
    return "\n".join(lines)


def either(content: bytes) -> App | BadConfig:
    path = Path("fuzzed.toml")
    path.write_bytes(content)
    try:
        return load(path)
    except BadConfig as error:
        found = error
    assert found.problems
    assert all(0 <= problem.line <= content.count(b"\n") + 1 for problem in found.problems)
    assert len(str(found).split("\n")) == len(found.problems)
    return found


quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@quick
@given(mutants())
def test_a_changed_configuration_is_an_application_or_a_list_of_problems(text: str) -> None:
    either(text.encode())


@quick
@given(documents())
def test_any_document_is(text: str) -> None:
    either(text.encode())


@quick
@given(st.one_of(st.binary(max_size=60), st.text(string.printable, max_size=60).map(str.encode)))
def test_anything_at_all_is(content: bytes) -> None:
    either(content)


def test_those_that_are_changed_were_applications(folder: Path) -> None:
    (folder / "my_strategy.py").write_text(MINE)
    for text in (COMPLETE, ALL):
        assert isinstance(either(text.encode()), App)
