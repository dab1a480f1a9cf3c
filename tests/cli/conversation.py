"""The real program on a terminal of its own, with somebody who answers its questions."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.program.process import environment
from tests.support.waiting import PATIENCE

# A password is asked for on the controlling terminal, which a process gets for itself.
_TAKE_THE_TERMINAL = """
import fcntl, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from tui_popretr.__main__ import main
main()
"""

CTRL_C, CTRL_D = "\x03", "\x04"


@dataclass(frozen=True, slots=True)
class Conversation:
    """What was on the terminal in the end, with what was typed where it was echoed; and the exit code."""

    code: int
    screen: str


def converse(
    home: Path,
    arguments: Sequence[str],
    answers: Sequence[tuple[str, str | Callable[[str], str]]],
    *,
    patch: str = "",
    environ: Mapping[str, str] | None = None,
) -> Conversation:
    """Run the program in its home folder; each answer is typed when its question is at the end.

    An answer can be a function of what is on the terminal. It is followed by Enter unless it is a control character.
    Raises AssertionError where a question does not come. `patch` is code to run before the program; `environ` are
    further variables.
    """
    ours, theirs = pty.openpty()
    variables = {"HOME": str(home), "TERM": "dumb", "PYTHONIOENCODING": "utf-8", **(environ or {})}
    if patch:  # it uses modules of the tests
        variables["PYTHONPATH"] = str(Path(__file__).parents[2])
    process = subprocess.Popen(
        [sys.executable, "-c", f"{patch}\n{_TAKE_THE_TERMINAL}", *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment(variables),
        cwd=home,
        start_new_session=True,
    )
    os.close(theirs)
    written = b""
    try:
        for question, given in answers:
            written += _read_until(ours, question.encode())
            answer = given if isinstance(given, str) else given(_text(written))
            if answer == CTRL_C:
                _wait_until_it_sleeps(process.pid)
            os.write(ours, answer.encode() + (b"" if answer in (CTRL_C, CTRL_D) else b"\n"))
        written += _read_until(ours, None)
        code = process.wait(PATIENCE)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    return Conversation(code, _text(written))


def _text(written: bytes) -> str:
    return written.decode().replace("\r\n", "\n")


def _wait_until_it_sleeps(pid: int) -> None:
    """Wait until a process has gone from asking to waiting: in between, Python puts a signal off to the next input."""
    deadline = time.monotonic() + PATIENCE
    while Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "S":
        assert time.monotonic() < deadline, "it is busy with something"


def _read_until(terminal: int, question: bytes | None) -> bytes:
    """Return what is written up to a question that nothing follows, or to the end."""
    written = b""
    deadline = time.monotonic() + PATIENCE
    while question is None or not written.endswith(question):
        ready, _, _ = select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, f"waited for {question!r} in vain: {written.decode(errors='replace')}"
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # the other end is closed
            piece = b""
        if not piece:
            assert question is None, f"ended before {question!r}: {written.decode(errors='replace')}"
            return written
        written += piece
    return written
