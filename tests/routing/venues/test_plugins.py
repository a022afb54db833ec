"""Gateway classes by name. What holds of all plug-ins is in tests/actors/test_plugins.py."""

import pytest

from ticktree.actors import NotAPlugin, UnknownPlugin
from ticktree.routing.venues.plugins import VENUES
from ticktree.routing.venues.simulated import SimulatedGateway
from ticktree.routing.venues.tcp import TcpGateway


def test_ours_have_names() -> None:
    assert VENUES.load("simulated") is SimulatedGateway
    assert VENUES.load("tcp") is TcpGateway
    assert VENUES.load("ticktree.routing.venues.tcp.gateway:TcpGateway") is TcpGateway


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownPlugin, match=r"venue type 'simulatd': .*did you mean 'simulated'\?"):
        VENUES.load("simulatd")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("ticktree.routing.venues.tcp:gateway", "is a module, and no class"),
        ("asyncio:Event", r"no gateway .*lacks cancel, query, query_account, .*stop, submit$"),
        ("ticktree.actors:Mailbox", r"no gateway \(ticktree.routing.Gateway\): it lacks cancel, .*, start, "),
    ],
)
def test_what_is_no_gateway_is_refused(name: str, why: str) -> None:
    with pytest.raises(NotAPlugin, match=why):
        VENUES.load(name)
