"""Speaks to a running system, from another process: HTTP over its Unix socket, blocking, and quick to import."""

import http.client
import socket
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec

from .errors import NotRunning, OperationsError, Refused
from .place import answers, running, socket_of
from .status import Error, Said
from .words import COMMANDS, Command

T = TypeVar("T")
ANSWER_S = 10.0  # beside the time that a command takes by itself; the system answers for itself within 5 s


class Several(OperationsError):
    """More than one system runs, and none was named."""

    def __init__(self, known: Sequence[Path]) -> None:
        named = "".join(f"\n  --socket {path}" for path in known)
        super().__init__(f"{len(known)} systems are running; say which, by --config CONFIG or one of{named}")
        self.known = tuple(known)


class Unreadable(OperationsError):
    """An answer, or a configuration, that cannot be understood."""


def find(socket: Path | None = None, config: Path | None = None) -> Path:
    """The socket of the system that is meant: the one that is named, or the only one there is.

    Raises `NotRunning`, `Several`, `BadPlace`, `Unreadable`.
    """
    if socket is not None or config is not None:
        path = socket or configured(config or Path())
        if not answers(path):
            raise NotRunning(f"at {path}" if socket else f"of {config}: nobody answers at {path}", _others())
        return path
    known = running()
    if not known:
        raise NotRunning("is to be found; one that has a socket elsewhere needs --socket PATH or --config CONFIG")
    if len(known) > 1:
        raise Several(known)
    return known[0]


def _others() -> list[Path]:
    try:
        return running()
    except OperationsError:
        return []


def configured(config: Path) -> Path:
    """Where the system of a configuration file is spoken to. Of the file nothing else is looked at."""
    try:
        table = tomllib.loads(config.read_text("utf-8-sig"))
    except (OSError, ValueError) as error:
        raise Unreadable(f"{config} cannot be read: {error}") from error
    said: Any = table.get("operations")
    operations = cast("dict[str, Any]", said) if isinstance(said, dict) else {}
    if operations.get("enabled") is False:
        raise NotRunning(f"of {config} can be spoken to: it says [operations] enabled = false")
    path: Any = operations.get("socket")
    if not isinstance(path, str) or not path:
        return socket_of(config)
    try:
        return config.absolute().parent / Path(path).expanduser()  # as `load` reads it
    except RuntimeError as error:  # the home of somebody who is not there
        raise Unreadable(f"{config}: [operations] socket: {error}") from error


class Client:
    """One system, by its socket. Every request has a connection of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def get(self, page: str, timeout_s: float = ANSWER_S) -> bytes:
        """A page as it is. Raises `NotRunning`, `Refused`, `Unreadable`."""
        return self._request("GET", page, None, timeout_s)

    def read(self, page: str, kind: type[T], timeout_s: float = ANSWER_S) -> T:
        """A page, understood."""
        return _decoded(self.get(page, timeout_s), kind)

    def say(self, command: Command, takes_s: float = 0.0) -> Said:
        """Have it done, and wait for what it says."""
        name = next(name for name, kind in COMMANDS.items() if kind is type(command))
        body = msgspec.json.encode(command)
        return _decoded(self._request("POST", f"/{name}", body, takes_s + ANSWER_S), Said)

    def _request(self, method: str, page: str, body: bytes | None, timeout_s: float) -> bytes:
        connection = _UnixConnection(self.path, timeout_s)
        try:
            connection.request(method, page, body, {"Content-Type": "application/json"} if body is not None else {})
            response = connection.getresponse()
            status, answer = response.status, response.read()
        except (ConnectionRefusedError, FileNotFoundError) as error:
            raise NotRunning(f"at {self.path}") from error
        except TimeoutError as error:
            raise Refused(
                504, f"the system at {self.path} did not answer within {timeout_s:g} s; its event loop may be blocked"
            ) from error
        except (OSError, http.client.HTTPException) as error:
            raise Refused(503, f"the system at {self.path} ended before it answered") from error
        finally:
            connection.close()
        if status >= 400:
            raise Refused(status, _why(answer))
        return answer


class _UnixConnection(http.client.HTTPConnection):
    """The library's own, over a Unix socket."""

    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path, self._timeout_s = path, timeout_s

    def connect(self) -> None:
        """Called by `request`."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self._timeout_s)
        self.sock.connect(str(self._path))


def _why(answer: bytes) -> str:
    """What an error says; or how it begins, where it is in other words than ours."""
    try:
        return msgspec.json.decode(answer, type=Error).error
    except msgspec.DecodeError:
        return answer[:200].decode(errors="replace")


def _decoded(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as error:
        raise Unreadable(f"it answered what this version of ticktree does not understand: {error}") from error
