"""The server's extensions that matter for sending a message, from the answer to EHLO or LHLO (RFC 5321 §4.1.1.1)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_KEYWORD = re.compile("[A-Za-z0-9][A-Za-z0-9-]*")
_NUMBER = re.compile("[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Extensions:
    """What the server offers."""

    size: bool = False  # RFC 1870
    largest: int | None = None  # octets; None: not announced
    eight_bit: bool = False  # RFC 6152
    utf8: bool = False  # RFC 6531
    pipelining: bool = False  # RFC 2920
    starttls: bool = False  # RFC 3207
    mechanisms: tuple[str, ...] = ()  # of AUTH (RFC 4954), in upper case, in the server's order

    @classmethod
    def parse(cls, lines: Sequence[bytes]) -> Extensions:
        """Read the lines of the reply. The first one is the greeting; lines that are no extension are ignored."""
        parameters: dict[str, list[str]] = {}
        for line in lines[1:]:
            text = line.decode("utf-8", "replace")
            if text[:5].upper() == "AUTH=":  # of servers older than RFC 2554
                text = f"AUTH {text[5:]}"
            if keyword := _KEYWORD.match(text):
                parameters.setdefault(keyword.group().upper(), []).extend(text[keyword.end() :].split())
        size = parameters.get("SIZE", [""])
        largest = int(size[0]) if size and _NUMBER.fullmatch(size[0]) else 0
        return cls(
            size="SIZE" in parameters,
            largest=largest or None,  # 0: no fixed limit
            eight_bit="8BITMIME" in parameters,
            utf8="SMTPUTF8" in parameters,
            pipelining="PIPELINING" in parameters,
            starttls="STARTTLS" in parameters,
            mechanisms=tuple(dict.fromkeys(each.upper() for each in parameters.get("AUTH", ()))),
        )
