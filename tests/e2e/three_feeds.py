"""A program for tests: three exchanges' feeds and a relay, in a process of their own, until Ctrl-C.

    python -m tests.e2e.three_feeds RELAY_URL '{"kraken": {"url": ..., "rest_url": ..., "instruments": [...]}, ...}'

At the end it prints each feed's account as a line of JSON.
"""

import json
import sys
from functools import partial
from typing import Any

import attrs

from ticktree.actors import DropOldest, Mailbox
from ticktree.app import App, FeedPart, RelayPart, run
from ticktree.feeds.plugins import FEEDS
from ticktree.market import EventKind, batch_rows

KINDS = (EventKind.TRADE, EventKind.QUOTE, EventKind.BOOK)
ROOM = Mailbox(1 << 20, DropOldest(), batch_rows)  # for all that is recorded: nothing is to be left out


def part(name: str, url: str, rest_url: str, instruments: list[str]) -> FeedPart:
    feed: Any = FEEDS.load(name)
    return FeedPart(name, partial(feed, url=url, rest_url=rest_url), tuple(instruments), KINDS)


def main(relay_url: str, feeds: str) -> None:
    parts = tuple(part(name, **where) for name, where in json.loads(feeds).items())
    report = run(App(parts, relay=RelayPart((relay_url,), buffer=ROOM)))
    for name, account in report.accounts.items():
        told = {key: value for key, value in attrs.asdict(account).items() if not key.startswith("_")}
        print(json.dumps({"feed": name, "bytes_in": account.bytes_in, **told}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
