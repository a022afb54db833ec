"""Where things are written: the line of a class or function, and the line at which a coroutine waits.

Cheap enough to ask of thousands of actors while they run; `inspect` parses a whole file for each class.
"""

import functools
import inspect
import linecache
import re
import sys
from typing import Any


def written(made: Any) -> str:
    """`file:line` where the class or function `made` begins; its name where that is not known."""
    while isinstance(made, functools.partial):
        made = made.func  # its arguments may be secret, so it must not be shown itself
    if isinstance(made, type):
        file = getattr(sys.modules.get(made.__module__), "__file__", None)
        line = _line_of_class(made, file) if file else None
        return f"{file}:{line}" if line else made.__qualname__
    code = getattr(inspect.unwrap(made), "__code__", None)
    if code is None:
        return getattr(made, "__qualname__", type(made).__qualname__)
    return f"{code.co_filename}:{code.co_firstlineno}"


@functools.lru_cache(1_024)
def _line_of_class(made: type, file: str) -> int | None:
    """CPython 3.13 knows; before, it is the last line above the first method that begins a class of this name."""
    known: int | None = vars(made).get("__firstlineno__")
    if known is not None:
        return known
    begins = re.compile(rf"\s*class {made.__name__}\b")
    lines = [number for number, line in enumerate(linecache.getlines(file), 1) if begins.match(line)]
    methods = [value.__code__.co_firstlineno for value in vars(made).values() if inspect.isfunction(value)]
    above = [number for number in lines if number <= min(methods, default=sys.maxsize)]
    return above[-1] if above else None


def where(coroutine: Any) -> str:
    """`file:line in function` of the innermost frame that `coroutine` is suspended in."""
    place, depth = "something without a source line", 0
    while coroutine is not None and depth < 100:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
        if frame is not None:
            code = frame.f_code
            place = f"{code.co_filename}:{frame.f_lineno} in {code.co_name}"
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)
        depth += 1
    return place
