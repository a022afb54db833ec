"""A feed's questions to an exchange over HTTP: few at once, within the rate limit, bounded in time and in size.

An answer is decoded by msgspec into the type that is asked for. What goes wrong has a name: the exchange cannot be
reached or went (`ticktree.net.Lost`), it refused (`RestRefused`), or what it said cannot be read (`BadAnswer`).
Errors name host and path, never the query: queries may hold keys.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlencode, urlsplit

import attrs
import msgspec

from ticktree.actors import Clock
from ticktree.net import BadAddress, Lost

from .errors import FeedError

if TYPE_CHECKING:
    import aiohttp

log = logging.getLogger("ticktree.feeds")

T = TypeVar("T")
Tap = Callable[[str, bytes], None]

NS = 1_000_000_000
MINUTE_NS = 60 * NS
HEAD = 200  # bytes of an answer that an error shows
CHUNK = 65_536
UNTOLD_S = 60.0  # what to wait after a 429 that does not say: the window of the usual limit
LONGEST_S = 3 * 86_400.0  # Binance's longest ban; a longer Retry-After is taken for this
PATIENCE_S = 60.0  # whoever would have to wait longer for a turn is told so at once
SLOW_DOWN = (418, 429)  # 418: banned for not slowing down after a 429


class RestError(FeedError):
    """An exchange did not answer a question as it should. `what` is host and path."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"{what}: {why}")
        self.what = what


class RestRefused(RestError):
    """It answered with `status`; `head` begins its words. `retry_after_s`: ask nothing before, if it said so."""

    def __init__(self, what: str, status: int, head: bytes, retry_after_s: float | None = None) -> None:
        pause = "" if retry_after_s is None else f"; ask again in {retry_after_s:.0f} s"
        super().__init__(what, f"refused with status {status}: {head[:HEAD]!r}{pause}")
        self.status, self.head, self.retry_after_s = status, head[:HEAD], retry_after_s


class TooSoon(RestError):
    """Not asked, because the exchange said to ask nothing for `retry_after_s` seconds yet."""

    def __init__(self, what: str, retry_after_s: float) -> None:
        super().__init__(what, f"nothing may be asked for {retry_after_s:.0f} s yet")
        self.retry_after_s = retry_after_s


class RestClosed(RestError):
    """Asked after `close`, or closed before the answer was there."""

    def __init__(self, what: str) -> None:
        super().__init__(what, "nothing is asked any more: the feed has ended")


class AnswerTooLong(RestError):
    """The answer is longer than `bound` bytes, or says that it is."""

    def __init__(self, what: str, bound: int) -> None:
        super().__init__(what, f"the answer is longer than {bound:,} bytes")
        self.bound = bound


class BadAnswer(RestError):
    """The answer cannot be read; `head` begins it."""

    def __init__(self, what: str, why: str, head: bytes) -> None:
        super().__init__(what, f"the answer cannot be read: {why}; it begins {head[:HEAD]!r}")
        self.head = head[:HEAD]


@attrs.frozen
class RestLimits:
    """What to expect of an exchange, and what it expects of us."""

    weight_a_minute: int  # the exchange's; each question weighs something
    at_once: int = 4
    total_s: float = 10.0  # from the question's turn to the last byte of the answer
    most_bytes: int = 32 << 20


class Turns:
    """Says how long to wait so that no more than `weight_a_minute` is asked in any 60 seconds.

    A tenth of it may come at once, the rest flows evenly: the generic cell rate algorithm, whose whole state is one
    number, and which gives turns in the order they were asked for.
    """

    def __init__(self, clock: Clock, weight_a_minute: int) -> None:
        self._clock = clock
        self._unit_ns = MINUTE_NS * 10 // (9 * weight_a_minute)
        self._burst_ns = weight_a_minute * self._unit_ns // 10
        self._booked_ns = 0  # until when the rate is used up
        self._closed_ns = 0  # nothing before

    def book(self, weight: int) -> float:
        """Take a turn of `weight`; how many seconds to wait for it."""
        now_ns = self._clock.monotonic_ns()
        self._booked_ns = max(self._booked_ns, now_ns) + weight * self._unit_ns
        return max(0, self._booked_ns - self._burst_ns - now_ns) / NS

    def give_back(self, weight: int) -> None:
        """A turn of `weight` was not taken."""
        self._booked_ns -= weight * self._unit_ns

    def close(self, seconds: float) -> None:
        """No turns for so long."""
        self._closed_ns = max(self._closed_ns, self._clock.monotonic_ns() + round(seconds * NS))

    def closed_s(self) -> float:
        """For how many seconds there are no turns."""
        return max(0, self._closed_ns - self._clock.monotonic_ns()) / NS


class Rest:
    """`get` asks; `close` at the end of the feed's life. The session is opened by the first question.

    TLS is verified, redirects are refusals, and no proxy is taken from the environment unless `proxies` says so.
    `tap` is told each question's url, with its query, and the body of its answer.
    Raises `BadAddress` for a `url` that is not http or https.
    """

    def __init__(
        self, clock: Clock, url: str, limits: RestLimits, proxies: bool = False, tap: Tap | None = None
    ) -> None:
        # Here, because who never asks should not wait for it; and not later, in the middle of a feed's data.
        from .rest_session import asked, opened  # noqa: PLC0415  # 0.1 s

        self._asked, self._opened = asked, opened
        self.limits = limits
        self._tap = tap
        self._url, self._shown = _address(url)
        self._clock, self._proxies = clock, proxies
        self._turns = Turns(clock, limits.weight_a_minute)
        self._at_once = asyncio.Semaphore(limits.at_once)
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def get(self, path: str, query: Mapping[str, str], weight: int, type: type[T]) -> T:
        """The answer to GET `path`, decoded. Raises `RestError` or `net.Lost`."""
        what = self._shown + path
        async with self._at_once:
            await self._turn(what, weight)
            if self._closed:
                raise RestClosed(what)
            data = await self._ask(what, self._url + path, query)
        if self._tap is not None:
            self._tap(f"{self._url}{path}?{urlencode(query)}", data)
        return decoded(what, data, type)

    async def close(self) -> None:
        """End the session. Whoever still waits gets an error."""
        self._closed = True
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _turn(self, what: str, weight: int) -> None:
        wait_s = self._turns.book(weight)
        try:
            await self._clock.sleep(wait_s)
            while closed_s := self._turns.closed_s():
                if closed_s > PATIENCE_S:
                    raise TooSoon(what, closed_s)
                await self._clock.sleep(closed_s)
        except BaseException:  # cancelled: the connection is gone, and what it wanted to ask with it
            self._turns.give_back(weight)
            raise

    async def _ask(self, what: str, url: str, query: Mapping[str, str]) -> bytes:
        if self._session is None:
            self._session = self._opened(self.limits.total_s, self._proxies)
        try:
            async with self._asked(self._session, what, url, query) as response:
                data = await self._read(what, response)
        except Lost:
            if self._closed:
                raise RestClosed(what) from None
            raise
        if response.status != 200:
            raise self._refused(what, response, data)
        return data

    async def _read(self, what: str, response: "aiohttp.ClientResponse") -> bytes:
        # In pieces: `Content-Length` may say anything, and so may a body that has none.
        good, data = response.status == 200, bytearray()
        async for piece in response.content.iter_chunked(CHUNK):
            data += piece
            if good and len(data) > self.limits.most_bytes:
                raise AnswerTooLong(what, self.limits.most_bytes)
            if not good and len(data) >= HEAD:
                break
        return bytes(data)

    def _refused(self, what: str, response: "aiohttp.ClientResponse", data: bytes) -> RestRefused:
        if response.status not in SLOW_DOWN:
            return RestRefused(what, response.status, data)
        pause_s = _pause_s(response.headers.get("Retry-After", ""))
        self._turns.close(pause_s)
        log.warning("%s: refused with status %d, nothing is asked for %.0f s", what, response.status, pause_s)
        return RestRefused(what, response.status, data, pause_s)


def decoded(what: str, data: bytes, type: type[T]) -> T:
    """`data`, JSON, as `type`. Raises `BadAnswer`."""
    try:
        return msgspec.json.decode(data, type=type, strict=False)
    except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
        raise BadAnswer(what, str(error), data) from None


def _address(url: str) -> tuple[str, str]:
    """`url` without its last slash, and the same as errors show it: without user and password."""
    try:
        parts = urlsplit(url)
        host = parts.hostname if parts.scheme in ("http", "https") else None
        shown = f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port is not None else "")
    except ValueError as error:
        raise BadAddress(url.rpartition("@")[2], str(error)) from None
    if not host or parts.query or parts.fragment:
        raise BadAddress(url.rpartition("@")[2], "a question is asked at https://host[:port], or http")
    return url.rstrip("/"), shown + parts.path.rstrip("/")


def _pause_s(text: str) -> float:
    seconds = float(text) if text.isascii() and text.isdigit() else UNTOLD_S
    return min(seconds, LONGEST_S)
