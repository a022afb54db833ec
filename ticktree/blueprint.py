"""From a name to the files of a new package: a strategy or a feed of one's own, with tests and configurations.

The templates, `templates/`, are packages that work. In what is made of them, the name that was asked for stands in the
place of theirs.
"""

import builtins
import keyword
import re
import sys
import unicodedata
from collections.abc import Iterator
from importlib.metadata import entry_points
from importlib.resources import files
from importlib.util import find_spec
from itertools import chain, count
from typing import Literal

import attrs

Kind = Literal["strategy", "feed"]

GROUPS: dict[Kind, str] = {"strategy": "ticktree.strategies", "feed": "ticktree.feeds"}
# What is made of each template, and what for; the module comes first.
FILES: dict[Kind, dict[str, str]] = {
    "strategy": {
        "newstrategy.py": "the strategy",
        "test_newstrategy.py": "its tests, in virtual time",
        "newstrategy.toml": "runs it on a simulated market",
        "recorded.toml": "runs it on a recorded one",
        "pyproject.toml": "makes it a package that ticktree finds",
        "README.md": "what to type",
        "gitignore": "what is not kept",
    },
    "feed": {
        "newfeed.py": "the feed",
        "test_newfeed.py": "its tests: the conformance kit",
        "newfeed.toml": "runs it, and a strategy that hears it",
        "pretend.py": "an exchange for it, on this machine",
        "pyproject.toml": "makes it a package that ticktree finds",
        "README.md": "what to type",
        "gitignore": "what is not kept",
    },
}
RENAMED = {"gitignore": ".gitignore"}  # by its own name it would be obeyed where the templates lie
TOOLS = {"conftest": "pytest", "setup": "setuptools"}
LONGEST = 30  # characters of a name: so much room have the lines of the templates

_ROOM = LONGEST - len("my__99")
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_IMPORTED = re.compile(r"^(from \w+ import )(\w+, \w+)$", re.MULTILINE)
_BEFORE_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class BadName(ValueError):
    """A package cannot be called `name`, by reason of `why`; it could be called `nearest`."""

    def __init__(self, name: str, why: str, nearest: str) -> None:
        super().__init__(f"{name!r} {why}; did you mean {nearest!r}?")
        self.name, self.why, self.nearest = name, why, nearest


@attrs.frozen
class File:
    """One that is to be made. `about`: what it is, in some words."""

    name: str
    text: str
    about: str


def blueprint(kind: Kind, name: str) -> tuple[File, ...]:
    """The files of a new package of that name. Raises `BadName`."""
    if why := _wrong(kind, name):
        raise BadName(name, why, _nearest(kind, name))
    return tuple(_made(kind, name))


def class_name(kind: Kind, name: str) -> str:
    """What its class is called, as in MeanReversion; those of feeds end with Feed."""
    words = [word.capitalize() for word in name.split("_")]
    return "".join(words) + ("Feed" if kind == "feed" and words[-1] != "Feed" else "")


def _made(kind: Kind, name: str) -> Iterator[File]:
    instead = {
        f"new{kind}": name,
        f"New{kind.capitalize()}": class_name(kind, name),
        f"new-{kind}": name.replace("_", "-"),
    }
    placeholder = re.compile("|".join(instead))

    def put(text: str) -> str:
        return _IMPORTED.sub(_in_order, placeholder.sub(lambda found: instead[found[0]], text))

    for template, about in FILES[kind].items():
        yield File(put(RENAMED.get(template, template)), put(_text(kind, template)), about)


def _in_order(found: re.Match[str]) -> str:
    """What is imported, in the order that linters want: it depends on the name."""
    names = sorted(found[2].split(", "), key=lambda name: (len(name) < 2 or not name.isupper(), name.lower()))
    return found[1] + ", ".join(names)


def _text(kind: Kind, template: str) -> str:
    return (files("ticktree") / "templates" / kind / template).read_text("utf-8")


def _wrong(kind: Kind, name: str) -> str:
    """Why a package cannot be called so; empty if it can."""
    if not _NAME.fullmatch(name):
        return "is no name of a package: lower-case letters and digits, and _ between words"
    if len(name) > LONGEST:
        return f"is longer than {LONGEST} characters"
    if keyword.iskeyword(name):
        return "is a word of Python's own"
    if name in TOOLS:
        return f"would be taken by {TOOLS[name]} for a file of its own"
    return _hidden(kind, name) or _mixed_up(kind, name)


def _hidden(kind: Kind, name: str) -> str:
    """What could not be found any more, were there a package of that name."""
    if name in sys.stdlib_module_names:
        return "would hide the module of that name of Python's library"
    for entry in entry_points(group=GROUPS[kind], name=name):
        return f"is what {entry.dist.name if entry.dist else entry.module} calls a {kind} of its own"
    found = find_spec(name)
    if found is not None and found.origin is not None:  # None: a mere folder, which hides nothing and nobody
        return f"would hide the module of that name in {found.origin}"
    return ""


def _mixed_up(kind: Kind, name: str) -> str:
    """What could not be told from it, in its own files."""
    if name in {template.partition(".")[0] for template in FILES[kind]}:
        return "is the name of another file of the package"
    made, modules = class_name(kind, name), [_text(kind, one) for one in FILES[kind] if one.endswith(".py")]
    if hasattr(builtins, made) or made in re.findall(r"\w+", " ".join(modules)):
        return f"would be a class {made}, which there is already"
    return ""


def _nearest(kind: Kind, name: str) -> str:
    """What could be meant, as a name that is right."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    words = re.findall(r"[a-z0-9]+", _BEFORE_CAPITAL.sub("_", plain).lower()) or ["my", kind]
    meant = "_".join(words)[:_ROOM].strip("_")
    candidates = chain((meant, f"my_{meant}"), (f"my_{meant}_{number}" for number in count(2)))
    return next(one for one in candidates if not _wrong(kind, one))
