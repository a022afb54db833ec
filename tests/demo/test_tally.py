"""Orders counted by router and state."""

from ticktree.demo.tally import Tally
from ticktree.feeds.simulated import BTC_USDT
from ticktree.routing import Ledger, Order, OrderState, Refusal, Side


def order(number: int) -> Order:
    return Order(f"x-{number}", "momentum", BTC_USDT, Side.BUY, 1, 100)


def test_orders_are_counted_once_from_their_making_to_their_end() -> None:
    ledger = Ledger()
    tally = Tally(ledger, {"any": "", "best": ""})
    assert tally.look()["any"] == {"made": 0, "open": 0, "filled": 0, "canceled": 0, "rejected": 0, "expired": 0}
    records = [ledger.take(order(number), "any" if number % 2 else "best", "") for number in range(5)]
    counts = tally.look()
    assert (counts["any"]["made"], counts["any"]["open"]) == (2, 2)
    assert (counts["best"]["made"], counts["best"]["open"]) == (3, 3)
    records[0].refusal = Refusal("halted")
    records[1].refusal = Refusal("halted")
    ledger.take(order(5), "any", "")
    counts = tally.look()
    assert (counts["any"]["made"], counts["any"]["open"], counts["any"]["rejected"]) == (3, 2, 1)
    assert (counts["best"]["made"], counts["best"]["open"], counts["best"]["rejected"]) == (3, 2, 1)
    assert tally.look() == counts


def test_orders_that_the_ledger_forgot_meanwhile_are_still_counted() -> None:
    ledger = Ledger()
    tally = Tally(ledger, {"any": ""})
    record = ledger.take(order(0), "any", "")
    tally.look()
    record.refusal = Refusal("halted")
    del ledger.orders["x-0"]
    ledger.take(order(1), "any", "")
    counts = tally.look()["any"]
    assert (counts["made"], counts["open"], counts[OrderState.REJECTED]) == (2, 1, 1)
