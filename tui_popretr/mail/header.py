"""Single fields of a message's header, found without parsing the rest: fast, and safe with malformed headers."""

from __future__ import annotations

import re
from typing import Final

from tui_popretr.text import visible

#: At most this number of octets of a field is read, and at most this number of characters is shown.
FIELD_LIMIT: Final = 2048
SHOWN_LIMIT: Final = 320

_FOLD = re.compile(rb"\r*\n[ \t]+")
# A quoted string, a domain literal, a quoted character, a delimiter of an address list, or anything else.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\[[^\]]*\]|\\.|[()<>,:;]|[^"\\\[()<>,:;]+|["\\\[]', re.DOTALL)


def field(header: bytes, lowered: bytes, name: bytes) -> bytes | None:
    """Return the unfolded, stripped value of the first field with this name; None if there is none.

    `header` begins with LF, so that each field follows an LF; `lowered` is its lower-case form; `name` is lower-case.
    Lines end with LF or CRLF. White space before the colon is tolerated (RFC 5322 §4.5).
    """
    wanted = b"\n" + name
    at = lowered.find(wanted)
    while at >= 0:
        start = at + len(wanted)
        colon = header.find(b":", start, start + 64)
        if colon >= 0 and not header[start:colon].strip(b" \t"):
            return _value(header, colon + 1)
        at = lowered.find(wanted, start)
    return None


def _value(header: bytes, start: int) -> bytes:
    end = header.find(b"\n", start)
    if header[end + 1 : end + 2] not in (b" ", b"\t"):  # not folded: the usual case
        return header[start : end if end >= 0 else len(header)][:FIELD_LIMIT].strip()
    while end >= 0 and header[end + 1 : end + 2] in (b" ", b"\t") and end - start < FIELD_LIMIT:
        end = header.find(b"\n", end + 1)
    return _FOLD.sub(b" ", header[start : end if end >= 0 else len(header)][:FIELD_LIMIT]).strip()


def address(value: bytes) -> str | None:
    """Return the first address of a From or Sender field, neutralised; None if there is none.

    Reads `Name <a@b>`, `a@b (comment)`, quoted strings, nested comments, `<@route:a@b>` and, roughly, groups. Encoded
    words are not decoded. A text that is not an address is returned unchanged (`From: from1`).
    """
    found = _first_address(value.decode("utf-8", "backslashreplace"))
    return visible(found, SHOWN_LIMIT) if found else None


def _first_address(text: str) -> str:
    plain: list[str] = []
    angled: list[str] | None = None
    depth = 0
    for part in _TOKEN.findall(text):
        if part == "(":
            depth += 1
        elif part == ")":
            depth = max(0, depth - 1)
        elif depth:
            continue
        elif angled is not None:
            if part == ">":
                break
            if part == ":":
                angled.clear()  # the route before it is obsolete (RFC 5322 §4.4)
            else:
                angled.append(part)
        elif part == "<":
            angled = []
        elif part == ":":
            plain.clear()  # the name of a group
        elif part in ",;":
            if "".join(plain).strip():
                break
            plain.clear()
        elif part != ">":
            plain.append(part)
    return " ".join("".join(plain if angled is None else angled).split())
