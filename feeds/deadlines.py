"""Which instruments nothing was heard of for longer than agreed; only where somebody agreed on anything."""

from collections.abc import Iterable

import numpy as np

from ticktree.market import Batch, Instrument


class Deadlines:
    """Each instrument is to be heard of every `deadline_s`, while `restart` says that somebody listens."""

    def __init__(self, deadline_s: float) -> None:
        self.deadline_s = deadline_s
        self._heard: dict[str, tuple[Instrument, int]] = {}  # monotonic ns
        self._overdue: set[str] = set()

    def restart(self, instruments: Iterable[Instrument], now_ns: int) -> None:
        """All of them, and whatever was heard of before, are awaited from now on: the silence so far was ours."""
        known = {name: instrument for name, (instrument, _) in self._heard.items()}
        known.update({instrument.name: instrument for instrument in instruments})
        self._heard = {name: (instrument, now_ns) for name, instrument in known.items()}

    def forgive(self) -> None:
        """The connection is lost, which says more: nobody is overdue any more."""
        self._overdue.clear()

    def heard(self, batch: Batch, now_ns: int) -> list[Instrument]:
        """Data came; of these instruments it was overdue."""
        back = list[Instrument]()
        for instrument in _instruments(batch):
            name = instrument.name
            self._heard[name] = instrument, now_ns
            if name in self._overdue:
                self._overdue.discard(name)
                back.append(instrument)
        return back

    def missed(self, now_ns: int) -> list[Instrument]:
        """Those that have become overdue."""
        bound_ns = self.deadline_s * 1e9
        late = [
            instrument
            for name, (instrument, heard_ns) in self._heard.items()
            if now_ns - heard_ns > bound_ns and name not in self._overdue
        ]
        self._overdue.update(instrument.name for instrument in late)
        return late


def _instruments(batch: Batch) -> Iterable[Instrument]:
    if not batch.columnar:
        return {event.instrument.name: event.instrument for event in batch.events}.values()
    by_id = batch.instruments.by_id
    return [by_id[id] for id in np.unique(batch.ticks["instrument"]).tolist()]
