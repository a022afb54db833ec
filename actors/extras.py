"""Libraries that only an extra installs (`ticktree[backtest]`): imported where they are used, asked for by name."""

import importlib
from typing import Any

import attrs

EXTRA = "backtest"


@attrs.frozen
class MissingExtra(ImportError):
    """`what` was asked for, and needs `library`, which is not installed."""

    what: str
    library: str

    def __str__(self) -> str:
        return f'{self.what} needs {self.library}: pip install "ticktree[{EXTRA}]"'


def library(name: str, what: str) -> Any:
    """The module of that name, as in `plotly.offline`. Raises `MissingExtra`, which says that `what` needs it."""
    root = name.partition(".")[0]
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != root:
            raise
        raise MissingExtra(what, root) from None
