"""The beginning of a message: whether a header may be added before it, and whether its first line is dropped.

Some servers send the content of their files unchanged: with an mbox line
(`From joe@example.test Wed Nov 23 11:38:42 2005`, or quoted `>From ...`) before the header, or without header. After a
Received header, such a line would end the header for every reader. So an mbox line is dropped if a header field
follows it, and no header is added to a message that begins with neither a header field nor an empty line.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

#: Octets of the first line, and of a field name, that are read at most.
LIMIT: Final = 1000

# RFC 5322 §2.2: a field name is printable and has no colon; white space before the colon is obsolete (§4.5)
_FIELD = re.compile(rb"[!-9;-~]+[ \t]*:")
_MAYBE_FIELD = re.compile(rb"[!-9;-~]*[ \t]*")
_MBOX = re.compile(rb">?From ")


class Beginning(NamedTuple):
    """How a message begins: octets of its mbox line, and whether a header may be put before the rest."""

    dropped: int
    header: bool


def read_beginning(data: bytes, *, ended: bool = False) -> Beginning | None:
    """Return how the message begins, None if more of it is needed; 2 * LIMIT octets are always enough.

    `data` is the message so far; `ended`: it is complete. Lines end with LF or CRLF.
    """
    first = _begins_header(data, 0, ended)
    if first is None or first:
        return None if first is None else Beginning(0, header=True)
    if not _MBOX.match(data):
        return Beginning(0, header=False)
    end = data.find(b"\n", 0, LIMIT) + 1
    if not end:
        return Beginning(0, header=False) if ended or len(data) >= LIMIT else None
    second = _begins_header(data, end, ended, empty=False)
    if second is None:
        return None
    return Beginning(end, header=True) if second else Beginning(0, header=False)


def _begins_header(data: bytes, at: int, ended: bool, *, empty: bool = True) -> bool | None:
    """Whether a header field, or with `empty` an empty line, begins here; None if that is not known yet."""
    if _FIELD.match(data, at, at + LIMIT):
        return True
    rest = data[at : at + 2]
    if empty and (rest.startswith(b"\n") or rest == b"\r\n"):
        return True
    if ended:
        return empty and at == 0 and not data
    if rest in (b"", b"\r"):
        return None
    unclear = _MAYBE_FIELD.match(data, at, at + LIMIT)
    return None if unclear is not None and unclear.end() == len(data) < at + LIMIT else False
