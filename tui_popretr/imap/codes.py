"""Response codes: the words in brackets at the beginning of a status text (RFC 9051 §7.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from tui_popretr.imap.sets import NUMBER, UidSet

_CODE = re.compile(rb"\[([^\x00-\x20\x7f-\xff\]\[(){%*\"\\]+)(?: ([^\]]*))?\] ?")
_APPENDUID = re.compile(rb"([0-9]{1,10}) ([0-9:,]+)")


@dataclass(frozen=True, slots=True)
class AppendUid:
    """APPENDUID: where the messages are (RFC 4315 §3)."""

    validity: int
    uids: UidSet


@dataclass(frozen=True, slots=True)
class Code:
    """A response code: its name in upper case, and its arguments as sent, which are not safe to show."""

    name: str
    arguments: bytes = field(default=b"", repr=False)

    @property
    def number(self) -> int | None:
        """The argument as a number, such as that of UIDNEXT; None if it is none."""
        return int(self.arguments) if NUMBER.fullmatch(self.arguments) else None

    @property
    def appended(self) -> AppendUid | None:
        """The arguments of APPENDUID; None for another code, or if they are not valid."""
        match = _APPENDUID.fullmatch(self.arguments) if self.name == "APPENDUID" else None
        uids = UidSet.parse(match[2]) if match else None
        if match is None or uids is None or not int(match[1]):
            return None
        return AppendUid(int(match[1]), uids)


def split(text: bytes) -> tuple[Code | None, bytes]:
    """Return the code of a text, None if it has none, and the text after it."""
    match = _CODE.match(text)
    if match is None:
        return None, text
    return Code(match[1].decode("ascii").upper(), match[2] or b""), text[match.end() :]
