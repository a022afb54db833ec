"""A market of some hundred quotes in a file, and configurations that trade it, for tests of the command."""

import os
import signal
import time
from decimal import Decimal
from pathlib import Path

import msgspec

from ticktree.feeds.files import write_ticks
from ticktree.market import Instrument, Quote, ticks
from ticktree.strategies import Momentum, Strategy

BEGAN_NS = 1_700_000_000_000_000_000
BTC = Instrument("BTC-USDT", 1, Decimal("0.01"), Decimal("0.0001"))
CONFIG = """\
[feeds.market]
type = "binance"
instruments = ["BTC-USDT"]
kinds = ["quote"]

[strategies.momentum]
type = "momentum"
params = { fast = 2, slow = 8, size = "0.5", pause_s = 0.01 }
"""


def data(folder: Path, rows: int = 200) -> Path:
    """A quote every 100 ms, in waves."""
    quotes = list[Quote]()
    for row in range(rows):
        bid, at_ns = 100.0 + abs(row % 40 - 20) / 4, BEGAN_NS + row * 100_000_000
        quotes.append(Quote("market", BTC, bid, 2.0, bid + 0.01, 2.0, 0, at_ns, at_ns))
    write_ticks(folder / "market.ticks", "market", [BTC], [ticks.encoded(quotes)])
    return folder / "market.ticks"


def config(folder: Path, strategy: str = "", **params: object) -> Path:
    """Of a strategy of this module, with its parameters; else the momentum one."""
    path, base = folder / "app.toml", CONFIG
    if strategy:
        written = ", ".join(f"{key} = {msgspec.json.encode(value).decode()}" for key, value in params.items())
        base = CONFIG[: CONFIG.index("[strategies")]
        base += f'[strategies.mine]\ntype = "{__name__}:{strategy}"\nparams = {{ {written} }}\n'
    path.write_text(base)
    return path


class Signalled(msgspec.Struct, frozen=True):
    """`signals`, sent to this process one after the other."""

    signals: tuple[int, ...]


class Signals(Strategy[Signalled]):
    """Does that with the hundredth quote."""

    topics = ("*/BTC-USDT/quote",)

    def on_start(self) -> None:
        self.seen = 0

    def on_quote(self, quote: Quote) -> None:
        self.seen += 1
        if self.seen == 100:
            for number in self.params.signals:
                signal.raise_signal(number)


class How(msgspec.Struct, frozen=True):
    """`end`: well, killed, waits, raises or starts-not. `marks`: where one that waits says which process it is."""

    end: str = "well"
    marks: str = ""


class Ends(Strategy[How]):
    """Ends as its parameter says."""

    topics = ("*/BTC-USDT/quote",)

    def on_start(self) -> None:
        print("what a strategy prints")
        match self.params.end:
            case "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            case "starts-not":
                raise RuntimeError("it does not start")
            case "waits":
                (Path(self.params.marks) / str(os.getpid())).touch()
                os.kill(os.getppid(), signal.SIGINT)
                time.sleep(60)
            case _:
                pass

    def on_quote(self, quote: Quote) -> None:
        if self.params.end == "raises":
            raise RuntimeError("it raises")


__all__ = ["BEGAN_NS", "BTC", "CONFIG", "Ends", "Momentum", "Signals", "config", "data"]
