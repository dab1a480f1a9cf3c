"""Whether a message arrived whole, judged by its size in LIST and by what follows it.

Sizes in LIST are not exact: servers count line ends, stuffed dots and their own headers differently. So a message that
is a little shorter than listed is usually whole. But some servers end a message early:

- with an empty or much shorter text, for a message that they cannot render (some versions of Exchange);
- at a line of a single dot inside the message, because they do not stuff dots (RFC 1939 §3). The rest of the message
  then arrives in place of the next reply.

The original is then the only whole copy. It must not be deleted, whatever the settings are.

Terms: a message is *short* when it has fewer octets than listed. A short one is *doubtful* until the next line of the
server is a status line (+OK or -ERR), which shows that the message had ended. It is *cut short* when it has less than
half of its listed size, or when anything but a status line follows it. A message that was cut short is
delivered, but *kept* on the server and not retrieved again.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

#: A message that lacks fewer octets than this never counts as cut short by its size alone.
LEAST_MISSING: Final = 1024


class Wholeness(Enum):
    """What the size of a message says, when it has been received to its end."""

    WHOLE = "whole"
    DOUBTFUL = "doubtful"  # shorter than listed, or the size is unknown: the next reply decides
    CUT_SHORT = "cut short"
    EMPTY = "empty"  # no octet arrived: the same as a refusal


def judge(listed: int | None, octets: int, line_feeds: int = 0) -> Wholeness:
    """Judge a message of `octets` whose size in LIST was `listed`; None where LIST gave no usable size.

    `line_feeds` are in the message. Some servers count a line end as one octet and send two. So a message with more
    octets than listed is whole only if it has as many when counted like that.
    """
    if listed is None:
        return Wholeness.DOUBTFUL
    if octets == listed or octets - line_feeds >= listed:
        return Wholeness.WHOLE
    if octets > listed:
        return Wholeness.DOUBTFUL
    if octets == 0:
        return Wholeness.EMPTY
    if octets * 2 < listed and listed - octets >= LEAST_MISSING:
        return Wholeness.CUT_SHORT
    return Wholeness.DOUBTFUL
