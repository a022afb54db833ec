"""All code that a page shows, in order: fenced or indented, with its place."""

import re
from collections.abc import Iterator
from pathlib import Path

import attrs

INDENT = "    "
FENCE = re.compile(r"( *)(`{3,}|~{3,})(\w*)$")
PROGRAM = re.compile(r"\$ |(?:\S*/)?(?:ticktree|make|pip|python|pytest|curl) (?=\S)")


class Unclosed(Exception):
    """A fence that does not end: the rest of the page would be code."""


@attrs.frozen
class Block:
    """One of them.

    line      of its first line of code
    language  as its fence says, "" where that says none, "indented" where there is none
    before    the paragraph that leads to it; "" where another block does
    """

    page: str
    line: int
    language: str
    text: str
    before: str = ""

    @property
    def commands(self) -> tuple[str, ...]:
        """What it has a reader type, a line each, whatever stands around it."""
        if self.language not in ("console", "sh", "bash", "", "indented"):
            return ()
        lines = self.text.replace("\\\n", " ").splitlines()
        return tuple(line.removeprefix("$ ") for line in lines if PROGRAM.match(line))

    @property
    def output(self) -> tuple[str, ...]:
        """What it shows beside commands, a line each."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return tuple(line for line in lines if line.strip() and not (self.commands and PROGRAM.match(line)))

    @property
    def file(self) -> str:
        """What the page has it saved as: its first line says so, or the first such name of the paragraph before it."""
        ending = {"python": "py"}.get(self.language, self.language)
        named = re.match(rf"# (\w+\.{ending})\n", self.text) or re.search(rf"`(\w+\.{ending})`", self.before)
        return named[1] if named else ""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """Those of `page`. Raises `Unclosed`."""
    return list(_read(page.name, page.read_text().splitlines()))


def _read(page: str, lines: list[str]) -> Iterator[Block]:
    before, at = list[str](), 0
    while at < len(lines):
        line, fence = lines[at], FENCE.match(lines[at])
        if fence:
            inner = _fenced(page, lines, at, fence)
            yield Block(page, at + 2, fence[3], _text(inner, len(fence[1])), " ".join(before))
            before, at = [], at + len(inner) + 2
        elif line.startswith(INDENT) and (not at or not lines[at - 1].strip()):
            inner = _indented(lines, at)
            yield Block(page, at + 1, "indented", _text(inner, len(INDENT)), " ".join(before))
            before, at = [], at + len(inner)
        else:
            if line.strip():
                before = [*before, line] if at and lines[at - 1].strip() else [line]
            at += 1


def _fenced(page: str, lines: list[str], at: int, fence: re.Match[str]) -> list[str]:
    for end in range(at + 1, len(lines)):
        if lines[end].strip() == fence[2]:
            return lines[at + 1 : end]
    raise Unclosed(f"{page}:{at + 1}: a fence that nothing closes")


def _indented(lines: list[str], at: int) -> list[str]:
    end = last = at
    while end < len(lines) and (lines[end].startswith(INDENT) or not lines[end].strip()):
        last = end if lines[end].strip() else last
        end += 1
    return lines[at : last + 1]


def _text(lines: list[str], indent: int) -> str:
    return "".join(f"{line[indent:]}\n" for line in lines)
