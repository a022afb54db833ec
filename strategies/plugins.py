"""Strategy classes by name: `STRATEGIES.load("momentum")`, or `my_strategy:Mine`."""

from ticktree.actors import Plugins

from .strategy import Strategy


def _misfit(found: object) -> str:
    if not isinstance(found, type):
        return f"a {type(found).__name__}, and no class"
    if not issubclass(found, Strategy):
        return "a class, but none that inherits from ticktree.Strategy"
    return ""


STRATEGIES: Plugins[Strategy] = Plugins("ticktree.strategies", "strategy type", _misfit)
