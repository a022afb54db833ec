"""The other process: two strategies, and two routers to the three venues, each with a policy of its own.

What it sends, and what the venues say, is written to a journal first. Kill it, start it again, and it knows what it
holds; `ticktree why ORDER_ID --journal orders.journal` tells the story of an order.
"""

import sys
from functools import partial
from pathlib import Path

from ticktree import App, Ema, Quote, Strategy, run
from ticktree.app import FeedPart, JournalPart, RouterPart, TcpVenuePart, strategy_part
from ticktree.feeds import WireFeed
from ticktree.routing import BestOf, Limits, Terms, TimeInForce, policy_from

AT_ONCE = Terms(TimeInForce.IOC)
NAMES = ("alpha", "beta", "gamma")
URLS = ("tcp://127.0.0.1:7410", "tcp://127.0.0.1:7411", "tcp://127.0.0.1:7412", "tcp://127.0.0.1:7413")


class Swing(Strategy):
    """Holds 0.03 while the price is above its average."""

    topics = ("*/BTC-USDT/quote",)

    def on_start(self) -> None:
        self.average = Ema(50)

    def on_quote(self, quote: Quote) -> None:
        held, above = self.position(quote.instrument), quote.mid > self.average.update(quote.mid)
        if self.working(quote.instrument):
            return
        if above and not held:
            self.buy(quote.instrument, "0.03", terms=AT_ONCE)
        elif held and not above:
            self.sell(quote.instrument, held, terms=AT_ONCE)


class Cheapest(Swing):
    """The same with another instrument, which another router takes to the venue where it costs least."""

    topics = ("*/ETH-USDT/quote",)


if __name__ == "__main__":
    market, *venues = sys.argv[1:5] or URLS
    journal = Path((sys.argv[5:] or ["orders.journal"])[0])
    run(
        App(
            feeds=(FeedPart("market", partial(WireFeed, url=market), ("BTC-USDT", "ETH-USDT")),),
            venues=tuple(TcpVenuePart(name, url, "me") for name, url in zip(NAMES, venues, strict=True)),
            routers=(
                # A policy as a configuration says it, or as an object: the two are the same.
                RouterPart("thirds", policy_from({"policy": "all", "venues": NAMES, "deadline": "250ms"})),
                RouterPart("best", BestOf(NAMES, max_price_age_s=2.0, deadline_s=0.25)),
            ),
            strategies=(strategy_part(Swing, "thirds"), strategy_part(Cheapest, "best")),
            limits=Limits(max_position={"*": "0.1"}, max_price_age_s=5, max_orders_per_s=100),
            journal=JournalPart(journal),
        )
    )
