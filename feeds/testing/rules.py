"""The rules that the kit's tests hold a feed to, as docs/add-a-feed.md has them; and the error that names one."""

import functools
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar, cast

import attrs
import msgspec

from ticktree.market import Instrument

from ..account import FeedAccount
from .facts import BookFact, QuoteFact, TradeFact, UpdateFact

S = TypeVar("S")

RULES = {
    1: "What is told of a message is all of it, however the network cuts it; of half a message nothing is told.",
    2: "A message that cannot be understood raises a MarketError or FeedError, is counted, and tells nothing.",
    3: "No value is told that cannot be: not finite, negative, or beyond what the exchange lets anyone write.",
    4: "A new connection begins anew: all is subscribed to again, and nothing of the last one is remembered.",
    5: "What is missing is noticed, told, and repaired: a book is right, or it is not told.",
    6: "What comes twice is told once.",
    7: "A connection that says nothing is lost; an instrument without news is stale, where that was asked for.",
    8: "A refusal costs the connection, and says why in the exchange's words; then it is tried again.",
    9: "What the exchange does not list is an error at the start; what was not asked for is never told.",
    10: "A question that fails is asked again, and an answer that cannot be read is a failure.",
    11: "Every byte is accounted for, and at the end nothing is left over: no task, no descriptor.",
}


class Nonconforming(AssertionError):
    """A feed breaks rule `rule`: `what` happened, and what was sent, expected and told."""

    def __init__(self, rule: int, what: str, **told: object) -> None:
        self.rule, self.what, self.told = rule, what, told
        lines = [what, f"  rule {rule}: {RULES[rule]} (docs/add-a-feed.md)"]
        lines += [f"  {name:<9}{_shown(value)}" for name, value in told.items()]
        super().__init__("\n".join(lines))


def _shown(value: object) -> str:
    match value:
        case bytes():
            return f"{value[:300]!r}" + (f" and {len(value) - 300:,} bytes more" if len(value) > 300 else "")
        case list():
            return "".join(f"\n    {_shown(item)}" for item in cast(Iterable[object], value)) or "nothing"
        case Instrument():
            return value.name
        case msgspec.Struct():
            return _fields(value, msgspec.structs.asdict(value))
        case TradeFact() | QuoteFact() | UpdateFact() | BookFact() | FeedAccount():
            return _fields(value, attrs.asdict(value, recurse=False))
        case _:
            return str(value)


def _fields(value: object, fields: dict[str, object]) -> str:
    """Those that tell anything."""
    told = [f"{name}={_shown(field)}" for name, field in fields.items() if field and not name.startswith("_")]
    return f"{type(value).__name__}({', '.join(told)})"


def rule(number: int) -> Callable[[Callable[[S], Coroutine[Any, Any, None]]], Callable[[S], None]]:
    """A test of rule `number`: a coroutine, made a plain function that runs it on a loop of its own."""

    def made(test: Callable[[S], Coroutine[Any, Any, None]]) -> Callable[[S], None]:
        from .running import play  # noqa: PLC0415  # which knows this module

        @functools.wraps(test)
        def plain(self: S) -> None:
            play(number, lambda: test(self))

        del plain.__dict__["__wrapped__"]  # pytest plug-ins that look for coroutines would unwrap it
        return plain

    return made
