"""What is asked over HTTP, and how it is answered: pages for the operator's socket, and the few that metrics have."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from ipaddress import ip_address
from urllib.parse import urlsplit

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from . import metrics
from .errors import Refused
from .site import MOST_BYTES
from .status import Error, Health, Said, Status
from .words import COMMANDS, Command, read

log = logging.getLogger("ticktree.operations")

Take = Callable[[], Status]
Obey = Callable[[Command], Awaitable[Said]]


def operator_pages(take: Take, obey: Obey) -> web.Application:
    """All there is, for who may reach the Unix socket."""
    pages = public_pages(take, [])
    pages.router.add_get("/status", partial(_in_turn, asyncio.Lock(), partial(_status, take)))
    for name, kind in COMMANDS.items():
        pages.router.add_post(f"/{name}", partial(_command, name, kind, obey))
    return pages


def public_pages(take: Take, guards: list[Middleware]) -> web.Application:
    """What says how it goes and changes nothing."""
    pages = web.Application(middlewares=[_in_json, *guards], client_max_size=MOST_BYTES)
    turns = asyncio.Lock()
    pages.router.add_get("/metrics", partial(_in_turn, turns, partial(_metrics, take)))
    pages.router.add_get("/health", partial(_in_turn, turns, partial(_health, take)))
    return pages


# --- pages -----------------------------------------------------------------------------------------------------------


async def _in_turn(turns: asyncio.Lock, page: Handler, request: web.Request) -> web.StreamResponse:
    """One after the other, and everybody else has a turn between: a picture of 200 actors takes 10 ms, and whoever may
    connect may ask for as many at once as there are connections."""
    async with turns:
        await asyncio.sleep(0)
        return await page(request)


async def _status(take: Take, _: web.Request) -> web.Response:
    return _answer(take())


async def _health(take: Take, _: web.Request) -> web.Response:
    reasons = take().unwell
    return _answer(Health(not reasons, reasons), 503 if reasons else 200)


async def _metrics(take: Take, _: web.Request) -> web.Response:
    page = bytearray()
    for piece in metrics.written(take()):  # of one picture, whatever happens meanwhile
        page += piece
        await asyncio.sleep(0)
    return web.Response(body=bytes(page), headers={"Content-Type": metrics.CONTENT_TYPE})


async def _command(name: str, kind: type[Command], obey: Obey, request: web.Request) -> web.Response:
    command = read(kind, await request.read())
    asked = f"{name} {msgspec.json.encode(command).decode()}"
    try:
        said = await obey(command)
    except Refused as error:
        log.warning("the operator asked for %s: not done: %s", asked, error)
        raise
    except asyncio.CancelledError:
        log.warning("the operator asked for %s: the system stopped before it was done", asked)
        raise
    log.info("the operator asked for %s: %s", asked, said.said)
    return _answer(said)


def _answer(value: object, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")


# --- what goes wrong -------------------------------------------------------------------------------------------------


@web.middleware
async def _in_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every error is one line of JSON, with HTTP's own status."""
    try:
        return await handler(request)
    except Refused as error:
        return _answer(Error(str(error)), error.status)
    except web.HTTPNotFound:
        return _answer(Error(f"there is no {request.path}; there are {_known(request.app)}"), 404)
    except web.HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted(error.allowed_methods))
        answer = _answer(Error(f"{request.path} takes {allowed}; there are {_known(request.app)}"), 405)
        answer.headers["Allow"] = allowed
        return answer
    except web.HTTPRequestEntityTooLarge:
        return _answer(Error(f"a body has at most {MOST_BYTES} bytes"), 413)
    except web.HTTPException as error:
        return _answer(Error(error.reason), error.status)


def _known(pages: web.Application) -> str:
    routes = [
        f"{route.method} {route.resource.canonical}"
        for route in pages.router.routes()
        if route.resource is not None and route.method != "HEAD"
    ]
    return ", ".join(routes)


# --- who may ask -----------------------------------------------------------------------------------------------------


@web.middleware
async def local_programs_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """No page of a browser may read it, not even one that has its own name point to this machine (DNS rebinding)."""
    if "Origin" in request.headers:
        raise Refused(403, "this is not for pages of the web: a request with an Origin is refused")
    if not _is_here(request.headers.get("Host", "")):
        raise Refused(403, "the Host of a request has to be localhost, 127.0.0.1 or [::1]")
    return await handler(request)


def _is_here(host: str) -> bool:
    """Whether a Host header names this machine; the port does not matter, for it may be a tunnel's."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False
