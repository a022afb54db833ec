"""`[system]`, `[relay]`, `[operations]`."""

import os
import sys
from pathlib import Path
from typing import Final

from ticktree.distribution.relay import BUFFER
from ticktree.net import Address, BadAddress
from ticktree.routing import Durability

from .. import parts
from . import sections
from .feeds import check_address, check_once
from .problems import Place, listed, shown
from .reading import section
from .strategies import check_pauses, mailbox

MOST_SOCKET_BYTES: Final = 100
ELF: Final = b"\x7fELF"  # how every shared library begins: elf(5)


def system(table: dict[str, object], place: Place) -> tuple[parts.SystemPart, parts.JournalPart | None]:
    """The process, and its journal where there is one."""
    found = section(sections.System, table, place)
    if found.durability is not None and "journal" not in table:
        place.at("durability").wrong('is of the journal, and there is none: journal = "orders.journal"')
    if found.cpus is not None:
        _check_cpus(found.cpus, place.at("cpus"))
    if found.preload is not None:
        _check_preload(found.preload, place.at("preload"))
    if found.journal is not None and found.journal.is_dir():
        place.at("journal").wrong(f"a file; {found.journal} is a folder")
    durability = Durability(found.durability or "os")
    journal = None if found.journal is None else parts.JournalPart(found.journal, durability)
    return parts.SystemPart(
        found.loop, float(found.budget), float(found.watchdog), float(found.opens_within), found.cpus,
        found.preload or (), found.log,
    ), journal  # fmt: skip


def _check_cpus(cpus: tuple[int, ...], place: Place) -> None:
    check_once(map(str, cpus), place)
    if not cpus:
        place.wrong("names one CPU or more, as in [0]; without it any will do")
    if sys.platform != "linux":
        place.wrong("only Linux keeps a process on some CPUs: leave it out")
        return
    there = sorted(os.sched_getaffinity(0))
    for number, cpu in enumerate(cpus):
        if cpu not in there:
            place.at(number).wrong(f"this process may not run on CPU {cpu}, only on {listed(map(str, there))}")


def _check_preload(paths: tuple[Path, ...], place: Place) -> None:
    check_once(map(str, paths), place)
    if not paths:
        place.wrong('names one library or more, as in ["/usr/lib64/libonload.so"]; leave it out otherwise')
        return
    if sys.platform != "linux":
        place.wrong("only Linux preloads libraries: leave it out")
        return
    for number, path in enumerate(paths):
        if why := _no_library(path):
            place.at(number).wrong(f"{path} {why}")


def _no_library(path: Path) -> str:
    """Why it can be none; empty where it may be one."""
    if any(character in str(path) for character in ": "):
        return "has a blank or a colon in its path, which the dynamic linker cannot take: link to it from elsewhere"
    try:
        with path.open("rb") as file:
            return "" if file.read(4) == ELF else "is no shared library (no ELF file)"
    except OSError as error:
        return f"cannot be opened: {error.strerror}"


# --- [relay] -------------------------------------------------------------------------------------------------------


def relay(table: dict[str, object], place: Place) -> parts.RelayPart | None:
    """The relay, or None where something is wrong with it."""
    found = section(sections.Relay, table, place)
    listen = (found.listen,) if isinstance(found.listen, str) else found.listen
    several = isinstance(table.get("listen"), list)
    for number, url in enumerate(listen):
        _check_listen(url, place.at("listen", number) if several else place.at("listen"), "token" in table)
    check_once(listen, place.at("listen"))
    if not listen and not place.at("listen").is_wrong:
        place.at("listen").wrong('names one address or more: listen = ["tcp://127.0.0.1:7001"]')
    buffer = mailbox(found.buffer, BUFFER, place.at("buffer"))
    check_pauses(buffer, "buffer", found.pauses_feed, place)
    return None if place.is_wrong else parts.RelayPart(listen, str(found.token), buffer, found.pauses_feed)


def _check_listen(url: str, place: Place, token: bool) -> None:
    address = check_address(url, place) if not place.is_wrong else None
    if address is None:
        return
    if address.is_tls:
        place.wrong(f"a configuration names no certificate: tcp:// or ws:// instead of {address.scheme}://")
    elif not address.is_loopback and not token:
        place.wrong(f'{address} is open to other machines and asks for nothing: token = "env:RELAY_TOKEN"')


# --- [operations] --------------------------------------------------------------------------------------------------


def operations(table: dict[str, object], place: Place) -> parts.OperationsPart | None:
    """Where the system is spoken to; None where it is not."""
    found = section(sections.Operations, table, place)
    if found.metrics:
        _check_metrics(found.metrics, place.at("metrics"))
    if not found.enabled:
        return None
    socket = found.socket or _usual(place.document.path)
    if found.socket is not None and not found.socket.parent.is_dir():
        place.at("socket").wrong(f"{found.socket.parent} is not there: make the folder of the socket first")
    elif found.socket is not None and found.socket.is_dir():
        place.at("socket").wrong(f"{found.socket} is a folder; the socket is a file that is made: its own name, too")
    if found.socket is not None and len(os.fsencode(socket)) > MOST_SOCKET_BYTES:
        place.at("socket").wrong(
            f"its path is longer than the {MOST_SOCKET_BYTES} bytes that a Unix socket may have: leave it out, or "
            "name a folder nearer to the root"
        )
    return parts.OperationsPart(socket, found.metrics)


def _usual(path: Path) -> Path:
    from ..operations.place import socket_for

    return socket_for(path)


def _check_metrics(text: str, place: Place) -> None:
    try:
        address = Address.parse(f"tcp://{text}")
    except BadAddress:
        place.wrong(f'a host and a port, as in "127.0.0.1:9464"; not {shown(text)}')
        return
    if not address.is_loopback:
        place.wrong(f'answers anybody, so on this machine only, as in "127.0.0.1:{address.port}"; not {shown(text)}')
