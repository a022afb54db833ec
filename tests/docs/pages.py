"""What each page takes for granted when its code is run; and what of it is run elsewhere, or is no code."""

import asyncio
from collections.abc import Iterable, Iterator
from pathlib import Path

import attrs

from ticktree import load
from ticktree.actors import ChildSpec, Supervisor
from ticktree.app import Assembly, assemble
from ticktree.backtesting.running import Manner, prepared

from ..recordings import FOLDER
from .blocks import Block, blocks
from .stage import LIVE, Page, Stage
from .typed import until

ROOT = Path(__file__).parents[2]
PATHS = {path.name: path for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))}


# --- what is not run on its page --------------------------------------------------------------------------------------


@attrs.frozen
class Elsewhere:
    """Blocks of a page in `language`, or commands, that begin so.

    tests  who runs them: test functions, or a file of this repository
    why    what they are, where they are no code
    """

    page: str
    begins: str
    tests: tuple[str, ...] = ()
    why: str = ""
    language: str = ""

    def is_for(self, block: Block, text: str) -> bool:
        """Whether it is this block, or this command of it."""
        return self.page == block.page and text.startswith(self.begins) and self.language in ("", block.language)


MADE = ".ci/run"
DEMO = (
    "test_demo_trades_loses_a_feed_and_a_line_mends_itself_and_ends",
    "test_the_two_commands_of_the_readme_are_targets_of_the_makefile",
)
HERE = ("test_every_block_of_a_page_runs",)  # with the README, or at the page's end
PART = "test_every_block_of_code_is_part_of_the_example", "test_the_installed_feed_passes_its_own_tests"
SPOKEN = ("test_an_example_is_read_and_written_as_it_stands",)
ELSEWHERE = (
    Elsewhere("README.md", "make demo", DEMO),
    Elsewhere("README.md", "make test", (MADE,)),
    Elsewhere("tutorial.md", "make setup", (MADE,)),
    Elsewhere("tutorial.md", ". .venv/bin/activate", why="it concerns a shell alone"),
    Elsewhere("tutorial.md", "pytest -q", ("test_its_own_tests_pass_as_it_was_made",)),
    Elsewhere("add-a-feed.md", "", PART, language="python"),
    Elsewhere("add-a-feed.md", "", PART, language="toml"),
    Elsewhere("wire-protocol.md", "", SPOKEN, language="json"),
    Elsewhere("wire-protocol.md", "", ("test_the_frame_of_the_page_is_what_is_said_of_it",), language="hex"),
    Elsewhere("wire-protocol.md", "ticks that came", why="an equation"),
    Elsewhere(
        "order-entry-protocol.md", "", ("test_an_example_is_what_is_said_of_it_is_read_and_is_written",), language="hex"
    ),
    Elsewhere("execution.md", "NEW -> SENT", why="a picture"),
    Elsewhere("processes.md", "exchange ──>", why="a picture"),
    Elsewhere("rehearse.md", "ticktree rehearse examples/rehearsal.toml", HERE),
    Elsewhere("performance.md", "make bench", ("test_each_benchmark_prints_well_formed_lines",)),
    Elsewhere("performance.md", "make performance", ("test_the_page_and_its_pictures_are_those_of_the_newest_run",)),
    Elsewhere("performance.md", "[system]\ncpus", ("test_a_system_stays_on_its_cpus",)),
    Elsewhere("performance.md", "[system]\npreload", ("test_who_preloads_it_themselves_gets_the_same",)),
    Elsewhere("performance.md", "[strategies.maker]\nhand_off", ("test_a_strategy_with_all_its_keys",)),
    Elsewhere("performance.md", "sysctl", why="it concerns the kernel alone"),
    Elsewhere("data.md", "ticktree ticks 1", HERE),
    Elsewhere("supervision.md", "ticktree  ", HERE),
)


def elsewhere(block: Block, text: str) -> bool:
    """Whether `text`, the block or a command of it, is not run on its page."""
    return any(one.is_for(block, text) for one in ELSEWHERE)


# --- what pages presume -----------------------------------------------------------------------------------------------


def program(page: str, number: int = 0) -> str:
    """One of a page."""
    return [block.text for block in blocks(PATHS[page]) if block.language == "python"][number]


def fragment(page: str) -> str:
    """The first configuration of a page."""
    return next(block.text for block in blocks(PATHS[page]) if block.language == "toml")


def quotes(rows: int = 200) -> str:
    """A table of them, in waves: enough for anybody to trade."""
    lines = ["time,instrument,bid,bid_size,ask,ask_size"]
    for row in range(rows):
        bid = 60_000 + abs(row % 40 - 20) / 4
        lines.append(f"2024-01-31T00:00:{row * 0.1:09.6f}Z,BTC-USDT,{bid},2,{bid + 0.01:.2f},2")
    return "\n".join(lines) + "\n"


def recorded_exchanges(stage: Stage) -> None:
    """Those that `examples/rehearsal.toml` is for."""
    for file in sorted(FOLDER.glob("*.jsonl.gz")):
        stage.link(f"recordings/{file.name}", file)
    stage.link("kraken.jsonl.gz", FOLDER / "kraken.jsonl.gz")
    stage.write("examples/rehearsal.toml", (ROOT / "examples" / "rehearsal.toml").read_text())


MARKET = """
[feeds.market]
type = "simulated"
instruments = ["BTC-USDT"]
kinds = ["quote"]

[venues.paper]
type = "simulated"
prices = "market"

[routers.default]
policy = "timeout"
venue = "paper"
deadline = "250ms"

[strategies.momentum]
type = "momentum"
params = { fast = 2, slow = 30 }
"""


def data_of_backtest(stage: Stage) -> None:
    """A configuration, and tables for it."""
    stage.write("app.toml", MARKET)
    stage.write("btc.csv", quotes())
    stage.write("recordings/btc.csv", quotes())


def wrong(stage: Stage) -> None:
    """A configuration with two mistakes, at the lines that are shown."""
    lines = '[feeds.binance]\ntype = "binance"\ninstrments = ["BTC-USDT"]\n' + "\n" * 9 + "[system]\nbudget = 10\n"
    stage.write("app.toml", lines)
    stage.write("fine.toml", MARKET)
    stage.write("btc.csv", quotes())
    stage.write("my_strategy.py", program("index.md"))
    (stage.folder / "secrets").mkdir()
    (stage.folder / "secrets" / "alpha").touch(0o600)
    stage.write("secrets/alpha", "x")


def recorded_live(stage: Stage) -> None:
    """What can be recorded without a network: an exchange that was recorded."""
    url = (FOLDER / "binance.jsonl.gz").as_uri()
    feed = f'[feeds.binance]\ntype = "binance"\ninstruments = ["NKN-USDT"]\nurl = "{url}"\n'
    stage.write("live.toml", feed)


def an_outcome(stage: Stage) -> None:
    """The program of the page on statistics looks at one."""
    data_of_backtest(stage)
    outcome = prepared(load("app.toml"), ("btc.csv",), Manner(), "app.toml").run()
    stage.names["look"](outcome)


TWO_VENUES = """
[feeds.binance]
type = "simulated"
[feeds.feed_a]
type = "simulated"
[feeds.feed_b]
type = "simulated"
[venues.a]
type = "simulated"
prices = "feed_a"
[venues.b]
type = "simulated"
prices = "feed_b"
"""


def kraken(stage: Stage) -> None:
    """The exchange, as it was recorded."""
    if FOLDER.exists():
        stage.serve("kraken")


def first_line_of_ticks(stage: Stage) -> None:
    """It is what the page shows of it."""
    (shown,) = (block for block in stage.shown if block.language == "text")
    with (stage.folder / "day.ticks").open("rb") as file:
        first = file.readline().decode()
    assert first.split() == shown.text.split(), first


def drawn_tree(stage: Stage) -> None:
    """It is the one there is, with each place below its own."""
    drawn, above = list[str](), list[str]()
    for line in stage.shown[0].text.splitlines()[1:]:
        place, depth = line.split()[0], (len(line) - len(line.lstrip())) // 2
        above = [*above[: depth - 1], place]
        drawn.append("/".join(above))
    stage.write("least.toml", MARKET)
    there = list(places(assemble(load("least.toml")).tree.children))
    assert drawn == there, there


def places(children: Iterable[ChildSpec | Supervisor], above: str = "") -> Iterator[str]:
    """Paths in a tree, in the order in which they are started."""
    for child in children:
        yield f"{above}{child.id}"
        if isinstance(child, Supervisor):
            yield from places(child.children, f"{above}{child.id}/")


def trade_at_the_venues(stage: Stage) -> None:
    """What the page serves, and who trades there, in one loop."""
    config = next(path for path in stage.folder.glob("processes.md-*.toml"))
    asyncio.run(_trade(assemble(stage.names["app"]), assemble(load(config))))


async def _trade(street: Assembly, trader: Assembly) -> None:
    ledger = trader.office.ledger
    async with street.system(), trader.system():
        await asyncio.to_thread(until, lambda: ledger.fills)


PAGES = {
    "README.md": Page(
        recorded_exchanges,
        modules=("momentum.py", 1),
        prints="4950\n",
        recorded=(".venv/bin/ticktree backtest", ".venv/bin/ticktree rehearse", ".venv/bin/ticktree serve-recording"),
    ),
    "index.md": Page(lambda stage: stage.write("ticks.csv", quotes()), modules=("momentum.py", 1)),
    "tutorial.md": Page(
        kraken,
        measured=r"\s*(mean_reversion|\d\.5)\s",
        instead={"BTC-USD": "XMR-USD"},
        live=MARKET,
        recorded=("ticktree record kraken", "ticktree backtest kraken", "ticktree rehearse kraken"),
    ),
    "add-a-venue.md": Page(modules=("desk_gateway.py", 2), prints="BUY 0.0100 BTC-USDT at desk\n"),
    "add-a-policy.md": Page(modules=("my_policies.py", 2)),
    "configuration.md": Page(
        wrong,
        fails=("ticktree check app.toml", "ticktree backtest fine.toml"),
        shows={"--set": "ticktree backtest fine.toml btc.csv --set strategies.momentum.params.fasst=5"},
    ),
    "backtest.md": Page(data_of_backtest),
    "data.md": Page(base=MARKET, at_end=first_line_of_ticks),
    "operations.md": Page(
        lambda stage: stage.write("live.toml", stage.local(LIVE + fragment("operations.md"))),
        base=LIVE,
        measured=r"order |(?=\d{4}-)",
        shows={"order ": "ticktree why ORDER_ID --journal orders.journal"},
    ),
    "processes.md": Page(at_end=trade_at_the_venues),
    "report.md": Page(lambda stage: stage.write("live.toml", LIVE)),
    "rehearse.md": Page(recorded_live, recorded=("ticktree record",)),
    "statistics.md": Page(at_end=an_outcome),
    "strategies.md": Page(modules=("my_strategy.py", 9), base=TWO_VENUES),
    "supervision.md": Page(at_end=drawn_tree),
}
