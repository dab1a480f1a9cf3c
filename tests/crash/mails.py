"""The messages of a mailbox: mostly small, some too large to be kept in memory, a few very large."""

from __future__ import annotations

from typing import Final

_SMALL: Final = (40, 300, 900, 5000)
_SPILLING: Final = 800_000
_LARGE: Final = 2_000_000


def mails(count: int, first: int = 0) -> list[bytes]:
    """Return `count` messages that are like no others; their Message-IDs are `<NUMBER@crash.test>`, from `first` on."""
    return [_mail(number) for number in range(first, first + count)]


def _mail(number: int) -> bytes:
    if number % 125 == 5:
        size = _LARGE
    elif number % 25 == 2:
        size = _SPILLING
    else:
        size = _SMALL[number % len(_SMALL)]
    line = b"..%d " % number + b"x" * (60 if size < _SPILLING else 800) + b"\r\n"
    header = b"Message-ID: <%d@crash.test>\r\nFrom: k@crash.test\r\nSubject: %d\r\n\r\n" % (number, number)
    return header + line * (size // len(line) + 1)
