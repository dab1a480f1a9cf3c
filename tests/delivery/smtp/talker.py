"""A server that says what it was told to say, whatever it hears: for what no decent server would say."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from tests.support.waiting import PATIENCE

#: Octets to say, or a function that does something with the connection.
Line = bytes | Callable[[socket.socket], None]


@contextmanager
def talking(*connections: Iterable[Line], heard: list[bytes] | None = None) -> Iterator[int]:
    """Serve so many connections, one after the other; give the port.

    Of each the first line is said at once, and each further one when a line has been heard, of a message when its end
    has; then the connection is closed. `heard` gets all lines.
    """
    lines_heard: list[bytes] = [] if heard is None else heard
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)

        def serve() -> None:
            for connection in connections:
                try:
                    sock, _ = listener.accept()
                except OSError:
                    return
                with sock, contextlib.suppress(OSError):
                    _talk(sock, connection, lines_heard)

        thread = threading.Thread(target=serve, name="talker")
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def _talk(sock: socket.socket, lines: Iterable[Line], heard: list[bytes]) -> None:
    sock.settimeout(PATIENCE)
    in_message = False
    with sock.makefile("rb") as file:
        for number, line in enumerate(lines):
            while number:
                said = file.readline()
                heard.append(said)
                if not said or not in_message or said == b".\r\n":
                    break
            if callable(line):
                line(sock)
            else:
                sock.sendall(line)
                in_message = line.startswith(b"354") or b"\n354" in line
        # Closing with something unread would reset the connection and take away what was said.
        sock.shutdown(socket.SHUT_WR)
        while file.read(65536):
            pass
