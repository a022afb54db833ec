"""What plug-ins are installed, and what each of them takes: as text for people, and as JSON."""

import inspect
import json
import re
import textwrap
from collections import Counter
from collections.abc import Iterable
from typing import Any

import attrs
from msgspec import Struct

from ticktree.actors import PluginError, Plugins

from ..config import sections
from .options import Option, fields, is_table, missing, taken, toml

WIDTH = 100  # characters, of a line
WIDEST = 66  # of it, all columns of a table but the last one


@attrs.frozen
class Entry:
    """One name. `problem`: why it cannot be used; empty where it can."""

    name: str
    leads_to: str
    summary: str
    problem: str = ""


@attrs.frozen
class Listing:
    """All names of one kind."""

    what: str
    entries: tuple[Entry, ...]

    @property
    def text(self) -> str:
        """For a terminal."""
        edge = max((len(entry.name) for entry in self.entries), default=0) + 2
        lines = list[str]()
        for entry in self.entries:
            told = f"BROKEN: {entry.problem}" if entry.problem else entry.summary or "(says nothing of itself)"
            lines += _hung(entry.name.ljust(edge), told)
            lines += [] if entry.problem else [" " * edge + entry.leads_to]
        lines += ["" if self.entries else "None is installed."]
        return "\n".join([*lines, f"`ticktree {self.what} NAME` tells what one takes."])

    @property
    def json(self) -> str:
        """For programs."""
        return _json(self)


@attrs.frozen
class Description:
    """One of them. `about`: what its module and its class say. `facts`: what is fixed. `options`: what a configuration
    may say, `usual` what it may say of each of the kind, `snippet` lines of it with all that, if they would do."""

    name: str
    leads_to: str
    about: tuple[str, ...]
    facts: dict[str, str]
    options: tuple[Option, ...]
    usual: str
    snippet: str

    @property
    def text(self) -> str:
        """For a terminal."""
        facts = {"leads to": self.leads_to, **self.facts}
        edge = max(map(len, facts)) + 4
        about = [_filled(paragraph) for paragraph in self.about]
        told = [line for fact, value in facts.items() for line in _hung(f"  {fact}".ljust(edge), value)]
        table = ["Options:", "", *_table(self.options)] if self.options else ["It has no options of its own."]
        usual = textwrap.wrap(self.usual, WIDTH)
        paste = [["In a configuration:"], [self.snippet]] if self.snippet else []
        parts = [[self.name], *about, told, table, usual, *paste]
        return "\n\n".join("\n".join(part) for part in parts if part)

    @property
    def json(self) -> str:
        """For programs."""
        return _json(self)


def listed(what: str) -> Listing:
    """What is installed of `what`: feeds, strategies or venues. Imports all of it; what cannot be used says why."""
    plugins = _plugins(what)
    known = plugins.known()
    modules = Counter(leads_to.partition(":")[0] for leads_to in known.values())
    alone = {name for name, leads_to in known.items() if modules[leads_to.partition(":")[0]] == 1}
    return Listing(what, tuple(_entry(plugins, name, leads_to, name in alone) for name, leads_to in known.items()))


def described(what: str, name: str) -> Description:
    """What `name` takes. Raises `PluginError`."""
    plugins = _plugins(what)
    describe = {"feeds": _feed, "strategies": _strategy, "venues": _venue}[what]
    kind: type[Any] = plugins.load(name)
    return describe(name, plugins.known().get(name, name), kind)


def _plugins(what: str) -> Plugins[Any]:
    match what:
        case "feeds":
            from ticktree.feeds.plugins import FEEDS

            return FEEDS
        case "strategies":
            from ticktree.strategies.plugins import STRATEGIES

            return STRATEGIES
        case _:
            from ticktree.routing.venues.plugins import VENUES

            return VENUES


def _entry(plugins: Plugins[Any], name: str, leads_to: str, alone: bool) -> Entry:
    """`alone`: no other name leads to its module, which then speaks for it."""
    try:
        promise, own = _paragraphs(plugins.load(name))
    except PluginError as error:
        return Entry(name, leads_to, "", str(error).removeprefix(f"{plugins.what} {name!r}: "))
    said = [promise, *own] if alone else [*own, promise]
    return Entry(name, leads_to, next((text.partition("\n")[0] for text in said if text), ""))


def _paragraphs(kind: type) -> tuple[str, list[str]]:
    """What its module opens with, and what the class says of itself but for its options."""
    module = inspect.getmodule(kind)
    promise = (module and inspect.getdoc(module)) or ""
    return promise.partition("\n")[0], _own(kind)


def _own(kind: type) -> list[str]:
    """A class's own docstring, not one that it inherits, without rows about options."""
    paragraphs = inspect.cleandoc(kind.__doc__ or "").split("\n\n")
    return [text for text in paragraphs if text and not is_table(text)]


def _about(kind: type) -> tuple[str, ...]:
    promise, own = _paragraphs(kind)
    return tuple(filter(None, (promise, *own)))


# --- each kind -------------------------------------------------------------------------------------------------------


def _feed(name: str, leads_to: str, kind: type[Any]) -> Description:
    from ticktree.feeds.simulated import SimulatedFeed

    head, kinds, usual = list[str](), list[str](sections.USUAL_KINDS), ""
    if kind is SimulatedFeed:
        options = fields(sections.SimulatedFeed, ("type",))
    else:
        options, kinds = tuple(_located(option, kind) for option in taken(kind, sections.Feed, 1)), _kinds(kind)
        usual = f"As of every feed: {_keys(sections.Feed)}."
        brought = [each for each in sections.USUAL_KINDS if not kinds or each in kinds]
        head = ['instruments = ["BTC-USDT"]', f"# kinds = {toml(brought)}"]
    facts = {"kinds": ", ".join(kinds)} if kinds else {}
    return _usable(
        Description(name, leads_to, _about(kind), facts, options, usual, _snippet("feeds", name, head, options)),
        [] if kind is SimulatedFeed else missing(kind, sections.Feed, 1),
    )


def _usable(found: Description, lacking: list[str]) -> Description:
    """The same, or that it is for code alone: a configuration gives it no `lacking`."""
    if not lacking:
        return found
    why = f"it is made with {', '.join(lacking)}, which a configuration does not give"
    return attrs.evolve(found, facts={**found.facts, "only from code": why}, usual="", snippet="")


def _keys(section: type[sections.Section]) -> str:
    return ", ".join(option.name for option in fields(section, ("type",)))


def _located(option: Option, kind: type[Any]) -> Option:
    """A feed that cuts no stream speaks over WebSockets only."""
    only_websockets = option.name == "url" and kind.framing is None
    return attrs.evolve(option, example='"ws://127.0.0.1:5006/"') if only_websockets else option


class _Nobody:
    """Takes what a feed brings that never runs."""

    def attach(self, port: object) -> None: ...
    def publish(self, batch: object) -> None: ...
    def mark(self, mark: object) -> None: ...


def _kinds(kind: type[Any]) -> list[str]:
    """The kinds of data that a feed can be asked for: those that it does not refuse to be made with. None where it
    cannot be known."""
    from ticktree.feeds import Source, UnknownKind
    from ticktree.market import EventKind, Topic

    where = {"url": "tcp://127.0.0.1:1"} if "url" in inspect.signature(kind).parameters else {}
    found = list[str]()
    for each in EventKind:
        try:
            kind(Source("a", (Topic("a", "BTC-USDT", each),), _Nobody()), **where)
        except UnknownKind:
            continue
        except Exception:  # it wants to know more than we do
            return []
        found.append(each.value)
    return found


def _strategy(name: str, leads_to: str, kind: type[Any]) -> Description:
    params: type[Struct] = kind.params_type()
    options, topics, mailbox = fields(params), list(kind.topics), _mailbox(kind.mailbox)
    facts = {
        "topics": ", ".join(topics) or "none of its own: a configuration has to say them",
        "takes": "columns (on_batch)" if kind.takes_columns() else "events",
        "mailbox": mailbox,
    }
    usual = f"{'These are its params. ' if options else ''}As of every strategy: {_keys(sections.Strategy)}."
    head = [f"# topics = {toml(topics)}" if topics else 'topics = ["*/BTC-USDT/quote"]', f"# mailbox = {mailbox}"]
    snippet = _snippet("strategies", name, head, ())
    if options:
        snippet += f"\n\n[strategies.{_table_name(name)}.params]\n{_lines(name, options)}"
    about = (*_about(kind), *(_own(params) if options else ()))
    return Description(name, leads_to, about, facts, options, usual, snippet)


def _mailbox(mailbox: Any) -> str:
    overflow = mailbox.overflow
    told: dict[str, object] = {"capacity": mailbox.capacity, "overflow": _snake(overflow)}
    if hasattr(overflow, "otherwise"):
        told["otherwise"] = _snake(overflow.otherwise)
    return toml(told)


def _snake(value: object) -> str:
    return re.sub("(?<!^)(?=[A-Z])", "_", type(value).__name__).lower()


def _venue(name: str, leads_to: str, kind: type[Any]) -> Description:
    match name:
        case "simulated":
            options = fields(sections.SimulatedVenue, ("type",))
        case "tcp":
            options = tuple(sorted(fields(sections.TcpVenue, ("type",)), key=lambda option: option.default is not None))
        case _:
            options = (*taken(kind, sections.Venue), *fields(sections.Venue, ("type",)))
    return _usable(
        Description(name, leads_to, _about(kind), {}, options, "", _snippet("venues", name, [], options)),
        [] if name in ("simulated", "tcp") else missing(kind, sections.Venue),
    )


# --- as text ---------------------------------------------------------------------------------------------------------


def _snippet(room: str, name: str, head: list[str], options: Iterable[Option]) -> str:
    lines = [f"[{room}.{_table_name(name)}]", f"type = {toml(name)}", *head]
    return "\n".join(filter(None, (*lines, _lines(name, options))))


def _lines(name: str, options: Iterable[Option]) -> str:
    return "\n".join(option.line(_table_name(name)) for option in options)


def _table_name(name: str) -> str:
    return re.sub(r"[^a-z0-9_-]", "_", name.rpartition(":")[2].lower())


def _table(options: Iterable[Option]) -> list[str]:
    rows = [(one.name, one.type, "needed" if one.default is None else one.default or "-") for one in options]
    widths = _widths(rows)
    if sum(widths) > WIDEST:  # the whole default stands in the snippet
        rows = [(name, _short(type), default if len(default) < 25 else "(below)") for name, type, default in rows]
        widths = _widths(rows)
    lines = list[str]()
    for row, option in zip(rows, options, strict=True):
        cells = "".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        lines += _hung(f"  {cells}", option.about)
    return lines


def _widths(rows: Iterable[tuple[str, str, str]]) -> list[int]:
    return [max(map(len, column)) + 2 for column in zip(*rows, strict=True)]


def _short(type: str) -> str:
    return type if len(type) < 25 else type.partition(" of ")[0]


def _hung(head: str, text: str) -> list[str]:
    """`head`, and `text` beside it, over as many lines as it takes."""
    width = max(WIDTH, len(head) + 24)
    filled = textwrap.wrap(text, width, initial_indent=head, subsequent_indent=" " * len(head), break_on_hyphens=False)
    return filled or [head.rstrip()]


def _filled(paragraph: str) -> list[str]:
    """A paragraph of a docstring, in as many columns as there are; what is laid out stays as it is."""
    laid_out = re.search(r"^ |\S  +\S", paragraph, re.MULTILINE)
    return textwrap.indent(paragraph, "  ").splitlines() if laid_out else _hung("  ", paragraph)


def _json(value: Any) -> str:
    return json.dumps(attrs.asdict(value), indent=2, ensure_ascii=False)
