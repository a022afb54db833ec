"""What each knob of the tuning guide changes: ours with it, over ours without."""

from collections.abc import AsyncIterator

from .limits import Missing
from .measure import Figure, Plan


async def figures(plan: Plan) -> AsyncIterator[Figure]:
    """`tuning`."""
    raise Missing("it is not written yet")
    yield
