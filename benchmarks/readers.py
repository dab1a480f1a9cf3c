"""Readers of a daemon's control socket that watch everything and keep nothing: `python -m benchmarks.readers SOCKET N`.

All but the stopped one are in one process, which reads into one buffer, so that they cost the machine little. The
process prints a line when each of them has its snapshot, and another one with what they have read when its input ends.
"""

from __future__ import annotations

import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

READERS: Final = 20
_REQUEST: Final = b'{"id": 1, "request": "watch", "dialogue": true}\n'
_PATIENCE: Final = 30.0


@contextmanager
def readers(path: Path, count: int = READERS) -> Iterator[Callable[[], int]]:
    """Have a daemon watched by `count` readers; one of them is stopped as soon as it has its snapshot.

    In this block none of them may end. Gives a function that ends their reading and returns the octets read.
    """
    wait_for_socket(path)
    with _process(path, count - 1) as reading, _process(path, 1) as stopped:
        for each in (reading, stopped):
            assert each.stdout is not None
            assert each.stdout.readline() == "ready\n", "a reader has no snapshot"
        stopped.send_signal(signal.SIGSTOP)

        def read() -> int:
            return int(reading.communicate()[0])

        yield read
        assert reading.poll() in (None, 0), "a reader has ended"


def wait_for_socket(path: Path) -> None:
    """Wait until there is a socket."""
    deadline = time.monotonic() + _PATIENCE
    while not path.is_socket() and time.monotonic() < deadline:
        time.sleep(0.01)


@contextmanager
def _process(path: Path, count: int) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "benchmarks.readers", f"{path}", f"{count}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def main(path: str, count: int) -> int:
    """Watch until the input ends; return 1 if the daemon closes a connection before."""
    selector = selectors.DefaultSelector()
    for _ in range(count):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(path)
        with connection.makefile("rb") as lines:
            lines.readline()
            connection.sendall(_REQUEST)
            while not (line := lines.readline()).startswith(b'{"id":'):
                assert line, "the daemon has closed the connection"
        selector.register(connection, selectors.EVENT_READ, connection)
    print("ready", flush=True)
    selector.register(sys.stdin, selectors.EVENT_READ, None)
    buffer, octets = bytearray(1 << 20), 0
    while True:
        for key, _ in selector.select():
            if key.data is None:
                print(octets)
                return 0
            came = key.data.recv_into(buffer)
            if not came:
                return 1
            octets += came


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
