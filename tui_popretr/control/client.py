"""A connection to a daemon through its control socket, for commands and attached dashboards. Blocking."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator, Mapping
from typing import Any, Final

from tui_popretr.config.paths import LONGEST_SOCKET_PATH
from tui_popretr.control import messages
from tui_popretr.control.codec import InvalidMessageError, Json
from tui_popretr.control.lines import LineBuffer
from tui_popretr.control.messages import PROTOCOL, Hello
from tui_popretr.control.snapshots import SnapshotParts
from tui_popretr.control.socket_file import TOO_LONG, peer_uid
from tui_popretr.errors import describe_os_error

#: Seconds for connecting, for the hello, and for the answer to a request. The server answers at once.
TIMEOUT: Final = 10.0
#: Requests that are answered with a snapshot.
_SNAPSHOTS: Final = frozenset({"status", "watch"})
#: The text of the error that no answer came in this time.
SILENT: Final = "the daemon does not answer"


class NoDaemonError(Exception):
    """No daemon listens on the socket."""


class DaemonError(Exception):
    """The connection failed, or the other side does not speak this protocol. The text has the reason."""


class ConnectionLostError(DaemonError):
    """The daemon closed the connection, or it broke: most likely the daemon has ended."""


class RequestRefusedError(Exception):
    """The daemon refused a request; the text is its reason."""


class ControlClient:
    """A connection after the hello. Messages are read in order: answers, parts of snapshots, events."""

    def __init__(self, path: str, *, timeout: float = TIMEOUT) -> None:
        """Connect. Raises NoDaemonError and DaemonError."""
        self.path = path
        self._arrived = LineBuffer()
        self._requests = 0
        self._parts = SnapshotParts()
        self._early: list[Json] = []  # events that came before the answer to a request
        try:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        except OSError as problem:
            raise DaemonError(f"cannot connect to {path}: {describe_os_error(problem)}") from None
        try:
            # A request that names 500 messages is sent at once; the system may allow less.
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, messages.MAX_LINE)
            self._socket.settimeout(timeout)
            self._connect(path)
            self.hello = self._read_hello()
        except BaseException:
            self._socket.close()
            raise

    def _connect(self, path: str) -> None:
        if len(os.fsencode(path)) > LONGEST_SOCKET_PATH:
            raise DaemonError(f"no daemon can listen at {path}: {TOO_LONG}")
        try:
            self._socket.connect(path)
            owner = peer_uid(self._socket)
        except (FileNotFoundError, ConnectionRefusedError):
            raise NoDaemonError(path) from None
        except (BlockingIOError, TimeoutError):  # it accepts no connection
            raise DaemonError(SILENT) from None
        except OSError as problem:
            raise DaemonError(f"cannot connect to {path}: {describe_os_error(problem)}") from None
        if owner not in (0, os.geteuid()) and os.geteuid() != 0:
            raise DaemonError(f"the program that listens on {path} belongs to another user")

    def _read_hello(self) -> Hello:
        message = self.receive()
        if "error" in message:
            raise DaemonError(f"the daemon refused the connection: {message['error']}")
        try:
            hello = messages.read_hello(message)
        except InvalidMessageError:
            raise DaemonError("the program that listens on the control socket is not tui-popretr") from None
        if hello.protocol != PROTOCOL:
            raise DaemonError(
                f"the daemon (tui-popretr {hello.version}) speaks version {hello.protocol} of the control protocol,"
                f" this program version {PROTOCOL}; restart the daemon"
            )
        return hello

    def close(self) -> None:
        """Close the connection."""
        self.interrupt()
        self._socket.close()

    def interrupt(self) -> None:
        """End the connection, and with it a receive() in another thread, which has to close it."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> ControlClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def wait_for_ever(self) -> None:
        """From now on receive() waits without a limit: events may be far apart."""
        self._socket.settimeout(None)

    def send(self, request: str, **fields: object) -> int:
        """Send a request and return its id. Raises DaemonError."""
        line = self._request(request, fields)
        try:
            self._socket.sendall(line)
        except TimeoutError:
            raise DaemonError(SILENT) from None
        except OSError as problem:
            raise _broken(problem) from None
        return self._requests

    def send_at_once(self, request: str, **fields: object) -> int:
        """Send a request after wait_for_ever() and return its id; never blocks. Raises DaemonError.

        A daemon that leaves so much unread that a request does not fit does not answer; the connection is ended.
        """
        line = self._request(request, fields)
        try:
            complete = self._socket.send(line, socket.MSG_DONTWAIT) == len(line)
        except BlockingIOError:
            complete = False
        except OSError as problem:
            raise _broken(problem) from None
        if not complete:
            self.interrupt()
            raise DaemonError(SILENT)
        return self._requests

    def _request(self, request: str, fields: Mapping[str, object]) -> bytes:
        self._requests += 1
        return messages.encode({"id": self._requests, "request": request, **fields})

    def ask(self, request: str, **fields: object) -> Any:
        """Send a request and return its result; events that come before it are kept for events().

        Raises RequestRefusedError and DaemonError.
        """
        number = self.send(request, **fields)
        while True:
            message = self.receive()
            if "id" not in message:
                self._early.append(message)
            elif "error" in message and message["id"] in (number, None):
                raise RequestRefusedError(str(message["error"]))
            elif message["id"] == number:
                result = message.get("ok")
                if request in _SNAPSHOTS and not isinstance(result, Mapping):
                    raise DaemonError("the daemon sent an invalid message: a snapshot must be an object")
                return result

    def events(self) -> Iterator[Json]:
        """Yield events, gaps and snapshots until the other side closes. Raises DaemonError."""
        while True:
            yield self._early.pop(0) if self._early else self.receive()

    def receive(self) -> Json:
        """Return the next message; the parts of a snapshot are put together. Raises DaemonError."""
        try:
            while True:
                message = messages.decode(self._line())
                if "part" in message:
                    self._parts.add(message["part"])
                elif "snapshot" in message:
                    return {"snapshot": self._parts.whole(message["snapshot"])}
                elif isinstance(message.get("ok"), Mapping) and "parts" in message["ok"]:
                    return {**message, "ok": self._parts.whole(message["ok"])}
                else:
                    return message
        except InvalidMessageError as problem:
            raise DaemonError(f"the daemon sent an invalid message: {problem}") from None

    def _line(self) -> bytes:
        """Return the next line. Raises InvalidMessageError and DaemonError."""
        while (line := self._arrived.next()) is None:
            try:
                chunk = self._socket.recv(256 * 1024)
            except TimeoutError:
                raise DaemonError(SILENT) from None
            except OSError as problem:
                raise _broken(problem) from None
            if not chunk:
                raise ConnectionLostError("the daemon closed the connection")
            self._arrived.add(chunk)
        return line


def _broken(problem: OSError) -> ConnectionLostError:
    return ConnectionLostError(f"the connection to the daemon broke: {describe_os_error(problem)}")
