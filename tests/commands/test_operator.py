"""`ticktree status`, `halt`, `resume`, `drain`, `flatten`, `resolve`, as they are typed."""

import asyncio
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
import msgspec
import pytest
from click.testing import CliRunner, Result

from ticktree.app import JournalPart, TcpVenuePart
from ticktree.cli import main
from ticktree.commands import operator
from ticktree.operations.picture import Photographer
from ticktree.operations.place import private_folder
from ticktree.operations.status import Status

from ..e2e.program import Program
from ..operations.support import Running, app, is_there, running, until

DEADLINE_S = 30.0


async def typed(*words: object) -> Result:
    """In a thread: the system runs in this one."""
    return await asyncio.to_thread(CliRunner().invoke, main, [str(word) for word in words])


async def on(it: Running, command: str, *words: object) -> str:
    """What a command prints that is done."""
    result = await typed(command, "--socket", it.socket, *words)
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    return result.stdout


# --- status ----------------------------------------------------------------------------------------------------------


async def test_the_status_is_read_by_people(socket: Path) -> None:
    async with running(app(socket)) as it:
        await it.holding()
        shown = await on(it, "status")
    assert shown.startswith("PAPER, up ")
    assert "simulated  live" in shown
    assert "holder    BTC-USDT" in shown
    assert "\x1b" not in shown


async def test_the_status_is_read_by_programs(socket: Path) -> None:
    async with running(app(socket)) as it:
        await it.holding()
        status = msgspec.json.decode(await on(it, "status", "--json"), type=Status)
    assert (status.orders.fills, status.process.pid) == (1, os.getpid())


@pytest.mark.parametrize("words", [(), ("--json",)])
async def test_watching_goes_on_until_the_system_ends_which_is_no_failure(
    socket: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    taken, take = list[Status](), Photographer.take

    def counted(self: Photographer) -> Status:
        taken.append(take(self))
        return taken[-1]

    monkeypatch.setattr(Photographer, "take", counted)
    monkeypatch.setattr(operator, "LOOK_S", 0.01)
    async with running(app(socket)):
        watching = asyncio.create_task(typed("status", "--watch", "--socket", socket, *words))
        await until(lambda: len(taken) >= 3)
    result = await watching
    assert result.exit_code == 0
    assert result.stderr == "the system has ended\n"
    if words:
        lines = result.stdout.splitlines()
        assert len(lines) >= 2
        assert all(msgspec.json.decode(line, type=Status).paper for line in lines)


# --- commands --------------------------------------------------------------------------------------------------------


async def test_every_command_is_done_and_says_so(socket: Path) -> None:
    async with running(app(socket)) as it:
        await it.holding()
        assert await on(it, "halt", "--reason", "lunch") == "halted: lunch\n"
        assert it.assembly.office.ledger.halted == "lunch"
        assert "not well: trading is halted: lunch" in await on(it, "status")
        assert await on(it, "resume", "--reason", "all is well") == "resumed: all is well\n"
        assert await on(it, "drain") == "draining: 1 orders are being canceled\n"
        await until(lambda: not it.assembly.office.ledger.open_orders)
        assert await on(it, "resume") == "resumed: the operator's word\n"
        flattened = await on(it, "flatten", "--strategy", "holder", "--within", "500ms")
        assert flattened.startswith("halted; 1 order closes what is held: ")
        await until(lambda: it.assembly.office.ledger.position("BTC-USDT") == 0)
        assert await on(it, "flatten") == "halted; nothing is held\n"


async def test_resolve_says_what_became_of_an_order(socket: Path) -> None:
    async with running(app(socket)) as it:
        await it.holding()
        await it.system.supervisor("venues").terminate_child("paper")
        (order,) = it.assembly.office.ledger.open_orders
        said = await on(it, "resolve", order, "--as", "rejected", "--reason", "by telephone")
        assert said == f"{order}.1 resolved as rejected: by telephone\n"
        unknown = await typed("resolve", "--socket", socket, "no-such-order")
        assert (unknown.exit_code, unknown.stderr) == (3, "Error: there is no order 'no-such-order'\n")


async def test_a_configuration_names_its_system(socket: Path, folder: Path, runtime: Path) -> None:
    config = folder / "live.toml"
    write(config, '[operations]\nsocket = "s.sock"\n')
    async with running(app(socket)):
        result = await typed("halt", "--config", config)
        assert (result.exit_code, result.stdout) == (0, "halted: the operator's word\n")
    result = await typed("halt", "--config", config)
    assert result.exit_code == 3
    assert result.stderr == f"Error: no running system of {config}: nobody answers at {socket}\n"


def write(path: Path, text: str) -> None:
    path.write_text(text)


async def test_the_only_system_needs_no_name_and_several_are_listed(runtime: Path) -> None:
    none = await typed("status")
    assert none.exit_code == 3
    assert none.stderr.startswith("Error: no running system is to be found")
    private_folder(runtime)
    async with running(app(runtime / "a.sock")):
        assert (await typed("halt")).stdout == "halted: the operator's word\n"
        async with running(app(runtime / "b.sock")):
            several = await typed("halt")
    assert several.exit_code == 2
    assert (
        f"2 systems are running; say which, by --config CONFIG or one of\n  --socket {runtime}/a.sock" in several.stderr
    )


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("flatten", "--within", "soon"), "'soon' is not a duration"),
        (("flatten", "--within", "1h"), "it is above 0 and at most 300s; not 1h"),
        (("flatten", "--within", "0s"), "it is above 0"),
        (("resolve",), "Missing argument 'NAME'"),
        (("resolve", "x", "--as", "open"), "'open' is not one of"),
        (("halt", "--socket", "x", "--config", __file__), "name the system twice"),
        (("halt", "--config", "/nowhere.toml"), "does not exist"),
    ],
)
def test_wrong_usage_is_said_with_code_2(words: tuple[str, ...], why: str) -> None:
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2
    assert why in result.stderr


@pytest.mark.parametrize("reason", ["", "one\nline more", "x" * 501])
async def test_a_reason_that_is_none_is_refused_by_the_system(socket: Path, reason: str) -> None:
    async with running(app(socket)) as it:
        result = await typed("halt", "--socket", socket, "--reason", reason)
        assert (result.exit_code, result.stdout) == (1, "")
        assert "send {" in result.stderr
        assert it.assembly.office.ledger.halted == ""


async def test_a_folder_of_sockets_that_others_may_use_is_no_traceback(runtime: Path) -> None:
    private_folder(runtime)
    os.chmod(runtime, 0o777)
    result = await typed("halt")
    assert result.exit_code == 1
    assert f"Error: {runtime} is open to others (mode 0777): chmod 700 {runtime}" in result.stderr


# --- in a terminal ---------------------------------------------------------------------------------------------------


class Terminal:
    """`ticktree WORDS` with a terminal at both ends."""

    def __init__(self, *words: object) -> None:
        self._ours, theirs = pty.openpty()
        environment = {**os.environ, "COLUMNS": "200", "TERM": "xterm"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ticktree", *map(str, words)],
            stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        self.shown = ""

    def until(self, text: str) -> None:
        """Read on until `text` is shown."""
        while text not in self.shown:
            self.shown += os.read(self._ours, 65_536).decode()

    def type(self, text: str) -> None:
        """Keys."""
        os.write(self._ours, text.encode())

    def end(self) -> int:
        """Its exit code."""
        try:
            while more := os.read(self._ours, 65_536):
                self.shown += more.decode()
        except OSError:  # Linux says so when the other end is closed
            pass
        os.close(self._ours)
        return self._process.wait(DEADLINE_S)


def live(socket: Path, journal: Path) -> Any:
    """An application with a venue that may be a real one; nobody is at home there."""
    venue = TcpVenuePart("paper", "tcp://127.0.0.1:1", "main", prices="simulated")
    made = app(socket, venues=(venue,), journal=JournalPart(journal))
    return attrs.evolve(made, system=attrs.evolve(made.system, opens_within_s=0.01))


async def test_where_real_orders_would_be_sent_flatten_asks_first(socket: Path, tmp_path: Path) -> None:
    async with running(live(socket, tmp_path / "orders.journal")) as it:
        first = await asyncio.to_thread(answered, ("flatten", "--socket", socket), "n\n")
        assert first.end() == 1
        assert "This system is LIVE. Close all positions at the market? [y/N]" in first.shown
        assert "Aborted!" in first.shown
        assert it.assembly.office.ledger.halted == ""
        second = await asyncio.to_thread(answered, ("flatten", "--socket", socket, "--strategy", "holder"), "y\n")
        assert await asyncio.to_thread(second.end) == 0
        assert "Close the positions of holder at the market?" in second.shown
        assert "halted; nothing is held" in second.shown
        await it.say("resume")
        third = Terminal("flatten", "--socket", socket, "--yes")
        assert await asyncio.to_thread(third.end) == 0
        assert "LIVE" not in third.shown
        await it.say("resume")
        assert await on(it, "flatten") == "halted; nothing is held\n"  # nobody is there to be asked


def answered(words: tuple[object, ...], text: str) -> Terminal:
    terminal = Terminal(*words)
    terminal.until("[y/N]")
    terminal.type(text)
    return terminal


async def test_a_terminal_shows_colour_and_a_paper_system_is_not_asked_about(socket: Path) -> None:
    async with running(app(socket)) as it:
        await it.holding()
        status = Terminal("status", "--socket", socket)
        assert await asyncio.to_thread(status.end) == 0
        assert "\x1b[1;32mPAPER" in status.shown
        assert "Traceback" not in status.shown
        flatten = Terminal("flatten", "--socket", socket)
        assert await asyncio.to_thread(flatten.end) == 0
        assert "halted; 1 order closes what is held" in flatten.shown


# --- a process of its own --------------------------------------------------------------------------------------------


def test_a_system_in_another_process_is_told_killed_found_dead_replaced_and_stopped(
    socket: Path, runtime: Path
) -> None:
    def run(command: str, *words: str) -> Result:
        return CliRunner().invoke(main, [command, "--socket", str(socket), *words])

    with Program("-m", "tests.operations.program", str(socket)) as first:
        first.until("the operator's socket")
        assert socket.stat().st_mode & 0o777 == 0o600
        assert run("halt", "--reason", "lunch").stdout == "halted: lunch\n"
        first.until("the operator asked for halt")
        first.kill()
        first.end()
    assert is_there(socket)
    dead = run("status")
    assert (dead.exit_code, dead.stderr) == (3, f"Error: no running system at {socket}\n")
    with Program("-m", "tests.operations.program", str(socket)) as second:
        second.until("the operator's socket")
        assert run("status").stdout.startswith("PAPER")
        second.tell(signal.SIGTERM)
        assert second.end()[0] == 0
    assert not is_there(socket)
