"""A status with something of everything, most of it wrong."""

from decimal import Decimal

from ticktree.operations.status import (
    Box,
    Dropped,
    Feed,
    Gc,
    Holding,
    Latency,
    Leg,
    Loop,
    Money,
    Node,
    Order,
    Orders,
    Portfolio,
    Process,
    Router,
    Status,
    Strategy,
    Venue,
)

D = Decimal
FEED = Feed(
    live=False, connections=3, bytes_in=1_234_567, decoded=1_234_000, skipped=500, buffered=67, messages=1_200,
    events=9_876, kinds={"quote": 9_000, "trade": 876, "Gap": 1}, gaps=1, duplicates=2, crossed=0, repairs=1,
    snapshots=1, pauses=0, broken=1, errors={"PeerLost": 2}, checksums_verified=99, checksums_failed=1, unrecorded=0,
)  # fmt: skip
BOX = Box(
    capacity=65_536, received=9_876, delivered=9_000, conflated=800, dropped=Dropped(overflow=6, crash=10), queued=59,
    in_handler=1, refused=0, oldest_age_ns=12_300_000, items=59, unaccounted=0, control_received=5, control_handled=5,
    control_dropped=0, control_queued=0,
)  # fmt: skip
TREE = Node(
    "ticktree", "running", 1, 0, strategy="one_for_one",
    children=(
        Node(
            "strategies", "running", 1, 0, strategy="one_for_one",
            children=(
                Node("strategies/pairs", "restarting", 3, 3, source="my.py:7", mailbox=BOX, history=("it failed",)),
            ),
        ),
    ),
)  # fmt: skip
HELD = Holding(
    "pairs", "ETH-USDT", "USDT", D("-1.5000"), D("3000.125000"), None, None, D("12.340000"), None, {"BNB": D("0.002")},
    3, D("-1.5"), D("-2.5"), None,
)  # fmt: skip
LEGS = (Leg("e-1.1", "paper", "unknown", D(0), "the connection to paper was lost"),)
ORDER = Order("e-1", "pairs", "default", "ETH-USDT", "sell", D("1.0000"), None, D(0), "unknown", LEGS)
STATUS = Status(
    version="0.1.0",
    paper=False,
    stopping=False,
    started_ns=1_795_408_006_500_000_000,
    uptime_s=7_999.5,
    unwell=("trading is halted: lunch", "feed simulated is not live"),
    process=Process(1234, 12.34, 70_504_448, 80_000_000),
    loop=Loop("uvloop", 2, 1, 300_000_000, ("strategies/pairs: sleep, my.py:9",)),
    gc=Gc(2, 411_869, 210_483),
    feeds={"simulated": FEED},
    venues={"paper": Venue("main", "it is not connected: refused", 1, 1, {"filled": 1_234, "canceled": 5}, 1_240, 0)},
    routers={
        "default": Router("Timeout(child='paper')", ("paper",), "the router is draining", 1, {"filled": 3}, 4, 0, 0)
    },
    strategies={"pairs": Strategy("strategies/pairs", "default", ("*/ETH-USDT/quote",))},
    orders=Orders(
        1_240, 1, 1, {"paper/BTC-USDT": "BTC-USDT: 5 increments more than ours"}, 1_240, 0, 0, "lunch", (ORDER,)
    ),
    portfolio=Portfolio((HELD,), (), {"USDT": Money(D("12.34"), None, None, D(0))}),
    latencies={
        "paper": {"wire->ack": Latency(3, 192_511, 294_410, 294_410, 294_410), "ack->fill": Latency(0, 0, 0, 0, 0)}
    },
    tree=TREE,
    metrics="http://127.0.0.1:9464/metrics",
)
