"""The sender and the Subject of a message, as people read them."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from tui_popretr.mail.header import SHOWN_LIMIT, address, field
from tui_popretr.mail.words import decoded
from tui_popretr.text import visible

# An encoded word, a quoted string, a quoted character, a delimiter of an address list, or anything else.
_TOKEN: Final = re.compile(
    r'=\?[^?\s]{1,60}\?[bBqQ]\?[^?]*\?=|"(?:[^"\\]|\\.)*"|\\.|[()<>,:;]|[^"\\()<>,:;=]+|["\\=]', re.DOTALL
)
_QUOTED: Final = re.compile(r"\\(.)", re.DOTALL)


class Headline(NamedTuple):
    """Texts of a header, neutralised and bounded: None where there is none.

    `sender` is the address of From, else of Sender; `name` the name that belongs to it.
    """

    sender: str | None = None
    name: str | None = None
    subject: str | None = None


def read_headline(header: bytes, lowered: bytes) -> Headline:
    """Return the texts of a header as field() takes it."""
    subject = _shown(field(header, lowered, b"subject"))
    for each in (b"from", b"sender"):
        value = field(header, lowered, each)
        sender = address(value) if value else None
        if value and sender:
            return Headline(sender, name(value), subject)
    return Headline(subject=subject)


def name(value: bytes) -> str | None:
    """Return the name of the first address in a From or Sender field: `Name <a@b>`, `a@b (Name)`; None without one."""
    plain: list[str] = []
    comment: list[str] = []
    depth = 0
    for part in _TOKEN.findall(value.decode("utf-8", "surrogateescape")):
        if part == "(":
            depth += 1
        elif part == ")":
            depth = max(0, depth - 1)
        elif depth:
            comment.append(part)
        elif part == "<":
            return _shown("".join(plain).encode("utf-8", "surrogateescape"))
        elif part == ":":
            plain.clear()  # the name of a group
        elif part in (",", ";"):
            if "".join(plain).strip():
                break
        else:
            plain.append(_QUOTED.sub(r"\1", part[1:-1] if len(part) > 1 and part[0] == '"' else part))
    return _shown("".join(comment).encode("utf-8", "surrogateescape"))


def _shown(value: bytes | None) -> str | None:
    if value is None:
        return None
    text = " ".join(decoded(value).split())
    return visible(text, SHOWN_LIMIT) if text else None
