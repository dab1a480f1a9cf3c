"""Reading what STAT, LIST and UIDL answer (RFC 1939 §5 and §7). Rows that make no sense are left out.

A unique-id is opaque: RFC 1939 allows 1 to 70 characters of 0x21 to 0x7E, but servers give longer ones, some with
blanks, and some in other charsets. It is what follows the message number and blanks, up to the row's end, without
trailing blanks. As text it is Latin-1, where each octet is one character: different octets are different texts.
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
# more may follow the octets (RFC 1939 §5, LIST); some servers have no number there
_LIST_ROW = re.compile(rb"^[ \t]*([0-9]{1,10})(?:[ \t]+([0-9]{1,20})(?![^ \t\r\n]))?(?![^ \t\r\n])", re.MULTILINE)
_UIDL_ROW = re.compile(rb"^[ \t]*([0-9]{1,10})(?![^ \t\r\n])([^\n]*)", re.MULTILINE)
#: A usable unique-id. 0x80 to 0x9F are no control characters here: they are octets of UTF-8 text.
UID = re.compile(rb"[^\x00-\x1f\x7f]{1,1000}")


def parse_stat(text: bytes) -> tuple[int, int]:
    """Return (messages, octets) of the text of STAT's +OK. RemoteProtocolError where it is not two sane numbers."""
    match = _STAT.fullmatch(text)
    if match is not None:
        count, octets = int(match[1]), int(match[2])
        if count <= MAX_COUNT and octets <= MAX_OCTETS:
            return count, octets
    raise RemoteProtocolError(f"the server's answer to STAT makes no sense: {visible(text, 100)}")


def parse_list(data: bytes, count: int) -> dict[int, int | None]:
    """Return message number → octets for the messages 1 to `count` that have a row.

    None where no row of a message has a usable size. Of several rows with one, the first counts.
    """
    sizes: dict[int, int | None] = {}
    for number, octets in _LIST_ROW.findall(data):
        message = int(number)
        if 1 <= message <= count and sizes.get(message) is None:
            size = int(octets) if octets else MAX_OCTETS + 1
            sizes[message] = size if size <= MAX_OCTETS else None
    return sizes


def parse_uidl(
    data: bytes, count: int | None = None, tells: Callable[[bytes], bool] = lambda _: False
) -> dict[int, str]:
    """Return message number → unique-id, for the messages 1 to `count` where that is given.

    A message counts as having none where its unique-id is empty, is longer than 1,000 octets or holds control
    characters, where another row has the same, where there are several rows for it, or where `tells` says that it
    holds a secret, which must not be stored. No other message is concerned.
    """
    secretive = tells(data)
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
        and not (secretive and tells(uid))
    }
