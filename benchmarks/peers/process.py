"""A peer: a program of `programs/` that is started once, asked in each round, and ended."""

import asyncio
import contextlib
import os
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import IO, Any, TypeVar

import attrs
import msgspec

from ..limits import Missing
from ..measure import Inexact

PROGRAMS = Path(__file__).parent / "programs"
PATIENCE_S, FAREWELL_S = 120.0, 5.0
A = TypeVar("A", bound="Answer")


class Hello(msgspec.Struct):
    """A peer's first line: its name, version and Python, or what is missing."""

    peer: str = ""
    missing: str = ""


class Answer(msgspec.Struct):
    """What a peer did: in how many seconds, how much was handled, and a sum over it."""

    run_s: float
    handled: int
    total: float

    def check(self, handled: int, total: float) -> None:
        """Raise `Inexact` unless it is what it was to come to, but for the rounding of floats."""
        if self.handled != handled or abs(self.total - total) > 1e-9 * abs(total):
            raise Inexact(f"the peer came to {self}; {handled} and {total} were meant")


@attrs.frozen
class Peer:
    """It runs, and waits to be asked. `told`: who it is."""

    told: str
    _program: str
    _process: Process
    _errors: IO[bytes]

    async def ask(self, question: Mapping[str, Any], type: type[A]) -> A:
        """Its answer, which is the next line it prints. Raises `Missing` if there is none."""
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(question) + b"\n")
        return msgspec.json.decode(await _line(self._program, self._process, self._errors), type=type)


@contextlib.asynccontextmanager
async def running(program: str) -> AsyncGenerator[Peer]:
    """A peer, until the block ends. Raises `Missing`, saying why, where it cannot run."""
    python = peers_python()
    with tempfile.TemporaryFile() as errors:
        process = await asyncio.create_subprocess_exec(
            python, PROGRAMS, program, stdin=PIPE, stdout=PIPE, stderr=errors
        )
        try:
            hello = msgspec.json.decode(await _line(program, process, errors), type=Hello)
            if hello.missing:
                raise Missing(f"{python} cannot run {program}: {hello.missing}")
            yield Peer(hello.peer, program, process, errors)
        finally:
            await _end(process)


def peers_python() -> Path:
    """The Python that has the peers. Raises `Missing`."""
    path = Path(os.environ.get("TICKTREE_PEERS") or Path(__file__).parents[2] / ".venv-peers" / "bin" / "python")
    if not path.is_file():
        raise Missing(f"there is no {path}: `make peers` makes it, or TICKTREE_PEERS names a Python that has the peers")
    return path


async def _line(program: str, process: Process, errors: IO[bytes]) -> bytes:
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE_S):
            if line := await process.stdout.readline():
                return line
            await process.wait()
    except TimeoutError:
        raise Missing(f"{program} said nothing for {PATIENCE_S:g} s") from None
    errors.seek(0)
    last = errors.read().decode(errors="replace").strip().rpartition("\n")[2]
    raise Missing(f"{program} ended with {process.returncode}: {last}")


async def _end(process: Process) -> None:
    """It ends with its input; where it does not, it is ended."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(FAREWELL_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
