"""Which system is meant, and what a client makes of the answers."""

import asyncio
import socket as sockets
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ticktree.operations import client as module
from ticktree.operations.client import Client, Several, Unreadable, configured, find
from ticktree.operations.errors import NotRunning, Refused
from ticktree.operations.place import private_folder, socket_for
from ticktree.operations.status import Health, Status
from ticktree.operations.words import Halt

from .support import app, running


@contextmanager
def answering(path: Path, answer: bytes | None = None) -> Generator[None]:
    """Somebody who takes one connection and says `answer`, whatever he is asked; None: nothing, for ever."""
    with sockets.socket(sockets.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            taken, _ = listener.accept()
            with taken:
                taken.recv(65_536)
                taken.sendall(answer or b"")

        if answer is None:
            yield
            return
        thread = threading.Thread(target=serve)
        thread.start()
        yield
        thread.join(10.0)
        assert not thread.is_alive()


def http(body: bytes, status: str = "200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status.encode(), len(body), body)


# --- which one -------------------------------------------------------------------------------------------------------


def test_the_only_system_there_is_needs_no_name(runtime: Path) -> None:
    with pytest.raises(NotRunning, match="no running system is to be found"):
        find()
    private_folder(runtime)
    with answering(runtime / "a.sock"):
        assert find() == runtime / "a.sock"


def test_of_several_none_is_guessed_and_all_are_listed(runtime: Path) -> None:
    private_folder(runtime)
    with answering(runtime / "a.sock"), answering(runtime / "b.sock"):
        with pytest.raises(Several, match="2 systems are running; say which") as several:
            find()
        assert f"--socket {runtime / 'a.sock'}\n  --socket {runtime / 'b.sock'}" in str(several.value)
        assert find(socket=runtime / "b.sock") == runtime / "b.sock"


def test_one_that_is_named_and_does_not_run_is_said_with_those_that_do(runtime: Path, folder: Path) -> None:
    private_folder(runtime)
    with answering(runtime / "a.sock"):
        with pytest.raises(NotRunning, match=f"no running system at {folder}/x.sock; there are {runtime}/a.sock"):
            find(socket=folder / "x.sock")
        with pytest.raises(NotRunning, match=r"no running system of .*live.toml: nobody answers at .*live-"):
            find(config=write(folder, ""))


def write(folder: Path, text: str) -> Path:
    path = folder / "live.toml"
    path.write_text(text)
    return path


def test_a_configuration_says_where_its_system_is(runtime: Path, folder: Path) -> None:
    assert configured(write(folder, "")) == socket_for(folder / "live.toml")
    assert configured(write(folder, 'operations = "?"')) == socket_for(folder / "live.toml")
    assert configured(write(folder, '[operations]\nsocket = "run/me.sock"')) == folder / "run" / "me.sock"
    assert configured(write(folder, '[operations]\nsocket = "/run/me.sock"')) == Path("/run/me.sock")
    assert configured(write(folder, '\ufeff[operations]\nsocket = "~/me.sock"')) == Path("~/me.sock").expanduser()
    with pytest.raises(Unreadable, match=r"socket: .*home"):
        configured(write(folder, '[operations]\nsocket = "~nobody-of-this-name/me.sock"'))
    with pytest.raises(NotRunning, match=r"it says .operations. enabled = false"):
        configured(write(folder, "[operations]\nenabled = false"))


def test_a_configuration_that_cannot_be_read_is_said(folder: Path) -> None:
    with pytest.raises(Unreadable, match=r"live.toml cannot be read: Expected"):
        configured(write(folder, "[operations"))
    with pytest.raises(Unreadable, match=r"cannot be read: .*No such file"):
        configured(folder / "nowhere.toml")


# --- what it answers -------------------------------------------------------------------------------------------------


async def test_pages_and_commands_of_a_running_system(socket: Path) -> None:
    async with running(app(socket)) as it:
        await it.holding()
        client = Client(socket)
        status = await asyncio.to_thread(client.read, "/status", Status)
        assert status.orders.fills == 1
        said = await asyncio.to_thread(client.say, Halt("lunch"))
        assert said.said == "halted: lunch"
        with pytest.raises(Refused, match="trading is halted: lunch") as refused:
            await asyncio.to_thread(client.read, "/health", Health)
        assert refused.value.status == 503


def test_a_system_that_ended_does_not_run(socket: Path) -> None:
    with pytest.raises(NotRunning, match=f"no running system at {socket}"):
        Client(socket).get("/status")


def test_one_that_ends_before_it_answers_is_said(socket: Path) -> None:
    with answering(socket, b""), pytest.raises(Refused, match="ended before it answered"):
        Client(socket).get("/status")


def test_one_that_does_not_answer_is_given_up(socket: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_S", 0.05)
    with (
        answering(socket),
        pytest.raises(Refused, match=r"did not answer within 0.05 s; its event loop may be blocked"),
    ):
        Client(socket).say(Halt("x"))


@pytest.mark.parametrize("answer", [http(b"<html>"), http(b"{}"), http(b"")])
def test_what_is_not_understood_is_said(socket: Path, answer: bytes) -> None:
    with answering(socket, answer), pytest.raises(Unreadable, match="this version of ticktree does not understand"):
        Client(socket).read("/status", Status)


def test_an_error_in_other_words_than_ours_is_passed_on(socket: Path) -> None:
    with answering(socket, http(b"out of order", "500 Oh")), pytest.raises(Refused, match="out of order") as refused:
        Client(socket).get("/status")
    assert refused.value.status == 500


def test_what_is_no_http_is_said(socket: Path) -> None:
    with answering(socket, b"220 mail.example ESMTP\r\n"), pytest.raises(Refused, match="ended before it answered"):
        Client(socket).get("/status")


def test_a_later_version_may_say_more(socket: Path) -> None:
    with answering(socket, http(b'{"ok": true, "reasons": [], "more": 1}')):
        assert Client(socket).read("/health", Health).ok
