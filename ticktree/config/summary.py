"""What an application would do, for people: `ticktree check`."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, cast

import attrs
import msgspec

from ticktree.actors import Backoff, Conflate, Mailbox
from ticktree.market import EventKind, Instrument, Topic, plain, units
from ticktree.net import Address
from ticktree.net.errors import without_secrets
from ticktree.routing import Limits
from ticktree.routing.venues.simulated import Faults

from ..parts import (
    App,
    FeedPart,
    GatewayPart,
    GroupPart,
    SimulatedPart,
    StrategyPart,
    TcpVenuePart,
    VenuePart,
    class_name,
)
from ..tables import labelled
from .maker import Maker
from .problems import HIDDEN, listed, near
from .values import Secret

_INSTRUMENT: Final = re.compile(r"[A-Z0-9]{2,12}-[A-Z0-9]{3,12}")


def summary(app: App) -> str:
    """A line for each part, and what one may want to know before it runs."""
    blocks = {
        "feeds": [(feed.name, _feed(feed)) for feed in app.feeds],
        "instruments": [(one.name, _instrument(one)) for one in app.instruments],
        "venues": [(venue.name, _venue(venue)) for venue in app.venues],
        "routers": [(router.name, _policy(router.policy)) for router in app.routers],
        "strategies": [(part.name, _strategy(part)) for part in app.strategies],
        "limits": _limits(app.limits),
        "supervision": list(_tree(app)),
        "process": list(_process(app)),
    }
    lines = [f"{'PAPER: nothing is sent to a real venue' if app.paper else 'LIVE: orders go to real venues'}"]
    width = max(len(name) for block in blocks.values() for name, _ in block)
    for title, block in blocks.items():
        lines += ["", title, *labelled(block, width)] if block else []
    found = warnings(app)
    if found:
        lines += ["", "to be considered", *(f"  {warning}" for warning in found)]
    return "\n".join(lines)


def warnings(app: App) -> list[str]:
    """What is allowed, and perhaps not meant."""
    found = list[str]()
    if app.venues and app.limits == Limits():
        found.append('nothing is limited: [risk] max_order_notional = { USDT = "1000" }')
    if app.venues and app.journal is None:
        found.append('orders are forgotten with the process: [system] journal = "orders.journal"')
    if not (app.strategies or app.relay or any(isinstance(feed, FeedPart) and feed.record for feed in app.feeds)):
        found.append("nobody takes what the feeds bring: a strategy, a relay, or `record` in a feed")
    used = {venue for router in app.routers for venue in router.policy.venues}
    found += [f"no router sends to the venue {venue.name}" for venue in app.venues if venue.name not in used]
    routers = {part.router for part in app.strategies}
    found += [f"no strategy uses the router {router.name}" for router in app.routers if router.name not in routers]
    found += [text for feed in app.feeds for text in _unused(feed, app)]
    found += [text for part in app.strategies for text in _unheard(part, app)]
    return [*found, *_undefined(app)]


def _unused(feed: FeedPart | SimulatedPart, app: App) -> Iterator[str]:
    priced = [venue.name for venue in app.venues if isinstance(venue, VenuePart) and venue.prices == feed.name]
    if priced and EventKind.QUOTE not in feed.kinds:
        yield f'{feed.name} brings no quotes, which {", ".join(priced)} would match against: kinds = ["quote", ...]'
    topics = [topic for part in app.strategies for topic in part.topics]
    taken = any(_selects(topic, feed) for topic in topics) or priced or app.relay
    if app.strategies and not taken and not (isinstance(feed, FeedPart) and feed.record):
        yield f"nobody takes what {feed.name} brings"


def _unheard(part: StrategyPart, app: App) -> Iterator[str]:
    """Parameters that look like instruments which no feed brings."""
    brought = {name for feed in app.feeds for name in feed.instruments}
    given = {} if part.params is None else msgspec.structs.asdict(part.params)
    for key, value in given.items():
        if isinstance(value, str) and _INSTRUMENT.fullmatch(value) and value not in brought:
            yield f"no feed brings {value}, which the params of {part.name} name: {key}"


def _undefined(app: App) -> Iterator[str]:
    """Definitions of what no feed brings: a misspelt one defines nothing."""
    brought = list(dict.fromkeys(name for feed in app.feeds for name in feed.instruments))
    for one in app.instruments:
        if one.name not in brought:
            hint = "".join(f"; did you mean {likely}?" for likely in near(one.name, brought))
            yield f"no feed brings {one.name}, which [instruments] defines{hint}"


def _selects(topic: Topic, feed: FeedPart | SimulatedPart) -> bool:
    return any(topic.matches(feed.name, name, kind) for name in feed.instruments for kind in feed.kinds)


# --- parts ---------------------------------------------------------------------------------------------------------


def _feed(part: FeedPart | SimulatedPart) -> str:
    what = f"{', '.join(part.kinds)} of {listed(part.instruments)}"
    if isinstance(part, SimulatedPart):
        return f"simulated, seed {part.market.seed}, at {', '.join(map(without_secrets, part.listen))}\n{what}"
    url = part.make.option("url") if isinstance(part.make, Maker) else None
    where = f", at {without_secrets(url)}" if isinstance(url, str) and url else ""
    record = f"\nrecorded to {part.record}" if part.record else ""
    return f"{part.type or class_name(part.make)}{where}\n{what}{record}"


def _instrument(one: Instrument) -> str:
    least = f", {plain(one.min_notional)} {one.name.partition('-')[2]} or more an order" if one.min_notional else ""
    times = f", each of {plain(one.multiplier)}" if one.multiplier != 1 else ""
    return f"prices in steps of {plain(one.price_increment)}, sizes of {plain(one.size_increment)}{times}{least}"


def _venue(part: VenuePart | TcpVenuePart | GatewayPart) -> str:
    if isinstance(part, VenuePart):
        way = "" if part.latency.none else f", {part.latency} away"
        faulty = ", with faults" if part.faults != Faults() else ""
        return f"simulated, matches against {part.prices}{way}{faulty}"
    if isinstance(part, TcpVenuePart):
        return f"LIVE; account {part.account} at {Address.parse(part.url)}"
    return f"LIVE; {class_name(part.make)}"


def _strategy(part: StrategyPart) -> str:
    topics = listed(map(str, part.topics))
    trades = f"orders go to {part.router}; mailbox of {_mailbox(part.mailbox)}"
    return f"{class_name(part.make)}\ngets {topics}\n{trades}"


def _mailbox(box: Mailbox) -> str:
    overflow = box.overflow
    if isinstance(overflow, Conflate):
        return f"{box.capacity} ticks, Conflate, otherwise {type(overflow.otherwise).__name__}"
    return f"{box.capacity} ticks, {type(overflow).__name__}"


def _policy(policy: object) -> str:
    """`Timeout, venue paper, deadline 250ms`."""
    if not attrs.has(type(policy)):
        return type(policy).__name__
    told = [type(policy).__name__]
    for field in attrs.fields(cast("type[Any]", type(policy))):
        value = getattr(policy, field.name)
        if value != field.default and not _is_made(field, value):
            name = field.metadata.get("key", field.alias or field.name)
            told.append(f"{name.removesuffix('_s')} {_value(name, value)}")
    return ", ".join(told)


def _is_made(field: "attrs.Attribute[Any]", value: object) -> bool:
    factory: Any = getattr(field.default, "factory", None)
    return factory is not None and not getattr(field.default, "takes_self", False) and factory() == value


def _value(name: str, value: object) -> str:
    match value:
        case float() | int() if name.endswith("_s") and value >= 0:
            return units.written(value)
        case Secret():
            return HIDDEN
        case tuple():
            return " + ".join(_value(name, one) for one in cast("tuple[object, ...]", value))
        case _ if attrs.has(type(value)):
            return f"({_policy(value)})"
        case _:
            return str(value)


# --- the rest ------------------------------------------------------------------------------------------------------


def _limits(limits: Limits) -> list[tuple[str, str]]:
    told = {field.name: getattr(limits, field.name) for field in attrs.fields(Limits)}
    if limits.max_price_age_s is not None:
        told["max_price_age"] = units.written(limits.max_price_age_s)
    del told["max_price_age_s"]
    return [(name, _limit(value)) for name, value in told.items() if value not in (None, {})]


def _limit(value: object) -> str:
    if isinstance(value, dict):
        return listed(f"{key} {one}" for key, one in cast("dict[str, object]", value).items())
    return str(value)


def _tree(app: App) -> Iterator[tuple[str, str]]:
    supervision = app.supervision
    yield "root", _group(supervision.root)
    for room in ("venues", "routers", "strategies", "feeds"):
        names: Iterable[str] = [part.name for part in getattr(app, room)]
        if names:
            yield room, _group(supervision.rooms.get(room, GroupPart()))
        for name, group in supervision.groups.get(room, {}).items():
            yield f"{room}/{name}", f"{listed(group.members)}; {_group(group)}"


def _group(part: GroupPart) -> str:
    delay = part.delay
    waits = f", waits up to {units.written(delay.ceiling_s)} before each" if isinstance(delay, Backoff) else ""
    return f"{part.strategy}, {part.intensity} restarts in {units.written(part.period_s)}{waits}"


def _process(app: App) -> Iterator[tuple[str, str]]:
    part = app.system
    yield "loop", f"{part.loop}, stops within {units.written(part.budget_s)}"
    yield "journal", f"{app.journal.path}, {app.journal.durability}" if app.journal else "none"
    if app.relay:
        token = ", for who has the token" if app.relay.token else ""
        yield "relay", f"{', '.join(map(without_secrets, app.relay.listen))}{token}"
    if app.operations:
        yield "operations", str(app.operations.socket)
        if app.operations.metrics:
            yield "metrics", f"http://{app.operations.metrics}/metrics"
