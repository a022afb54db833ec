"""From topics to mailboxes."""

from ticktree.actors import Actor, Block, ChildSpec, Fail, Mailbox, Supervisor, System
from ticktree.distribution import Hub
from ticktree.market import FeedState, FeedStatus, Topic

from ..market.samples import ETH, quote, trade
from ..probe import Probe

STATUS = FeedStatus("sim", FeedState.LOST, "cut", 0)


async def test_each_subscriber_gets_what_its_topics_select() -> None:
    btc, trades, other = Probe("btc"), Probe("trades"), Probe("other")
    hub = Hub()
    async with System(Supervisor((btc.spec, trades.spec, other.spec))) as system:
        hub.subscribe(system.ref("btc"), [Topic.parse("*/BTC-USDT/quote"), Topic.parse("sim/BTC-*/quote")])
        hub.subscribe(system.ref("trades"), [Topic.parse("sim/*/trade")])
        hub.subscribe(system.ref("other"), [Topic.parse("elsewhere/*/*")])
        hub.publish([quote(), trade(), quote(instrument=ETH), STATUS])
    assert btc.rest() == [quote(), STATUS]  # once, although two of its topics select it
    assert trades.rest() == [trade(), STATUS]
    assert other.rest() == []


async def test_a_new_subscription_takes_the_place_of_the_old_one() -> None:
    probe, hub = Probe(), Hub()
    async with System(Supervisor((probe.spec,))) as system:
        ref = system.ref("probe")
        hub.subscribe(ref, [Topic.parse("*/*/quote")])
        hub.publish([quote()])
        hub.subscribe(ref, [Topic.parse("*/*/trade")])
        hub.publish([quote(), trade()])
        hub.unsubscribe(ref)
        hub.unsubscribe(ref)
        hub.publish([trade()])
    assert probe.rest() == [quote(), trade()]


class Idle(Actor[object]):
    def on_message(self, message: object) -> None:
        pass


async def test_a_mailbox_that_refuses_is_counted_and_costs_the_others_nothing() -> None:
    probe, hub = Probe(), Hub()
    full = (ChildSpec("failing", Idle, Mailbox(1, Fail())), ChildSpec("blocking", Idle, Mailbox(1, Block())))
    async with System(Supervisor((*full, probe.spec))) as system:
        for id in ("failing", "blocking", "probe"):
            hub.subscribe(system.ref(id), [Topic.parse("*/*/*")])
        hub.publish([quote(), quote(), trade()])
        assert [subscription.refused for subscription in hub.subscriptions()] == [2, 2, 0]
    hub.publish([quote()])  # nobody lives there any more
    assert [subscription.refused for subscription in hub.subscriptions()] == [3, 3, 1]
    assert len(probe.rest()) == 3
