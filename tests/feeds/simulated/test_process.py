"""`ticktree exchange`, a process of its own, and those who read it."""

import re

import pytest

from ticktree.feeds.simulated import Faults, Market, Truth
from ticktree.feeds.simulated.process import Service
from ticktree.market import BookUpdate, messages
from ticktree.net import BadAddress, connect

from ...e2e.program import Program, in_process
from .raw import DEADLINE_S, Client


async def reading(url: str) -> Client:
    client = Client(url.partition(":")[0])
    await connect(url, client.connection, DEADLINE_S)
    client.say(messages.Hello())
    client.subscribe("any/*/*")
    return client


async def test_it_says_where_it_listens_serves_and_ends_on_ctrl_c() -> None:
    truth = Truth("sim", Market(seed=7))
    with Program("-m", "ticktree", "exchange", "--seed", "7", "--interval", "2ms") as program:
        urls = [program.until(f"  {spoken}").split()[0] for spoken in ("wire protocol", "JSON dialect")]
        for url in urls:
            client = await reading(url)
            await client.get(BookUpdate, 50)
            for name, book in client.books.items():
                assert tuple(map(tuple, book.top(1_000))) == truth.book(name, book.sequence)
            await client.connection.close()
        program.interrupt()
        code, printed = program.end()
    assert code == 0, printed
    assert re.search(r"\d+ steps, 2 sessions, 0 requests refused", printed)
    assert "faults: none" in printed
    assert "Traceback" not in printed


async def test_it_breaks_what_it_is_told_to_break_and_counts_it() -> None:
    options = ("--interval", "2ms", "--fault", "gaps=@50", "--fault", "latency=5ms", "--ws", "")
    with Program("-m", "ticktree", "exchange", *options) as program:
        client = await reading(program.until("  wire protocol").split()[0])
        await client.gone()
        program.interrupt()
        code, printed = program.end()
    assert "SequenceGap" in type(client.errors[0]).__name__
    assert code == 0, printed
    assert "faults: gaps 1" in printed
    assert "dialect" not in printed


def test_it_ends_when_its_time_is_over() -> None:
    code, printed = in_process("exchange", "--for", "100ms", "--loop", "asyncio")
    assert code == 0, printed
    assert printed.splitlines()[-1] == "faults: none"


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--fault", "gap=0.1"), "did you mean 'gaps'?"),
        (("--interval", "20"), "is no duration"),
        (("--interval", "0ms"), "interval_s"),
        (("--tcp", "ws://127.0.0.1:0"), "it begins with tcp:// or unix://"),
        (("--tcp", "tcp://0.0.0.0:0"), "no token"),
    ],
)
def test_what_it_cannot_do_it_says_without_a_traceback(options: tuple[str, ...], why: str) -> None:
    code, printed = in_process("exchange", *options)
    assert code != 0
    assert why in printed
    assert "Traceback" not in printed


def test_a_service_knows_what_is_spoken_where() -> None:
    assert Service(Market(), Faults(), websocket="").urls == ("tcp://127.0.0.1:0",)
    with pytest.raises(BadAddress, match="ws://"):
        Service(Market(), Faults(), websocket="wss://127.0.0.1:0/")
