"""A class and the options to make objects of it with, which may be secret."""

from collections.abc import Callable, Mapping
from inspect import signature
from typing import Any, Generic, TypeVar

import attrs

from .values import Secret

T = TypeVar("T")


def _names(options: Mapping[str, object]) -> str:
    return f"<{', '.join(options)}>"


@attrs.frozen
class Maker(Generic[T]):
    """Called, it makes a `kind`; keywords go before `options`. Its `repr` has no option's value."""

    kind: Callable[..., T]
    options: Mapping[str, Any] = attrs.field(factory=dict[str, Any], repr=_names)

    def __call__(self, *arguments: object, **changes: object) -> T:
        options = {name: str(value) if isinstance(value, Secret) else value for name, value in self.options.items()}
        return self.kind(*arguments, **{**options, **changes})

    def option(self, name: str) -> object:
        """What was given, or the constructor's default; None where it has no such parameter, or no default."""
        if name in self.options:
            return self.options[name]
        parameter = signature(self.kind).parameters.get(name)
        return None if parameter is None or parameter.default is parameter.empty else parameter.default
