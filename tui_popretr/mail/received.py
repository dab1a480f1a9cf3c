"""The Received field that delivery adds to a message (RFC 5321 §4.4)."""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from typing import Final

from tui_popretr.mail.domains import address_literal

# English whatever the locale (RFC 5322 §3.3)
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
#: Characters that neither a domain nor an address literal can have. The name of a machine may be any text.
_NOT_IN_HOST = re.compile(r"[^A-Za-z0-9._:\[\]-]")


def received_header(
    host: str, ip: str, announce_host: str, product: str, protocol: str, recip: str, when: datetime
) -> bytes:
    """Return the field with CRLF line ends, also at its end.

    `host` is the server as configured and `ip` its address, or "". `protocol` is POP3, POP3S or POP-to-SMTP; `when` is
    wall-clock time with the offset of its zone. Characters are replaced by `?`: in host names all that neither a domain
    nor an address literal can have, in other parts control characters and line ends. So no part can begin a field.
    """
    return _before_date(host, ip, announce_host, product, protocol, recip) + rfc5322_date(when).encode() + b"\r\n"


def rfc5322_date(when: datetime) -> str:
    """Return a date as in a message's header: `Mon, 23 Nov 2026 07:27:59 +0000`. A naive `when` is local time."""
    offset = when.utcoffset()
    if offset is None:
        when = when.astimezone()
        offset = when.utcoffset()
    minutes = 0 if offset is None else (offset.days * 86400 + offset.seconds) // 60
    sign = "-" if minutes < 0 else "+"
    hours, minutes = divmod(abs(minutes), 60)
    return (
        f"{_DAYS[when.weekday()]}, {when.day:02d} {_MONTHS[when.month - 1]} {when.year:04d} "
        f"{when.hour:02d}:{when.minute:02d}:{when.second:02d} {sign}{hours:02d}{minutes:02d}"
    )


@lru_cache(maxsize=256)
def _before_date(host: str, ip: str, announce_host: str, product: str, protocol: str, recip: str) -> bytes:
    program, by, mailbox = (_CONTROL.sub("?", part) for part in (product, protocol, recip))
    server, address = address_literal(host) or _host(host), address_literal(ip)
    source = f"{server} ({address})" if address else server
    header = f"Received: from {source}\r\n\tby {_host(announce_host)} ({program}) with {by}\r\n\tfor <{mailbox}>; "
    return header.encode("utf-8", "replace")


def _host(name: str) -> str:
    return _NOT_IN_HOST.sub("?", name.removesuffix(".")) or "?"
