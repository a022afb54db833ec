"""Packages that announce plug-ins, installed into a folder as pip would leave them."""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest


class Packages:
    """Installs packages of one module into `folder`, which is on the path."""

    def __init__(self, folder: Path, group: str) -> None:
        self.folder, self.group = folder, group
        self.installed = list[str]()

    def install(self, package: str, entry: str, source: str = "") -> None:
        """`package` 1.0 has a module `{package}_module`, and announces `entry`: "name = package_module:Class"."""
        self.installed.append(package)
        folder = self.folder / f"{package}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text(f"[{self.group}]\n{entry}\n")
        (self.folder / f"{package}_module.py").write_text(source)


@contextmanager
def packages(folder: Path, monkeypatch: pytest.MonkeyPatch, group: str) -> Generator[Packages]:
    """A place to install packages to, for one test."""
    monkeypatch.syspath_prepend(str(folder))
    place = Packages(folder, group)
    yield place
    for package in place.installed:
        sys.modules.pop(f"{package}_module", None)
