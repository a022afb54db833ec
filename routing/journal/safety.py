"""Journals are ours alone: no links, nobody else may write, and one process at a time."""

import errno
import fcntl
import os
import re
import stat
import weakref
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

from ..errors import JournalError, JournalFailed, JournalOwned, JournalUnsafe

SUFFIX: Final = ".journal"
# O_NONBLOCK: a pipe in the place of a journal is refused, not waited for.
ALWAYS: Final = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
NO_FILE: Final = "it is a link, a folder, a pipe or a device; a journal is a file of its own"
NOTE_MOST: Final = 200  # bytes of an owner's note

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def journal_path(folder: Path, name: str) -> Path:
    """Where the journal called `name` lies. Raises `JournalUnsafe` for names that could lead elsewhere."""
    if not _NAME.fullmatch(name):
        wanted = "a-z, 0-9, _ and -, at most 64 of them, the first a letter or a digit"
        raise JournalUnsafe(folder, f"a journal is called by {wanted}; not {name!r:.80}")
    return folder / f"{name}{SUFFIX}"


def beside(path: Path, suffix: str) -> Path:
    """A file that belongs to the journal at `path`."""
    return path.with_name(f"{path.name}.{suffix}")


def opened(path: Path, flags: int) -> int:
    """A descriptor of the plain file at `path`, 0600 where it is made. Raises `JournalUnsafe`, `JournalFailed`."""
    try:
        fd = os.open(path, flags | ALWAYS, 0o600)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
            raise JournalUnsafe(path, NO_FILE) from None
        raise JournalFailed(path, f"it cannot be opened: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise JournalUnsafe(path, NO_FILE)
    return fd


def owned(path: Path) -> int:
    """A descriptor of the journal at `path`, to read and append, locked for this process.

    Raises `JournalUnsafe`, `JournalOwned`, `JournalFailed`.
    """
    _make_folder(path.parent)
    fd = opened(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
    try:
        _check(path, os.fstat(fd))
        _lock(path, fd)
        _leave_note(path)
    except BaseException:
        os.close(fd)
        raise
    return fd


def release(path: Path, fd: int) -> None:
    """Let others have the journal."""
    try:
        beside(path, "owner").unlink(missing_ok=True)
    except OSError:  # the note is for people; the lock counts
        pass
    fcntl.flock(fd, fcntl.LOCK_UN)


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` survive a loss of power. Raises OSError."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = folder.stat().st_mode
    except OSError as error:
        raise JournalFailed(folder, f"there can be no journal here: {error.strerror}") from error
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        raise JournalUnsafe(folder, "everybody may put files here: chmod o-w, or choose another folder")


def _check(path: Path, status: os.stat_result) -> None:
    if status.st_uid != os.geteuid():
        raise JournalUnsafe(path, f"it belongs to user {status.st_uid}, and this process is user {os.geteuid()}'s")
    if status.st_mode & OTHERS_WRITE:
        raise JournalUnsafe(path, f"others may write to it (mode {stat.S_IMODE(status.st_mode):o}): chmod 600")


def _lock(path: Path, fd: int) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise JournalOwned(path, _owner(path)) from None
    except OSError as error:
        raise JournalFailed(path, f"it cannot be locked here: {error.strerror}") from error
    try:
        still_there = os.path.samestat(os.stat(path, follow_symlinks=False), os.fstat(fd))
    except FileNotFoundError:
        still_there = False
    if not still_there:
        raise JournalFailed(path, "it was moved away at this moment")


# --- who it is ---------------------------------------------------------------------------------------------------


def _leave_note(path: Path) -> None:
    """Say who has it, for those who are refused; since when is the note's own time."""
    try:
        fd = opened(beside(path, "owner"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    except JournalFailed:  # no room for a note, for one; the lock counts
        return
    try:
        os.write(fd, f"process {os.getpid()} on {os.uname().nodename}".encode()[:NOTE_MOST])
    except OSError:
        pass
    finally:
        os.close(fd)


def _owner(path: Path) -> str:
    try:
        fd = opened(beside(path, "owner"), os.O_RDONLY)
    except JournalError:
        return "another process"
    try:
        text = os.read(fd, NOTE_MOST).decode(errors="replace")
        since = datetime.fromtimestamp(os.fstat(fd).st_mtime, UTC)
    finally:
        os.close(fd)
    return f"{text or 'another process'} (since {since:%Y-%m-%d %H:%M:%S} UTC)"


# --- forks -------------------------------------------------------------------------------------------------------


class Forked(Protocol):
    """What a forked child must not write to."""

    def forked(self) -> None:
        """Called in the child."""
        ...


class Forks:
    """Tells all that are `watched`, in a forked child, that they are their parent's. Asking for the process id in each
    append instead would cost 210 ns, a tenth of it."""

    def __init__(self) -> None:
        self._watched = weakref.WeakSet[Forked]()
        self._register: Callable[[], None] | None = lambda: os.register_at_fork(after_in_child=self._tell)

    def watch(self, journal: Forked) -> None:
        """From now on."""
        register, self._register = self._register, None
        if register is not None:
            register()
        self._watched.add(journal)

    def unwatch(self, journal: Forked) -> None:
        """No more."""
        self._watched.discard(journal)

    def _tell(self) -> None:
        for journal in list(self._watched):
            journal.forked()


FORKS: Final = Forks()
