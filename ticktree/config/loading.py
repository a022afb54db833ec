"""From a file to an application: read, looked through as a whole, and either all of it or none."""

import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Final, TypeVar

from .. import parts
from . import process, sections
from .changes import Change, apply, changes_of
from .feeds import feed
from .instruments import instruments
from .locate import locate
from .offers import Offers
from .problems import BadConfig, Document, Place, Problem, is_list, is_table, shown, unknown
from .risk import limits
from .routers import router
from .strategies import Around as AroundStrategies, strategy
from .tree import ROOMS, supervision
from .venues import Around as AroundVenues, venue

P = TypeVar("P")
Table = dict[str, object]

MOST_BYTES: Final = 1 << 20
MOST_NUMBER: Final = (1 << 63) - 1
_WHERE: Final = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)")
_HINTS: Final = {
    "Invalid value": 'a text stands in quotes, as in type = "binance"',
    "Cannot overwrite a value": "this key stands there already: keep one of them",
    "Cannot mutate immutable namespace": "this table was closed already: write all its keys in one place",
    "Cannot declare": "this section stands there already: join the two",
    "Duplicate inline table key": "this key stands there already: keep one of them",
    "Illegal character '\\n'": "a text ends on its line, with the quote that it begins with",
    "Expected newline": "each key stands on a line of its own",
    "Expected '='": 'a key has a value, as in type = "binance"',
    "Expected ']'": "a section's name ends with ]",
    "Invalid initial character for a key part": "a key is of letters, digits, _ and -, or stands in quotes",
    "Invalid statement": "a line is a [section], a key = value, or a # comment",
}


def load(path: str | PathLike[str], changes: Mapping[str, object] | Iterable[Change] = ()) -> parts.App:
    """The application that the configuration at `path` describes. Nothing runs, and nothing is connected to.

    `changes`: values in place of those of the file, as in `{"strategies.momentum.params.fast": 5}`.

    Imports the plug-ins that it names, from its own folder too, which is appended to `sys.path`. Raises `BadConfig`
    with everything that is wrong, and `BadChange` for a key of `changes` that is none.
    """
    document, table = _read(Path(path))
    _change(table, document, changes_of(changes))
    folder = str(document.folder)
    if folder not in sys.path:
        sys.path.append(folder)  # last: nothing there hides a module of anybody's
    app = _app(table, document.top)
    if document.problems or app is None:
        raise BadConfig(document.problems)
    return app


# --- the file ------------------------------------------------------------------------------------------------------


def _read(path: Path) -> tuple[Document, Table]:
    """Its tables, and where they stand. Raises `BadConfig`."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise _bad(path, 0, f"longer than the {MOST_BYTES:,} bytes that a configuration may have")
        text = content.decode("utf-8-sig")  # some editors put a mark before it
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise _bad(path, line, "this is not UTF-8, which TOML is written in") from None
    except (OSError, ValueError) as error:
        if isinstance(error, BadConfig):
            raise
        reason = error.strerror if isinstance(error, OSError) else "that is no path"
        raise _bad(path, 0, f"cannot be read: {reason}") from None
    try:
        table = tomllib.loads(text)
        document = Document(path, locate(text))
    except (ValueError, RecursionError) as error:
        raise _syntax(path, text, error) from None
    _check_numbers(table, document.top)
    if document.problems:
        raise BadConfig(document.problems)
    return document, table


def _change(table: Table, document: Document, changes: tuple[Change, ...]) -> None:
    """Raises `BadConfig` for numbers that nothing can be made of; what else is wrong is told with all the rest."""
    if any(change.path[:2] in (("venues", "paper"), ("routers", "default")) for change in changes):
        table |= _usual_venue(table)
    apply(changes, table, document)
    known = len(document.problems)
    _check_numbers(table if changes else {}, document.top)
    if len(document.problems) > known:
        raise BadConfig(document.problems)


def _check_numbers(table: Table, top: Place) -> None:
    """TOML's whole numbers have 64 bits; `tomllib` takes any, and no key of ours means one beyond."""
    left: list[tuple[object, Place]] = [(table, top)]
    while left:
        value, place = left.pop()
        if is_table(value):
            left += [(one, place.at(key)) for key, one in value.items()]
        elif is_list(value):
            left += [(one, place.at(number)) for number, one in enumerate(value)]
        elif isinstance(value, int) and not -MOST_NUMBER <= value <= MOST_NUMBER:
            place.wrong(f"a whole number is at most {MOST_NUMBER}; not {shown(value)}")


def _bad(path: Path, line: int, message: str) -> BadConfig:
    return BadConfig([Problem(path, line, "", message)])


def _syntax(path: Path, text: str, error: Exception) -> BadConfig:
    if isinstance(error, RecursionError):
        return _bad(path, 0, "its lists or tables are nested too deeply")
    what = str(error)
    if what.startswith("Exceeds the limit"):  # in words about the interpreter, and without a line
        return _bad(path, 0, f"one of its numbers has thousands of digits; a whole number is at most {MOST_NUMBER}")
    where = _WHERE.search(what)
    what = _WHERE.sub("", what)
    hint = next((hint for start, hint in _HINTS.items() if what.startswith(start)), "")
    if where and not where[1]:
        what, hint = f"{what} at the end", "something was begun there, and not ended"
    line = int(where[1]) if where and where[1] else text.rstrip().count("\n") + 1
    column = f", column {where[2]}" if where and where[2] else ""
    return _bad(path, line, f"no TOML{column}: {what}" + (f"; {hint}" if hint else ""))


# --- the whole -----------------------------------------------------------------------------------------------------


def _app(table: Table, top: Place) -> parts.App | None:
    """What it describes; None where something is wrong, which was told then."""
    for key in table:
        if key not in sections.ORDER:
            top.at(key).wrong(unknown("section", key, sections.ORDER))
    named = {name: _tables(table, top, name) for name in sections.NAMED if name != "instruments"}
    if not named["feeds"] and not top.at("feeds").is_wrong:
        top.at("feeds").wrong('is missing, and without a feed nothing happens: [feeds.NAME] type = "binance", ...')
    defined = instruments(_table(table, top, "instruments"), top.at("instruments"))
    system, journal = process.system(_table(table, top, "system"), top.at("system"))
    feeds: tuple[parts.FeedPart | parts.SimulatedPart, ...] = _each(named["feeds"], top.at("feeds"), feed)
    offers = None if top.at("feeds").is_wrong else Offers(feeds)
    _check_exchanges(named["feeds"], top.at("feeds"))
    _with_defaults(named, top)
    known = {name: tuple(tables) for name, tables in named.items()}
    around = AroundVenues(known["feeds"], journal is not None or "journal" in _table(table, top, "system"))
    venues: tuple[parts.AnyVenue, ...] = _each(named["venues"], top.at("venues"), partial(venue, around=around))
    routers = _each(named["routers"], top.at("routers"), partial(router, venues=known["venues"]))
    beside = AroundStrategies(known["routers"], offers)
    strategies = _each(named["strategies"], top.at("strategies"), partial(strategy, around=beside))
    risk = limits(_table(table, top, "risk"), top.at("risk"), offers)
    children = {room: known[room] for room in ROOMS} | {"feeds": (*known["feeds"], *_exchanges(named["feeds"]))}
    tree = supervision(_table(table, top, "supervision"), top.at("supervision"), children)
    relay = process.relay(_table(table, top, "relay"), top.at("relay")) if "relay" in table else None
    operations = process.operations(_table(table, top, "operations"), top.at("operations"))
    if top.is_wrong or risk is None:
        return None
    try:
        return parts.App(
            feeds, venues, routers, strategies, relay, (), risk, journal, tree, operations, system, defined
        )
    except parts.BadApp as error:  # what was not thought of here
        top.wrong(str(error))
        return None


def _table(table: Table, top: Place, name: str) -> Table:
    found = table.get(name, {})
    if is_table(found):
        return found
    top.at(name).wrong(f"a table: [{name}]; not {shown(found)}")
    return {}


def _tables(table: Table, top: Place, name: str) -> dict[str, Table]:
    """`[feeds.a]`, `[feeds.b]`: those that are tables, with names that can be used."""
    found = dict[str, Table]()
    for key, value in _table(table, top, name).items():
        place = top.at(name, key)
        if is_table(value):
            found[key] = value
            if not parts.NAME.fullmatch(key):
                place.wrong(parts.A_NAME)
        else:
            place.wrong(f"a table: [{name}.NAME]; not {shown(value)}")
    return found


def _each(tables: Mapping[str, Table], place: Place, make: Callable[[str, Table, Place], P | None]) -> tuple[P, ...]:
    """Those that can be made."""
    made = [make(name, table, place.at(name)) for name, table in tables.items()]
    return tuple(one for one in made if one is not None)


def _check_exchanges(feeds: Mapping[str, Table], place: Place) -> None:
    """The exchange of a simulated feed stands beside it in the tree, under a name of its own."""
    for exchange, name in _exchanges(feeds).items():
        if exchange in feeds:
            place.at(exchange).wrong(f"so is the exchange of the simulated feed {name} called: another name")


def _exchanges(feeds: Mapping[str, Table]) -> dict[str, str]:
    """Of each simulated feed, by their names."""
    return {f"{name}-exchange": name for name, table in feeds.items() if table.get("type") == "simulated"}


def _with_defaults(named: dict[str, dict[str, Table]], top: Place) -> None:
    """Strategies without a venue or router, over one feed, get a paper venue that matches against it."""
    if not top.at("venues").is_wrong and not top.at("routers").is_wrong:
        named |= _usual_venue(named)


def _usual_venue(table: Mapping[str, object]) -> dict[str, dict[str, Table]]:
    """Venues and routers for a configuration that has neither, if it is of one feed."""
    feeds = table.get("feeds")
    none = not table.get("venues") and not table.get("routers")
    if not (none and table.get("strategies") and is_table(feeds) and len(feeds) == 1):
        return {}
    return {
        "venues": {"paper": {"type": "simulated", "prices": next(iter(feeds))}},
        "routers": {"default": {"policy": "timeout", "venue": "paper", "deadline": "250ms"}},
    }
