"""The exit status of a command: whether the message is accepted, deferred or refused, and the text for it."""

from __future__ import annotations

import re
import signal
from typing import Final

from tui_popretr.errors import RETRIED, CommandDeferred, CommandFailed
from tui_popretr.process.run import ProcessEnd
from tui_popretr.text import visible

#: Output of the command that is shown: the last characters in an error and in the audit line, the last lines in the
#: transcript.
SHOWN: Final = 512
LINES: Final = 40

_TEMPORARY: Final = 75
#: From sysexits(3); 126 and 127 are of shells and env(1).
_MEANINGS: Final = {
    64: "it was called wrongly",
    65: "it finds the message faulty",
    66: "it finds no input",
    67: "it knows no such user",
    68: "it knows no such host",
    69: "something that it needs is not available",
    70: "an internal error of its own",
    71: "an error of the system",
    72: "a file of the system is missing",
    73: "it cannot create a file",
    74: "an input/output error",
    _TEMPORARY: "a temporary failure",
    76: "a protocol was not kept",
    77: "permission denied",
    78: "it is configured wrongly",
    126: "something in it cannot be run",
    127: "something in it is not found",
}


def raise_for_exit_code(name: str, end: ProcessEnd, timeout: float) -> None:
    """Raise CommandFailed or CommandDeferred unless the message was accepted.

    Only the exit code counts: a command may accept a message that it has not read completely, or that it was processing
    when it got SIGTERM.
    """
    if end.code == 0:
        return
    said = f": {text}" if (text := _output_tail(end)) else ""
    if end.cancelled:
        raise CommandDeferred(f"{name} had not accepted the message when the session was ended{said}")
    if end.timed_out:
        raise CommandDeferred(
            f"{name} took longer than {timeout:g} s: it {describe_exit(end)}{said}",
            advice=f"{RETRIED}; if the command is only slow, raise timeout in <mda>",
        )
    kind = CommandFailed if end.code is not None and end.code >= 0 and end.code != _TEMPORARY else CommandDeferred
    raise kind(f"{name} {describe_exit(end)}{said}")


def describe_exit(end: ProcessEnd) -> str:
    """Return the text for an end, to follow the command's name."""
    if end.code is None:
        return "was killed and does not end" if end.stopped else "ended, but the system did not report its exit code"
    if end.code < 0:
        return f"was killed by {_signal(-end.code)}"
    meaning = f" ({_MEANINGS[end.code]})" if end.code in _MEANINGS else ""
    return f"ended with exit code {end.code}{meaning}"


def receipt(end: ProcessEnd) -> str:
    """Return the output as a field of the audit line. The semicolon, which ends a field, is escaped."""
    said = _output_tail(end).replace(";", "\\x3b")
    return f"; Output={said}" if said else ""


def lines(end: ProcessEnd) -> list[str]:
    """Return the last lines of the output, safe to show."""
    said = [line.strip() for line in re.split(rb"[\r\n]+", end.output)]
    return [visible(line) for line in said if line][-LINES:]


def _output_tail(end: ProcessEnd) -> str:
    said = " | ".join(lines(end))
    return said if len(said) <= SHOWN else f"…{said[-SHOWN:]}"


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # most of the real-time signals have no name
        return f"signal {number}"
