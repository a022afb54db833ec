"""How statistics are written for people: each in its unit, and what is not known as n/a, with the reason where there
is one."""

from datetime import UTC, datetime
from decimal import Decimal

from ticktree.tables import amount, grouped, lasting

from .definitions import Definition, Figure, Unit
from .statistics import Row

NOT_KNOWN = "n/a"


def written(definition: Definition, figure: Figure, row: Row) -> str:
    """A statistic of `row`."""
    if figure is None:
        return f"{NOT_KNOWN} ({row.risk.note})" if _is_ratio(definition) and row.risk and row.risk.note else NOT_KNOWN
    return in_unit(definition.unit, figure)


def in_unit(unit: Unit, figure: Decimal | float) -> str:
    """A number with its unit; money without its currency."""
    match unit:
        case Unit.MONEY:
            return money(figure)
        case Unit.SHARE:
            return share(float(figure))
        case Unit.BP:
            return bp(float(figure))
        case Unit.SECONDS:
            return seconds(float(figure))
        case Unit.COUNT:
            return grouped(int(figure))
        case Unit.RATIO:
            return f"{figure:.2f}"
        case Unit.TIME:
            return time(int(figure))


def _is_ratio(definition: Definition) -> bool:
    return definition.path in ("risk.sharpe", "risk.sharpe_error", "risk.sortino", "risk.calmar", "risk.period_s")


def money(value: Decimal | float | None) -> str:
    """0.0123, 12,345.67: four places, two from 1,000 on, none from a million on, and more for small amounts."""
    if value is None:
        return NOT_KNOWN
    number = value if isinstance(value, Decimal) else Decimal(repr(value))
    if not number:
        return "0"
    if abs(number) >= 1000:
        return f"{number:,.{0 if abs(number) >= 10**6 else 2}f}"
    return amount(number)


def share(value: float | None) -> str:
    return NOT_KNOWN if value is None else f"{value * 100:.1f} %"


def bp(value: float | None) -> str:
    return NOT_KNOWN if value is None else f"{value:+.2f} bp"


def ratio(value: float | None) -> str:
    return NOT_KNOWN if value is None else f"{value:.2f}"


def seconds(value: float | None) -> str:
    """In the unit that suits it: 50.0 ms, 12.3 s, 2 h 13 m."""
    if value is None:
        return NOT_KNOWN
    if value >= 100:
        return lasting(value)
    unit, name = next(((unit, name) for unit, name in ((1, "s"), (1e-3, "ms")) if value >= unit), (1e-6, "us"))
    return f"{value / unit:.1f} {name}" if value else "0 s"


def time(ns: int) -> str:
    """2026-11-23 07:20:04 UTC."""
    return f"{datetime.fromtimestamp(ns // 10**9, UTC):%Y-%m-%d %H:%M:%S} UTC"


def span(began_ns: int, ended_ns: int) -> str:
    """From when to when, and how long that was."""
    first, last = time(began_ns).removesuffix(" UTC"), time(ended_ns)
    last = last.partition(" ")[2] if last[:10] == first[:10] else last
    return f"{first} to {last}, {lasting((ended_ns - began_ns) / 1e9)}"
