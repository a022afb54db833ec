"""`[system] preload`: every byte of a feed goes through a library that stands before the C library's socket calls."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from .configured import command, config, told
from .program import ROOT, Program

SHIM = Path(__file__).parent / "shims" / "counts.c"
SERVED = """
[system]
budget = "2s"

[feeds.market]
type = "simulated"
seed = 1
interval = "5ms"

[relay]
listen = ["tcp://127.0.0.1:0", "ws://127.0.0.1:0/"]

[operations]
enabled = false
"""
HEARD = """
[system]
budget = "2s"
preload = ["{library}"]

[feeds.market]
type = "relay"
url = "{url}"
instruments = ["BTC-USDT"]

[venues.paper]
type = "simulated"
prices = "market"

[routers.default]
policy = "timeout"
venues = ["paper"]
deadline = "250ms"

[strategies.momentum]
type = "momentum"

[operations]
enabled = false
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux preloads libraries")


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library, as whoever makes one builds it."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler (cc) to build the library with")
    library = tmp_path_factory.mktemp("shim") / "counts.so"
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", library, SHIM, "-ldl"], check=True)
    return library


@contextmanager
def served(folder: Path, scheme: str) -> Generator[str]:
    """A relay in a process of its own, without the library; where it listens."""
    folder.mkdir()
    with command("relay", config(folder, base=SERVED)) as market:
        urls = dict[str, str]()
        while len(urls) < 2:
            found = re.search(r"listens at ((tcp|ws)://\S+)$", market.until(": listens at ").strip())
            assert found
            urls[found[2]] = found[1]
        yield urls[scheme]
        market.interrupt()
        assert market.end()[0] == 0


def run(path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """`ticktree run` for a second, to its end."""
    words = [
        sys.executable,
        "-m",
        "ticktree",
        "run",
        str(path),
        "--for",
        "1s",
        "--report",
        str(path.with_name("report.json")),
    ]
    return subprocess.run(
        words, cwd=ROOT, env={**os.environ, **environment}, timeout=30, capture_output=True, text=True, check=False
    )


def counts(path: Path) -> Any:
    """What the library saw."""
    return msgspec.json.decode(path.read_bytes())


def assert_all_passed(scheme: str, seen: int, counted: int) -> None:
    """A stream's bytes to the last one; of a WebSocket the feed counts messages, not what wraps and precedes them."""
    if scheme == "tcp":
        assert seen == counted
    else:
        assert counted < seen < 1.1 * counted


@pytest.mark.parametrize("scheme", ["tcp", "ws"])
def test_all_that_a_feed_hears_and_says_goes_through_a_preloaded_library(
    scheme: str, shim: Path, tmp_path: Path
) -> None:
    with served(tmp_path / "market", scheme) as url:
        path = config(tmp_path, base=HEARD.format(library=shim, url=url))
        ended = run(path, COUNTS=str(tmp_path / "counts.json"))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"\npreloaded: {shim}\n" in ended.stdout
    feed, seen = told(path)["feeds"]["market"], counts(tmp_path / "counts.json")
    assert (seen["sockets"], seen["connects"]) == (1, 1)
    assert seen["watched"] > 0  # by `epoll_ctl`, which uvloop does without where it has io_uring
    assert seen["waits"] > 0
    assert seen["sent"] > 0
    assert feed["bytes_in"] > 10_000
    assert_all_passed(scheme, seen["received"], feed["bytes_in"])


def test_who_preloads_it_themselves_gets_the_same(shim: Path, tmp_path: Path) -> None:
    with served(tmp_path / "market", "tcp") as url:
        path = config(tmp_path, base=HEARD.format(library=shim, url=url).replace("preload", "# preload"))
        ended = run(path, COUNTS=str(tmp_path / "counts.json"), LD_PRELOAD=str(shim))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"\npreloaded: {shim}\n" in ended.stdout
    assert counts(tmp_path / "counts.json")["received"] == told(path)["feeds"]["market"]["bytes_in"]


def test_a_library_that_cannot_be_loaded_keeps_the_process_from_running_without_it(tmp_path: Path) -> None:
    library = tmp_path / "broken.so"
    library.write_bytes(b"\x7fELF, and nothing else")
    ended = run(config(tmp_path, base=HEARD.format(library=library, url="tcp://127.0.0.1:1")))
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert f"'{library}' from LD_PRELOAD cannot be preloaded" in ended.stderr
    assert f"\nError: {library}: not preloaded: the dynamic linker left it out" in ended.stderr


def test_the_process_that_begins_anew_is_called_as_the_first_was(shim: Path, tmp_path: Path) -> None:
    asks = tmp_path / "asks.py"
    asks.write_text(
        "import os, sys\nfrom pathlib import Path\nfrom ticktree.preload import preload\n"
        "print('began', os.getpid(), flush=True)\npreload([Path(sys.argv[1])])\n"
        "print('goes on', os.getpid(), sys.argv[1:], os.getcwd(), sys.flags.utf8_mode)"
    )
    with Program("-X", "utf8", str(asks), str(shim), "a b", "") as program:
        code, printed = program.end()
    first, second, last = (line.split(" ", 2) for line in printed.splitlines())
    assert code == 0
    assert first == second
    assert last == ["goes", "on", f"{first[1]} {[str(shim), 'a b', '']} {ROOT} 1"]
