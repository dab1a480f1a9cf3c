"""The events of the dialogue. They are not frozen, to be created faster; do not change them.

`final` is True for the one event that ends a command. Lines are bytes as received, without the line end. Secrets
that a server echoes are starred out, after the login only longer ones, which do not occur by chance. The `text` of a
+OK keeps two numbers at its beginning, to be parsed; `line` is for showing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from tui_popretr.pop3.commands import Command


@dataclass(slots=True)
class Greeting:
    """The server's first line (RFC 1939 §4).

    `text` is what follows the status indicator. `stamp` is the time stamp for APOP with its angle brackets, None where
    there is none that is a msg-id of RFC 822 in ASCII.
    """

    final: ClassVar[bool] = False

    ok: bool
    text: bytes
    line: bytes
    stamp: bytes | None


@dataclass(slots=True)
class Reply:
    """The status line that answers a command.

    `text` is what follows the status indicator, the response code included. `code` is the response code in upper case
    without brackets (RFC 2449 §8, RFC 3206): "IN-USE", "SYS/TEMP". `more`: multi-line data follow in further events.
    """

    command: Command
    ok: bool
    line: bytes
    text: bytes
    code: str | None
    more: bool

    @property
    def final(self) -> bool:
        return not self.more


@dataclass(slots=True)
class Continuation:
    """A challenge of a SASL exchange in base64 (RFC 5034 §4). `command` is the Auth.

    A challenge is never shown: `line` has stars for all but an empty one.
    """

    final: ClassVar[bool] = False

    command: Command
    line: bytes
    payload: bytes = field(repr=False)  # as received, for the exchange; may echo what we sent


@dataclass(slots=True)
class BodyChunk:
    """A piece of a message: dot-stuffing removed, nothing else changed.

    CRLF is never torn: where it ends in CR, that is a bare one. `canonical` promises that there is none: each CR in
    `data` has its LF behind it, so that `data.replace(b"\\r", b"")` is the form with LF alone. Where it is False, only
    `data.replace(b"\\r\\n", b"\\n")` is.
    """

    final: ClassVar[bool] = False

    command: Command
    data: bytes
    canonical: bool


@dataclass(slots=True)
class BodyEnd:
    """The message is complete. `octets` is its size without dot-stuffing and terminator."""

    final: ClassVar[bool] = True

    command: Command
    octets: int


@dataclass(slots=True)
class Listing:
    """The collected data of CAPA, LIST or UIDL: dot-stuffing and terminator removed, rows end in CRLF.

    They are for reading, and may echo our secrets: what is shown of them goes through Machine.redacted() first.
    """

    final: ClassVar[bool] = True

    command: Command
    data: bytes


Event = Greeting | Reply | Continuation | BodyChunk | BodyEnd | Listing
