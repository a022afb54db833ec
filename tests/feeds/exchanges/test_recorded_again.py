"""What our own recorder wrote beside a live feed, served again: the books end as they did."""

from pathlib import Path

import attrs
import pytest

from ticktree.feeds.exchanges import binance
from ticktree.feeds.playback import Cuts
from ticktree.feeds.recording import Recorder, read

from . import test_binance_recorded, test_coinbase_recorded, test_kraken_recorded
from .playing import Wanted, playing

pytestmark = pytest.mark.usefixtures("many_systems")
ALL = [test_binance_recorded.WANTED, test_coinbase_recorded.WANTED, test_kraken_recorded.WANTED]


@pytest.mark.parametrize("cuts", [Cuts(), Cuts(3, seed=2, missed=20)], ids=["whole", "with cuts"])
@pytest.mark.parametrize("wanted", ALL, ids=lambda wanted: wanted.name)
async def test_a_recording_of_our_own_leads_to_the_same_books(
    wanted: Wanted, cuts: Cuts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generous = attrs.evolve(binance.LIMITS, weight_a_minute=1_000_000)
    monkeypatch.setattr("ticktree.feeds.exchanges.binance.LIMITS", generous)
    recorder = Recorder(tmp_path)
    async with playing(wanted, cuts, tap=recorder) as live:
        await live.ended()
        right = live.right()
    file = recorder.stats().path
    assert file is not None
    async with playing(wanted, recorded=read(file)) as again:
        await again.ended()
        assert again.right() == right == again.books()
        assert again.account.checksums_failed == 0
