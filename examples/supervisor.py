"""An application from code: what a configuration says, as values, and what is restarted with what when a part fails.

python supervisor.py            until Ctrl-C
python supervisor.py --tree     start it, draw the tree, stop it
"""

import asyncio
import sys

from ticktree import App, Ema, Quote, Strategy, run
from ticktree.actors import Backoff, RestartStrategy
from ticktree.app import GroupPart, RouterPart, SimulatedPart, SupervisionPart, VenuePart, assemble, strategy_part
from ticktree.feeds.simulated import Market
from ticktree.routing import BestOf, Limits, Timeout


class Trend(Strategy):
    topics = ("east/BTC-USDT/quote",)

    def on_start(self) -> None:
        self.average = Ema(50)

    def on_quote(self, quote: Quote) -> None:
        above, held = quote.mid > self.average.update(quote.mid), self.position(quote.instrument)
        if above and not self.exposure(quote.instrument):
            self.buy(quote.instrument, "0.01", limit=quote.ask)
        elif held > 0 and not above and not self.working(quote.instrument):
            self.sell(quote.instrument, held)


class Echo(Trend):
    topics = ("west/ETH-USDT/quote",)


APP = App(
    feeds=(SimulatedPart("east", Market(seed=1)), SimulatedPart("west", Market(seed=2))),
    venues=(VenuePart("paper-east", prices="east"), VenuePart("paper-west", prices="west")),
    routers=(
        RouterPart("here", Timeout("paper-east", deadline_s=0.25)),
        RouterPart("best", BestOf(("paper-east", "paper-west"), max_price_age_s=1.0, deadline_s=0.25)),
    ),
    strategies=(strategy_part(Trend, "here"), strategy_part(Echo, "best")),
    limits=Limits(max_position={"*": "0.1"}, max_price_age_s=5, max_orders_per_s=100),
    supervision=SupervisionPart(
        root=GroupPart(intensity=3, period_s=60),  # what a room cannot mend is tried this often, then the program ends
        rooms={"feeds": GroupPart(intensity=20, delay=Backoff(base_s=0.1, ceiling_s=5))},
        # These two begin anew together: whichever fails, neither goes on with what the other has forgotten.
        groups={"strategies": {"pair": GroupPart(RestartStrategy.ONE_FOR_ALL, members=("trend", "echo"))}},
    ),
)


async def draw() -> None:
    async with assemble(APP).system() as system:
        print(system.snapshot())


if __name__ == "__main__":
    asyncio.run(draw()) if "--tree" in sys.argv else run(APP)
