"""Where the sockets of running systems stand: short paths, in a folder that belongs to us alone."""

import hashlib
import os
import re
import socket
import stat
from pathlib import Path

from .errors import BadPlace as BadPlace

SHARED = Path("/tmp")  # not TMPDIR, which differs between logins, and on macOS is too deep
MOST_BYTES = 100  # of the path of a Unix socket: the system's own bound is 107 on Linux, 103 on macOS
PATIENCE_S = 1.0  # for a process that is asked whether it is there
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9_-]+")


def socket_for(config: Path) -> Path:
    """Where the system of `config` is spoken to. Nothing is made, and nothing looked at."""
    return _in(_folders()[0], config)


def socket_of(config: Path) -> Path:
    """Where the system of `config` is spoken to now: a system started from elsewhere (cron, another login) may lack
    XDG_RUNTIME_DIR, so that it stands in the other folder."""
    places = [_in(folder, config) for folder in _folders()]
    return next((place for place in places if answers(place)), places[0])


def running() -> list[Path]:
    """The sockets at which somebody answers. Raises `BadPlace` for a folder that is not ours."""
    found = list[Path]()
    for folder in _folders():
        if os.path.lexists(folder):
            check_folder(folder)
            found += [path for path in sorted(folder.glob("*.sock")) if answers(path)]
    return found


def answers(path: Path) -> bool:
    """Whether a process listens there. One that is too busy to take another connection does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(PATIENCE_S)
        try:
            probe.connect(str(path))
        except (TimeoutError, BlockingIOError):
            return True
        except OSError:
            return False
    return True


def private_folder(folder: Path) -> None:
    """Make the folder of a socket where it is one of `socket_for`'s, or see to it that it is ours. Raises `BadPlace`.

    Any other folder is its owner's affair, and has to be there.
    """
    if folder in _folders():
        if not os.path.lexists(folder):
            folder.mkdir(mode=0o700, exist_ok=True)  # another process of ours may be quicker
        check_folder(folder)
    elif not folder.is_dir():
        raise BadPlace(f"{folder} is not there: make the folder of the socket first")


def check_folder(folder: Path) -> None:
    """Raises `BadPlace` where others could put a socket in the place of ours."""
    status = os.lstat(folder)
    if not stat.S_ISDIR(status.st_mode):
        raise BadPlace(f"{folder} is a symbolic link or a file; it has to be a folder of yours: remove it")
    if status.st_uid != os.getuid():
        raise BadPlace(f"{folder} belongs to user {status.st_uid}, not to you: sockets in it cannot be trusted")
    if status.st_mode & 0o077:
        raise BadPlace(f"{folder} is open to others (mode {stat.S_IMODE(status.st_mode):04o}): chmod 700 {folder}")


def _folders() -> list[Path]:
    """The one that a login session has for such things, where there is one and it is not too deep; and the other."""
    shared = SHARED / f"ticktree-{os.getuid()}"
    session = os.environ.get("XDG_RUNTIME_DIR", "")
    if not session.startswith("/") or not os.path.isdir(session) or _room(own := Path(session) / "ticktree") < 1:
        return [shared]
    return [own, shared]


def _in(folder: Path, config: Path) -> Path:
    """Configurations of one name differ by their folders: the hash tells which is which."""
    where = config.absolute().resolve()
    digest = hashlib.sha256(os.fsencode(where)).hexdigest()[:8]
    stem = _NOT_PLAIN.sub("-", where.stem)[: min(40, _room(folder))]
    return folder / f"{stem}-{digest}.sock"


def _room(folder: Path) -> int:
    """How many bytes of a configuration's name fit."""
    return MOST_BYTES - len(os.fsencode(folder)) - len("/-01234567.sock")
