"""Messages, and the maildrop of one account that holds them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

_PIECE = 65536


class MaildropInUse(Exception):
    """Another session holds the maildrop's exclusive lock (RFC 1939 §4)."""


@dataclass(frozen=True, slots=True, eq=False)
class Message:
    """One stored message. `source` yields its raw octets for each RETR, so that a huge one need not be in memory.

    Lines end with CRLF; other octets (bare CR or LF, NUL, any length) are sent unchanged. `size` is the size that LIST
    announces, in octets without dot-stuffing; it may be wrong. `uid` is UIDL's; ServedMaildrop.add replaces an empty
    one.
    """

    size: int
    source: Callable[[], Iterable[bytes]]
    uid: str = ""

    @classmethod
    def of(cls, data: bytes, uid: str = "") -> Message:
        """Return the message that holds these octets. Its size includes a missing CRLF at the end of the last line."""
        pieces = [data[start : start + _PIECE] for start in range(0, len(data), _PIECE)]
        unterminated = bool(data) and not data.endswith(b"\r\n")
        return cls(len(data) + 2 * unterminated, lambda: pieces, uid)

    def chunks(self) -> Iterator[bytes]:
        """Yield the message's raw octets, as stored."""
        return iter(self.source())


@dataclass(slots=True, eq=False)
class ServedMaildrop:
    """One account. Its sessions send `rate` octets per second, and answer RETR of `unreadable` uids with -ERR."""

    name: str
    password: str
    uid_prefix: str = "uid-"
    rate: float | None = None
    unreadable: set[str] = field(default_factory=set)
    messages: list[Message] = field(default_factory=list)
    locked: bool = False
    _next_uid: int = 1

    def add(self, message: bytes | Message) -> Message:
        """Append a message and return it with its uid. Sessions that are already open do not see it."""
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
        return tuple(self.messages)

    def update(self, deleted: Iterable[Message]) -> None:
        """Remove the messages that were marked as deleted (RFC 1939 §6)."""
        removed = {id(message) for message in deleted}
        self.messages[:] = [message for message in self.messages if id(message) not in removed]

    def close(self) -> None:
        """Release the lock."""
        self.locked = False
