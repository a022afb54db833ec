"""What RFC 6455 says about frames, case by case, as the Autobahn suite tries it, against both sides of ours."""

from itertools import pairwise
from typing import NamedTuple

import pytest

from ticktree.net.websocket_rules import USUAL, PeerClosed, WebSocketLimits, WebSocketViolation

from .raw_websocket import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Frame, close
from .websocket_pairs import SIDES, End, pair

SMALL = WebSocketLimits(most_bytes=1_000, most_fragments=8)


class Case(NamedTuple):
    """The raw peer sends `frames`, and says goodbye where neither they nor ours did."""

    name: str
    frames: tuple[Frame, ...]
    messages: tuple[bytes, ...] = ()  # delivered
    pongs: tuple[bytes, ...] = ()
    code: int | None = None  # of the violation; None: there is none
    text: bool = True
    limits: WebSocketLimits = USUAL


def whole(payload: bytes, text: bool = True) -> Frame:
    return Frame(TEXT if text else BINARY, payload)


def cut(payload: bytes, *places: int, opcode: int = TEXT) -> tuple[Frame, ...]:
    """One message in fragments, cut at `places`."""
    bounds = [0, *places, len(payload)]
    last = len(bounds) - 2
    return tuple(
        Frame(CONTINUATION if n else opcode, payload[begin:end], fin=n == last)
        for n, (begin, end) in enumerate(pairwise(bounds))
    )


HI, BYE = whole(b"hi"), close(1000)
SIZES = (0, 1, 125, 126, 127, 128, 65535, 65536, 65537, 200_000)

FRAMING = [
    *(Case(f"text of {n} bytes", (whole(b"*" * n),), (b"*" * n,)) for n in SIZES),
    *(Case(f"binary of {n} bytes", (whole(b"\xfe" * n, False),), (b"\xfe" * n,), text=False) for n in SIZES),
    Case("a hundred messages", (HI,) * 100, (b"hi",) * 100),
    Case("binary that is no UTF-8", (whole(b"\xff\xfe\x00", False),), (b"\xff\xfe\x00",), text=False),
    Case("binary on a text connection", (HI, whole(b"x", False)), (b"hi",), code=1003),
    Case("text on a binary connection", (whole(b"x", False), HI), (b"x",), code=1003, text=False),
    Case("fragmented binary on a text connection", (Frame(BINARY, b"x", fin=False),), code=1003),
    Case("a length of 125 in two bytes", (HI, Frame(TEXT, b"a" * 125, length_bytes=2)), (b"hi",), code=1002),
    Case("a length of 0 in two bytes", (Frame(TEXT, length_bytes=2),), code=1002),
    Case("a length of 65535 in eight bytes", (Frame(TEXT, b"a" * 65535, length_bytes=8),), code=1002),
    Case("a length of 1 in eight bytes", (Frame(TEXT, b"a", length_bytes=8),), code=1002),
    Case("a negative length", (Frame(TEXT, length=1 << 63, length_bytes=8),), code=1002),
    Case("all bits of a length", (Frame(TEXT, length=(1 << 64) - 1, length_bytes=8),), code=1002),
]

PINGS = [
    *(Case(f"a ping of {n} bytes", (Frame(PING, b"p" * n),), pongs=(b"p" * n,)) for n in (0, 1, 2, 124, 125)),
    Case("a ping that is no UTF-8", (Frame(PING, b"\x00\xff\xfe"),), pongs=(b"\x00\xff\xfe",)),
    *(Case(f"a ping of {n} bytes", (HI, Frame(PING, b"p" * n)), (b"hi",), code=1002) for n in (126, 127, 65536)),
    Case("a ping that claims 125 bytes in two", (Frame(PING, b"p" * 125, length_bytes=2),), code=1002),
    Case("a fragmented ping", (Frame(PING, b"p", fin=False),), code=1002),
    Case("a pong nobody asked for", (Frame(PONG),)),
    Case("a pong with a payload", (Frame(PONG, b"unasked"),)),
    Case("a pong, then a ping", (Frame(PONG, b"unasked"), Frame(PING, b"p")), pongs=(b"p",)),
    Case("a pong of 126 bytes", (Frame(PONG, b"p" * 126),), code=1002),
    Case("a fragmented pong", (Frame(PONG, fin=False),), code=1002),
    Case("ten pings", tuple(Frame(PING, b"%d" % n) for n in range(10)), pongs=tuple(b"%d" % n for n in range(10))),
    Case("pings between messages", (HI, Frame(PING, b"1"), HI, Frame(PING, b"2")), (b"hi",) * 2, (b"1", b"2")),
]

RESERVED = [
    *(
        Case(f"reserved bits {n:03b} on text", (HI, Frame(TEXT, b"x", reserved=n)), (b"hi",), code=1002)
        for n in range(1, 8)
    ),
    *(
        Case(f"reserved bits {n:03b} on binary", (Frame(BINARY, b"x", reserved=n),), code=1002, text=False)
        for n in (1, 2, 4, 7)
    ),
    *(Case(f"reserved bits {n:03b} on a ping", (Frame(PING, b"x", reserved=n),), code=1002) for n in range(1, 8)),
    *(Case(f"reserved bits {n:03b} on a pong", (Frame(PONG, reserved=n),), code=1002) for n in (1, 2, 4)),
    *(Case(f"reserved bits {n:03b} on close", (BYE._replace(reserved=n),), code=1002) for n in (1, 2, 4, 7)),
    *(
        Case(
            f"reserved bits {n:03b} on a continuation",
            (Frame(TEXT, b"a", fin=False), Frame(0, b"b", reserved=n)),
            code=1002,
        )
        for n in (1, 2, 4)
    ),
    Case("reserved bits, then a ping", (Frame(TEXT, b"x", reserved=4), Frame(PING)), code=1002),
    *(Case(f"opcode {n}", (HI, Frame(n, b"x")), (b"hi",), code=1002) for n in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)),
    *(Case(f"opcode {n}, empty", (Frame(n),), code=1002) for n in (3, 7, 11, 15)),
    Case("opcode 3 within a message", (Frame(TEXT, b"a", fin=False), Frame(3)), code=1002),
]

FRAGMENTS = [
    Case("two fragments", cut(b"fragment", 4), (b"fragment",)),
    Case("a fragment a byte", cut(b"fragment", *range(1, 8)), (b"fragment",)),
    Case("binary fragments", cut(b"\xff\xfe", 1, opcode=BINARY), (b"\xff\xfe",), text=False),
    Case("empty fragments", cut(b"", 0, 0), (b"",)),
    Case("an empty first fragment", cut(b"abc", 0), (b"abc",)),
    Case("an empty last fragment", cut(b"abc", 3), (b"abc",)),
    Case("empty fragments around one", cut(b"abc", 0, 3), (b"abc",)),
    Case("long fragments", cut(b"*" * 150_000, 50_000, 100_000), (b"*" * 150_000,)),
    Case("messages after a fragmented one", (*cut(b"abc", 1), HI, *cut(b"def", 2), HI), (b"abc", b"hi", b"def", b"hi")),
    Case(
        "a ping within a message",
        (Frame(TEXT, b"a", fin=False), Frame(PING, b"p"), Frame(0, b"b")),
        (b"ab",),
        (b"p",),
    ),
    Case("a pong within a message", (Frame(TEXT, b"a", fin=False), Frame(PONG), Frame(0, b"b")), (b"ab",)),
    Case("a continuation of nothing", (Frame(CONTINUATION, b"x"),), code=1002),
    Case("an unfinished continuation of nothing", (Frame(CONTINUATION, b"x", fin=False),), code=1002),
    Case("a continuation after a whole message", (HI, Frame(CONTINUATION, b"x")), (b"hi",), code=1002),
    Case("a continuation after a fragmented one", (*cut(b"abc", 1), Frame(CONTINUATION)), (b"abc",), code=1002),
    Case("text within a message", (Frame(TEXT, b"a", fin=False), HI), code=1002),
    Case(
        "a fragment of text within a message", (Frame(TEXT, b"a", fin=False), Frame(TEXT, b"b", fin=False)), code=1002
    ),
    Case("binary within a message", (Frame(TEXT, b"a", fin=False), Frame(BINARY, b"b")), code=1002),
    Case("a message that never ends", (Frame(TEXT, b"a", fin=False), BYE)),
]

KAPPA = "κόσμε".encode()
VALID = {
    "nothing": b"",
    "ASCII": b"Hello",
    "two bytes each": "Käse-µßöäüàá".encode(),
    "Greek": KAPPA,
    "first of each length": "\u0080\u0800\U00010000".encode(),
    "last of each length": "\u007f\u07ff\uffff\U0010ffff".encode(),
    "around the surrogates": "\ud7ff\ue000".encode(),
    "replacement": "\ufffd".encode(),
    "noncharacters": "\ufffe\uffff\U0001fffe\U0010ffff".encode(),
    "zero": b"\x00",
}
INVALID = {
    "a lone continuation": b"\x80",
    "a lone continuation, last": b"\xbf",
    "a start and nothing": b"\xc3",
    "a start and ASCII": b"\xc3 ",
    "three of four bytes": b"\xf0\x9f\x98",
    "two of three bytes": b"\xe2\x82",
    "FE": b"\xfe",
    "FF": b"\xff",
    "overlong slash in two": b"\xc0\xaf",
    "overlong slash in three": b"\xe0\x80\xaf",
    "overlong slash in four": b"\xf0\x80\x80\xaf",
    "overlong slash in five": b"\xf8\x80\x80\x80\xaf",
    "overlong zero": b"\xc0\x80",
    "overlong last of three": b"\xf0\x8f\xbf\xbf",
    "first high surrogate": b"\xed\xa0\x80",
    "last high surrogate": b"\xed\xaf\xbf",
    "first low surrogate": b"\xed\xb0\x80",
    "last low surrogate": b"\xed\xbf\xbf",
    "a surrogate pair": b"\xed\xa0\x80\xed\xb0\x80",
    "beyond the last": b"\xf4\x90\x80\x80",
    "six bytes": b"\xfc\x84\x80\x80\x80\x80",
    "Greek, then a surrogate": KAPPA + b"\xed\xa0\x80edited",
}
# What shows at once that no more bytes can make it right, in a fragment that is not the last.
HOPELESS = {
    "a bad start": b"\xff",
    "an overlong start": b"\xc0",
    "an overlong second": b"\xe0\x80",
    "a surrogate's second": b"\xed\xa0",
    "beyond the last": b"\xf4\x90",
    "Greek, then a surrogate": KAPPA + b"\xed\xa0",
    "a break in three": b"\xe2\x28",
}

UTF8 = [
    *(Case(f"valid: {name}", (whole(text),), (text,)) for name, text in VALID.items()),
    *(
        Case(f"valid in bytes: {name}", cut(text, *range(1, len(text))), (text,))
        for name, text in VALID.items()
        if text
    ),
    *(Case(f"invalid: {name}", (HI, whole(text)), (b"hi",), code=1007) for name, text in INVALID.items()),
    *(Case(f"invalid in bytes: {name}", cut(text, *range(1, len(text))), code=1007) for name, text in INVALID.items()),
    *(Case(f"fails fast: {name}", (Frame(TEXT, text, fin=False),), code=1007) for name, text in HOPELESS.items()),
    *(
        Case(
            f"fails fast in a continuation: {name}", (Frame(TEXT, b"", fin=False), Frame(0, text, fin=False)), code=1007
        )
        for name, text in HOPELESS.items()
    ),
    *(Case(f"{KAPPA!a} cut at {n}", cut(KAPPA, n), (KAPPA,)) for n in range(1, len(KAPPA))),
    Case(
        "a code point across a ping",
        (Frame(TEXT, b"\xce", fin=False), Frame(PING), Frame(0, b"\xba")),
        (b"\xce\xba",),
        (b"",),
    ),
    Case("a decoder begins anew", (*cut(KAPPA, 3), *cut(KAPPA, 5), HI), (KAPPA, KAPPA, b"hi")),
]

GOOD_CODES = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999)
BAD_CODES = (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 9999, 32767, 65535)

CLOSES = [
    Case("close without a code", (Frame(CLOSE),)),
    Case("close of one byte", (HI, Frame(CLOSE, b"\x03")), (b"hi",), code=1002),
    *(Case(f"close {code}", (HI, close(code)), (b"hi",)) for code in GOOD_CODES),
    *(Case(f"close {code} with a reason", (close(code, b"going"),)) for code in (1000, 1001, 3000, 4999)),
    *(Case(f"close {code}", (HI, close(code)), (b"hi",), code=1002) for code in BAD_CODES),
    Case("close with a reason of 123 bytes", (close(1000, b"r" * 123),)),
    Case("close with a reason of 124 bytes", (close(1000, b"r" * 124),), code=1002),
    Case("close with a reason in Greek", (close(1000, KAPPA),)),
    *(Case(f"close with a reason: {name}", (close(1000, text),), code=1007) for name, text in INVALID.items()),
    Case("a fragmented close", (BYE._replace(fin=False),), code=1002),
    Case("text after close", (HI, BYE, HI), (b"hi",)),
    Case("a ping after close", (BYE, Frame(PING))),
    Case("reserved bits after close", (BYE, Frame(TEXT, b"x", reserved=7))),
    Case("close within a message", (Frame(TEXT, b"a", fin=False), BYE)),
]

LIMITS = [
    Case("as much as may be", (whole(b"*" * 1000),), (b"*" * 1000,), limits=SMALL),
    Case("a byte too many", (HI, whole(b"*" * 1001)), (b"hi",), code=1009, limits=SMALL),
    Case("a byte too many, as binary", (whole(b"*" * 1001, False),), code=1009, text=False, limits=SMALL),
    Case("a claim of 2^62 bytes", (Frame(TEXT, length=1 << 62, length_bytes=8),), code=1009),
    Case("a claim of 17 MiB", (Frame(TEXT, length=17 << 20, length_bytes=8),), code=1009),
    Case("fragments of as much as may be", cut(b"*" * 1000, 400, 800), (b"*" * 1000,), limits=SMALL),
    Case("fragments of a byte too many", cut(b"*" * 1001, 400, 800), code=1009, limits=SMALL),
    Case(
        "fragments of too much, unfinished",
        (Frame(TEXT, b"*" * 900, fin=False), Frame(0, b"*" * 101, fin=False)),
        code=1009,
        limits=SMALL,
    ),
    Case("eight fragments", cut(b"*" * 8, *range(1, 8)), (b"*" * 8,), limits=SMALL),
    Case("nine fragments", cut(b"*" * 9, *range(1, 9)), code=1008, limits=SMALL),
    Case("endless empty fragments", (Frame(TEXT, fin=False), *(Frame(0, fin=False),) * 8), code=1008, limits=SMALL),
    Case("a limit is a message's", (*cut(b"*" * 900, 1), *cut(b"*" * 900, 1)), (b"*" * 900,) * 2, limits=SMALL),
]

CASES = [*FRAMING, *PINGS, *RESERVED, *FRAGMENTS, *UTF8, *CLOSES, *LIMITS]
WRONG_MASK = Case("the other side's masking", (HI,), code=1002)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_case(case: Case, side: str) -> None:
    size = sum(len(frame.payload) + 8 for frame in case.frames)
    for chop in (0, 1, 3) if size < 500 else (0, 1021) if size > 5_000 else (0, 97):
        await run(case, side, chop)


@pytest.mark.parametrize("chop", [0, 1])
@pytest.mark.parametrize("side", SIDES)
async def test_a_server_must_not_mask_and_a_client_must(side: str, chop: int) -> None:
    wrong = HI._replace(masked=side == "client")
    await run(Case("masking", (wrong,), code=1002), side, chop)
    await run(Case("masking", (HI._replace(masked=side == "server"), wrong), (b"hi",), code=1002), side, chop)


async def run(case: Case, side: str, chop: int) -> None:
    end = End()
    goodbye = [frame for frame in case.frames if frame.opcode == CLOSE][:1]
    frames = case.frames if goodbye or case.code is not None else (*case.frames, BYE)
    async with pair(side, end, text=case.text, limits=case.limits) as (ours, raw):
        await raw.send(raw.encode(frames), chop)
        heard = await raw.rest(answer=case.code is not None)
        error = await end.lost
    assert tuple(end.messages) == case.messages
    assert tuple(frame.payload for frame in heard if frame.opcode == PONG) == case.pongs
    assert all(frame.masked == (side == "client") for frame in heard)
    said = [frame for frame in heard if frame.opcode == CLOSE]
    assert len(said) == 1
    assert heard[-1] is said[0], "nothing follows a close frame"
    if case.code is not None:
        assert isinstance(error, WebSocketViolation)
        assert (error.code, said[0].code) == (case.code, case.code)
        return
    assert isinstance(error, PeerClosed)
    payload = (goodbye or [BYE])[0].payload
    assert error.code == (int.from_bytes(payload[:2], "big") if payload else None)
    assert error.reason.encode() == payload[2:]
    assert said[0].code == (error.code or 1000)
    assert not ours.paused
