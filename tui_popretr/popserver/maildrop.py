"""Messages and the maildrops they lie in: what one account of the server holds, and what has become of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui_popretr.popserver.faults import Faults

_PIECE = 65536


class MaildropInUse(Exception):
    """Another session holds the maildrop's exclusive lock (RFC 1939 §4)."""


@dataclass(frozen=True, slots=True, eq=False)
class Message:
    """One stored message: raw octets, made anew by `source` for each RETR, so that a huge one need not be in memory.

    Lines end with CRLF; whatever else it holds (bare CR or LF, NUL, any length) is sent as it is. `size` is what LIST
    announces, in octets without dot-stuffing; it may lie. `uid` is UIDL's; where empty, ServedMaildrop.add gives one.
    Two messages are never equal, whatever they hold.
    """

    size: int
    source: Callable[[], Iterable[bytes]]
    uid: str = ""

    @classmethod
    def of(cls, data: bytes, uid: str = "") -> Message:
        """Return the message that holds these octets; its size counts the CRLF that a last line without one gets."""
        pieces = [data[start : start + _PIECE] for start in range(0, len(data), _PIECE)]
        unended = bool(data) and not data.endswith(b"\r\n")
        return cls(len(data) + 2 * unended, lambda: pieces, uid)

    @classmethod
    def generated(cls, size: int, uid: str = "", header: bytes = b"Subject: generated\r\n") -> Message:
        """Return a message of exactly `size` octets whose body is made up while it is sent.

        The header is followed by the empty line and by lines of 76 letters, the last of them shorter or a little
        longer. Raises ValueError where `size` leaves no room for that.
        """
        body = size - len(header) - 2
        if body < 2:
            raise ValueError("size is too small for the header")
        line = b"x" * 76 + b"\r\n"
        block = line * (_PIECE // len(line))

        def source() -> Iterator[bytes]:
            yield header + b"\r\n"
            whole, rest = divmod(body - 2, len(block))
            for _ in range(whole):
                yield block
            last = (line * (rest // len(line) + 1))[:rest]
            # the cut may have parted a CR from its LF
            yield last.rstrip(b"\r\n").ljust(rest, b"x") + b"\r\n"

        return cls(size, source, uid)

    def chunks(self) -> Iterator[bytes]:
        """Yield the message's raw octets, as stored."""
        return iter(self.source())


@dataclass(slots=True, eq=False)
class ServedMaildrop:
    """One account. `password` None: no login by password, only by a client certificate whose CN is `name`.

    `faults` are those of sessions on this maildrop, from the login on; None: the server's. The counters are for tests:
    `logins` that succeeded, uids `retrieved` (RETR sent whole) and `deleted` (by an UPDATE), in order.
    """

    name: str
    password: str | None = None
    faults: Faults | None = None
    uid_prefix: str = "uid-"
    messages: list[Message] = field(default_factory=list)
    logins: int = 0
    retrieved: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    locked: bool = False
    _next_uid: int = 1

    def add(self, message: bytes | Message) -> Message:
        """Append a message and return it with its uid; a session that is already open does not see it."""
        if isinstance(message, bytes):
            message = Message.of(message)
        if not message.uid:
            message = replace(message, uid=f"{self.uid_prefix}{self._next_uid}")
            self._next_uid += 1
        self.messages.append(message)
        return message

    def open(self) -> tuple[Message, ...]:
        """Take the exclusive lock and return the messages as the session will see them. Raises MaildropInUse."""
        if self.locked:
            raise MaildropInUse
        self.locked = True
        self.logins += 1
        return tuple(self.messages)

    def update(self, deleted: Iterable[Message]) -> None:
        """Remove the messages that were marked as deleted (RFC 1939 §6)."""
        doomed = tuple(deleted)
        self.deleted.extend(message.uid for message in doomed)
        gone = {id(message) for message in doomed}
        self.messages[:] = [message for message in self.messages if id(message) not in gone]

    def close(self) -> None:
        """Release the lock."""
        self.locked = False
