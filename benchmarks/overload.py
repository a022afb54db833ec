"""Ten minutes at ten times what a strategy can take: memory, age of data, and the control lane."""

from collections.abc import AsyncIterator

from .limits import Missing
from .measure import Figure, Plan


async def figures(plan: Plan) -> AsyncIterator[Figure]:
    """`overload`."""
    raise Missing("it is not written yet")
    yield
