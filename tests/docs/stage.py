"""A folder in which the blocks of one page are run, in order, as its reader would: what they print is compared."""

import asyncio
import contextlib
import importlib
import inspect
import io
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tomllib
import warnings
from ast import PyCF_ALLOW_TOP_LEVEL_AWAIT
from collections.abc import Callable, Generator
from pathlib import Path
from types import CodeType
from typing import Any

import attrs
import pytest

from ticktree import load
from ticktree.app import assemble
from ticktree.commands import backtest
from ticktree.operations import place
from ticktree.routing import ReportKind
from ticktree.routing.facts import Reported
from ticktree.routing.journal import read

from ..recordings import FOLDER
from .blocks import Block, blocks
from .typed import DEADLINE_S, curl, program, quick, ready, shortened, typed, until, watched

NOWHERE = 'url = "ws://127.0.0.1:9/"\nrest_url = "http://127.0.0.1:9"'  # the port at which nobody ever listens
EXCHANGES = "binance", "coinbase", "kraken"
OPERATOR = "status", "halt", "resume", "drain", "flatten", "resolve", "curl"
PORT = re.compile(r"\b(?:7[0-5]\d\d|9464)\b")  # those of the pages

# A system that trades at once, answers its operator, and keeps a journal.
LIVE = """
[system]
journal = "orders.journal"

[feeds.market]
type = "simulated"
interval = "5ms"
volatility = 0.0001

[venues.alpha]
type = "simulated"
prices = "market"

[venues.beta]
type = "simulated"
prices = "market"
fees = { taker = "0.0002" }

[routers.best]
policy = "best"
venues = ["alpha", "beta"]
max_price_age = "1s"
deadline = "250ms"

[strategies.momentum]
type = "momentum"
params = { fast = 1, slow = 2 }
"""


@attrs.frozen
class Page:
    """What a page takes for granted.

    prepare    makes the files that its text presumes
    modules    the file that so many of its first programs are saved as, and their number
    base       what its fragments of configurations are added to
    live       the configuration of the system that its operator speaks to
    prints     what its programs print, where the page itself does not say so
    measured   how lines of output begin whose further numbers are measurements: their words are compared, and how many
    instead    what recordings of exchanges have in place of what the page names
    shows      what types the output that stands in a block of its own, by how that begins
    recorded   commands that need recordings of exchanges, by how they begin
    fails      commands that end with exit code 2, by how they begin
    at_end     what is looked at when all was run
    """

    prepare: "Callable[[Stage], object]" = lambda stage: None
    modules: tuple[str, int] = ("", 0)
    base: str = ""
    live: str = LIVE
    prints: str = ""
    measured: str = "(?!)"
    instead: dict[str, str] = attrs.field(factory=dict[str, str])
    shows: dict[str, str] = attrs.field(factory=dict[str, str])
    recorded: tuple[str, ...] = ()
    fails: tuple[str, ...] = ()
    at_end: "Callable[[Stage], object]" = lambda stage: None


class Stage:
    """One page at work. `perform` raises whatever its code raises, and AssertionError for what it shows otherwise."""

    def __init__(self, page: Page, path: Path, folder: Path, elsewhere: Callable[[Block, str], bool]) -> None:
        self.page, self.folder, self.shown, self.text = page, folder, blocks(path), path.read_text()
        self.names: dict[str, Any] = {"__name__": "page"}
        self.printed = ""  # by the commands of the last block that had any
        self.said = io.StringIO()  # by all programs
        self.without_recordings = list[str]()
        self._elsewhere = elsewhere
        self._module, self._parts, self._ports = "", [page.base], dict[str, str]()
        self._beside = list[subprocess.Popen[bytes]]()

    # --- its folder ---

    def write(self, name: str, text: str) -> Path:
        """A file beside the page's own."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def link(self, name: str, to: Path) -> None:
        """A file that a reader would have there. Never a folder: a page may have something written to it."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        if to.is_file():
            path.symlink_to(to)

    def local(self, text: str) -> str:
        """With free ports in place of those of the page, and what there is in place of what it names."""
        for named, there in self.page.instead.items():
            text = re.sub(rf"\b{named}\b", there, text)
        return PORT.sub(lambda found: self._port(found[0]), text)

    def _port(self, shown: str) -> str:
        if shown not in self._ports:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                self._ports[shown] = str(free.getsockname()[1])
        return self._ports[shown]

    # --- its blocks ---

    def perform(self) -> None:
        """All of them."""
        self.page.prepare(self)
        for block in self.shown:
            if not self._elsewhere(block, block.text):
                self._run(block)
        if len(self._parts) > 1:
            assert load(self.write("parts.toml", self.local("\n".join(self._parts)))).feeds
        self._compare_what_programs_printed()
        self.page.at_end(self)

    def _run(self, block: Block) -> None:
        match block.language:
            case "python":
                self._python(block)
            case "toml":
                self._toml(block)
            case "text":
                self._compare(block, block.output)
            case _ if block.commands:
                self.printed = ""
                self._commands(block)
                self._compare(block, block.output)
            case _:
                self._shown(block)

    def _shown(self, block: Block) -> None:
        """Output alone: what types it stands in the plan."""
        commands = [command for begin, command in self.page.shows.items() if block.text.startswith(begin)]
        assert commands, f"{block} is neither run nor named as what is not: {block.text[:60]!r}"
        self.printed = self._command(block, commands[0])
        self._compare(block, block.output)

    # --- programs ---

    def _python(self, block: Block) -> None:
        name, count = self.page.modules
        if count > [one for one in self.shown if one.language == "python"].index(block):
            self._module += block.text
            self.write(name, self._module)
        with contextlib.redirect_stdout(self.said):
            self.execute(self.local(block.text), block)

    def execute(self, text: str, block: Block) -> None:
        """In the page's own namespace; tracebacks name the line of the page."""
        flags = PyCF_ALLOW_TOP_LEVEL_AWAIT  # as in a notebook
        code: CodeType = compile("\n" * (block.line - 1) + text, block.page, "exec", flags)
        if code.co_flags & inspect.CO_COROUTINE:
            asyncio.run(eval(code, self.names))
        else:
            exec(code, self.names)

    def _compare_what_programs_printed(self) -> None:
        told = re.findall(r"It prints `([^`]+)`", self.text)
        said = self.said.getvalue().splitlines()
        told = told or self.page.prints.splitlines()
        assert said == told, f"programs printed {said}, not {told}"

    # --- configurations ---

    def _toml(self, block: Block) -> None:
        table = tomllib.loads(block.text)
        if "project" in table:
            self._announced(table["project"]["entry-points"])
        elif "feeds" in table and {"strategies", "relay"} & set(table):
            path = Path(block.file or f"{block.page}-{block.line}.toml")
            path.write_text(stays_here(self.at_home(block.text)))
            assert load(path).feeds
        else:
            self._parts.append(block.text)

    def _announced(self, groups: dict[str, dict[str, str]]) -> None:
        for announced in groups.values():
            for where in announced.values():
                module, _, name = where.partition(":")
                assert isinstance(getattr(importlib.import_module(module), name), type), f"{where} is no class"

    def at_home(self, text: str) -> str:
        """A configuration whose exchanges cannot be reached, unless the plan has put others in their place."""
        text = self.local(text)
        for name in EXCHANGES:
            text = re.sub(rf'^type = "{name}".*\n(?!url)', rf"\g<0>{self._instead(name)}\n", text, flags=re.MULTILINE)
        return text

    def _instead(self, exchange: str) -> str:
        port = self._ports.get(exchange)
        return f'url = "ws://127.0.0.1:{port}/"\nrest_url = "http://127.0.0.1:{port}"' if port else NOWHERE

    # --- commands ---

    def _commands(self, block: Block) -> None:
        commands = [one for one in block.commands if not self._elsewhere(block, one)]
        spoken = [one for one in commands if program(one) in OPERATOR]
        for command in commands:
            if command not in spoken:
                self.printed += self._command(block, command)
        if spoken:
            self.printed += asyncio.run(self._spoken(spoken))

    def _command(self, block: Block, command: str) -> str:
        """What it prints."""
        if command.startswith(self.page.recorded) and not FOLDER.exists():
            self.without_recordings.append(command)
            return ""
        words = shlex.split(self.local(command), comments=True)
        if words[0] == "cd":
            os.chdir(words[1])
            return ""
        if words[0] == "python":
            with contextlib.redirect_stdout(io.StringIO()) as out, warnings.catch_warnings():
                warnings.simplefilter("ignore", ResourceWarning)  # its process would be over
                self.execute(words[words.index("-c") + 1], block)
            return out.getvalue()
        assert words[0].rpartition("/")[2] == "ticktree", f"{block}: nobody runs `{command}`"
        if words[-1] == "&":
            self._start(words[1:-1])
            return ""
        expected = 2 if command.startswith(self.page.fails) else 0
        return typed(self._hurried(words[1:]), expected)

    def _hurried(self, words: list[str]) -> list[str]:
        if words[0] == "why":
            words[1] = self._order()
        return shortened(words)

    # --- beside it ---

    def _start(self, words: list[str]) -> None:
        """A process, until the page ends: what it prints first says that it is there."""
        out = self.folder / f"beside-{len(self._beside)}"
        with out.open("wb") as file:
            command = [sys.executable, "-m", "ticktree", *quick(words)]
            process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
        self._beside.append(process)
        until(lambda: re.search(r"wire protocol|WebSockets|listens at", out.read_text()) or process.poll() is not None)
        assert process.poll() is None, out.read_text()

    def serve(self, exchange: str) -> None:
        """A recorded exchange, for configurations that are written from now on."""
        self._ports[exchange] = self._port(f"7{EXCHANGES.index(exchange)}99")
        words = ["serve-recording", str(FOLDER / f"{exchange}.jsonl.gz"), "--port", self._ports[exchange]]
        self._start([*words, "--speed", "max"])

    def close(self) -> None:
        """End what it started."""
        for process in self._beside:
            process.terminate()
        try:
            codes = [process.wait(DEADLINE_S) for process in self._beside]
        finally:
            for process in self._beside:
                process.kill()
        assert not any(codes), f"what ran beside it ended with {codes}"

    # --- a running system ---

    async def _spoken(self, commands: list[str]) -> str:
        """What they print, typed beside a system that has traded."""
        assembly = assemble(load(self._live()))
        assert assembly.app.operations is not None
        spoken, printed = assembly.app.operations.socket, ""
        async with assembly.system(), asyncio.timeout(DEADLINE_S):
            await asyncio.to_thread(until, lambda: ready(spoken))
            ledger = assembly.office.ledger
            await asyncio.to_thread(until, lambda: ledger.fills or ledger.halted)
            for command in commands:
                printed += await asyncio.to_thread(self._speak, command)
        return printed

    def _live(self) -> Path:
        path = Path("live.toml")
        if not path.exists():
            path.write_text(self.page.live)
        return path

    def _speak(self, command: str) -> str:
        words = shlex.split(command, comments=True)
        if words[0] == "curl":
            return curl(words[1:])
        return watched(words[1:]) if "--watch" in words else typed(words[1:])

    def _order(self) -> str:
        """The id of one that was filled, or of its leg, which does as well."""
        if not Path("orders.journal").exists():
            asyncio.run(self._spoken([]))
        said = [fact.report for fact in read(Path("orders.journal")) if isinstance(fact, Reported)]
        return next(report.client_id for report in said if report.kind is ReportKind.FILL)

    # --- what is shown ---

    def _compare(self, block: Block, shown: tuple[str, ...]) -> None:
        """Each line that is shown was printed, in that order; but for what was not run here."""
        if self.without_recordings and not self.printed:
            return
        printed = iter([self._essence(line) for line in self.printed.splitlines()])
        for line in shown:
            assert self._essence(line) in printed, f"{block} shows {line!r}; printed was\n{self.printed}"

    def _essence(self, line: str) -> tuple[str, ...]:
        """Words of a line, without how they are aligned; measurements are all alike."""
        line = re.sub(r"(?<=\d) (?=%|(?:[num]?s|min|h)\b)", "", line)
        found = re.match(self.page.measured, line)
        kept, rest = (found[0], line[found.end() :]) if found else (line, "")
        return (*kept.split(), *("#" if re.search(r"\d|^-$|^n/a$", word) else word for word in rest.split()))


def stays_here(text: str) -> str:
    """A configuration, once it is looked through: none that can be run names an address beyond this machine."""
    hosts = set(re.findall(r"\w+://([^/:\"]*)", text))
    assert hosts <= {"127.0.0.1", ""}, f"it would reach out, to {hosts}"
    feeds = [table for table in tomllib.loads(text)["feeds"].values() if table["type"] in EXCHANGES]
    assert all("url" in table for table in feeds), "it would reach out, to an exchange"
    return text


@contextlib.contextmanager
def staged(page: Page, path: Path, folder: Path, elsewhere: Callable[[Block, str], bool]) -> Generator[Stage]:
    """The page at `path`, in `folder`, a short path for the sake of its sockets: what it changed is as before then."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    known, here = set(sys.modules), Path.cwd()
    stage = Stage(page, path, folder, elsewhere)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [*sys.path, str(folder)])
        patch.setattr(place, "SHARED", folder)
        patch.setattr(backtest, "cpus", lambda: 1)
        patch.setenv("XDG_RUNTIME_DIR", str(folder / "run"))
        patch.setenv("RELAY_TOKEN", "x")
        (folder / "run").mkdir()
        os.chdir(folder)
        try:
            yield stage
        finally:
            os.chdir(here)
            stage.close()
            for name in set(sys.modules) - known:
                if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
                    del sys.modules[name]
            for number, handler in handlers.items():
                signal.signal(number, handler)
