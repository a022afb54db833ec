"""Libraries that take the place of the C library's socket calls: Onload, VMA, or any other, for the whole process.

The dynamic linker preloads what LD_PRELOAD names when a program begins, and only then; what it cannot load it leaves
out with a line on stderr, and the program runs without it (ld.so(8)). So a process that should have libraries and has
not begins anew, once, with them; and whether they are in it is looked up in its own memory map.

One thing goes around them by itself: libuv tells epoll which sockets to watch through io_uring (from 1.50 on always:
UV_USE_IO_URING is of files), and a library that has an epoll of its own would never hear of them. Without io_uring
libuv calls `epoll_ctl`; so the process is denied it.
"""

import ctypes
import errno
import os
import struct
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NoReturn

VARIABLE = "LD_PRELOAD"
MAPS = Path("/proc/self/maps")

# prctl(2), seccomp(2)
PR_SET_SECCOMP, SECCOMP_MODE_FILTER, PR_SET_NO_NEW_PRIVS = 22, 2, 38
IO_URING_SETUP = 425  # the call's number, on all architectures that CPython supports
# code, jump if true, if false, operand: take the call's number; is it that one; if so ENOSYS; else go on
FILTER = ((0x20, 0, 0, 0), (0x15, 0, 1, IO_URING_SETUP), (0x06, 0, 0, 0x50000 | errno.ENOSYS), (0x06, 0, 0, 0x7FFF0000))


class NotPreloaded(RuntimeError):
    """`paths` are not in this process, and why."""

    def __init__(self, paths: Sequence[Path], why: str) -> None:
        super().__init__(f"{', '.join(map(str, paths))}: not preloaded: {why}")
        self.paths = tuple(paths)


def preload(paths: Sequence[Path]) -> None:
    """Return where all of `paths` are in this process; else begin it anew with them, as it was called.

    The process keeps its number, arguments, folder and environment. Nothing may have been opened yet. Raises
    `NotPreloaded` where they are not in it although they were asked for.
    """
    missing = absent(paths)
    if not missing:
        return
    asked = _asked()
    if not set(map(str, missing)) <= set(asked):
        _begin_anew([*map(str, missing), *asked])
    raise NotPreloaded(
        missing,
        "the dynamic linker left it out. It says why on stderr: a library for another machine, or one that it does not "
        "trust; a Python with more rights than its user gets none at all",
    )


def check(paths: Sequence[Path]) -> None:
    """Raises `NotPreloaded` unless all of `paths` are in this process."""
    missing = absent(paths)
    if missing:
        how = f"start it by `ticktree`, or with {VARIABLE}={':'.join(map(str, missing))}"
        raise NotPreloaded(missing, how)


def absent(paths: Sequence[Path]) -> list[Path]:
    """Those that are not mapped into this process."""
    mapped = _mapped() if paths else ()
    return [path for path in paths if os.path.realpath(path) not in mapped]


def preloaded() -> list[str]:
    """What LD_PRELOAD names and is in this process, whoever asked for it."""
    asked = _asked()
    mapped = _mapped() if asked else ()
    names = {os.path.basename(path) for path in mapped}
    return [name for name in asked if os.path.realpath(name) in mapped or ("/" not in name and name in names)]


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def deny_io_uring() -> None:
    """Have io_uring be unknown to this process and all that it starts, for good. Raises `NotPreloaded`.

    The price is the kernel's: none of them can get more rights than they have (PR_SET_NO_NEW_PRIVS).
    """
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in FILTER)
    room = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(FILTER), ctypes.addressof(room))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
        PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0
    ):
        why = os.strerror(ctypes.get_errno())
        raise NotPreloaded(
            [Path(name) for name in preloaded()],
            f'uvloop would watch sockets past it, and cannot be kept from that ({why}): [system] loop = "asyncio"',
        )


def _asked() -> list[str]:
    """What the linker was asked for; blanks separate, too."""
    return os.environ.get(VARIABLE, "").replace(":", " ").split()


def _mapped() -> Collection[str]:
    """The files of which anything is mapped into this process."""
    try:
        lines = MAPS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ()
    # address, permissions, offset, device, inode, and the path, which may have blanks: proc_pid_maps(5)
    return {fields[5] for line in lines if len(fields := line.split(maxsplit=5)) == 6}


def _begin_anew(libraries: Sequence[str]) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    environment = {**os.environ, VARIABLE: ":".join(libraries)}
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)
