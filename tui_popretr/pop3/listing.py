"""Parsing the answers to STAT, LIST and UIDL (RFC 1939 §5 and §7). Invalid rows are skipped.

A unique-id is opaque: RFC 1939 allows 1 to 70 characters of 0x21 to 0x7E, but servers give longer ones, some with
blanks, and some in other charsets. It is the rest of the row after the message number and blanks, without trailing
blanks. It is decoded as Latin-1, where each octet is one character, so different octets are different texts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

from tui_popretr.pop3.errors import RemoteProtocolError
from tui_popretr.text import visible

MAX_COUNT = 2**31
MAX_OCTETS = 2**62

_STAT = re.compile(rb"[ \t]*([0-9]{1,20})[ \t]+([0-9]{1,20})(?:[ \t].*)?", re.DOTALL)
# More may follow the octets (RFC 1939 §5, LIST); some servers send no number.
_LIST_ROW = re.compile(rb"^[ \t]*([0-9]{1,10})(?:[ \t]+([0-9]{1,20})(?![^ \t\r\n]))?(?![^ \t\r\n])", re.MULTILINE)
_UIDL_ROW = re.compile(rb"^[ \t]*([0-9]{1,10})(?![^ \t\r\n])([^\n]*)", re.MULTILINE)
#: A usable unique-id. 0x80 to 0x9F are allowed: they are octets of UTF-8 text, not control characters.
UID = re.compile(rb"[^\x00-\x1f\x7f]{1,1000}")


def parse_stat(text: bytes) -> tuple[int, int]:
    """Return (messages, octets) of the text of STAT's +OK. RemoteProtocolError unless it is two plausible numbers."""
    match = _STAT.fullmatch(text)
    if match is not None:
        count, octets = int(match[1]), int(match[2])
        if count <= MAX_COUNT and octets <= MAX_OCTETS:
            return count, octets
    raise RemoteProtocolError(f"the server's answer to STAT makes no sense: {visible(text, 100)}")


def parse_list(data: bytes, count: int) -> dict[int, int | None]:
    """Return message number → octets for the messages 1 to `count` that have a row.

    None if no row of the message has a usable size. If several rows have one, the first counts.
    """
    sizes: dict[int, int | None] = {}
    for number, octets in _LIST_ROW.findall(data):
        message = int(number)
        if 1 <= message <= count and sizes.get(message) is None:
            size = int(octets) if octets else MAX_OCTETS + 1
            sizes[message] = size if size <= MAX_OCTETS else None
    return sizes


def parse_uidl(
    data: bytes, count: int | None = None, contains_secret: Callable[[bytes], bool] = lambda _: False
) -> dict[int, str]:
    """Return message number → unique-id, for the messages 1 to `count` where that is given.

    A message has none if its unique-id is empty, longer than 1,000 octets or contains control characters, if another
    row has the same, if there are several rows for the message, or if `contains_secret` is true for it, because it must
    not be stored then. Other messages are not affected.
    """
    suspicious = contains_secret(data)
    rows = _UIDL_ROW.findall(data)
    numbers = [int(number) for number, _ in rows]
    uids = [rest.removesuffix(b"\r").strip(b" \t") for _, rest in rows]
    rows_of_number, rows_of_uid = Counter(numbers), Counter(uids)
    highest = MAX_COUNT if count is None else count
    return {
        number: uid.decode("latin-1")
        for number, uid in zip(numbers, uids, strict=True)
        if 1 <= number <= highest
        and rows_of_number[number] == 1
        and rows_of_uid[uid] == 1
        and UID.fullmatch(uid) is not None
        and not (suspicious and contains_secret(uid))
    }
