"""`[risk]`."""

from collections.abc import Iterable, Mapping
from typing import Final

from ticktree.routing import BadLimit, Limits

from . import sections
from .offers import Offers
from .problems import Place, unknown
from .reading import known_keys, section

ANY: Final = "*"
_BY_INSTRUMENT: Final = ("max_order_size", "max_position")
_BY_CURRENCY: Final = ("max_order_notional", "max_open_exposure")


def limits(table: dict[str, object], place: Place, offers: Offers | None) -> Limits | None:
    """The limits, or None where something is wrong with them. `offers` None: what the feeds bring is not known."""
    found = section(sections.Risk, table, place)
    given = {key: getattr(found, key) for key in known_keys(sections.Risk) if key in table}
    if "max_price_age" in given:
        given["max_price_age_s"] = given.pop("max_price_age")
    for key in (*_BY_INSTRUMENT, *_BY_CURRENCY):
        for name, value in given.get(key, {}).items():
            _check(key, {name: str(value)}, place.at(key, name))
    for key in ("price_collar", "max_orders_per_s"):
        if key in given:
            _check(key, given[key], place.at(key))
    if offers is not None:
        for key in _BY_INSTRUMENT:
            _check_names("instrument", given.get(key, {}), offers.instruments, place.at(key))
        for key in _BY_CURRENCY:
            _check_names("quote currency", given.get(key, {}), offers.currencies, place.at(key))
    return None if place.is_wrong else Limits(**given)


def _check(key: str, value: object, place: Place) -> None:
    if place.is_wrong:
        return
    try:
        Limits(**{key: value})  # type: ignore[arg-type]  # it says what is wrong with it
    except BadLimit as error:
        own = ".".join(str(part) for part in place.path)
        place.wrong(str(error).removeprefix(own).lstrip(": ").removeprefix("is "))


def _check_names(what: str, given: Mapping[str, object], known: Iterable[str], place: Place) -> None:
    """A misspelt name would mean no limit at all."""
    names = tuple(known)
    for name in given:
        here = place.at(name)
        if name != ANY and name not in names and not here.is_wrong:
            here.wrong(f"it would limit nothing: {unknown(what, name, names)}")
