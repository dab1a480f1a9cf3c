"""The contracts of destinations that are a server or a command: SMTP, LMTP, command, IMAP, Gmail.

Terminology:

- *message*: an OutgoingMessage (outgoing.py).
- *the end*: the part of a message without which the receiver cannot accept it: the last line of DATA, the end of the
  standard input.
- *receipt*: the receiver's reply, for the audit line.
- *in doubt*: the end was sent, and the verdict is unknown.
- *mark*: a short text that is recorded with *delivering*, and with which the receiver of a message in doubt is asked
  later whether it has it. Only the sink knows what it means.
- *group*: messages that are sent together.

There are three contracts, each of which includes the one before:

- *RemoteSink*: the receiver cannot be asked. A message in doubt is sent again, so it may arrive twice. Messages are
  sent one at a time, so this concerns at most one.
- *SearchableSink*: the receiver can be asked. A message with a mark stays *delivering* until find() has an answer.
- *GroupSink*: several messages are sent together, since more than one may be in doubt.

The calls for a session, in the engine's event loop; only spill() is called in a thread:

    find → prepare → (open → write* (spill when pending ≥ SPILL) → finish → mark → send → abort)* → close

Messages are sent one at a time, but the next ones may be received meanwhile. prepare() is called for each connection
to the POP3 server, and find() before it if the journal has messages in doubt.

**The next message may be begun with the end of a message**, which saves a round trip: send() may call `following()`
when the end may be sent, and send the end together with what the next message begins with. It is begun only if it waits
completely. If the next call is not a send() of that message, or there is none, what was begun is dropped.

**The end is sent only when the journal has recorded the message as *delivering***: send() awaits `before_end()` before
it. The receiver cannot accept the message earlier, and everything else may be sent while the journal writes. If
`before_end()` raises, the message is certainly not accepted, and send() passes the error on.

**Cancellation**: a message whose end was not sent is certainly not accepted; the connection is closed if the message
was half sent. After the end the message is in doubt. If some recipients have accepted it, send() raises PartlyAccepted
in place of Cancelled, since the journal has to know them.

**Marks.** A message has a mark only if it can be found again: it has a Message-ID (OutgoingMessage.message_id). A mark
must exclude what was sent before it, so that an equal earlier message is not taken for the one in doubt. mark() is
called when the outcomes of all messages before are known, and before the record is written. If the error of send() is
MessageInDoubt, the record of a message with a mark stays, and the message is neither retrieved nor deleted until the
next session of the maildrop has asked for it. After any other DeliveryFailed the message is certainly not accepted. A
message without a mark is sent alone, and is sent again if it is in doubt.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from tui_popretr.config.choices import Eol
from tui_popretr.delivery.outgoing import OutgoingMessage
from tui_popretr.errors import NotLoggedIn, PopretrError
from tui_popretr.facts import Direction
from tui_popretr.secret import Secret

if TYPE_CHECKING:
    from tui_popretr.oauth.tokens import Tokens

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
#: The same with what belongs to a token: returns a valid one. May raise any PopretrError.
AskTokens = Callable[[], Awaitable["Tokens"]]
#: Returns the token to try after the server has refused this one; None if there is no other.
AskOtherTokens = Callable[[Secret], Awaitable["Tokens | None"]]


def nothing_follows() -> None:
    """The Following of a single message."""


async def no_password() -> Secret:
    """The AskPassword of a destination without a login."""
    return Secret("")


async def no_tokens() -> Tokens:
    """The AskTokens of a destination without a login."""
    raise NotLoggedIn("there is no access token")


async def no_other_tokens(_: Secret) -> Tokens | None:
    """The AskOtherTokens of a destination without a login."""
    return None


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


@dataclass(frozen=True, slots=True)
class Arrived:
    """The receiver has the message. `receipt` is for the audit line, as that of send()."""

    receipt: str = ""


@dataclass(frozen=True, slots=True)
class Absent:
    """The receiver does not have the message, or will never say: it is sent again. `reason` as in "because REASON"."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """The receiver cannot say now. The message stays in doubt."""

    error: PopretrError


#: What the receiver says of a message in doubt.
Answer = Arrived | Absent | Unknown


@runtime_checkable
class SearchableSink(RemoteSink, Protocol):
    """A server that can be asked for a message."""

    async def mark(self, messages: Sequence[OutgoingMessage]) -> Sequence[str | None]:
        """Return the marks of messages that are about to be sent together; None for one that cannot be found again.

        Raises DeliveryFailed, PasswordUnavailable: then nothing is sent.
        """
        ...

    async def find(self, marks: Sequence[str]) -> Sequence[Answer]:
        """Ask the receiver for messages in doubt, those sent first come first. A message that it has counts once.

        Raises PopretrError: then all stay in doubt.
        """
        ...


@dataclass(frozen=True, slots=True)
class Group:
    """The size of a group, at most. A larger message goes alone."""

    messages: int
    octets: int


#: Of a sink that sends messages one at a time.
ALONE = Group(1, 0)


@runtime_checkable
class GroupSink(SearchableSink, Protocol):
    """A server that gets several messages together."""

    @property
    def group(self) -> Group:
        """How many messages may be sent together now. Read before each group."""
        ...

    async def send_group(
        self, messages: Sequence[OutgoingMessage], before_end: BeforeEnd
    ) -> Sequence[str | PopretrError]:
        """Send messages, each with a mark; return for each the receipt, or the error as send() would raise it.

        `before_end` is awaited once, before the first end. Raises what it raises, and DeliveryFailed if all messages
        have the same error.
        """
        ...


@runtime_checkable
class InspectableSink(Protocol):
    """A server that `check --connect` looks at."""

    async def look(self) -> Sequence[tuple[str, str]]:
        """Log in, and return what is there, as names and values for people. Changes nothing. Raises PopretrError."""
        ...

    async def close(self) -> None:
        """As RemoteSink.close()."""
        ...
