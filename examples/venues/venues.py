"""One process of two: three venues that are not there. They match orders against a simulated market, each with fees and
answers of its own, and speak the order-entry protocol.

    python venues.py          python trade.py

They keep nothing: stopped and started again, they know of no order and no position.
"""

import sys
from decimal import Decimal

from ticktree import App, run
from ticktree.app import RelayPart, SimulatedPart, VenueServerPart
from ticktree.routing import Fees, VenueRules

URLS = ("tcp://127.0.0.1:7410", "tcp://127.0.0.1:7411", "tcp://127.0.0.1:7412", "tcp://127.0.0.1:7413")


def venue(name: str, url: str, taker_fee: str) -> VenueServerPart:
    return VenueServerPart(name, "market", (url,), {"me": ""}, VenueRules(fees=Fees(taker=Decimal(taker_fee))))


if __name__ == "__main__":
    market, alpha, beta, gamma = sys.argv[1:] or URLS
    run(
        App(
            feeds=(SimulatedPart("market"),),
            relay=RelayPart((market,)),
            servers=(venue("alpha", alpha, "0.0004"), venue("beta", beta, "0.0002"), venue("gamma", gamma, "0.0005")),
        )
    )
