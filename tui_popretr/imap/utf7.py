"""Modified UTF-7: the form of folder names on the wire (RFC 3501 §5.1.3)."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode

_DIRECT = re.compile("[\x20-\x7e]+")
_ENCODED = re.compile(rb"&([A-Za-z0-9+,]*)-")


def encode(name: str) -> bytes:
    """Return a folder name in modified UTF-7. Raises ValueError for a lone surrogate."""
    out: list[bytes] = []
    at = 0
    for match in _DIRECT.finditer(name):
        out += (_shift(name[at : match.start()]), match.group().replace("&", "&-").encode("ascii"))
        at = match.end()
    return b"".join((*out, _shift(name[at:])))


def _shift(text: str) -> bytes:
    if not text:
        return b""
    coded = b64encode(text.encode("utf-16-be"), b"+,").rstrip(b"=")
    return b"&" + coded + b"-"


def decode(name: bytes) -> str:
    """Return the folder name. Raises ValueError for what encode() returns for no name."""
    out: list[str] = []
    at = 0
    for match in _ENCODED.finditer(name):
        out += (_plain(name[at : match.start()]), _unshift(match[1]))
        at = match.end()
    text = "".join((*out, _plain(name[at:])))
    if encode(text) != name:  # such as letters in base64, which two names could share
        raise ValueError("not modified UTF-7")
    return text


def _plain(octets: bytes) -> str:
    if b"&" in octets:
        raise ValueError("not modified UTF-7")
    return octets.decode("ascii")


def _unshift(coded: bytes) -> str:
    return "&" if not coded else b64decode(coded + b"=" * (-len(coded) % 4), b"+,", validate=True).decode("utf-16-be")
