"""Runs the real program in a process of its own, and writes configurations for it."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.passwords import PASSWORD, discreet
from tests.support.waiting import PATIENCE


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without what would lead the program to a configuration of this machine's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "PYTHON"))}
    return {**kept, "PYTHONWARNINGS": "error", "HOME": "/nonexistent", **(extra or {})}


@dataclass(frozen=True, slots=True)
class Done:
    """A process that has ended."""

    code: int
    out: str
    err: str


def _command(before: str, arguments: tuple[str, ...]) -> list[str]:
    """The program's command; with `before` through a process that executes this Python first and then becomes it."""
    command = [sys.executable, "-m", "tui_popretr", *arguments]
    if not before:
        return command
    code = f"import os, resource, signal, sys\n{before}\nos.execv(sys.argv[1], sys.argv[1:])"
    return [sys.executable, "-S", "-c", code, *command]


def run_program(
    *arguments: str, environ: Mapping[str, str] | None = None, cwd: Path | None = None, before: str = ""
) -> Done:
    """Run the program to its end. `before` is Python that a process executes which then becomes the program."""
    done = subprocess.run(
        _command(before, arguments),
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=environment(environ),
        cwd=cwd,
        timeout=PATIENCE,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    discreet(done.stdout, done.stderr)
    return Done(done.returncode, done.stdout, done.stderr)


class Program:
    """A process that runs: its lines on standard error are waited for, and signals sent."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        #: The lines on standard error that were waited past.
        self.seen: list[str] = []

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._lines.put(line.rstrip("\n"))

    def wait_for(self, text: str) -> str:
        """Return the next line that holds `text`."""
        while True:
            try:
                line = self._lines.get(timeout=PATIENCE)
            except queue.Empty:
                raise AssertionError(f"no line with {text!r} came; there were {self.seen}") from None
            self.seen.append(line)
            if text in line:
                return line

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def ended(self, within: float = PATIENCE) -> int:
        """Wait for the end, at most so many seconds, and return the exit code."""
        return self._process.wait(within)

    def said(self) -> list[str]:
        """Return all lines on standard error, when the program has ended."""
        self._reader.join(PATIENCE)
        assert not self._reader.is_alive(), "somebody still has its standard error"
        while not self._lines.empty():
            self.seen.append(self._lines.get())
        return self.seen

    def _stop(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._reader.join()
        assert self._process.stderr is not None
        self._process.stderr.close()
        discreet(*self.said())


@contextmanager
def started(*arguments: str, patch: str = "", before: str = "") -> Iterator[Program]:
    """Start the program; whatever happens, it has ended when the block has.

    `patch` is Python to be executed first in its process, `before` Python that a process executes which then becomes
    the program.
    """
    code = f"{patch}\nfrom tui_popretr.__main__ import main\nmain()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments] if patch else _command(before, arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=environment(),
    )
    program = Program(process)
    try:
        yield program
    finally:
        program._stop()


def client(
    name: str, address: str, *, user: str = "me", password: str = PASSWORD, attributes: str = "", more: str = ""
) -> str:
    """One <client>, which delivers into the Maildir var/mail/NAME."""
    return (
        f'<client id="{name}" recip="{name}" {attributes}>'
        f"{more or '<maildir>%DIRVAR%/mail/%U%</maildir>'}"
        f'<server address="{address}"><username>{user}</username><password>{password}</password></server></client>'
    )


def write_configuration(path: Path, *clients: str, before: str = "") -> str:
    """Write a configuration that only its owner may read, and return its path."""
    text = f"<pop3download>{before}<clients>\n" + "\n".join(clients) + "\n</clients></pop3download>\n"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return str(path)


def mail(text: str = "Hello") -> bytes:
    """A message."""
    return f"From: a@example.test\r\nMessage-ID: <{text}@example.test>\r\n\r\n{text}\r\n".encode()
