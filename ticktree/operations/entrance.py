"""A Unix socket in the file system: for its owner alone from the first instant, and for one process at a time."""

import asyncio
import fcntl
import os
import socket
import stat
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs

from .errors import AlreadyRunning, BadPlace
from .place import MOST_BYTES, answers, private_folder

BACKLOG = 64
LOCK_TRIES, LOCK_AGAIN_S = 200, 0.01


@attrs.frozen
class Entrance:
    """A socket that listens, and the file by which it is found."""

    sock: socket.socket
    path: Path
    inode: int

    def close(self) -> None:
        """Take the file away, unless it is another one by now. The socket belongs to who serves it."""
        try:
            if os.lstat(self.path).st_ino == self.inode:
                os.unlink(self.path)
        except FileNotFoundError:
            pass


async def open_entrance(path: Path) -> Entrance:
    """Listen at `path`; the file of a process that died is replaced. Raises `AlreadyRunning`, `BadPlace`, `OSError`."""
    if len(os.fsencode(path)) > MOST_BYTES:
        raise BadPlace(f"{path} is too long for a socket: {MOST_BYTES} bytes at most")
    private_folder(path.parent)
    async with _alone(path.parent):  # of two that find a dead one's file, one must not remove the other's new one
        _remove_stale(path)
        return _listen(path)


@asynccontextmanager
async def _alone(folder: Path) -> AsyncGenerator[None]:
    """The lock goes with its holder, however that ends; and it leaves no file behind."""
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        for _ in range(LOCK_TRIES):
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(LOCK_AGAIN_S)
        else:
            raise BadPlace(f"another process keeps {folder} locked: choose another folder for the socket")
        yield
    finally:
        os.close(handle)


def _remove_stale(path: Path) -> None:
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(status.st_mode):
        raise BadPlace(f"{path} is there and is no socket; choose another path, or remove it")
    if answers(path):
        raise AlreadyRunning(path)
    os.unlink(path)


def _listen(path: Path) -> Entrance:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        try:
            os.fchmod(sock.fileno(), 0o600)  # Linux makes the file with this mode
        except OSError:  # macOS does not; there nobody can connect before it listens
            pass
        sock.bind(str(path))
        os.chmod(path, 0o600)
        sock.listen(BACKLOG)
        return Entrance(sock, path, os.lstat(path).st_ino)
    except BaseException:
        sock.close()
        raise
