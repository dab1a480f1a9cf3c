"""An interactive shell on a pseudo-terminal, into which a test types."""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path


class Shell:
    """A running shell."""

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal

    def enter(self, line: str, expected: str) -> None:
        """Type `line`, and read until the terminal has shown `expected`."""
        os.write(self._terminal, line.encode())
        shown = b""
        while expected.encode() not in shown:
            shown += os.read(self._terminal, 4096)


@contextmanager
def interactive(command: Sequence[str], folder: Path, environ: Mapping[str, str]) -> Iterator[Shell]:
    """Start a shell in `folder`; it is killed at the end."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, cwd=folder, env=environ, start_new_session=True
    )
    os.close(slave)
    try:
        yield Shell(master)
    finally:
        process.kill()
        process.wait()
        os.close(master)
