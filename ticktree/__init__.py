"""ticktree's public names, each imported when it is first used."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ticktree.actors import (
        Actor as Actor,
        ActorRef as ActorRef,
        ChildSpec as ChildSpec,
        Mailbox as Mailbox,
        Supervisor as Supervisor,
        System as System,
    )
    from ticktree.app import App as App, run as run, strategy_part as strategy_part
    from ticktree.backtesting.notebook import Result as Result, backtest as backtest
    from ticktree.config import BadConfig as BadConfig, load as load
    from ticktree.market import (
        Bar as Bar,
        Batch as Batch,
        BookUpdate as BookUpdate,
        Ema as Ema,
        FeedState as FeedState,
        FeedStatus as FeedStatus,
        Gap as Gap,
        Instrument as Instrument,
        InstrumentStatus as InstrumentStatus,
        Live as Live,
        OrderBook as OrderBook,
        Quote as Quote,
        Side as Side,
        Skipped as Skipped,
        Stale as Stale,
        TickKind as TickKind,
        Trade as Trade,
        ZScore as ZScore,
    )
    from ticktree.routing import (
        Execution as Execution,
        Fill as Fill,
        Order as Order,
        OrderHandle as OrderHandle,
        OrderState as OrderState,
        OrderUpdate as OrderUpdate,
        Terms as Terms,
        TimeInForce as TimeInForce,
    )
    from ticktree.strategies import Strategy as Strategy

    __version__: str

# Public name -> the module that holds it. The imports above tell type checkers the same;
# tests/test_public_names.py keeps the two in agreement.
_HOMES = {
    "Actor": "ticktree.actors",
    "ActorRef": "ticktree.actors",
    "App": "ticktree.app",
    "BadConfig": "ticktree.config",
    "Bar": "ticktree.market",
    "Batch": "ticktree.market",
    "BookUpdate": "ticktree.market",
    "ChildSpec": "ticktree.actors",
    "Ema": "ticktree.market",
    "Execution": "ticktree.routing",
    "FeedState": "ticktree.market",
    "FeedStatus": "ticktree.market",
    "Fill": "ticktree.routing",
    "Gap": "ticktree.market",
    "Instrument": "ticktree.market",
    "InstrumentStatus": "ticktree.market",
    "Live": "ticktree.market",
    "Mailbox": "ticktree.actors",
    "Order": "ticktree.routing",
    "OrderBook": "ticktree.market",
    "OrderHandle": "ticktree.routing",
    "OrderState": "ticktree.routing",
    "OrderUpdate": "ticktree.routing",
    "Quote": "ticktree.market",
    "Result": "ticktree.backtesting.notebook",
    "Side": "ticktree.market",
    "Skipped": "ticktree.market",
    "Stale": "ticktree.market",
    "Strategy": "ticktree.strategies",
    "Supervisor": "ticktree.actors",
    "System": "ticktree.actors",
    "Terms": "ticktree.routing",
    "TickKind": "ticktree.market",
    "TimeInForce": "ticktree.routing",
    "Trade": "ticktree.market",
    "ZScore": "ticktree.market",
    "backtest": "ticktree.backtesting.notebook",
    "load": "ticktree.config",
    "run": "ticktree.app",
    "strategy_part": "ticktree.app",
}

__all__ = list(_HOMES)  # pyright: ignore[reportUnsupportedDunderAll]  # one table, not two


def _load(name: str) -> object:
    value: object
    if name == "__version__":
        from importlib.metadata import version

        value = version("ticktree")
    elif name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
    else:
        raise AttributeError(_unknown(name))
    globals()[name] = value  # the next use does not come here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})


def _unknown(name: str) -> str:
    from difflib import get_close_matches

    spellings = {known.lower(): known for known in __all__}
    nearest = get_close_matches(name.lower(), spellings, n=1)
    hint = f"; did you mean {spellings[nearest[0]]!r}?" if nearest else ""
    return f"module 'ticktree' has no attribute {name!r}{hint}"


if not TYPE_CHECKING:  # to a type checker, a module's __getattr__ would make every misspelt name valid
    __getattr__ = _load
