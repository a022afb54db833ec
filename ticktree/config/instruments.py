"""`[instruments.NAME]`."""

import re
from decimal import Decimal
from typing import Any, Final

from ticktree.market import BadInstrument, Instrument

from . import sections
from .problems import Place, is_table, shown
from .reading import known_keys, section

_NAME: Final = re.compile(r"[A-Z0-9.]{1,24}-[A-Z0-9.]{1,24}")


def instruments(tables: dict[str, object], place: Place) -> tuple[Instrument, ...]:
    """Those that nothing is wrong with, in the order of the file."""
    found = [_instrument(name, number, table, place.at(name)) for number, (name, table) in enumerate(tables.items(), 1)]
    return tuple(one for one in found if one is not None)


def _instrument(name: str, number: int, table: object, place: Place) -> Instrument | None:
    if not is_table(table):
        place.wrong(f"a table: [instruments.BASE-QUOTE]; not {shown(table)}")
        return None
    if not _NAME.fullmatch(name):
        how = f"in capitals: {shown(name.upper())}" if _NAME.fullmatch(name.upper()) else "BASE-QUOTE, as in BTC-USDT"
        place.wrong(f"an instrument is written {how}")
    found = section(sections.Instrument, table, place)
    given: dict[str, Any] = {
        key: Decimal(getattr(found, key)) for key in known_keys(sections.Instrument) if getattr(found, key)
    }
    for key, value in given.items():
        _check(key, value, place.at(key))
    return None if place.is_wrong else Instrument(name, number, **given)


def _check(key: str, value: Decimal, place: Place) -> None:
    """Whether an instrument may have it; each by itself."""
    values: dict[str, Any] = {"price_increment": Decimal(1), "size_increment": Decimal(1)}
    values[key] = value
    try:
        Instrument("A-B", 1, **values)
    except BadInstrument:
        least = "0 or above" if key == "min_notional" else "above 0"
        place.wrong(f"a number {least}, of no more digits than prices have; not {shown(str(value))}")
