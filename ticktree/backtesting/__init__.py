"""The live application on recorded time: from files to a result, the same each time.

Whose is which   data.py gives files to feeds; running.py assembles the application on a virtual clock, and runs it
What is seen     observer.py looks while it runs; rows.py makes rows of it; result.py says what those are
What it means    statistics.py, defined in docs/statistics.md; text.py, as_json.py, frames.py and page.py show it
From outside     notebook.py (`await backtest(...)`); sweeping.py, many runs over processes; `ticktree backtest`
"""
