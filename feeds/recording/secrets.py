"""What a recording may hold: nothing that says who we are, as far as it can be seen from outside."""

import re
from urllib.parse import parse_qsl, urlencode, urlsplit

_TELLING = re.compile(
    rb"token|secret|signature|passphrase|password|api[_-]?key|authoriz|credential|listen[_-]?key|jwt", re.IGNORECASE
)
_KEYS = re.compile(r"token|secret|sign|pass|key|auth|credential|jwt|nonce", re.IGNORECASE)


def may_be_recorded(frame: bytes) -> bool:
    """Whether what we say names no secret: our own protocols' first word has a `token`, exchanges' logins a key."""
    return _TELLING.search(frame) is None


def without_secrets(url: str) -> str:
    """`url` without user and password, and without what in its query is named like a secret."""
    parts = urlsplit(url)
    query = urlencode([pair for pair in parse_qsl(parts.query, keep_blank_values=True) if not _KEYS.search(pair[0])])
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query=query, fragment="").geturl()
