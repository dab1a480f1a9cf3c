"""The identity of a message, independent of its UID: the hash of its header as received, its Message-ID and Date."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final, NamedTuple

from tui_popretr.mail.header import SHOWN_LIMIT, field
from tui_popretr.mail.headline import Headline, read_headline
from tui_popretr.text import visible

#: At most this number of octets of a header is read.
HEADER_LIMIT: Final = 64 * 1024

#: What visible() makes of characters that cannot be shown.
_ESCAPED = re.compile(r"\\[xuU][0-9a-f]")
_EMPTY_LINE = re.compile(rb"\n\r?\n")
# Servers keep flags in these and change them between retrievals.
_MUTABLE = re.compile(rb"\n(?:status|x-status|x-uidl)[ \t]*:[^\n]*(?:\n[ \t][^\n]*)*", re.IGNORECASE)

_FOLDER_DATA: Final = b"DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA"


class Identity(NamedTuple):
    """A message's identity. A named tuple, because there may be 100,000 of them.

    `digest` is the SHA-256 of the header as received, or of the whole message if `whole` is set. Message-ID and Date
    are those of the header, None if absent. `utf8`: received in UTF-8 mode (RFC 6856 §2.1); without that mode some
    servers send a notice with the same Message-ID instead of the message.
    """

    digest: bytes
    whole: bool = False
    message_id: str | None = None
    date: str | None = None
    utf8: bool = False

    def same_as(self, other: Identity) -> bool:
        """Return whether both identify the same message: equal digests, or of headers equal Message-ID and Date.

        Message-ID and Date count because some servers rewrite MIME headers at each retrieval. They do not count if only
        one of the two was received in UTF-8 mode. An unknown identity equals no other.
        """
        if self.whole is not other.whole:
            return False
        if self.digest and self.digest == other.digest:
            return True
        return (
            not self.whole
            and self.utf8 is other.utf8
            and self.message_id is not None
            and self.date is not None
            and (self.message_id, self.date) == (other.message_id, other.date)
        )

    @property
    def searchable(self) -> str | None:
        """The Message-ID if it is exactly what the message has, so that a server can search for it."""
        found = self.message_id
        return found if found and found.isascii() and not _ESCAPED.search(found) else None


UNKNOWN_IDENTITY = Identity(b"")
"""The identity of a message that was marked as seen and never retrieved."""


def message_id_in(header: bytes) -> str | None:
    """Return the Message-ID of a header, without angle brackets, as Identity has it; None if there is none."""
    header = b"\n" + header
    return _message_id(header, header.lower())


def _message_id(header: bytes, lowered: bytes) -> str | None:
    found = field(header, lowered, b"message-id")
    if found is not None and found.startswith(b"<") and found.endswith(b">"):
        found = found[1:-1].strip()
    return visible(found, SHOWN_LIMIT) if found else None


class IdentityHasher:
    """Computes the identity of a message as received: CRLF line ends, dot-stuffing removed, without our Received field.

    The message is fed in any chunks; memory is bounded by HEADER_LIMIT and a chunk. RETR and `TOP n 0` of a message
    give the same header identity, with or without an empty line at the end.
    """

    __slots__ = ("_beginning", "_complete", "_folder_data", "_header", "_headline", "_searched", "_utf8", "_whole")

    def __init__(self, *, whole: bool = False, utf8: bool = False) -> None:
        """`whole`: hash the whole message, too, because the server has no usable UIDs. `utf8`: UTF-8 mode."""
        self._utf8 = utf8
        self._beginning = b"\n"  # so that the first field, too, follows an LF
        self._complete = False
        self._searched = 0
        self._header: Identity | None = None
        self._folder_data = False
        self._headline = Headline()
        self._whole = sha256() if whole else None

    def update(self, chunk: bytes) -> None:
        """Add the next octets of the message."""
        if self._whole is not None:
            self._whole.update(chunk)
        if self._complete:
            return
        self._beginning += chunk[: HEADER_LIMIT + 1 - len(self._beginning)]
        end = _EMPTY_LINE.search(self._beginning, self._searched)
        if end is not None:
            self._beginning = self._beginning[: end.start()]
            self._complete = True
        elif len(self._beginning) > HEADER_LIMIT:
            self._complete = True
        self._searched = max(0, len(self._beginning) - 2)

    def header(self) -> Identity:
        """Return the identity by the header. Call it when the header or the whole message has been fed.

        The Message-ID has no angle brackets. The texts are neutralised and bounded.
        """
        if self._header is None:
            self._complete = True
            self._header = self._read_header()
        return self._header

    def whole(self) -> Identity:
        """Return the identity by the whole message. Raises ValueError unless created with whole=True."""
        if self._whole is None:
            raise ValueError("the whole message was not hashed")
        header = self.header()
        return Identity(self._whole.digest(), True, header.message_id, header.date, self._utf8)

    @property
    def headline(self) -> Headline:
        """Sender and Subject."""
        self.header()
        return self._headline

    @property
    def folder_data(self) -> bool:
        """Whether this is not mail but the internal data of UW-IMAP in the first message of an mbox."""
        self.header()
        return self._folder_data

    def _read_header(self) -> Identity:
        hashed = header = self._beginning.rstrip(b"\r\n")
        lowered = header.lower()
        if _FOLDER_DATA in header and (b"\nx-imap:" in lowered or b"\nx-imapbase:" in lowered):
            self._folder_data = field(header, lowered, b"subject") == _FOLDER_DATA
        if b"\nstatus" in lowered or b"\nx-status" in lowered or b"\nx-uidl" in lowered:
            hashed = _MUTABLE.sub(b"", header).rstrip(b"\r\n")
        self._headline = read_headline(header, lowered)
        message_id = _message_id(header, lowered)
        date = field(header, lowered, b"date")
        return Identity(
            sha256(hashed).digest(),
            False,
            message_id,
            visible(date, SHOWN_LIMIT) if date else None,
            self._utf8,
        )
