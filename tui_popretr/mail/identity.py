"""What tells one message from another, whatever its UID (SPEC 5): made by delivery, kept by the journal."""

from __future__ import annotations

from typing import NamedTuple


class Identity(NamedTuple):
    """A message's identity. A named tuple, because there may be 100,000 of them.

    `digest` is the SHA-256 of the header as received, or of the whole message where `whole` is set; Message-ID and Date
    are the header's, None where absent. `utf8`: it was received in UTF-8 mode (RFC 6856 §2.1); without that mode some
    servers send a notice with the same Message-ID instead of the message.
    """

    digest: bytes
    whole: bool = False
    message_id: str | None = None
    date: str | None = None
    utf8: bool = False

    def same_as(self, other: Identity) -> bool:
        """Is it the same message? Equal digest, or equal Message-ID and Date where both are of headers.

        The second, because some servers rewrite MIME headers at each retrieval. It does not count if only one of the
        two was received in UTF-8 mode. An unknown identity equals no other.
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


UNKNOWN_IDENTITY = Identity(b"")
"""Of a message that was marked as seen and never retrieved."""
