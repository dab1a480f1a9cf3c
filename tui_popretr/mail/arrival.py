"""When a message arrived at the server it was retrieved from: the date of its topmost Received field, else its Date."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from tui_popretr.mail.header import field

#: Other years are no dates of mail, and some servers cannot store them.
_FIRST_YEAR: Final = 1971
_LAST_YEAR: Final = 2099


def arrival_date(header: bytes) -> datetime | None:
    """Return when a message arrived; None if neither field can be read.

    `header` is the header as received, without our own Received field; what follows the empty line is ignored.
    """
    header = b"\n" + header
    for end in (b"\n\n", b"\n\r\n"):
        header = header.partition(end)[0]
    lowered = header.lower()
    received = field(header, lowered, b"received")
    dates = (None if received is None else received.rpartition(b";")[2], field(header, lowered, b"date"))
    return next((found for each in dates if each and (found := _read(each)) is not None), None)


def _read(text: bytes) -> datetime | None:
    try:
        found = parsedate_to_datetime(text.decode("ascii", "replace"))
    except (ValueError, TypeError, OverflowError, IndexError):  # by the version of Python
        return None
    if found.tzinfo is None:  # -0000: the zone is not known (RFC 5322 §3.3)
        found = found.replace(tzinfo=UTC)
    return found if _FIRST_YEAR <= found.year <= _LAST_YEAR else None
