"""The contract of destinations that are a server or a command: SMTP, LMTP, command.

Terminology:

- *message*: an OutgoingMessage (outgoing.py).
- *the end*: the part of a message without which the receiver cannot accept it: the last line of DATA, the end of the
  standard input.
- *receipt*: the receiver's reply, for the audit line.
- *in doubt*: the end was sent, and the verdict is unknown. The message is sent again, so it may arrive twice.

The calls for a session, in the engine's event loop; only spill() is called in a thread:

    prepare → (open → write* (spill when pending ≥ SPILL) → finish → send → abort)* → close

Messages are sent one at a time, but the next ones may be received meanwhile. prepare() is called for each connection
to the POP3 server.

**The next message may be begun with the end of a message**, which saves a round trip: send() may call `following()`
when the end may be sent, and send the end together with what the next message begins with. It is begun only if it waits
completely. If the next call is not a send() of that message, or there is none, what was begun is dropped.

**The end is sent only when the journal has recorded the message as *delivering***: send() awaits `before_end()` before
it. The receiver cannot accept the message earlier, and everything else may be sent while the journal writes. If
`before_end()` raises, the message is certainly not accepted, and send() passes the error on.

**Cancellation**: a message whose end was not sent is certainly not accepted; the connection is closed if the message
was half sent. After the end the message is in doubt. If some recipients have accepted it, send() raises PartlyAccepted
in place of Cancelled, since the journal has to know them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol, runtime_checkable

from tui_popretr.config.choices import Eol
from tui_popretr.delivery.outgoing import OutgoingMessage
from tui_popretr.facts import Direction
from tui_popretr.secret import Secret

#: Awaited before the end of a message is sent. Raises JournalError if the message must not be delivered.
BeforeEnd = Callable[[], Awaitable[None]]
#: Returns the message that send() will probably get next, if it waits completely.
Following = Callable[[], OutgoingMessage | None]
#: Gets lines of the dialogue for the transcript, with secrets starred out, safe to show. They may be a generator: lines
#: that are not read are not formatted.
Say = Callable[[Direction, Iterable[str]], None]
#: Returns the destination's password. May raise any PopretrError.
AskPassword = Callable[[], Awaitable[Secret]]
#: Returns the access token to try after the server has refused this one; None if there is no other.
AskOther = Callable[[Secret], Awaitable[Secret | None]]


def nothing_follows() -> None:
    """The Following of a single message."""


async def no_password() -> Secret:
    """The AskPassword of a destination without a login."""
    return Secret("")


@runtime_checkable
class RemoteSink(Protocol):
    """A server or a command, for one session of a client."""

    @property
    def key(self) -> str:
        """The destination part of the maildrop's key: the same in every run."""
        ...

    @property
    def eol(self) -> Eol:
        """The line ends of the destination."""
        ...

    @property
    def lane(self) -> str:
        """The key of the queue (commit/remote.py): different for each session."""
        ...

    def open(self, record_id: int) -> OutgoingMessage:
        """Return a new message; no I/O."""
        ...

    async def prepare(self, octets: int) -> None:
        """Check that a message of this size can be sent, before it is retrieved: connect, log in, check the size.

        May be called again, also after a cancellation. Raises DeliveryFailed, PasswordUnavailable.
        """
        ...

    async def send(
        self, message: OutgoingMessage, before_end: BeforeEnd, following: Following = nothing_follows
    ) -> str:
        """Send a message; return the receipt, or "". `before_end` is awaited at most once.

        A command may accept the message as soon as it gets it, so `before_end` is awaited before it is started. The
        message stays open: the caller aborts it. Raises DeliveryFailed: the message is not delivered, or in doubt;
        PartlyAccepted: only some recipients have accepted it; and what `before_end` raises.
        """
        ...

    async def close(self) -> None:
        """Close what was opened for this session, such as a connection. Bounded. Never raises."""
        ...
