"""Maildrops that count what happens to them, and generated messages of any size."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tests.support.popserver.faults import Faults
from tui_popretr import popserver
from tui_popretr.popserver import Message

_BLOCK = 65536


@dataclass(slots=True, eq=False)
class ServedMaildrop(popserver.ServedMaildrop):
    """One account. Without a password only a client certificate with the CN `name` can log in.

    `faults` apply to sessions on this maildrop, from the login on; None: the server's. The counters: `logins` that
    succeeded, uids `retrieved` (RETR sent whole) and `deleted` (by an UPDATE), in order.
    """

    password: str = field(default_factory=secrets.token_hex)
    faults: Faults | None = None
    logins: int = 0
    retrieved: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)

    def open(self) -> tuple[Message, ...]:
        messages = popserver.ServedMaildrop.open(self)
        self.logins += 1
        return messages

    def update(self, deleted: Iterable[Message]) -> None:
        deleted = tuple(deleted)
        self.deleted.extend(message.uid for message in deleted)
        popserver.ServedMaildrop.update(self, deleted)


def generated_message(size: int, uid: str = "", header: bytes = b"Subject: generated\r\n") -> Message:
    """Return a message of exactly `size` octets whose body is generated while it is sent.

    The header is followed by the empty line and by lines of 76 letters; the last line may be shorter or 2 longer.
    Raises ValueError where `size` is too small for that.
    """
    body = size - len(header) - 2
    if body < 2:
        raise ValueError("size is too small for the header")
    line = b"x" * 76 + b"\r\n"
    block = line * (_BLOCK // len(line))

    def source() -> Iterator[bytes]:
        yield header + b"\r\n"
        whole, rest = divmod(body - 2, len(block))
        for _ in range(whole):
            yield block
        last = (line * (rest // len(line) + 1))[:rest]
        # the cut may have parted a CR from its LF
        yield last.rstrip(b"\r\n").ljust(rest, b"x") + b"\r\n"

    return Message(size, source, uid)
