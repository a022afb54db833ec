"""Whether a venue's account is as our facts say: its open orders are ours, its positions what we booked there."""

from ticktree.actors import Clock

from .errors import NotConnected
from .facts import Quarantined
from .gateway import Gateway
from .ledger import Ledger
from .pursuit import NS, Patience, Pursuit
from .reports import AccountReport


class Reconciliation:
    """Of one account: asked after each session's start, and now and then. What differs and stays is quarantined."""

    def __init__(self, pursuit: Pursuit, ledger: Ledger, gateway: Gateway, patience: Patience) -> None:
        self._pursuit, self._ledger, self._gateway, self._patience = pursuit, ledger, gateway, patience
        self.agrees = False
        self._asks = self._asked_ns = 0

    def begin(self, clock: Clock) -> None:
        """A session stands: what the account holds is not known."""
        self.agrees, self._asks = False, 0
        self._ask(clock)

    def look(self, clock: Clock) -> None:
        """Ask, when it is time."""
        patience = self._patience.live_s if self.agrees else self._patience.again_s
        if clock.monotonic_ns() - self._asked_ns >= patience * NS:
            self._ask(clock)

    def _ask(self, clock: Clock) -> None:
        self._asked_ns = clock.monotonic_ns()
        self._asks += 1
        try:
            self._gateway.query_account()
        except NotConnected:  # asked again at the next look
            self._asks -= 1

    def compare(self, account: AccountReport, now_ns: int) -> None:
        """The venue's word. A difference may be fills on their way, or lost: these are asked for before it counts."""
        wrong = self._differences(account, now_ns)
        self.agrees = not wrong
        if not wrong:
            self._asks = 0
        elif self._asks < self._patience.explains_after:
            for item in wrong:
                self._pursuit.ask_for_fills(item.instrument)
        else:
            for item in wrong:
                self._pursuit.quarantine(item)
            self.agrees = True

    def _differences(self, account: AccountReport, now_ns: int) -> list[Quarantined]:
        ledger, name, wrong = self._ledger, self._pursuit.name, list[Quarantined]()
        for order in account.open_orders:
            record = ledger.legs.get(order.client_id)
            if record is None or record.terminal:
                what = "an open order that is not ours"
                wrong.append(Quarantined(now_ns, name, order.client_id, order.instrument, what))
        for instrument in sorted({*ledger.instruments, *account.positions}):
            held = ledger.positions.at_venue(name, instrument) + ledger.adopted[name, instrument]
            said = account.positions.get(instrument, 0)
            if held != said:
                what = f"it holds {said} increments, our facts say {held}"
                wrong.append(Quarantined(now_ns, name, instrument, instrument, what, said - held))
        return [item for item in wrong if f"{name}/{item.name}" not in ledger.quarantine]
