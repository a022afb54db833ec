"""What is left in the folder for temporary files: nothing of ours, in the end."""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from ticktree.scratch import scratch

KILLED = """
import os, signal
from ticktree.scratch import scratch
with scratch("mine-") as folder:
    (folder / "orders.journal").write_text("x")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def test_the_folder_is_ours_alone_and_goes_with_what_is_in_it(place: Path) -> None:
    with scratch("mine-") as folder:
        (folder / "orders.journal").write_text("x")
        assert (folder.parent, folder.stat().st_mode & 0o777) == (place, 0o700)
    assert list(place.iterdir()) == []


def test_what_a_killed_process_left_is_cleared_by_the_next_one(place: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED], timeout=30, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(list(place.iterdir())) == 1
    with scratch("mine-") as folder:
        assert list(place.iterdir()) == [folder]


def test_folders_in_use_and_what_is_not_ours_are_left_alone(place: Path) -> None:
    (place / "mine-but-a-file").touch()
    (place / "mine-link").symlink_to(place)
    with scratch("mine-") as one, scratch("mine-") as other, scratch("yours-") as third:
        assert one != other
        assert all(folder.is_dir() for folder in (one, other, third))
    assert sorted(path.name for path in place.iterdir()) == ["mine-but-a-file", "mine-link"]
