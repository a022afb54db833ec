"""Pages of files that stand outside docs/: what a page links to is shown in the site, so that no link leads out of it.

A link in docs/ is written as it works in a checkout, `../examples/momentum.py`. Here it becomes a page of that file, or
of all the files of that folder; links to the pages at the repository's root become links to their copies in the site.
"""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

# Pages at the repository's root -> their place in the site; INSTEAD: sources -> the page that tells what is in them.
INCLUDED: Final = {
    "ARCHITECTURE.md": "architecture.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "README.md": "index.md",
}
INSTEAD: Final = {
    "ticktree/cli.py": "commands.md",
    "ticktree/app.py": "api/ticktree.app.md",
    "ticktree/testing.py": "api/ticktree.testing.md",
}
PACKAGE: Final = re.compile(r"(?:ticktree/)?([a-z/]+)/__init__\.py")
LANGUAGES: Final = {".py": "python", ".toml": "toml", ".md": "markdown", ".json": "json"}
SHOWN: Final = (*LANGUAGES, ".txt", ".cfg")
FENCED: Final = re.compile(r"^(`{3,})[^\n]*\n.*?^\1`*[ ]*$", re.MULTILINE | re.DOTALL)
LINK: Final = re.compile(r"(\]\()([^()\s#]+)(#[^()\s]*)?(\))")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages of the root, and one for each file or folder that any page links to."""
    root = _root(config)
    for name, place in INCLUDED.items():
        if files.get_file_from_path(place) is None:
            files.append(File.generated(config, place, content=(root / name).read_text()))
    linked = {target for file in files.documentation_pages() for target in _linked(file, config)}
    for target in sorted(linked):
        place = _place(target, files, config)
        if files.get_file_from_path(place) is None and not _in_docs(target, config):
            files.append(File.generated(config, place, content=_shown(root, target)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """The same page, whose links to files outside docs/ lead to their pages."""
    here = page.file.src_uri

    def led(link: re.Match[str]) -> str:
        target = _in_repository(here, link[2], config)
        if not target:
            return link[0]
        place = posixpath.relpath(_place(target, files, config), posixpath.dirname(here) or ".")
        return f"{link[1]}{place}{link[3] or ''}{link[4]}"

    if here.startswith("source/"):
        return markdown
    return "".join(text if fenced else LINK.sub(led, text) for text, fenced in _parts(markdown))


def _linked(file: File, config: MkDocsConfig) -> Iterator[str]:
    for text, fenced in _parts(file.content_string):
        for link in () if fenced else LINK.finditer(text):
            if target := _in_repository(file.src_uri, link[2], config):
                yield target


def _parts(markdown: str) -> Iterator[tuple[str, bool]]:
    """The text, cut where fenced blocks begin and end; whether each part is such a block."""
    at = 0
    for block in FENCED.finditer(markdown):
        yield markdown[at : block.start()], False
        yield block[0], True
        at = block.end()
    yield markdown[at:], False


def _in_repository(here: str, link: str, config: MkDocsConfig) -> str:
    """What `link` on the page `here` names, as a path in the repository; empty for an address."""
    if ":" in link:
        return ""
    origin = {place: name for name, place in INCLUDED.items() if place != "index.md"}.get(here)
    folder = "" if origin is not None else posixpath.join(_docs(config), posixpath.dirname(here))
    return posixpath.normpath(posixpath.join(folder, link))


def _in_docs(target: str, config: MkDocsConfig) -> bool:
    return target.startswith(f"{_docs(config)}/")


def _place(target: str, files: Files, config: MkDocsConfig) -> str:
    """Which page of the site shows what stands at `target` in the repository."""
    if _in_docs(target, config):
        return target.removeprefix(f"{_docs(config)}/")
    if (package := PACKAGE.fullmatch(target)) is not None:
        api = f"api/ticktree.{package[1].replace('/', '.')}.md"
        if files.get_file_from_path(api) is not None:
            return api
    return INCLUDED.get(target) or INSTEAD.get(target) or f"source/{target}.md"


def _shown(root: Path, target: str) -> str:
    """A page of one file, or of all files of a folder. Raises `FileNotFoundError` where a link leads nowhere."""
    path = root / target
    paths = sorted(_files(path)) if path.is_dir() else [path]
    parts = ["---\nsearch:\n  exclude: true\n---", f"# {target}"]
    for one in paths:
        heading = [] if one == path else [f"## {one.relative_to(path).as_posix()}"]
        parts += [*heading, f"``````{LANGUAGES.get(one.suffix, 'text')}\n{one.read_text()}\n``````"]
    return "\n\n".join(parts) + "\n"


def _files(folder: Path) -> Iterator[Path]:
    return (
        path
        for path in folder.rglob("*")
        if path.is_file()
        and path.suffix in SHOWN
        and not any(part.startswith((".", "__pycache__")) for part in path.parts)
    )


def _root(config: MkDocsConfig) -> Path:
    return Path(config.config_file_path).parent


def _docs(config: MkDocsConfig) -> str:
    return Path(config.docs_dir).relative_to(_root(config)).as_posix()
