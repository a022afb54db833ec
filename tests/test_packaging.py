"""The wheel holds every package, under one name, and does not need the links in ticktree/."""

import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
PACKAGES: list[str] = SETUPTOOLS["packages"]
ROOMS: dict[str, str] = SETUPTOOLS["package-dir"]  # ticktree.actors -> actors
DATA: dict[str, list[str]] = SETUPTOOLS["package-data"]  # package -> patterns of files beside its modules
TEMPLATES = ROOT / "ticktree" / "templates"  # no packages: what `ticktree new` makes some of
NOT_SHIPPED = {"tests", "benchmarks", "examples", "docs"}


def room_folders() -> list[Path]:
    """Every folder at the root that is a package and is shipped, but for `ticktree` itself."""
    return sorted(
        init.parent
        for init in ROOT.glob("*/__init__.py")
        if init.parent.name not in NOT_SHIPPED | {"ticktree"} and not init.parent.name.startswith(".")
    )


def own_folders() -> list[Path]:
    """Every folder of `ticktree` itself: what is no link to a room."""
    folders = {path for path in (ROOT / "ticktree").iterdir() if path.is_dir() and not path.is_symlink()}
    return sorted(folders - {TEMPLATES})


def shipped() -> dict[str, Path]:
    """The place that every folder of modules has inside the wheel, and where it is here."""
    inside = {"ticktree": ROOT / "ticktree"}
    for top in (*room_folders(), *own_folders()):
        for folder in {path.parent for path in top.rglob("*.py")}:
            inside[f"ticktree/{folder.relative_to(top.parent).as_posix()}"] = folder
    return inside


def shipped_modules() -> set[str]:
    """The path every module has inside the wheel, and what stands beside them."""
    modules = {f"{place}/{path.name}" for place, folder in shipped().items() for path in folder.glob("*.py")}
    return modules | {
        path.relative_to(ROOT).as_posix()
        for package, patterns in DATA.items()
        for pattern in patterns
        for path in (ROOT / package.replace(".", "/")).glob(pattern)
        if path.is_file()
    }


def test_every_folder_with_an_init_is_a_listed_package() -> None:
    found = [place.replace("/", ".") for place, folder in shipped().items() if (folder / "__init__.py").exists()]
    assert sorted(PACKAGES) == sorted(found)


def test_every_folder_with_modules_has_an_init() -> None:
    assert [folder for folder in shipped().values() if not (folder / "__init__.py").exists()] == []


def test_every_room_is_mapped_into_the_package() -> None:
    expected = {f"ticktree.{room.name}": room.name for room in room_folders()}
    assert expected == ROOMS


def test_every_room_has_a_relative_link() -> None:
    links = {path.name: os.readlink(path) for path in (ROOT / "ticktree").iterdir() if path.is_symlink()}
    assert links == {room: f"../{room}" for room in ROOMS.values()}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is built from, copied: a build leaves files behind, and must not find an earlier one's."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, copy)
    for folder in ("ticktree", *ROOMS.values()):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, copy / folder, symlinks=True, ignore=ignored)
    return copy


@pytest.fixture(scope="module")
def without_links(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, as an archive or a file system that knows no links would leave it."""
    copy = tmp_path_factory.mktemp("without_links") / "checkout"
    shutil.copytree(checkout, copy, symlinks=True)
    for path in (copy / "ticktree").iterdir():
        if path.is_symlink():
            path.unlink()
    return copy


def build(kind: str, source: Path, into: Path) -> Path:
    """Call the build backend as pip does, without its isolated environment."""
    hook = f"import sys; from setuptools import build_meta; build_meta.build_{kind}(sys.argv[1])"
    unmeasured = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    command = [sys.executable, "-c", hook, str(into)]
    run = subprocess.run(command, cwd=source, env=unmeasured, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    (built,) = into.iterdir()
    return built


def contents(wheel: Path) -> set[str]:
    """The files in a wheel, without its metadata."""
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def test_wheel_holds_every_module_under_one_name(without_links: Path, tmp_path: Path) -> None:
    assert contents(build("wheel", without_links, tmp_path)) == shipped_modules()


def test_sdist_builds_the_same_wheel(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "sdist").mkdir()
    (tmp_path / "wheel").mkdir()
    with tarfile.open(build("sdist", checkout, tmp_path / "sdist")) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.glob("ticktree-*")
    assert contents(build("wheel", source, tmp_path / "wheel")) == shipped_modules()
