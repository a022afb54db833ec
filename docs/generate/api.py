"""The pages of the programming interface: one a package, with a section for each module that its names come from.

A package's `__init__` lists its public names and nothing else; the pages are made from that list, so that every public
name is on a page. What stands there of each is its docstring, which mkdocstrings renders.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

# Packages by re-exported names; modules by what they define. `folder` in the repository.
PACKAGES: Final = {
    "ticktree.actors": "actors",
    "ticktree.market": "market",
    "ticktree.net": "net",
    "ticktree.feeds": "feeds",
    "ticktree.feeds.recording": "feeds/recording",
    "ticktree.feeds.simulated": "feeds/simulated",
    "ticktree.feeds.testing": "feeds/testing",
    "ticktree.distribution": "distribution",
    "ticktree.routing": "routing",
    "ticktree.routing.venues.simulated": "routing/venues/simulated",
    "ticktree.routing.venues.tcp": "routing/venues/tcp",
    "ticktree.strategies": "strategies",
    "ticktree.config": "ticktree/config",
    "ticktree.backtesting": "ticktree/backtesting",
}
MODULES: Final = {"ticktree.app": "ticktree/app.py", "ticktree.testing": "ticktree/testing.py"}
WHOLE: Final = ("ticktree.feeds.Feed",)  # what one overrides there stands in classes that have no name in public
ROOT: Final = "ticktree/__init__.py"
HEAD: Final = "---\nsearch:\n  boost: 0.5\n---"  # whoever searches wants to be told of it first


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages that are there to be made."""
    root = Path(config.config_file_path).parent
    for name, folder in PACKAGES.items():
        source = root / folder / "__init__.py"
        if source.exists():
            _add(files, config, name, _package(name, source))
    for name, file in MODULES.items():
        _add(files, config, name, _module(name, root / file))
    _add(files, config, "ticktree", _top(root / ROOT))
    return files


def _add(files: Files, config: MkDocsConfig, name: str, parts: Iterator[str]) -> None:
    files.append(File.generated(config, f"api/{name}.md", content="\n\n".join([HEAD, *parts]) + "\n"))


def _package(name: str, source: Path) -> Iterator[str]:
    tree = ast.parse(source.read_text())
    yield f"# {name}"
    yield ast.get_docstring(tree) or ""
    for module, names in _exported(tree):
        beside = source.parent / f"{module}.py"
        home = beside if beside.exists() else source.parent / module / "__init__.py"
        if module and home.exists():
            yield f"## {module}"
            yield _promise(home)
            yield from (_directive(f"{name}.{one}", 3) for one in names)


def _module(name: str, source: Path) -> Iterator[str]:
    """What a module defines, and what it shows of its neighbours."""
    tree = ast.parse(source.read_text())
    yield f"# {name}"
    yield ast.get_docstring(tree) or ""
    defined = [node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    shown = [one for _, names in _exported(tree) for one in names]
    yield from (_directive(f"{name}.{one}", 2) for one in [*defined, *shown] if not one.startswith("_"))


def _top(source: Path) -> Iterator[str]:
    """The names that are imported from `ticktree` itself, and where each is told of."""
    tree = ast.parse(source.read_text())
    (guarded,) = (node for node in tree.body if isinstance(node, ast.If) and _is_name(node.test, "TYPE_CHECKING"))
    imports = [node for node in guarded.body if isinstance(node, ast.ImportFrom)]
    homes = sorted((one.name, node.module or "") for node in imports for one in node.names)
    alone = [f"{home}.{one}" for one, home in homes if home not in PACKAGES and home not in MODULES]
    yield "# ticktree"
    yield "What most programs need is imported from `ticktree` itself; `ticktree.__version__` is its version."
    yield "\n".join(
        ["| name | at home in |", "|---|---|", *(f"| [`{one}`][{home}.{one}] | `{home}` |" for one, home in homes)]
    )
    yield from (_directive(path, 2) for path in alone)


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _exported(tree: ast.Module) -> Iterator[tuple[str, list[str]]]:
    """Modules and what is re-exported of each: `from .actor import Actor as Actor`."""
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module:
            names = [one.name for one in node.names if one.asname == one.name]
            if names:
                yield node.module, names


def _promise(source: Path) -> str:
    return ast.get_docstring(ast.parse(source.read_text())) or ""


def _directive(path: str, level: int) -> str:
    inherited = "\n      inherited_members: true" if path in WHOLE else ""
    return f"::: {path}\n    options:\n      heading_level: {level}{inherited}"
