"""`[feeds.NAME]`."""

import re
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import quote, unquote, urlsplit

import attrs

from ticktree.actors import Backoff, PluginError
from ticktree.feeds import Feed, Source
from ticktree.feeds.plugins import FEEDS
from ticktree.feeds.recording.player import is_recording
from ticktree.feeds.simulated import Market
from ticktree.feeds.simulated.market import BTC_USDT, ETH_USDT, Halt
from ticktree.market import EventKind, Instrument
from ticktree.net import Address, BadAddress
from ticktree.net.pulse import LOOKS

from .. import parts
from . import sections
from .maker import Maker
from .options import given, options
from .problems import Place, shown, unknown
from .reading import known_keys, only, section
from .values import Delay, written

SIMULATED: Final = "simulated"
_PART: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}", re.ASCII)
_INSTRUMENT: Final = re.compile(r"[A-Z0-9.]{1,24}-[A-Z0-9.]{1,24}")
SHORTEST_TURN_S: Final = 0.001  # of an actor's timers
MOST_IN_A_TURN: Final = 1_000  # levels, or steps: some 10 ms
FIRST_PRICE: Final = 10_000  # increments: 100.00


def feed(name: str, table: dict[str, object], place: Place) -> parts.FeedPart | parts.SimulatedPart | None:
    """A feed, or None where something is wrong with it."""
    if table.get("type") == SIMULATED:
        return _simulated(name, section(sections.SimulatedFeed, _without_others(table, place), place), place)
    kind = _kind(table, place)
    if kind is None:
        found = section(sections.Feed, only(table, known_keys(sections.Feed)), place)
    else:
        found = section(options(kind, sections.Feed, leave_out=1), table, place)
    _check_instruments(found.instruments, place.at("instruments"))
    _check_kinds(found.kinds, place.at("kinds"))
    if found.stale_after is not None:
        check_turns(found.stale_after, place.at("stale_after"), LOOKS)
    backoff = backoff_of(found.backoff, place.at("backoff"))
    if kind is None or backoff is None or place.is_wrong:
        return None
    make = Maker[Feed](kind, _located(given(found, table), place))
    part = parts.FeedPart(
        name, make, found.instruments, tuple(map(EventKind, found.kinds)), found.record, found.stale_after,
        found.on_bad, backoff, found.type,
    )  # fmt: skip
    return part if _can_be_made(part, place) else None


def _kind(table: dict[str, object], place: Place) -> type[Feed] | None:
    """Its class, if `type` is there and names one; else what is wrong is told, here or by who reads the section."""
    name = table.get("type")
    if not isinstance(name, str):
        return None
    try:
        return FEEDS.load(name)
    except PluginError as error:
        place.at("type").wrong(str(error))
        return None


def _check_instruments(names: tuple[str, ...], place: Place) -> None:
    if not names and not place.is_wrong:
        place.wrong('names one instrument or more: instruments = ["BTC-USDT"]')
    for number, name in enumerate(names):
        if not _PART.fullmatch(name):
            place.at(number).wrong(f"an instrument is written BASE-QUOTE, as in BTC-USDT; not {shown(name)}")
        elif not _INSTRUMENT.fullmatch(name) and _INSTRUMENT.fullmatch(name.upper()):
            place.at(number).wrong(f"an instrument is written in capitals: {shown(name.upper())}; not {shown(name)}")
    check_once(names, place)


def _check_kinds(kinds: tuple[str, ...], place: Place) -> None:
    if not kinds and not place.is_wrong:
        place.wrong('names one kind or more: kinds = ["quote", "trade"]')
    check_once(kinds, place)


def check_once(names: Iterable[str], place: Place) -> None:
    """Whether none of a list stands there twice."""
    seen = set[str]()
    for number, name in enumerate(names):
        if name in seen:
            place.at(number).wrong(f"{shown(name)} stands there already; once is enough")
        seen.add(name)


def check_turns(given: float, place: Place, looks: int = 1) -> None:
    """Whether an actor can do something so often; `looks` times within `given` seconds."""
    least = Delay(SHORTEST_TURN_S * looks)
    if given < least and not place.is_wrong:
        place.wrong(f"at least {written(least)}; not {written(given)}")


def backoff_of(given: sections.Backoff, place: Place) -> Backoff | None:
    """It, or None where it is wrong."""
    if given.base <= given.ceiling:
        return Backoff(given.base, given.ceiling)
    place.wrong(f"base is at most ceiling; not {written(given.base)} and {written(given.ceiling)}")
    return None


# --- options -------------------------------------------------------------------------------------------------------


def _located(found: dict[str, object], place: Place) -> dict[str, object]:
    """Addresses are looked at, and paths to recordings made absolute."""
    url, rest_url = found.get("url"), found.get("rest_url")
    if isinstance(url, str) and url:
        if is_recording(url):
            found["url"] = _recording(url, place.at("url"))
        else:
            check_address(url, place.at("url"))
    if isinstance(rest_url, str) and not rest_url.startswith(("http://", "https://", "file:")):
        place.at("rest_url").wrong("an address, as in https://host or http://host:port")
    return found


def _recording(url: str, place: Place) -> str:
    split = urlsplit(url)
    path = place.document.folder / Path(unquote(split.path))
    if not path.exists():
        place.wrong(f"there is no recording {path}")
    return f"file:{quote(str(path))}" + (f"?{split.query}" if split.query else "")


def check_address(url: str, place: Place) -> Address | None:
    """The address, or None where it is none."""
    try:
        return Address.parse(url)
    except BadAddress as error:
        place.wrong(str(error))
        return None


class _Nowhere:
    """A sink that takes nothing: of a feed that is only made, to hear whether it can be."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("this feed is only tried")


def _can_be_made(part: parts.FeedPart, place: Place) -> bool:
    """Make one, for what its constructor has against it. One that needs a running loop is left to the start."""
    try:
        part.make(Source(part.name, part.topics, cast(Any, _Nowhere())))
    except RuntimeError:
        pass
    except Exception as error:  # whatever the class says
        place.wrong(f"{error or type(error).__name__}")
        return False
    return True


# --- simulated -----------------------------------------------------------------------------------------------------


# What feeds of other types have, and why not these.
_OTHERS: Final = {
    "record": "a simulated feed records nothing, for the same seed tells the same market: leave it out",
    "stale_after": "the simulated exchange is never silent for long: leave it out",
    "on_bad": "the simulated exchange says nothing that cannot be understood: leave it out",
    "backoff": "the simulated exchange is in this process, and soon there again: leave it out",
    "url": "the simulated exchange is in this process, and found by itself: leave it out; listen = ... is for others",
}


def _without_others(table: dict[str, object], place: Place) -> dict[str, object]:
    for key in table:
        if key in _OTHERS:
            place.at(key).wrong(_OTHERS[key])
    return {key: value for key, value in table.items() if key not in _OTHERS}


def _simulated(name: str, found: sections.SimulatedFeed, place: Place) -> parts.SimulatedPart | None:
    _check_instruments(found.instruments, place.at("instruments"))
    for number, instrument in enumerate(found.instruments):
        if _PART.fullmatch(instrument) and not _INSTRUMENT.fullmatch(instrument.upper()):
            place.at("instruments", number).wrong(
                f"an instrument is written BASE-QUOTE, as in BTC-USDT; not {shown(instrument)}"
            )
    _check_kinds(found.kinds, place.at("kinds"))
    check_turns(found.interval, place.at("interval"))
    for key in ("depth", "steps_a_turn"):
        if getattr(found, key) > MOST_IN_A_TURN:
            place.at(key).wrong(f"{MOST_IN_A_TURN} at most, or no turn would end in time; not {getattr(found, key)}")
    listen = (found.listen,) if isinstance(found.listen, str) else found.listen
    for url in listen:
        address = check_address(url, place.at("listen"))
        if address is not None and (not address.is_loopback or address.is_tls):
            place.at("listen").wrong(
                "the exchange asks for no token: tcp://127.0.0.1:PORT, unix:// or ws://127.0.0.1:PORT"
            )
    if not listen:
        place.at("listen").wrong('names one address or more: listen = "tcp://127.0.0.1:0"')
    for number, halt in enumerate(found.halts):
        if halt.instrument not in found.instruments:
            place.at("halts", number, "instrument").wrong(unknown("instrument", halt.instrument, found.instruments))
    if place.is_wrong:
        return None
    return parts.SimulatedPart(name, _market(found), tuple(map(EventKind, found.kinds)), listen)


_USUAL: Final = {BTC_USDT.name: (BTC_USDT, 6_400_000), ETH_USDT.name: (ETH_USDT, 320_000)}
_SAME_NAMES: Final = (
    "seed", "steps_a_turn", "depth", "trade_probability", "correlation", "volatility", "wide_probability",
)  # fmt: skip


def _market(found: sections.SimulatedFeed) -> Market:
    """Instruments that it does not know by itself cost about 100."""
    listed = [
        _USUAL.get(name, (Instrument(name, number, Decimal("0.01"), Decimal("0.001"), Decimal(5)), FIRST_PRICE))
        for number, name in enumerate(found.instruments, 1)
    ]
    return Market(
        tuple(attrs.evolve(one, id=number) for number, (one, _) in enumerate(listed, 1)),
        tuple(start for _, start in listed),
        interval_s=found.interval,
        halts=tuple(Halt(halt.instrument, halt.step, halt.steps) for halt in found.halts),
        **{name: getattr(found, name) for name in _SAME_NAMES},
    )
