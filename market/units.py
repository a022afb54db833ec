"""Durations and sizes as people write them: "250ms", "1.5s", "64KiB"."""

import re
from collections.abc import Mapping
from decimal import Decimal
from math import isfinite

from .errors import BadUnit as BadUnit

_NUMBER = re.compile(r"(\d{1,400}(?:\.\d{1,400})?)\s*([^\W\d]*)", re.ASCII)
_UNITS = {"us": Decimal("1e-6"), "ms": Decimal("1e-3"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600)}
_SIZES = {
    "B": Decimal(1),
    "kB": Decimal(1_000),
    "KB": Decimal(1_000),
    "MB": Decimal(10**6),
    "GB": Decimal(10**9),
    "KiB": Decimal(1024),
    "MiB": Decimal(1024**2),
    "GiB": Decimal(1024**3),
}
_MEANT = {
    **dict.fromkeys(("usec", "micros"), "us"),
    **dict.fromkeys(("msec", "millis", "milliseconds"), "ms"),
    **dict.fromkeys(("sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), "m"),
    **dict.fromkeys(("hr", "hrs", "hour", "hours"), "h"),
}
_DURATION = 'a duration, as in "250ms", "1.5s", "2m" or "1h"'
_SIZE = 'a size, as in "64KiB", "1MB" or a number of bytes'


def seconds(text: str) -> float:
    """`"250ms"`, `"1.5s"`, `"2m"`, `"1h"`, `"10us"` as seconds, rounded once. Raises `BadUnit`."""
    number, unit = _parts(text)
    if number is None or unit not in _UNITS:
        raise BadUnit(text, _DURATION, _meant(text, _UNITS, "s"))
    found = float(number * _UNITS[unit])
    if not isfinite(found):
        raise BadUnit(text, _DURATION)
    return found


def written(seconds: float) -> str:
    """How `seconds` would be written: 0.25 is "250ms", 90 is "90s", 120 is "2m". `seconds` reads the same number
    back. Raises `BadUnit` for what is no duration: negative, or not finite."""
    if not (isfinite(seconds) and seconds >= 0):
        raise BadUnit(seconds, "a duration: a finite number of seconds, 0 or above")
    for unit, whole in (("h", 3600), ("m", 60)):
        if seconds and not seconds % whole:
            return f"{int(seconds) // whole}{unit}"
    unit = "s" if seconds >= 1 or not seconds else "ms" if seconds >= 0.001 else "us"
    return f"{_plain(Decimal(repr(float(seconds))) / _UNITS[unit])}{unit}"


def size_bytes(text: str | int) -> int:
    """`"64KiB"`, `"1MB"`, `"512B"` or a number of them, as bytes: KiB is 1024 of them, KB 1000. Raises `BadUnit`."""
    if isinstance(text, int) and not isinstance(text, bool) and text >= 0:
        return text
    number, unit = _parts(text)
    if number is None or unit not in _SIZES:
        raise BadUnit(text, _SIZE, _meant(text, _SIZES, "B"))
    found = number * _SIZES[unit]
    if found != int(found):
        raise BadUnit(text, f"{_SIZE}, and whole bytes")
    return int(found)


def _parts(text: object) -> tuple[Decimal | None, str]:
    match = _NUMBER.fullmatch(text.strip()) if isinstance(text, str) else None
    return (None, "") if match is None else (Decimal(match[1]), match[2])


def _meant(text: object, units: Mapping[str, Decimal], usual: str) -> str:
    """What was probably meant: the unit in other letters, or the usual one where there is none."""
    if isinstance(text, int | float) and not isinstance(text, bool):
        text = str(text)
    number, unit = _parts(text)
    if number is None:
        return ""
    lower = {known.lower(): known for known in units}
    found = lower.get(unit.lower()) or lower.get(_MEANT.get(unit.lower(), "")) or ("" if unit else usual)
    return f"{_plain(number)}{found}" if found else ""


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
