"""Runs the real program in a process of its own, and writes configurations for it."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.program.steps import Orders
from tests.support.passwords import PASSWORD, discreet
from tests.support.waiting import PATIENCE, wait_for

_PROJECT = Path(__file__).parents[2]


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's environment, without the variables that lead the program to the user's configuration."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "PYTHON"))}
    return {**kept, "PYTHONWARNINGS": "error", "HOME": "/nonexistent", **(extra or {})}


@dataclass(frozen=True, slots=True)
class Done:
    """A process that has ended."""

    code: int
    out: str
    err: str


def _command(
    arguments: tuple[str, ...], *, before: str = "", patch: str = "", steps: Orders | None = None
) -> list[str]:
    """The program's command line; `before` as in run_program()."""
    if patch:
        return [sys.executable, "-c", f"{patch}\nfrom tui_popretr.__main__ import main\nmain()", *arguments]
    if steps:
        return [sys.executable, "-m", "tests.program.steps", *steps.arguments(), *arguments]
    command = [sys.executable, "-m", "tui_popretr", *arguments]
    if not before:
        return command
    code = f"import os, resource, signal, sys\n{before}\nos.execv(sys.argv[1], sys.argv[1:])"
    return [sys.executable, "-S", "-c", code, *command]


def run_program(
    *arguments: str, environ: Mapping[str, str] | None = None, cwd: Path | None = None, before: str = ""
) -> Done:
    """Run the program to its end. `before`: Python code that its process executes first."""
    done = subprocess.run(
        _command(arguments, before=before),
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
    """A running process. Its standard error goes to a file, so that no process that outlives it blocks the test."""

    def __init__(self, process: subprocess.Popen[bytes], file: Path) -> None:
        self._process = process
        self._file = file
        self._read = 0  # characters that wait_for() has passed

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def said(self) -> str:
        """What it has written to standard error so far."""
        return self._file.read_text(encoding="utf-8")

    def wait_for(self, text: str) -> str:
        """Return the next line that contains `text`. Each line is returned at most once; earlier lines are skipped."""
        found: list[re.Match[str]] = []

        def come() -> bool:
            found.extend(re.compile(rf".*{re.escape(text)}.*\n").finditer(self.said, self._read))
            return bool(found)

        wait_for(come, lambda: f"no line with {text!r} came: {self.said}")
        self._read = found[0].end()
        return found[0][0].rstrip("\n")

    def wait_for_all(self, *texts: str, count: int = 1) -> None:
        """Wait until the program has written each text `count` times. It must not end before."""

        def come() -> bool:
            ended, said = not self.running, self.said
            complete = all(said.count(text) >= count for text in texts)
            assert complete or not ended, f"it ended before {texts}: {said}"
            return complete

        wait_for(come, lambda: f"{texts} did not come: {self.said}")

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def ended(self, within: float = PATIENCE) -> int:
        """Wait at most `within` seconds for the end; return the exit code."""
        return self._process.wait(within)

    def stop(self) -> None:
        """Send SIGTERM and wait for the end; the exit code must be 0."""
        self.send(signal.SIGTERM)
        assert self.ended() == 0, self.said

    def finish(self) -> Done:
        """Wait for the end."""
        return Done(self.ended(), "", self.said)

    def _is_released(self) -> bool:
        """Whether no process has its standard error open: each would hold the lock that started() took."""
        with self._file.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True


@contextmanager
def started(
    *arguments: str,
    patch: str = "",
    before: str = "",
    steps: Orders | None = None,
    wrapper: Iterable[str] = (),
    environ: Mapping[str, str] | None = None,
    stderr: int | None = None,
    keep: Iterable[int] = (),
    file: Path | None = None,
) -> Iterator[Program]:
    """Start the program. It does not outlive the block.

    `patch`: Python code that its interpreter executes first; `before`: Python code that its process executes before
    it becomes the program; `steps`: what happens at its labelled steps; `wrapper`: a command that runs the rest of
    its command line; `stderr`: a descriptor for its standard error, which else goes to `file` or a temporary file;
    `keep`: descriptors that it inherits.
    """
    with ExitStack() as stack:
        file = file or Path(stack.enter_context(TemporaryDirectory()), "stderr")
        with file.open("wb") as opened:
            fcntl.flock(opened, fcntl.LOCK_EX)
            process = subprocess.Popen(
                [*wrapper, *_command(arguments, before=before, patch=patch, steps=steps)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=opened if stderr is None else stderr,
                # a wrapper that enters a namespace changes the working directory
                env=environment({**({"PYTHONPATH": str(_PROJECT)} if steps or wrapper else {}), **(environ or {})}),
                pass_fds=tuple(keep),
            )
        program = Program(process, file)
        try:
            yield program
        finally:
            process.kill()
            code = process.wait()
            discreet(program.said)
        if code != -signal.SIGKILL:  # then a command of the program may still run
            wait_for(program._is_released, "the end of the processes that have its standard error")


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
