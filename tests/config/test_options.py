"""A constructor's parameters as keys."""

from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest
from msgspec.structs import fields

from ticktree.config.maker import Maker
from ticktree.config.options import given, options
from ticktree.config.problems import Document
from ticktree.config.reading import section
from ticktree.config.sections import Section
from ticktree.config.values import Secret, words


@attrs.frozen
class Step:
    """An inner value."""

    size: Decimal
    pause_s: float = 0.5


class Gate:
    """Of each kind of parameter one."""

    def __init__(  # noqa: PLR0917  # one of each kind
        self,
        url: str,
        token: str = "",
        timeout_s: float | None = None,
        delay: float = 0.0,
        delay_s: tuple[float, float] = (0.0, 1.0),
        buffer_bytes: int = 10,
        steps: Iterable[Step] = (),
        folder: Path | None = None,
        *,
        check: Callable[[], bool] | None = None,
        names: "list[str] | None" = None,
        **rest: Any,
    ) -> None:
        self.all = dict(locals())


class Hinted:
    """With a hint that is there for type checkers only."""

    def __init__(self, password: object, size: int = 5) -> None:
        self.password, self.size = password, size

    __init__.__annotations__["size"] = "NotThere"


def keys(kind: Callable[..., object], base: type[Section] = Section) -> dict[str, str]:
    return {field.encode_name: words(field.type) for field in fields(options(kind, base))}


def test_each_parameter_is_a_key_of_its_type() -> None:
    assert keys(Gate) == {
        "url": "a text",
        "token": "a text",
        "timeout": "a duration",
        "delay": "a number",
        "delay_s": "a list of 2: a duration, a duration",  # the shorter name is taken
        "buffer": "a size",
        "steps": "a list of tables",
        "folder": "a path",
        "names": "a list of texts",
    }


def test_a_hint_that_cannot_be_read_leaves_what_the_default_tells() -> None:
    assert keys(Hinted) == {"password": '"env:NAME" or "file:PATH"', "size": "a whole number"}


def test_a_key_that_all_sections_of_the_kind_have_is_theirs() -> None:
    class Base(Section, frozen=True, kw_only=True):
        timeout: int = 3

    assert keys(Gate, Base)["timeout"] == "a whole number"
    assert keys(Gate, Base)["timeout_s"] == "a duration"


def test_what_is_given_reaches_the_constructor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GATE_TOKEN", "secret!")
    table = {
        "url": "tcp://x:1", "token": "env:GATE_TOKEN", "timeout": "250ms", "delay_s": ["1ms", "1s"], "buffer": "2KiB",
        "steps": [{"size": 0.1}, {"size": "2", "pause": "1m"}], "folder": "here", "names": ["a"],
    }  # fmt: skip
    document = Document(tmp_path / "app.toml")
    found = given(section(options(Gate, Section), table, document.top), table)
    assert not document.problems
    assert isinstance(found["token"], Secret)
    assert "secret!" not in repr(found)
    made = Maker(Gate, found)().all
    assert type(made["token"]) is str
    assert {name: made[name] for name in found} == {
        "url": "tcp://x:1", "token": "secret!", "timeout_s": 0.25, "delay_s": (0.001, 1.0), "buffer_bytes": 2048,
        "steps": (Step(Decimal("0.1")), Step(Decimal(2), 60.0)), "folder": tmp_path / "here", "names": ["a"],
    }  # fmt: skip


def test_what_makes_a_class_shows_no_values() -> None:
    assert repr(Maker(Gate, {"url": "tcp://x:1"})).endswith("options=<url>)")
