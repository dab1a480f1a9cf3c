"""Dates as IMAP has them."""

from __future__ import annotations

from datetime import datetime
from typing import Final

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def date_time(when: datetime) -> str:
    """Return an aware datetime as `date-time` (RFC 9051 §9), for Message.date. Seconds of the zone are cut off."""
    return f"{when.day:2}-{_MONTHS[when.month - 1]}-{when.year:04} {when:%H:%M:%S} {when.strftime('%z')[:5]}"
