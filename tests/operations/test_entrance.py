"""The socket's file: for its owner alone, one process at a time, gone at the end."""

import asyncio
import fcntl
import os
import socket as sockets
import subprocess
import sys
from pathlib import Path

import pytest

from ticktree.operations import entrance
from ticktree.operations.entrance import Entrance, open_entrance
from ticktree.operations.errors import AlreadyRunning, BadPlace
from ticktree.operations.place import answers

from .support import is_there

DIES = "import os, socket, sys; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); os._exit(9)"


def leave_behind(path: Path) -> None:
    """The file of a process that died."""
    subprocess.run([sys.executable, "-c", DIES, str(path)], check=False, timeout=30)
    assert path.is_socket()


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def text(path: Path) -> str:
    return path.read_text()


def nothing(path: object, mode: int) -> None:
    """In place of what sets a mode."""


def put(path: Path, *, said: str = "", link: Path | None = None) -> None:
    if link is not None:
        path.symlink_to(link)
    else:
        path.write_text(said)


def end(opened: Entrance) -> None:
    opened.close()
    opened.sock.close()


async def test_the_socket_is_its_owners_alone(socket: Path) -> None:
    opened = await open_entrance(socket)
    assert mode(socket) == 0o600
    end(opened)


@pytest.mark.skipif(sys.platform == "darwin", reason="there the mode is set between bind and listen")
async def test_the_socket_is_its_owners_alone_from_the_first_instant(
    socket: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "chmod", nothing)  # what would come after the bind
    before = os.umask(0)
    try:
        opened = await open_entrance(socket)
    finally:
        os.umask(before)
    assert mode(socket) == 0o600
    end(opened)


async def test_the_file_goes_with_its_system(socket: Path) -> None:
    opened = await open_entrance(socket)
    opened.close()
    assert not is_there(socket)
    opened.close()  # once more does no harm
    opened.sock.close()


async def test_the_file_of_a_process_that_died_is_replaced(socket: Path) -> None:
    leave_behind(socket)
    opened = await open_entrance(socket)
    assert answers(socket)
    end(opened)


async def test_a_system_that_answers_is_not_displaced_and_is_named(socket: Path) -> None:
    opened = await open_entrance(socket)
    with pytest.raises(AlreadyRunning, match=f"already running: a system answers at {socket}"):
        await open_entrance(socket)
    assert answers(socket)
    end(opened)


async def test_of_many_that_find_a_dead_ones_file_at_once_one_wins(socket: Path) -> None:
    leave_behind(socket)
    made = await asyncio.gather(*(open_entrance(socket) for _ in range(8)), return_exceptions=True)
    (winner,) = [one for one in made if isinstance(one, Entrance)]
    assert sum(isinstance(one, AlreadyRunning) for one in made) == 7
    assert answers(socket)
    end(winner)


async def test_what_is_no_socket_is_left_alone(socket: Path) -> None:
    put(socket, said="precious")
    with pytest.raises(BadPlace, match="is no socket"):
        await open_entrance(socket)
    assert text(socket) == "precious"


async def test_a_link_to_a_socket_is_no_socket(socket: Path, folder: Path) -> None:
    opened = await open_entrance(folder / "other.sock")
    put(socket, link=opened.path)
    with pytest.raises(BadPlace, match="is no socket"):
        await open_entrance(socket)
    end(opened)


async def test_the_file_of_a_successor_is_not_taken_away(socket: Path) -> None:
    opened = await open_entrance(socket)
    os.unlink(socket)
    with sockets.socket(sockets.AF_UNIX) as other:
        other.bind(str(socket))
        opened.close()
        assert is_there(socket)
    opened.sock.close()


async def test_a_folder_that_somebody_keeps_locked_is_given_up(
    socket: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entrance, "LOCK_TRIES", 2)
    handle = os.open(folder, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        with pytest.raises(BadPlace, match=r"keeps .* locked"):
            await open_entrance(socket)
    finally:
        os.close(handle)
    end(await open_entrance(socket))


async def test_a_path_that_is_too_long_is_refused(folder: Path) -> None:
    with pytest.raises(BadPlace, match="too long for a socket: 100 bytes at most"):
        await open_entrance(folder / ("x" * 100))


async def test_nothing_stays_open_after_a_refusal(socket: Path) -> None:
    opened = await open_entrance(socket)
    before = len(os.listdir("/dev/fd"))
    for _ in range(3):
        with pytest.raises(AlreadyRunning):
            await open_entrance(socket)
    assert len(os.listdir("/dev/fd")) == before
    end(opened)
