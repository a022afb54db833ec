"""Folders for sockets: pytest's own are too deep for one."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ticktree.operations import place


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path, ours alone."""
    made = Path(tempfile.mkdtemp(prefix="tt-", dir="/tmp"))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def socket(folder: Path) -> Path:
    """Where a system may be spoken to."""
    return folder / "s.sock"


@pytest.fixture
def runtime(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where systems are looked for, empty but for those of the test."""
    session = folder / "session"
    session.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(session))
    monkeypatch.setattr(place, "SHARED", folder)
    return session / "ticktree"
