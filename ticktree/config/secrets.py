"""Secrets: named by what a configuration says, and never part of it."""

import os
import re
import stat
from pathlib import Path
from typing import Final

_NAMED: Final = re.compile(
    r"(?:.*_)?(?:token|password|passwd|secret|passphrase|key|apikey|credentials?)", re.IGNORECASE | re.DOTALL
)
_MOST_BYTES: Final = 64 * 1024
HOW: Final = 'a secret is written where it can be found, as "env:NAME" or "file:PATH"; its value never stands here'


class BadSecret(ValueError):
    """A secret that cannot be had. Tells where it was looked for, and never what was found."""


def is_secret(name: str) -> bool:
    """Whether an option of this name holds a secret: `token`, `api_key`, `password`, ..."""
    return _NAMED.fullmatch(name) is not None


def secret(written: object, folder: Path) -> str:
    """The secret that `written` names; files relative to `folder`. Raises `BadSecret`."""
    kind, _, where = written.partition(":") if isinstance(written, str) else ("", "", "")
    if kind not in ("env", "file") or not where or "\0" in where:
        raise BadSecret(HOW)
    return _of_environment(where) if kind == "env" else _of_file(folder, where)


def _of_environment(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise BadSecret(f'the environment has no {name}: export {name}=..., or name a file: "file:PATH"')
    return value


def _of_file(folder: Path, where: str) -> str:
    try:
        descriptor = os.open(folder / Path(where).expanduser(), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError, RuntimeError) as error:  # the last: ~somebody who is not there
        raise BadSecret(f"{where} cannot be read: {_why(error)}") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise BadSecret(f"{where} is no file")
        if status.st_mode & 0o077:
            raise BadSecret(f"{where} is open to others (mode {stat.S_IMODE(status.st_mode):04o}): chmod 600 {where}")
        content = os.read(descriptor, _MOST_BYTES + 1)
        value = content.decode().removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError):
        raise BadSecret(f"{where} cannot be read as text") from None
    finally:
        os.close(descriptor)
    if not value or len(content) > _MOST_BYTES:
        raise BadSecret(f"{where} is {'too long for a secret' if value else 'empty'}")
    return value


def _why(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or "no such file"
