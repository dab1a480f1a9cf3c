"""The audit log: one line for each delivered message, a record that is kept."""

from __future__ import annotations

from collections.abc import Sequence

from tui_popretr.clock import Clock
from tui_popretr.logs.logfile import LogFile
from tui_popretr.logs.timestamps import date_and_time
from tui_popretr.text import visible

_DESTINATION_LIMIT = 4096
_MESSAGE_ID_LIMIT = 512
_SENDER_LIMIT = 320  # RFC 5321 §4.5.3.1: 64 for the local part, 255 for the domain, and the @


def audit_text(
    server: str,
    tls: bool,
    user: str | None,
    destination: str,
    message_id: str | None,
    octets: int,
    sender: str | None,
) -> str:
    """Return the audit line of a delivered message, from behind its time stamp (SPEC 6).

    `server` is host:port, `destination` its own words (`Mailbox=user1`, `File=/path`, `SMTP=[a, b]`), `octets` the size
    as received. What the message says of itself is made visible and bounded, and cannot pretend to be another field.
    """
    account = f"{server}-SSL/{visible(user or 'null')}" if tls else f"{server}/{visible(user or 'null')}"
    return (
        f"Downloaded {account} => {visible(destination, _DESTINATION_LIMIT)};"
        f" MsgID={_claim((message_id or '').strip().removeprefix('<').removesuffix('>'), _MESSAGE_ID_LIMIT)};"
        f" Size={octets}; Sender={_claim(sender or '', _SENDER_LIMIT)}"
    )


def _claim(text: str, limit: int) -> str:
    """Return a value that comes from the message; the semicolon, which ends a field, is escaped in it."""
    return visible(text.strip(), limit).replace(";", "\\x3b") or "null"


class AuditLog:
    """Writes audit lines. record() may be called from any thread."""

    def __init__(self, logfile: LogFile, clock: Clock) -> None:
        self._logfile = logfile
        self._clock = clock

    def record(self, texts: Sequence[str]) -> None:
        """Add a line for each of `texts` (audit_text), stamped now; they are with the system when this returns.

        A log that cannot be written is reported by the LogFile and does not stop retrieval: nothing is raised.
        """
        now = self._clock.now()
        stamp = date_and_time(now)
        self._logfile.write_through([f"{stamp} {text}" for text in texts], now)
