"""What a command's end means, and the words for it."""

from __future__ import annotations

import signal

import pytest

from tui_popretr.delivery.command.exit_status import LINES, SHOWN, lines, raise_for_exit_code, receipt
from tui_popretr.errors import CommandDeferred, CommandFailed, DeliveryFailed, ExitCode
from tui_popretr.process.run import ProcessEnd

Kind = type[DeliveryFailed]


def problem(end: ProcessEnd) -> DeliveryFailed:
    with pytest.raises(DeliveryFailed) as caught:
        raise_for_exit_code("lda", end, 90.0)
    return caught.value


def test_exit_code_0_is_a_delivery_however_it_came() -> None:
    raise_for_exit_code("lda", ProcessEnd(0, b"nonsense"), 90.0)
    raise_for_exit_code("lda", ProcessEnd(0, b"", timed_out=True), 90.0)
    raise_for_exit_code("lda", ProcessEnd(0, b"", cancelled=True), 90.0)


@pytest.mark.parametrize(
    ("end", "kind", "words"),
    [
        (ProcessEnd(75, b""), CommandDeferred, "lda ended with exit code 75 (a temporary failure)"),
        (ProcessEnd(67, b"who?\n"), CommandFailed, "lda ended with exit code 67 (it knows no such user): who?"),
        (ProcessEnd(127, b""), CommandFailed, "lda ended with exit code 127 (something in it is not found)"),
        (ProcessEnd(1, b"a\r\n\n b \n"), CommandFailed, "lda ended with exit code 1: a | b"),
        (ProcessEnd(-signal.SIGSEGV, b""), CommandDeferred, "lda was killed by SIGSEGV"),
        (ProcessEnd(-40, b""), CommandDeferred, "lda was killed by signal 40"),
        (
            ProcessEnd(-signal.SIGTERM, b"waiting", timed_out=True),
            CommandDeferred,
            "lda took longer than 90 s: it was killed by SIGTERM: waiting",
        ),
        (
            ProcessEnd(67, b"", timed_out=True),
            CommandDeferred,
            "lda took longer than 90 s: it ended with exit code 67 (it knows no such user)",
        ),
        (ProcessEnd(None, b"hi"), CommandDeferred, "lda ended, but the system did not report its exit code: hi"),
        (
            ProcessEnd(None, b"", timed_out=True),
            CommandDeferred,
            "lda took longer than 90 s: it was killed and does not end",
        ),
    ],
)
def test_every_other_end_is_told(end: ProcessEnd, kind: Kind, words: str) -> None:
    error = problem(end)
    assert (type(error), str(error)) == (kind, words)
    assert error.exit_code is (ExitCode.TEMPORARY if kind is CommandDeferred else ExitCode.UNAVAILABLE)
    assert error.advice


def test_the_end_of_a_session_is_told_as_that() -> None:
    error = problem(ProcessEnd(-signal.SIGTERM, b"", cancelled=True))
    assert type(error) is CommandDeferred
    assert str(error) == "lda had not accepted the message when the session was ended"


def test_what_it_said_is_safe_to_show_and_bounded() -> None:
    said = b"\x1b[2J\xff;\n" + b"x" * 4000
    end = ProcessEnd(1, said)
    text = str(problem(ProcessEnd(1, b"\x1b[2J\xff;\n")))
    assert text.endswith(r"\x1b[2J\xff;")
    assert len(str(problem(end))) < SHOWN + 100
    assert receipt(ProcessEnd(0, b"a; Size=1\n\x1b\n")) == r"; Output=a\x3b Size=1 | \x1b"
    assert len(receipt(end)) < SHOWN + 100
    assert receipt(ProcessEnd(0, b"\n\n")) == ""
    assert lines(ProcessEnd(0, b"x\n" * 1000 + b"y")) == ["x"] * (LINES - 1) + ["y"]
