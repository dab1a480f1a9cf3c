"""The TRANSACTION state and UPDATE (RFC 1939 §5 and §6): one maildrop as one session sees it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping

from tui_popretr.popserver.channel import Channel
from tui_popretr.popserver.maildrop import Message, ServedMaildrop
from tui_popretr.popserver.multiline import dot_stuffed, top

_MAX_DIGITS = 10

#: Executes a command; the parameter is what follows the verb. Raises Refused.
Handler = Callable[[str], Awaitable[None]]


class Refused(Exception):
    """The command gets -ERR. `code` is a response code of RFC 2449 §8 or RFC 3206, without brackets."""

    def __init__(self, text: str, code: str | None = None) -> None:
        super().__init__(text)
        self.code = code


class Transaction:
    """Holds the maildrop's lock until close(). The constructor raises MaildropInUse."""

    def __init__(self, maildrop: ServedMaildrop, channel: Channel) -> None:
        self.messages = maildrop.open()
        self.maildrop = maildrop
        self.channel = channel
        self.deleted: set[int] = set()

    def update(self) -> None:
        """Remove the messages that are marked as deleted."""
        self.maildrop.update(self.messages[number - 1] for number in sorted(self.deleted))

    def close(self) -> None:
        """Release the lock, without an update."""
        self.maildrop.close()

    def commands(self) -> Mapping[str, Handler]:
        """Return the commands of the TRANSACTION state, without those of both states."""
        return {
            "STAT": self.stat,
            "LIST": self.list,
            "UIDL": self.uidl,
            "RETR": self.retr,
            "TOP": self.top,
            "DELE": self.dele,
            "NOOP": self.noop,
            "RSET": self.rset,
        }

    def present(self) -> Iterator[tuple[int, Message]]:
        """Yield the messages that are not marked as deleted, with their numbers."""
        return ((n, message) for n, message in enumerate(self.messages, 1) if n not in self.deleted)

    def find(self, argument: str) -> tuple[int, Message]:
        """Return the number and the message that an argument names. Raises Refused."""
        number = number_of(argument)
        if not 1 <= number <= len(self.messages) or number in self.deleted:
            raise Refused("no such message")
        return number, self.messages[number - 1]

    def totals(self) -> tuple[int, int]:
        """Return the number of present messages, and their octets."""
        sizes = [message.size for _, message in self.present()]
        return len(sizes), sum(sizes)

    async def stat(self, _argument: str) -> None:
        count, octets = self.totals()
        await self.channel.reply(f"+OK {count} {octets}")

    async def list(self, argument: str) -> None:
        if argument:
            number, message = self.find(argument)
            await self.channel.reply(f"+OK {number} {message.size}")
        else:
            count, octets = self.totals()
            rows = (f"{n} {message.size}" for n, message in self.present())
            await self.channel.listing(f"+OK {count} ({octets} octets)", rows)

    async def uidl(self, argument: str) -> None:
        if argument:
            number, message = self.find(argument)
            await self.channel.reply(f"+OK {number} {message.uid}")
        else:
            await self.channel.listing("+OK", (f"{n} {message.uid}" for n, message in self.present()))

    async def retr(self, argument: str) -> None:
        _, message = self.find(argument)
        if message.uid in self.maildrop.unreadable:
            raise Refused("this message cannot be read", "SYS/PERM")
        await self.channel.multiline(f"+OK {message.size} octets", dot_stuffed(message.chunks()))

    async def top(self, argument: str) -> None:
        number, _, lines = argument.partition(" ")
        _, message = self.find(number)
        await self.channel.multiline("+OK", dot_stuffed(top(message.chunks(), number_of(lines))))

    async def dele(self, argument: str) -> None:
        number, _ = self.find(argument)
        self.deleted.add(number)
        await self.channel.reply("+OK marked as deleted")

    async def noop(self, _argument: str) -> None:
        await self.channel.reply("+OK")

    async def rset(self, _argument: str) -> None:
        self.deleted.clear()
        await self.channel.reply(f"+OK {len(self.messages)} messages")


def number_of(argument: str) -> int:
    """Return the number in an argument. Raises Refused."""
    if argument.isascii() and argument.isdigit() and len(argument) <= _MAX_DIGITS:
        return int(argument)
    raise Refused("a number is required")
