"""The other process: what the first one relays is a feed here like any other; strategies, routers and venues are ours.

Stop and start either of the two, as often as you like: the feed is lost, and comes back with books and quotes whole.
"""

import sys
from functools import partial

from ticktree import App, run
from ticktree.app import FeedPart, RouterPart, VenuePart, strategy_part
from ticktree.feeds import WireFeed
from ticktree.routing import Timeout
from ticktree.strategies import Momentum

URL = "tcp://127.0.0.1:7400"

if __name__ == "__main__":
    run(
        App(
            feeds=(FeedPart("market", partial(WireFeed, url=(sys.argv[1:] or [URL])[0]), ("BTC-USDT", "ETH-USDT")),),
            venues=(VenuePart("paper", prices="market"),),
            routers=(RouterPart("default", Timeout("paper", deadline_s=0.25)),),
            strategies=(strategy_part(Momentum),),
        )
    )
