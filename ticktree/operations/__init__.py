"""The operator's end of a running system: what can be asked of it and told to it, over a Unix socket."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .server import Operations as Operations

__all__ = ["Operations"]


def _load(name: str) -> object:
    """The server is imported when it is wanted: commands that only speak to one are to be quick."""
    if name != "Operations":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .server import Operations

    return Operations


if not TYPE_CHECKING:  # to a type checker, a module's __getattr__ would make every misspelt name valid
    __getattr__ = _load
