"""The summary in a notebook."""

from ticktree.backtesting.cell import notebook_html
from ticktree.backtesting.statistics import statistics

from .outcomes import Street, busy


def test_a_cell_has_a_row_for_each_strategy_what_was_assumed_and_the_digest() -> None:
    outcome = busy().outcome(warnings=("<b>no trades</b>",))
    cell = notebook_html(outcome, statistics(outcome))
    for said in ('<th scope="row">maker</th>', '<th scope="row">all</th>', "1.0550", "latency 20 ms there, 20 ms back",
                 "fees maker 1 bp, taker 5 bp", "seed 7", "Digest 5f5f5f5f", "&lt;b&gt;no trades"):  # fmt: skip
        assert said in cell
    assert "<script" not in cell


def test_a_back_test_without_orders_has_a_cell() -> None:
    outcome = Street().outcome()
    assert "Nothing was ordered." in notebook_html(outcome, statistics(outcome))
