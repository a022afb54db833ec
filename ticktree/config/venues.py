"""`[venues.NAME]`."""

from typing import Final

import attrs

from ticktree.actors import PluginError
from ticktree.routing import Gateway, Patience, VenueRules
from ticktree.routing.venues.plugins import VENUES
from ticktree.routing.venues.simulated import Faults

from .. import parts
from . import sections
from .feeds import check_address, check_turns
from .maker import Maker
from .options import given, options
from .problems import Place, unknown
from .reading import known_keys, only, section
from .simulated import fees, latency
from .values import written

SIMULATED, TCP = "simulated", "tcp"
_NO_JOURNAL: Final = (
    "may be a real venue, and nothing would be remembered of its orders after a crash: "
    '[system] journal = "orders.journal"'
)


@attrs.frozen
class Around:
    """What a venue may name, and needs."""

    feeds: tuple[str, ...]
    journal: bool


def venue(name: str, table: dict[str, object], place: Place, around: Around) -> parts.AnyVenue | None:
    """A venue, or None where something is wrong with it."""
    match table.get("type"):
        case "simulated":
            found = section(sections.SimulatedVenue, table, place)
            _check_prices(found.prices, place.at("prices"), around)
            return _simulated(name, found, place)
        case "tcp":
            return _tcp(name, section(sections.TcpVenue, table, place), place, around)
        case _:
            return _other(name, table, place, around)


def _check_prices(feed: str, place: Place, around: Around) -> None:
    if feed and feed not in around.feeds:
        place.wrong(unknown("feed", feed, around.feeds))


def _needs_journal(place: Place, around: Around) -> None:
    if not around.journal:
        place.wrong(_NO_JOURNAL)


def _simulated(name: str, found: sections.SimulatedVenue, place: Place) -> parts.VenuePart | None:
    charged = fees(found.fees, place.at("fees"))
    away = latency(found.latency, place.at("latency"))
    least, most = found.faults.later
    if least > most:
        place.at("faults", "later").wrong(f"the least is at most the most; not [{written(least)}, {written(most)}]")
    patience = _patience(found.patience, place.at("patience"))
    if place.is_wrong:
        return None
    chances = {key: getattr(found.faults, key) for key in known_keys(sections.Faults) if key != "later"}
    return parts.VenuePart(
        name, found.prices, away, VenueRules(fees=charged),
        Faults(**chances, delay_s=(float(least), float(most))), found.seed, patience,
    )  # fmt: skip


def _patience(given: sections.Patience, place: Place) -> Patience:
    check_turns(given.look, place.at("look"))
    return Patience(given.ack, given.again, given.resets_after, given.explains_after, given.live, given.look)


def _tcp(name: str, found: sections.TcpVenue, place: Place, around: Around) -> parts.TcpVenuePart | None:
    _check_prices(found.prices, place.at("prices"), around)
    address = check_address(found.url, place.at("url")) if found.url else None
    if address is not None and address.is_websocket:
        place.at("url").wrong("orders do not travel over WebSockets: tcp://, tls:// or unix://")
    _needs_journal(place, around)
    patience = _patience(found.patience, place.at("patience"))
    if place.is_wrong:
        return None
    return parts.TcpVenuePart(name, found.url, found.account, str(found.token), patience, found.prices)


def _other(name: str, table: dict[str, object], place: Place, around: Around) -> parts.GatewayPart | None:
    kind = _kind(table, place)
    if kind is None:
        found = section(sections.Venue, only(table, known_keys(sections.Venue)), place)
    else:
        found = section(options(kind, sections.Venue), table, place)
    _check_prices(found.prices, place.at("prices"), around)
    _needs_journal(place, around)
    patience = _patience(found.patience, place.at("patience"))
    if kind is None or place.is_wrong:
        return None
    make = Maker[Gateway](kind, given(found, table))
    try:
        make()
    except RuntimeError:  # it needs a running loop: that is seen at the start
        pass
    except Exception as error:  # whatever the class says
        place.wrong(f"{error or type(error).__name__}")
        return None
    return parts.GatewayPart(name, make, patience, found.prices)


def _kind(table: dict[str, object], place: Place) -> type[Gateway] | None:
    """Its class, if `type` is there and names one; else what is wrong is told, here or by who reads the section."""
    name = table.get("type")
    if not isinstance(name, str):
        return None
    try:
        return VENUES.load(name)
    except PluginError as error:
        place.at("type").wrong(str(error))
        return None
