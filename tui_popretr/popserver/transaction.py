"""The TRANSACTION state and UPDATE (RFC 1939 §5 and §6): one opened maildrop as one session sees it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping

from tui_popretr.popserver import multiline
from tui_popretr.popserver.faults import Faults
from tui_popretr.popserver.maildrop import Message, ServedMaildrop
from tui_popretr.popserver.policy import Utf8Support
from tui_popretr.popserver.replies import Refused, Replies

_MAX_DIGITS = 10


class TransactionState:
    """Holds the maildrop's lock from its making to close(). Raises MaildropInUse when made on a locked one.

    `without_utf8` decides what is sent for messages with UTF-8 in their headers.
    """

    def __init__(
        self,
        maildrop: ServedMaildrop,
        replies: Replies,
        faults: Faults,
        without_utf8: Utf8Support = Utf8Support.UNKNOWN,
    ) -> None:
        self._messages = maildrop.open()
        self._maildrop = maildrop
        self._replies = replies
        self._faults = faults
        self._deleted: set[int] = set()
        self._without_utf8 = without_utf8

    @property
    def count(self) -> int:
        """How many messages there were at login."""
        return len(self._messages)

    def update(self) -> None:
        """Remove what was marked as deleted. Only QUIT may do so."""
        self._maildrop.update(message for n, message in enumerate(self._messages, 1) if n in self._deleted)

    def close(self) -> None:
        """Release the lock; what was not updated stays."""
        self._maildrop.close()

    def _present(self) -> Iterator[tuple[int, Message]]:
        return ((n, message) for n, message in enumerate(self._messages, 1) if n not in self._deleted)

    def _message(self, argument: str) -> tuple[int, Message]:
        number = _number(argument)
        if not 1 <= number <= len(self._messages) or number in self._deleted:
            raise Refused("no such message")
        return number, self._messages[number - 1]

    def _totals(self) -> tuple[int, int]:
        sizes = [message.size for _, message in self._present()]
        return len(sizes), sum(sizes)

    async def _stat(self, _argument: str) -> None:
        count, octets = self._totals()
        await self._replies.status(f"+OK {count} {octets}")

    async def _list(self, argument: str) -> None:
        if argument:
            number, message = self._message(argument)
            await self._replies.status(f"+OK {number} {message.size}")
        else:
            count, octets = self._totals()
            await self._replies.rows(f"+OK {count} ({octets} octets)", (f"{n} {m.size}" for n, m in self._present()))

    async def _uidl(self, argument: str) -> None:
        if argument:
            number, message = self._message(argument)
            await self._replies.status(f"+OK {number} {message.uid}")
        else:
            await self._replies.rows("+OK", (f"{n} {m.uid}" for n, m in self._present()))

    async def _retr(self, argument: str) -> None:
        number, message = self._message(argument)
        if self._faults.refuses(number, message.uid):
            raise Refused("this message cannot be read", "SYS/PERM")
        message = self._shown(message)
        wire = multiline.dot_stuffed(message.chunks())
        await self._replies.body(f"+OK {message.size} octets", self._faults.body(number, message.uid, wire))
        self._maildrop.retrieved.append(message.uid)

    async def _top(self, argument: str) -> None:
        which, _, lines = argument.partition(" ")
        _, message = self._message(which)
        top = multiline.top(self._shown(message).chunks(), _number(lines))
        await self._replies.body("+OK the top of it", multiline.dot_stuffed(top))

    def _shown(self, message: Message) -> Message:
        """Return what is sent for a message."""
        if self._without_utf8 is Utf8Support.UNKNOWN:
            return message
        header = b"".join(message.chunks()).partition(b"\r\n\r\n")[0]
        if header.isascii():
            return message
        if self._without_utf8 is Utf8Support.REFUSED:
            raise Refused("this message has UTF-8 in its header", "UTF8")
        kept = [line for line in header.split(b"\r\n") if line.isascii()]
        notice = [*kept, b"Subject: This message needs UTF8", b"", b"Cannot display Unicode content.", b""]
        return Message.of(b"\r\n".join(notice), message.uid)

    async def _dele(self, argument: str) -> None:
        number, _ = self._message(argument)
        self._deleted.add(number)
        await self._replies.status("+OK marked as deleted")

    async def _noop(self, _argument: str) -> None:
        await self._replies.status("+OK")

    async def _rset(self, _argument: str) -> None:
        self._deleted.clear()
        await self._replies.status(f"+OK {self.count} messages")

    #: The commands of this state alone.
    COMMANDS: Mapping[str, Callable[[TransactionState, str], Awaitable[None]]] = {
        "STAT": _stat,
        "LIST": _list,
        "UIDL": _uidl,
        "RETR": _retr,
        "TOP": _top,
        "DELE": _dele,
        "NOOP": _noop,
        "RSET": _rset,
    }


def _number(argument: str) -> int:
    if argument.isascii() and argument.isdigit() and len(argument) <= _MAX_DIGITS:
        return int(argument)
    raise Refused("a number is wanted")
