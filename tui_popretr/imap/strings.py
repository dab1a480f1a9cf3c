"""Strings in commands: quoted, or as a literal (RFC 9051 §4.3)."""

from __future__ import annotations

import re
from dataclasses import dataclass

# TEXT-CHAR (RFC 3501 §9). Long strings are sent as literals, because some servers take lines of 1 KiB at most.
_QUOTABLE = re.compile(rb"[\x01-\x09\x0b\x0c\x0e-\x7f]{0,800}")
_SPECIAL = re.compile(rb'(["\\])')


@dataclass(frozen=True, slots=True)
class Text:
    """A string argument: any octets but NUL."""

    octets: bytes
    #: UTF-8 may be quoted (RFC 9051 §4.3)
    utf8: bool = False

    @property
    def quotable(self) -> bool:
        octets = self.octets
        if self.utf8 and len(octets) <= 800:
            return not {0x0D, 0x0A, 0}.intersection(octets)
        return _QUOTABLE.fullmatch(octets) is not None

    def quoted(self) -> bytes:
        return b'"' + _SPECIAL.sub(rb"\\\1", self.octets) + b'"'


def literal_header(size: int, *, at_once: bool, binary: bool = False) -> bytes:
    """Return what announces a literal. `at_once`: its octets follow without waiting (RFC 7888)."""
    return b"%s{%d%s}\r\n" % (b"~" if binary else b"", size, b"+" if at_once else b"")
