"""The moment between venues and strategies: whoever decides is to find venues that take orders."""

import logging

from ticktree.actors import Actor
from ticktree.routing import Office

log = logging.getLogger("ticktree.routing")

LOOK_S = 0.01


class Opening(Actor[None]):
    """Its start waits until every venue takes orders, for `within_s` at most; who is not ready then is said, and what
    is ordered there meanwhile is refused with the reason."""

    def __init__(self, office: Office, within_s: float) -> None:
        self._office, self._within_s = office, within_s

    async def on_start(self) -> None:
        due_ns = self.clock.monotonic_ns() + round(self._within_s * 1e9)
        while (closed := self._closed()) and self.clock.monotonic_ns() < due_ns:
            await self.clock.sleep(LOOK_S)
        for name, why in closed.items():
            log.warning("%s takes no orders yet: %s; the start goes on without it", name, why)

    def _closed(self) -> dict[str, str]:
        return {name: door.closed for name, door in self._office.doors.items() if door.closed}
