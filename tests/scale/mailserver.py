"""A mail server in a process of its own that keeps nothing: of each message it says the octets and their hash."""

from __future__ import annotations

import socketserver
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256


@dataclass
class MailServer:
    """A running one; next_message() waits for what it says."""

    process: subprocess.Popen[str]
    port: int

    def next_message(self) -> tuple[int, str]:
        """Return the size of the next message, in octets without dot-stuffing, and its SHA-256."""
        assert self.process.stdout is not None
        size, digest = self.process.stdout.readline().split()
        return int(size), digest


@contextmanager
def taking() -> Iterator[MailServer]:
    """Take mail on a free port of 127.0.0.1."""
    command = [sys.executable, "-m", "tests.scale.mailserver"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield MailServer(process, int(process.stdout.readline()))
        finally:
            process.kill()


class _Session(socketserver.StreamRequestHandler):
    """One connection. Each message is answered as it should be."""

    def handle(self) -> None:
        self.wfile.write(b"220 hi\r\n")
        while command := self.rfile.readline():
            verb = command.split()[0].upper()
            if verb == b"DATA":
                self.wfile.write(b"354 go\r\n")
                self._read_message()
            self.wfile.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")
            if verb == b"QUIT":
                return

    def _read_message(self) -> None:
        size, digest = 0, sha256()
        while (line := self.rfile.readline()) != b".\r\n":
            if not line:
                return
            line = line.removeprefix(b".")
            size += len(line)
            digest.update(line)
        sys.stdout.write(f"{size} {digest.hexdigest()}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Session) as server:
        sys.stdout.write(f"{server.server_address[1]}\n")
        sys.stdout.flush()
        server.serve_forever()
