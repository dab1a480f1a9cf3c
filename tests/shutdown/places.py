"""Places that hold a session without a server: a port that answers nothing, a password command without end."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path


class DeafPort:
    """A port of loopback whose queue of connections is full, so that the system answers no further SYN (Linux)."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0), backlog=0)
        self._port: int = self._server.getsockname()[1]
        self.address = f"127.0.0.1:{self._port}"
        self._first = socket.create_connection(("127.0.0.1", self._port))

    @property
    def asked(self) -> bool:
        """Whether a connection waits for its answer."""
        port = f":{self._port:04X}"
        rows = map(str.split, Path("/proc/net/tcp").read_text("ascii").splitlines())
        return any(row[2].endswith(port) and row[3] == "02" for row in rows)  # SYN_SENT

    def close(self) -> None:
        self._first.close()
        self._server.close()


class Asking:
    """A password command that never answers, and that has a child; `alive` until both have ended."""

    def __init__(self, folder: Path) -> None:
        fifo, command = folder / "fifo", folder / "ask"
        os.mkfifo(fifo)
        self._fifo = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        command.write_text(f"#!/bin/sh\nexec 9>{fifo}\necho $$ >&9\nsleep 1000 &\nsleep 1000\n")
        command.chmod(0o700)
        self.command = str(command)
        self._group = 0

    @property
    def alive(self) -> bool:
        """Whether it runs: the FIFO has a writer."""
        try:
            said = os.read(self._fifo, 100)
        except BlockingIOError:
            return True
        if said:
            self._group = int(said)
        return bool(said)

    def close(self) -> None:
        if self._group and self.alive:  # the test has failed
            os.killpg(self._group, signal.SIGKILL)
        os.close(self._fifo)
