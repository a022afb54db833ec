"""Parameters of strategies: frozen values, each with its type; who leaves one out gets its default."""

import math
from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, get_args, get_origin

import msgspec

from ticktree.market import Instrument

from .errors import BadParams

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    P_co = TypeVar("P_co", bound=msgspec.Struct, covariant=True, default=msgspec.Struct)
else:  # a default, which lets `class A(Strategy)` stand beside `class B(Strategy[Params])`, is for type checkers
    from typing import TypeVar

    P_co = TypeVar("P_co", bound=msgspec.Struct, covariant=True)


class NoParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of a strategy that names none."""


def params_type(strategy: type[Any]) -> type[msgspec.Struct]:
    """What stands in the brackets of `Strategy[...]`, in the class itself or in the nearest one that it is made of.

    Raises `BadParams` where that is no `msgspec.Struct`.
    """
    for one in strategy.__mro__:
        for base in vars(one).get("__orig_bases__", ()):
            for found in get_args(base):
                if isinstance(found, type) and issubclass(found, msgspec.Struct):
                    return found
                if isinstance(found, type) and hasattr(get_origin(base), "params_type"):
                    name = found.__name__
                    raise BadParams(
                        f"{strategy.__name__} names {name} as its params, which are a msgspec.Struct: "
                        f"class {name}(msgspec.Struct, frozen=True)"
                    )
    return NoParams


def fitting(strategy: type[Any], params: msgspec.Struct | None) -> msgspec.Struct:
    """`params`, or those of all defaults where there are none. Raises `BadParams`."""
    kind, name = params_type(strategy), strategy.__name__
    if params is None:
        needed = [one.name for one in msgspec.structs.fields(kind) if one.required]
        if needed:
            raise BadParams(f"{name} needs params: {', '.join(needed)}; strategy_part({name}, params={_call(needed)})")
        return kind()
    if not isinstance(params, kind):
        raise BadParams(f"{name} takes params of {kind.__module__}.{kind.__qualname__}; not {params!r:.80}")
    return params


def _call(names: Iterable[str]) -> str:
    return f"Params({', '.join(f'{name}=...' for name in names)})"


def above_zero(params: msgspec.Struct, *names: str) -> None:
    """For a `__post_init__`: those fields are finite, and above 0. Raises ValueError."""
    for name in names:
        value = getattr(params, name)
        if not math.isfinite(value) or value <= 0:
            raise ValueError(f"{name} is a number above 0; not {value}")


def not_below_zero(params: msgspec.Struct, *names: str) -> None:
    """Likewise: they are finite, and 0 or more. Raises ValueError."""
    for name in names:
        value = getattr(params, name)
        if not math.isfinite(value) or value < 0:
            raise ValueError(f"{name} is 0 or more; not {value}")


def whole(instrument: Instrument, size: Decimal) -> Decimal:
    """`size` without what is beyond whole increments of the instrument; itself where it is less than one, so that who
    orders it hears which sizes there are."""
    return size // instrument.size_increment * instrument.size_increment or size
