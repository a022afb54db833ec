"""What of a page is code, and what it has a reader type."""

from pathlib import Path

import pytest

from .blocks import Block, Unclosed, blocks

PAGE = """# A page

Text, and `code` in it. This is `app.toml`:

```toml
[feeds.market]
```

```console
$ ticktree check app.toml
PAPER
$ ticktree run \\
  app.toml &
```

It prints

    $ ticktree why X    # the order

    order X
text
    that goes on, and is no code

- a list

~~~python
    x = "```"
~~~
"""


def of(tmp_path: Path, text: str) -> list[Block]:
    page = tmp_path / "page.md"
    page.write_text(text)
    return blocks(page)


def test_every_block_is_found_with_its_line_and_its_language(tmp_path: Path) -> None:
    found = of(tmp_path, PAGE)
    assert [(block.line, block.language) for block in found] == [
        (6, "toml"),
        (10, "console"),
        (18, "indented"),
        (27, "python"),
    ]
    assert str(found[0]) == "page.md:6"
    assert found[2].text == "$ ticktree why X    # the order\n\norder X\n"
    assert found[3].text == '    x = "```"\n'


def test_commands_and_what_they_print_are_told_apart(tmp_path: Path) -> None:
    _, console, indented, python = of(tmp_path, PAGE)
    assert console.commands == ("ticktree check app.toml", "ticktree run    app.toml &")
    assert (console.output, indented.output) == (("PAPER",), ("order X",))
    assert indented.commands == ("ticktree why X    # the order",)
    assert python.commands == ()


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        ("    .venv/bin/ticktree status", (".venv/bin/ticktree status",)),
        ("    make demo     # ends", ("make demo     # ends",)),
        ("```\nticktree run x\n```", ("ticktree run x",)),
        ("    ticktree        the root of a tree\n      journal", ()),
        ("```text\nticktree ticks 1\n```", ()),
    ],
)
def test_what_begins_with_the_name_of_a_program_is_a_command(
    text: str, commands: tuple[str, ...], tmp_path: Path
) -> None:
    (block,) = of(tmp_path, text)
    assert block.commands == commands


@pytest.mark.parametrize(
    ("before", "text", "file"),
    [
        ("Save this as `a.toml`, beside `b.toml`:", "x = 1", "a.toml"),
        ("Save this beside `a.py`:", "# b.toml\nx = 1", "b.toml"),
        ("Save this beside `a.py`:", "x = 1", ""),
    ],
)
def test_the_file_is_the_first_that_the_text_names(before: str, text: str, file: str, tmp_path: Path) -> None:
    (block,) = of(tmp_path, f"{before}\n\n```toml\n{text}\n```\n")
    assert block.file == file


def test_a_fence_that_nothing_closes_is_an_error_that_names_its_line(tmp_path: Path) -> None:
    with pytest.raises(Unclosed, match=r"page\.md:3"):
        of(tmp_path, "text\n\n```python\nx = 1\n")
