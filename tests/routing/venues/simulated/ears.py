"""Who hears a gateway in a test: writes down what it hears, and when."""

from collections.abc import Callable

import attrs

from ticktree.actors import VirtualClock
from ticktree.actors.clock import Alarm
from ticktree.routing.reports import AccountReport, Report

NS = 1_000_000_000


@attrs.frozen
class _Watched:
    alarm: Alarm
    number: int
    pending: set[int]

    def cancel(self) -> None:
        self.pending.discard(self.number)
        self.alarm.cancel()


class WatchedClock:
    """A clock that knows which of its alarms are still to ring."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.monotonic_ns, self.now_ns, self.sleep = clock.monotonic_ns, clock.now_ns, clock.sleep
        self.pending: set[int] = set()
        self._alarms = 0

    def call_at(self, due_ns: int, callback: Callable[[], None]) -> Alarm:
        self._alarms += 1
        number = self._alarms

        def ring() -> None:
            self.pending.discard(number)
            callback()

        self.pending.add(number)
        return _Watched(self._clock.call_at(due_ns, ring), number, self.pending)


class Ears:
    def __init__(self, clock: VirtualClock, on_report: Callable[[Report], object] = id) -> None:
        self.clock = WatchedClock(clock)
        self._answer = on_report
        self.reports: list[Report] = []
        self.accounts: list[AccountReport] = []
        self.log: list[str] = []
        self.times_s: list[float] = []

    def on_up(self, former_closed: bool) -> None:
        self._write(f"up {former_closed}")

    def on_down(self, reason: str) -> None:
        self._write(f"down: {reason}")

    def on_report(self, report: Report) -> None:
        assert report.received_ns == self.clock.now_ns()
        self.reports.append(report)
        self._write(f"{report.client_id} {report.kind}")
        self._answer(report)

    def on_account(self, account: AccountReport) -> None:
        self.accounts.append(account)
        self._write(f"account {account.positions}")

    def on_never_received(self, client_id: str, what: str) -> None:
        raise AssertionError("this gateway has no such evidence")

    def on_unreadable(self, error: Exception, client_id: str | None) -> None:
        self._write(f"unreadable {client_id}")

    def _write(self, what: str) -> None:
        self.log.append(what)
        self.times_s.append(self.clock.monotonic_ns() / NS)
