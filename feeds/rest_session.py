"""HTTP for `rest`: aiohttp's session, and the names of what goes wrong. Imported with the first feed that asks."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

import aiohttp

from ticktree.net import Lost, NameUnknown, NoAnswer, PeerLost, Refused, Silent, TlsFailed, Unreachable


def opened(total_s: float, proxies: bool) -> aiohttp.ClientSession:
    """A session whose answers take `total_s` at most; half of it is for being connected."""
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=total_s, sock_connect=total_s / 2),
        headers={"Accept": "application/json", "Accept-Encoding": "identity"},
        auto_decompress=False,  # nothing unasked for is unpacked: 64 KiB can hold 64 MiB
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=proxies,
    )


@asynccontextmanager
async def asked(
    session: aiohttp.ClientSession, what: str, url: str, query: Mapping[str, str]
) -> AsyncGenerator[aiohttp.ClientResponse]:
    """The answer to GET `url`, while it is read. Raises `net.Lost`, where `what` is the name of the question."""
    try:
        async with session.get(url, params=query, allow_redirects=False) as response:
            yield response
    except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
        # Not chained: aiohttp's errors hold the whole request.
        raise _lost(what, error, session.timeout.total or 0.0) from None


def _lost(what: str, error: Exception, total_s: float) -> Lost:
    match error:
        case aiohttp.ClientConnectorDNSError():
            return NameUnknown(what, str(error))
        case aiohttp.ClientSSLError() | aiohttp.ClientConnectorCertificateError():
            return TlsFailed(what, str(error))
        case aiohttp.ClientConnectorError(os_error=ConnectionRefusedError()):
            return Refused(what, str(error))
        case aiohttp.ConnectionTimeoutError():
            return NoAnswer(what, f"not connected within {total_s / 2:.1f} s")
        case aiohttp.ClientConnectorError():
            return Unreachable(what, str(error))
        case TimeoutError():
            return Silent(total_s)
        case aiohttp.ClientResponseError():
            return PeerLost(f"{what}: the answer is not HTTP")
        case _:
            return PeerLost(f"{what}: {error or type(error).__name__}")
