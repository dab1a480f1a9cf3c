"""The audit log: one line for each delivered message, kept as a record."""

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
    """Return the audit line of a delivered message without its timestamp (docs/logs.md).

    `server` is host:port, `destination` is `Mailbox=user1`, `File=/path` or `SMTP=[a, b]`, and `octets` is the size as
    received. Values from the message are neutralised and bounded, and cannot imitate another field.
    """
    account = f"{server}-SSL/{visible(user or 'null')}" if tls else f"{server}/{visible(user or 'null')}"
    return (
        f"Downloaded {account} => {visible(destination, _DESTINATION_LIMIT)};"
        f" MsgID={_from_message((message_id or '').strip().removeprefix('<').removesuffix('>'), _MESSAGE_ID_LIMIT)};"
        f" Size={octets}; Sender={_from_message(sender or '', _SENDER_LIMIT)}"
    )


def _from_message(text: str, limit: int) -> str:
    """Return a value from the message; semicolons are escaped, because they end a field."""
    return visible(text.strip(), limit).replace(";", "\\x3b") or "null"


class AuditLog:
    """Writes audit lines. record() may be called from any thread."""

    def __init__(self, logfile: LogFile, clock: Clock) -> None:
        self._logfile = logfile
        self._clock = clock

    def record(self, texts: Sequence[str]) -> None:
        """Write a line for each of `texts` (audit_text()) with the present time, unbuffered.

        Raises nothing: LogFile reports a log that cannot be written, and retrieval continues.
        """
        now = self._clock.now()
        stamp = date_and_time(now)
        self._logfile.write_through([f"{stamp} {text}" for text in texts], now)
