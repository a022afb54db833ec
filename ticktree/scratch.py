"""Folders that go with the process, however that ends: what one that was killed left is cleared away by the next."""

import fcntl
import os
import shutil
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import gettempdir, mkdtemp


@contextmanager
def scratch(prefix: str) -> Generator[Path]:
    """A new folder, ours alone, locked for as long as we live. Those of this `prefix` that nobody holds are removed."""
    _clear(Path(gettempdir()).glob(f"{prefix}*"))
    while True:
        folder = Path(mkdtemp(prefix=prefix))
        held = _held(folder)
        if held is not None:
            break  # else another one has just cleared it away
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


def _clear(folders: Iterable[Path]) -> None:
    for folder in folders:
        held = _held(folder)
        if held is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(held)


def _held(folder: Path) -> int | None:
    """A descriptor of it, which has its lock; None where another process has, it is another user's, or gone."""
    try:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    with suppress(OSError):
        if os.fstat(fd).st_uid == os.getuid():
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if folder.exists():
                return fd
    os.close(fd)
    return None
