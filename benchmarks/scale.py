"""How the cost of a tick grows: with instruments, subscribers, feeds, and rows a batch."""

from collections.abc import AsyncIterator

from .limits import Missing
from .measure import Figure, Plan


async def figures(plan: Plan) -> AsyncIterator[Figure]:
    """`scale`."""
    raise Missing("it is not written yet")
    yield
