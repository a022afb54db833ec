"""The journal's place in the tree: it opens before anybody trades, and is closed after everybody has stopped."""

import logging

from ticktree.actors import Actor, Exit, Reason

from .blotter import Blotter

log = logging.getLogger("ticktree.routing")


class JournalKeeper(Actor[None]):
    """Takes up what the journal holds; a start fails where that cannot be trusted (`JournalError`)."""

    def __init__(self, blotter: Blotter) -> None:
        self._blotter = blotter

    def on_start(self) -> None:
        if self._blotter.begun:  # another life: the journal never closed
            return
        recovery = self._blotter.begin(self.clock.now_ns())
        if recovery.records:
            ledger = self._blotter.ledger
            log.info("the journal holds %d facts; %d orders are open", recovery.records, len(ledger.open_orders))

    def on_stop(self, reason: Reason) -> None:
        if reason.kind is Exit.SHUTDOWN:  # who failed has another life, which does not open it again
            self._blotter.journal.close()
