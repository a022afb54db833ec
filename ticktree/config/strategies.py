"""`[strategies.NAME]`, and mailboxes."""

from collections.abc import Sequence
from typing import Any, Final

import attrs
import msgspec

from ticktree.actors import Block, Conflate, DropNewest, DropOldest, Fail, Mailbox, PluginError
from ticktree.actors.mailbox import Overflow, Plain
from ticktree.market import BadTopic, Topic, latest_quote
from ticktree.strategies import ColumnsConflate, Strategy
from ticktree.strategies.plugins import STRATEGIES

from .. import parts
from . import sections
from .feeds import check_once
from .offers import Offers
from .problems import Place, shown, unknown
from .reading import convert, known_keys, section, whole
from .values import Delay, members

_PLAIN: Final[dict[str, Plain]] = {
    "drop_oldest": DropOldest(), "drop_newest": DropNewest(), "block": Block(), "fail": Fail(),
}  # fmt: skip


@attrs.frozen
class Around:
    """What a strategy may name. `offers` None: what the feeds bring is not known, for they are wrong."""

    routers: tuple[str, ...]
    offers: Offers | None


def strategy(name: str, table: dict[str, object], place: Place, around: Around) -> parts.StrategyPart | None:
    """A strategy, or None where something is wrong with it."""
    found = section(sections.Strategy, table, place)
    kind = _kind(found.type, place.at("type")) if found.type else None
    router = _router(found.router, place.at("router"), around.routers)
    topics = _topics(found.topics, kind, place, around.offers)
    params = _params(kind, found.params, place.at("params")) if kind is not None else None
    box = None if kind is None else _mailbox(kind, found, place)
    if kind is None or params is None or box is None or place.is_wrong:
        return None
    return parts.StrategyPart(
        name, kind, topics, router, box, kind.takes_columns(), found.pauses_feed, found.hand_off, params
    )


def _kind(name: str, place: Place) -> type[Strategy] | None:
    try:
        return STRATEGIES.load(name)
    except PluginError as error:
        place.wrong(str(error))
        return None


def _router(name: str, place: Place, routers: tuple[str, ...]) -> str:
    if name and name not in routers:
        place.wrong(unknown("router", name, routers))
    elif not name and not place.is_wrong:
        if len(routers) == 1:
            return routers[0]
        if routers:
            place.wrong(f"is missing, and there are several routers: router = {shown(routers[0])}")
        else:
            place.wrong(
                'is missing, and there is no router: [venues.paper] type = "simulated", prices = a feed; '
                '[routers.default] policy = "timeout", venues = ["paper"], deadline = "250ms"'
            )
    return name


# --- topics --------------------------------------------------------------------------------------------------------


def _topics(
    written: tuple[str, ...] | None, kind: type[Strategy] | None, place: Place, offers: Offers | None
) -> tuple[Topic, ...]:
    """Those of the configuration, or else of the class. Each has to select something."""
    there = place.at("topics")
    if written is None:
        if kind is None or there.is_wrong:
            return ()
        texts: Sequence[str] = kind.topics
        if not texts:
            there.wrong(f'is missing, and {kind.__name__} declares none: topics = ["*/BTC-USDT/quote"]')
    else:
        texts = written
        if not texts and not there.is_wrong:
            there.wrong('names one topic or more: topics = ["*/BTC-USDT/quote"]')
        check_once(texts, there)
    found = list[Topic]()
    for number, text in enumerate(texts):
        here = there.at(number) if written is not None else place.at("type")
        try:
            topic = Topic.parse(text)
        except BadTopic as error:
            here.wrong(str(error))
            continue
        why = "" if offers is None else offers.lack(topic)
        if why:
            whose = f"{shown(text)}" if written is not None else f"its topic {shown(text)}"
            here.wrong(f"{whose} selects nothing: {why}")
        found.append(topic)
    return tuple(found)


# --- parameters ----------------------------------------------------------------------------------------------------


def _params(kind: type[Strategy], table: dict[str, object], place: Place) -> msgspec.Struct | None:
    try:
        type_ = kind.params_type()
        known = known_keys(type_)
    except Exception as error:  # what a class of somebody's has for annotations
        place.wrong(f"the Params of {kind.__name__} cannot be read: {type(error).__name__}: {error}")
        return None
    if table and not known:
        place.wrong(f"{kind.__name__} has none: leave them out, or say class {kind.__name__}(Strategy[Params])")
        return None
    return whole(type_, _with_durations(known, table, place), place)


def _with_durations(known: dict[str, Any], table: dict[str, object], place: Place) -> dict[str, object]:
    """A field `every_s` may be written `every = "500ms"`, as all durations are."""
    plain = dict[str, object]()
    for key, value in table.items():
        long = f"{key}_s"
        if key in known or long not in known or float not in members(known[long].type):
            plain[key] = value
        elif long in table:
            place.at(key).wrong(f"{long} stands there too: keep one")
        else:
            seconds = convert(Delay, value, place.at(key))
            plain[long] = float(seconds) if isinstance(seconds, Delay) else 0.0
    return plain


# --- mailboxes -----------------------------------------------------------------------------------------------------


def _mailbox(kind: type[Strategy], found: sections.Strategy, place: Place) -> Mailbox | None:
    there = place.at("mailbox")
    try:
        box = kind.fitted(mailbox(found.mailbox, kind.mailbox, there))
    except ColumnsConflate:
        there.wrong(f'{kind.__name__} takes columns, which do not conflate: overflow = "drop_oldest"')
        return None
    check_pauses(box, "mailbox", found.pauses_feed, place)
    return box


def mailbox(given: sections.Mailbox, declared: Mailbox, place: Place) -> Mailbox:
    """What is written, and for the rest what is declared."""
    overflow: Overflow = declared.overflow
    if given.overflow == "conflate":
        overflow = Conflate(latest_quote, otherwise=_PLAIN[given.otherwise or "drop_oldest"])
    elif given.otherwise is not None:
        place.at("otherwise").wrong('goes with overflow = "conflate" only: leave it out')
    elif given.overflow is not None:
        overflow = _PLAIN[given.overflow]
    return attrs.evolve(declared, capacity=given.capacity or declared.capacity, overflow=overflow)


def check_pauses(box: Mailbox, key: str, pauses_feed: bool, place: Place) -> None:
    """Whether `pauses_feed` and a mailbox that blocks come together; `key` is the mailbox's."""
    if place.at(key).is_wrong or place.at("pauses_feed").is_wrong:
        return
    plain = box.overflow.otherwise if isinstance(box.overflow, Conflate) else box.overflow
    if isinstance(plain, Block) and not pauses_feed:
        place.at(key).wrong(
            'it blocks, which would stop the feeds for everyone: overflow = "drop_oldest"; or, where nothing '
            "may be left out, pauses_feed = true"
        )
    elif pauses_feed and not isinstance(plain, Block):
        place.at("pauses_feed").wrong(f'goes with {key} = {{ overflow = "block" }} only: leave it out')
