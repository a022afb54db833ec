"""Every text is escaped once."""

from ticktree.backtesting.markup import Html, Table, described, html, joined, tag

BAD = '<script>alert("1 & 2")</script>'
SAFE = "&lt;script&gt;alert(&quot;1 &amp; 2&quot;)&lt;/script&gt;"


def test_text_is_escaped_and_markup_is_not() -> None:
    assert html(BAD) == SAFE
    assert tag("p", BAD) == f"<p>{SAFE}</p>"
    assert tag("p", tag("b", "x")) == "<p><b>x</b></p>"
    assert tag("a", "x", title=BAD, class_="y", aria_label="z") == f'<a title="{SAFE}" class="y" aria-label="z">x</a>'
    assert joined([BAD, Html("<br>")], " ") == f"{SAFE} <br>"


def test_a_table_names_itself_its_columns_and_its_rows() -> None:
    table = Table(BAD, ["name", BAD], [["group"], [BAD, BAD]], grouped=True).html()
    assert f"<caption>{SAFE}</caption>" in table
    assert f'<th scope="col" class="number">{SAFE}</th>' in table
    assert '<tr class="group"><th scope="rowgroup" class="group" colspan="2">group</th></tr>' in table
    assert f'<tr><th scope="row">{SAFE}</th><td class="number">{SAFE}</td></tr>' in table
    assert "<script" not in table


def test_facts_are_a_list_of_definitions() -> None:
    assert described([("a", BAD)]) == f'<dl class="facts"><div><dt>a</dt><dd>{SAFE}</dd></div></dl>'
