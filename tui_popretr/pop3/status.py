"""Reading a status line: its indicator, text, response code, and the greeting's time stamp."""

from __future__ import annotations

import re

#: The response codes with a meaning for this program (RFC 2449 §8.1, RFC 3206 §4).
KNOWN_CODES = ("IN-USE", "LOGIN-DELAY", "SYS/TEMP", "SYS/PERM", "AUTH")

# RFC 2449 §3: a level of a code is any visible octets except / and ].
_CODE = re.compile(rb"\[([\x21-\x5c\x5e-\x7e]+)\]")
# msg-id of RFC 822 §6.1 without quoted strings: no server uses them, and the known attacks on APOP's MD5 need such
# free text.
_ATOMS = rb"[!#-'*+\-/-9=?A-Z^-~]+(?:\.[!#-'*+\-/-9=?A-Z^-~]+)*"
_STAMP = re.compile(rb"<%b@(?:%b|\[[0-9A-Za-z.:_-]+\])>" % (_ATOMS, _ATOMS))
_BASE64_OCTET = re.compile(rb"[A-Za-z0-9+/=]")


def is_ok(line: bytes) -> bool:
    return line.startswith(b"+OK")


def is_err(line: bytes) -> bool:
    return line.startswith(b"-ERR")


def may_be_status(line: bytes) -> bool:
    """Whether a line, perhaps incomplete, is a status line or the beginning of one."""
    return any(line.startswith(indicator) or indicator.startswith(line) for indicator in (b"+OK", b"-ERR"))


def is_continuation(line: bytes) -> bool:
    """Whether a line in a SASL exchange is a challenge. "+" without its space is accepted, even before "OK...="."""
    return line.startswith(b"+") and not (is_ok(line) and not _BASE64_OCTET.match(line, 3))


def split(line: bytes, ok: bool) -> tuple[bytes, bytes]:
    """Return the status indicator and the text behind it."""
    end = 3 if ok else 4
    return line[:end], line[end:].lstrip(b" ")


def response_code(text: bytes) -> str | None:
    """Return the response code at the beginning of a reply's text, in upper case without brackets (RFC 2449 §8)."""
    if not text.startswith(b"["):
        return None
    match = _CODE.match(text)
    return match[1].decode("ascii").upper() if match else None


def time_stamp(line: bytes) -> bytes | None:
    """Return the greeting's time stamp for APOP, None without a valid one. The last one if there are several."""
    stamps: list[bytes] = _STAMP.findall(line)
    return stamps[-1] if stamps else None
