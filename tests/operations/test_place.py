"""Where sockets stand: paths that are short enough, in a folder that nobody else can use."""

import os
import socket as sockets
from pathlib import Path

import pytest

from ticktree.operations.errors import BadPlace
from ticktree.operations.place import (
    MOST_BYTES,
    answers,
    check_folder,
    private_folder,
    running,
    socket_for,
    socket_of,
)


def listening(path: Path) -> sockets.socket:
    sock = sockets.socket(sockets.AF_UNIX)
    sock.bind(str(path))
    sock.listen()
    return sock


def test_a_configuration_has_a_socket_of_its_own_that_depends_on_its_absolute_path(
    runtime: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    here, there = socket_for(Path("live.toml")), socket_for(Path("other/live.toml"))
    assert here == socket_for(tmp_path / "live.toml") == socket_for(tmp_path / "x" / ".." / "live.toml")
    assert here != there
    assert here.parent == runtime
    assert here.name.startswith("live-")
    assert here.suffix == ".sock"
    assert not runtime.exists()  # asking makes nothing


@pytest.mark.parametrize("name", ["a" * 200, "größer als", "ライブ", "..", "a/../b c"])
def test_a_path_is_short_and_plain_whatever_the_configuration_is_called(runtime: Path, name: str) -> None:
    path = socket_for(Path(f"{name}.toml"))
    assert len(os.fsencode(path)) <= MOST_BYTES
    assert path.parent == runtime
    assert path.name.isascii()


@pytest.mark.parametrize("session", ["", "relative", "/nowhere", "/tmp/" + "deep" * 25])
def test_without_a_usable_folder_of_the_session_it_is_one_of_the_user(
    monkeypatch: pytest.MonkeyPatch, session: str
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", session)
    assert socket_for(Path("live.toml")).parent == Path(f"/tmp/ticktree-{os.getuid()}")


def test_a_system_that_was_started_without_the_sessions_folder_is_found_all_the_same(
    runtime: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Path("live.toml")
    with monkeypatch.context() as cron:
        cron.delenv("XDG_RUNTIME_DIR")
        there = socket_for(config)
    private_folder(there.parent)
    assert socket_of(config) == socket_for(config) != there
    with listening(there):
        assert socket_of(config) == there
        assert running() == [there]


def test_only_sockets_that_somebody_answers_are_running(runtime: Path) -> None:
    assert running() == []
    private_folder(runtime)
    listening(runtime / "dead.sock").close()
    (runtime / "file.sock").write_text("")
    with listening(runtime / "b.sock"), listening(runtime / "a.sock"):
        assert running() == [runtime / "a.sock", runtime / "b.sock"]
    assert running() == []


def test_one_that_is_too_busy_to_take_another_connection_answers(folder: Path) -> None:
    path = folder / "busy.sock"
    with sockets.socket(sockets.AF_UNIX) as busy, sockets.socket(sockets.AF_UNIX) as first:
        busy.bind(str(path))
        busy.listen(0)
        first.connect(str(path))
        assert answers(path)


def test_the_folder_is_made_for_its_owner_alone(runtime: Path) -> None:
    before = os.umask(0)
    try:
        private_folder(runtime)
    finally:
        os.umask(before)
    assert runtime.stat().st_mode & 0o777 == 0o700
    private_folder(runtime)  # it is there now


def test_a_folder_that_others_may_use_is_refused_and_said_how_to_mend(runtime: Path) -> None:
    runtime.mkdir()
    runtime.chmod(0o770)
    with pytest.raises(BadPlace, match=f"open to others .mode 0770.: chmod 700 {runtime}"):
        private_folder(runtime)
    with pytest.raises(BadPlace, match="open to others"):
        running()


def test_a_link_in_the_folders_place_is_refused(runtime: Path, folder: Path) -> None:
    (folder / "elsewhere").mkdir(mode=0o700)
    runtime.symlink_to(folder / "elsewhere")
    with pytest.raises(BadPlace, match="symbolic link"):
        private_folder(runtime)
    runtime.unlink()
    runtime.symlink_to(folder / "nowhere")
    with pytest.raises(BadPlace, match="symbolic link"):
        running()


def test_a_folder_of_somebody_else_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: folder.stat().st_uid + 1)
    with pytest.raises(BadPlace, match="belongs to user"):
        check_folder(folder)


def test_a_folder_of_ones_own_choice_has_to_be_there(folder: Path) -> None:
    private_folder(folder)
    with pytest.raises(BadPlace, match="make the folder of the socket first"):
        private_folder(folder / "nowhere")
