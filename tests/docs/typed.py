"""Commands as they are typed: in this process, where no other is needed, and until the condition that they wait for."""

import json
import shlex
import socket
import threading
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path

import pytest
from click.testing import CliRunner

from ticktree.cli import main
from ticktree.commands import operator

DEADLINE_S = 30.0
QUICK = {"--speed": "max", "--interval": "1ms"}
SHORTLY = {"run": "600ms", "serve-recording": "300ms", "record": "3s"}  # so much that something comes of a recording


def shortened(words: list[str]) -> list[str]:
    """The same, over soon: nobody waits for ten minutes of recording here."""
    if words[0] in SHORTLY:
        at = words.index("--for") if "--for" in words else len(words)
        words = [*words[:at], *words[at + 2 :], "--for", SHORTLY[words[0]]]
    return quick(words)


def quick(words: list[str]) -> list[str]:
    """A market that goes on as fast as it can."""
    return [QUICK.get(before, word) for before, word in zip(["", *words], words, strict=False)]


def program(command: str) -> str:
    """`curl`, or the command of ticktree."""
    words = shlex.split(command, comments=True)
    return words[1] if words[0].rpartition("/")[2] == "ticktree" else words[0]


def typed(words: list[str], code: int = 0) -> str:
    """What `ticktree WORDS` prints, in this process."""
    result = CliRunner().invoke(main, words)
    assert result.exit_code == code, f"ticktree {shlex.join(words)}: exit {result.exit_code}\n{result.output}"
    return result.output


def watched(words: list[str]) -> str:
    """Until Ctrl-C, which comes instead of the first pause."""
    here, sleep = threading.get_ident(), time.sleep

    def ctrl_c(seconds: float) -> None:
        if threading.get_ident() == here and seconds == operator.LOOK_S:
            raise KeyboardInterrupt
        sleep(seconds)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "sleep", ctrl_c)
        return typed(words)


class Spoken(HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=DEADLINE_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self._path))


def curl(words: list[str]) -> str:
    """As `curl --unix-socket PATH [-d BODY] URL` does."""
    given = dict(zip(words[:-1:2], words[1:-1:2], strict=True))
    body = given.get("-d")
    return asked(Path(given["--unix-socket"]), words[-1].removeprefix("http://localhost"), body) + "\n"


def asked(spoken: Path, page: str, body: str | None = None) -> str:
    connection = Spoken(spoken)
    try:
        connection.request("GET" if body is None else "POST", page, body)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def ready(spoken: Path) -> bool:
    """Whether nothing but a halt is wrong with the system there."""
    reasons: list[str] = json.loads(asked(spoken, "/health"))["reasons"]
    return all(reason.startswith("trading is halted") for reason in reasons)


def until(condition: Callable[[], object]) -> None:
    """Look again and again: nobody tells of it."""
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)
