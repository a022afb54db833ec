"""Where a coroutine waits: the innermost source line of a chain of awaits."""

from typing import Any


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
