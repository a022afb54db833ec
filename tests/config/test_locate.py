"""Every key of a document has its line, and the line holds the key."""

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, strategies as st

from ticktree.config.locate import Path, locate
from ticktree.config.problems import is_list, is_table

DOCUMENT = '''\
top = 1  # [not.a.table]

[feeds.binance]
type = "binance"
instruments = [
    "BTC-USDT",   # the first = one
    "ETH-USDT",
]
backoff = { base = "100ms", ceiling = "30s" }
"quoted.key" = 'a = "b"'

[risk]
max_order_size."BTC-USDT" = 2
text = """
[looks.like] = a table
key = 1 \\""" not yet"""""

[[lists]]
name = "a"
[lists.inner]
x = 1
[[lists]]
name = "b"
[[lists.inner]]
x = [[1, 2], { y = 2 }]
'''


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Of everything in `value`, below `path`."""
    items: Any = value.items() if is_table(value) else enumerate(value) if is_list(value) else ()
    for key, inner in items:
        yield (*path, key)
        yield from paths(inner, (*path, key))


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("top",), 1),
        (("feeds",), 3),
        (("feeds", "binance"), 3),
        (("feeds", "binance", "instruments"), 5),
        (("feeds", "binance", "instruments", 0), 6),
        (("feeds", "binance", "instruments", 1), 7),
        (("feeds", "binance", "backoff", "ceiling"), 9),
        (("feeds", "binance", "quoted.key"), 10),
        (("risk", "max_order_size", "BTC-USDT"), 13),
        (("risk", "text"), 14),
        (("lists",), 18),
        (("lists", 0, "name"), 19),
        (("lists", 0, "inner", "x"), 21),
        (("lists", 1), 22),
        (("lists", 1, "name"), 23),
        (("lists", 1, "inner", 0, "x"), 25),
        (("lists", 1, "inner", 0, "x", 1, "y"), 25),
    ],
)
def test_a_key_is_on_its_line(path: Path, line: int) -> None:
    assert locate(DOCUMENT)[path] == line


def test_there_is_a_line_for_each_path_and_for_nothing_else() -> None:
    assert set(locate(DOCUMENT)) == set(paths(tomllib.loads(DOCUMENT)))


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing", "a = 1", "a.b.c = 1", "a = []", "a = {}", "[a]", "[[a]]"])
def test_small_documents(text: str) -> None:
    assert set(locate(text)) == set(paths(tomllib.loads(text)))


def test_windows_line_ends_count_once() -> None:
    assert locate(DOCUMENT.replace("\n", "\r\n")) == locate(DOCUMENT)


# --- any document --------------------------------------------------------------------------------------------------

BARE = st.from_regex(r"[A-Za-z0-9_-]{1,6}", fullmatch=True)
INNER = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\"'\\"), max_size=6)
KEYS = st.one_of(BARE, BARE, INNER.map(lambda text: f'"{text}"'), INNER.map(lambda text: f"'{text}'"))
TEXTS = st.sampled_from(
    [
        '"a # = [b]"', "'c:\\'", r'"\"\\"', '""', "''", '"""a"""', '"""\n[x]\ny = 1\n"""', '"""""""', '"""a\\"""b"""""',
        "'''\n#'''", "''''''''", "'''a\\'''",
    ]
)  # fmt: skip
PLAIN = st.sampled_from(["1", "-2.5e3", "true", "inf", "0x1F", "1979-05-27 07:32:00Z", "07:32:00", "1979-05-27"])
SPACE = st.sampled_from(["", " ", "\t ", "  "])
BREAK = st.sampled_from([" ", "\n", " # a, ] } comment\n", "\n\n\t"])


@st.composite
def lists(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    parts = [f"{draw(BREAK)}{value}{draw(BREAK)}" for value in draw(st.lists(values, max_size=3))]
    last: bool = draw(st.booleans())
    return f"[{','.join(parts)}{',' if parts and last else ''}{draw(BREAK)}]"


@st.composite
def tables(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    names = draw(st.lists(BARE, unique=True, max_size=3))
    parts = [f"{draw(SPACE)}{name}{draw(SPACE)}={draw(SPACE)}{draw(values)}{draw(SPACE)}" for name in names]
    return "{" + ",".join(parts) + draw(SPACE) + "}"


VALUES = st.recursive(st.one_of(TEXTS, PLAIN), lambda values: st.one_of(lists(values), tables(values)), max_leaves=6)


@st.composite
def documents(draw: st.DrawFn) -> str:
    """Statements that may not fit together; `tomllib` says which do."""
    lines = list[str]()
    for _ in range(draw(st.integers(0, 8))):
        key = f"{draw(SPACE)}.{draw(SPACE)}".join(draw(st.lists(KEYS, min_size=1, max_size=3)))
        kind = draw(st.sampled_from(["pair", "pair", "table", "list"]))
        comment = draw(st.sampled_from(["", " # x = 1", "#"]))
        match kind:
            case "pair":
                statement = f"{draw(SPACE)}{key}{draw(SPACE)}={draw(SPACE)}{draw(VALUES)}"
            case "table":
                statement = f"[{draw(SPACE)}{key}{draw(SPACE)}]"
            case _:
                statement = f"[[{draw(SPACE)}{key}{draw(SPACE)}]]"
        candidate = "\n".join([*lines, statement + comment])
        if parses(candidate):
            lines.append(statement + comment)
    return "\n".join(lines)


def parses(text: str) -> bool:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


@given(documents())
def test_every_path_of_any_document_has_a_line_that_holds_its_key(text: str) -> None:
    found, lines = locate(text), text.split("\n")
    assert set(found) == set(paths(tomllib.loads(text)))
    for path, line in found.items():
        assert 1 <= line <= len(lines)
        if isinstance(path[-1], str):
            assert path[-1] in lines[line - 1]
