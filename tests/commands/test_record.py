"""`ticktree record`: what feeds bring, kept as it came."""

import re
from pathlib import Path

import attrs
from click.testing import CliRunner

from ticktree import App
from ticktree.assembly import assemble
from ticktree.cli import main
from ticktree.commands.progress import spec
from ticktree.commands.record import incomplete
from ticktree.feeds.recording import EntryKind, Recorder, RecorderStats, read
from ticktree.strategies import Momentum

from ..e2e.configured import CONFIG, command, config, told
from ..e2e.program import Program
from ..test_console import REPORT


def test_what_the_feeds_of_a_configuration_bring_is_recorded(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    with Program("-m", "ticktree", "exchange", "--ws", "") as exchange:
        url = exchange.until("wire protocol").split()[0]
        feed = f'[feeds.market]\ntype = "relay"\nurl = "{url}"\ninstruments = ["BTC-USDT"]'
        traders = CONFIG[CONFIG.index("[venues.paper]") :]  # who trades stays out
        path = config(tmp_path, base=f"{feed}\n{traders}")
        with command("record", path, "--to", str(folder)) as program:
            program.until("market: live")
            program.interrupt()
            code, printed = program.end()
    assert code == 0, printed
    assert printed.startswith(f"RECORDING to {folder}: market; nothing can be ordered\n")
    recording = told(path)["feeds"]["market"]["recording"]
    (file,) = folder.iterdir()
    assert printed.splitlines()[-1].startswith(f"market: {recording['recorded_messages']:,} messages, ")
    assert re.search(rf" 0 missed(, 1 PeerLost)?; {re.escape(str(file))}$", printed)
    assert recording["missed_messages"] == 0
    assert recording["arrived_messages"] == recording["recorded_messages"] > 0
    kept = [entry.kind for entry in read(file)]
    assert len(kept) == recording["recorded_messages"]
    assert EntryKind.RECEIVED in kept


def test_how_far_it_is_is_a_line_for_all_feeds_together(tmp_path: Path) -> None:
    said = list[str]()
    assembly = assemble(App.simulated(Momentum))
    assembly.accounts["simulated"].errors["BadMessage"] += 2
    assembly.recorders["simulated"] = Recorder(tmp_path)
    actor = spec(assembly, said.append).start()
    actor.on_message(None)
    assert said == ["0 messages, 0.0 MB, 2 errors"]


def test_what_is_simulated_here_cannot_be_recorded_and_that_is_said(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["record", str(config(tmp_path)), "--to", str(tmp_path / "x")])
    assert result.exit_code == 2
    assert "nothing arrives at market that could be recorded" in " ".join(result.output.split())
    assert not (tmp_path / "x").exists()


def test_a_folder_that_cannot_be_made_is_refused_before_anything_starts(tmp_path: Path) -> None:
    feed = '[feeds.market]\ntype = "relay"\nurl = "tcp://127.0.0.1:1"\ninstruments = ["BTC-USDT"]\n'
    path, folder = config(tmp_path, base=feed), tmp_path / "a-file" / "recordings"
    folder.parent.touch()
    result = CliRunner().invoke(main, ["record", str(path), "--to", str(folder)])
    assert (result.exit_code, "RECORDING" in result.output) == (2, False)
    assert "cannot be made: Not a directory" in " ".join(result.output.split())


def test_a_recording_that_ended_early_is_no_clean_end() -> None:
    whole, ended = RecorderStats(files=1), RecorderStats(files=1, error="No space left on device")
    report = attrs.evolve(REPORT, recorders={"north": whole})
    assert incomplete(report) == ""
    report = attrs.evolve(REPORT, recorders={"north": whole, "south": ended})
    assert incomplete(report) == "not all is recorded: south: No space left on device"
