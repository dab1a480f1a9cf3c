"""The journal's records as data classes. journal.py explains the terms."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum
from itertools import product
from typing import Final, NamedTuple

from tui_popretr.errors import ExitCode
from tui_popretr.hosts import account_key
from tui_popretr.mail.identity import UNKNOWN_IDENTITY, Identity

__all__ = [
    "UNKNOWN_IDENTITY",
    "Acceptance",
    "CapaHistory",
    "DeliveredMark",
    "DeliveryRow",
    "Doubt",
    "HookTime",
    "Identity",
    "MailTotals",
    "Maildrop",
    "MaildropClock",
    "MessageFailure",
    "MessageState",
    "NewRecord",
    "PipeliningFailure",
    "Record",
    "SessionFigures",
    "SessionRow",
    "StandingRow",
    "TallyRow",
    "deletion_key",
    "size_key",
    "uid_key",
]

# the host in the key of an SMTP destination
_MAIL_HOST = re.compile(r"^(smtp:[^/:\[]+\.[^/:.]+)(?=:)")


class MessageState(IntEnum):
    """How far a message has come (docs/durability.md). The numbers are stored: never change them."""

    SEEN = 0  # marked by the user: newonly skips it, and it is never deleted
    DELIVERING = 1  # durable under its tmp name, about to be published
    DELIVERED = 2  # durable at its destination
    DELETED = 3  # QUIT's +OK came after its DELE
    KEPT = 4  # delivered, but cut short: it stays on the server and is not retrieved again
    SKIPPED = 5  # skipped at the user's request: neither retrieved nor deleted


class Doubt(IntEnum):
    """Whether a message that is shorter than listed is complete. The numbers are stored."""

    NONE = 0
    UNPROVEN = 1  # the connection ended before the next reply could prove it: not to be deleted yet
    SHORT = 2  # certainly incomplete: the record becomes KEPT when it is delivered


def uid_key(uid: str) -> str:
    """Return the key under which failures of the message with this UID are counted."""
    return f"uid:{uid}"


def size_key(octets: int | None) -> str:
    """Return the key for a message without a UID, from its listed size; None: the size is unknown."""
    return f"size:{'?' if octets is None else octets}"


def deletion_key(key: str) -> str:
    """Return the key for failed deletions of a message; `key` is its key for failed retrievals."""
    return f"dele {key}"


@dataclass(frozen=True, slots=True)
class Maildrop:
    """The key of a maildrop: an account on a server, and its destination."""

    host: str
    port: int
    user: str
    destination: str  # the Sink's key

    @classmethod
    def of(cls, host: str, port: int, user: str | None, destination: str) -> Maildrop:
        """Return the key with the account in the form of account_key()."""
        return cls(*account_key(host, port, user or ""), destination)

    def former(self) -> Iterator[Maildrop]:
        """Yield the keys that version 0.1 and earlier made for hosts written with a trailing dot."""
        hosts = (self.host, f"{self.host}.") if "." in self.host else (self.host,)
        destinations = dict.fromkeys((self.destination, _MAIL_HOST.sub(r"\1.", self.destination)))
        for host, destination in product(hosts, destinations):
            if (host, destination) != (self.host, self.destination):
                yield replace(self, host=host, destination=destination)


#: A step of a MaildropClock is at most this many seconds.
LONGEST_STEP: Final = 7 * 24 * 3600.0
#: Epoch seconds, 2020-01-01: a wall clock before that has not been set since the machine started.
EARLIEST: Final = 1577836800.0


class MaildropClock(NamedTuple):
    """A clock for deleteafter, which advances by a bounded step from one session to the next.

    The wall clock may be at 1970 (machines without a battery) or years ahead. Within one boot of the machine a step is
    measured by CLOCK_BOOTTIME, otherwise by the wall clock, and it is at most LONGEST_STEP in both cases. From or to a
    wall clock that was never set, only the time since the boot counts. So a message is never deleted too early.
    """

    seconds: float = 0.0
    boot: str = ""  # the clocks at the last session; "" and 0 before the first
    boottime: float = 0.0
    wall: float = 0.0  # epoch seconds

    def advanced(self, boot: str, boottime: float, wall: float) -> MaildropClock:
        """Return the clock for a session that begins now."""
        if not self.boot and not self.wall:
            step = 0.0
        elif boot and boot == self.boot:
            step = boottime - self.boottime
        elif min(self.wall, wall) < EARLIEST:
            step = boottime if boot and self.boot else 0.0
        else:
            step = wall - self.wall
        return MaildropClock(self.seconds + min(max(step, 0.0), LONGEST_STEP), boot, boottime, wall)


class Record(NamedTuple):
    """One message in the journal.

    preserve without newonly retrieves a message again only if `quit_confirmed` is true: after an interrupted run the
    next one retrieves only the rest. A named tuple, because a maildrop may have 100,000 of them.
    """

    id: int
    uid: str | None  # None: the server gives no usable UIDs
    octets: int
    identity: Identity
    state: MessageState
    delete_pending: bool  # to be deleted from the server; for DELIVERING: what recovery will set
    quit_confirmed: bool  # a QUIT was answered +OK after the delivery
    tmp: str | None  # absolute; only while DELIVERING
    final: str | None  # absolute, as it was at delivery: readers may have moved the file since
    audit: str | None  # the audit line's text; only while DELIVERING
    time: int  # epoch seconds of its retrieval (or marking)
    doubt: Doubt = Doubt.NONE
    born: float = 0.0  # the MaildropClock's seconds at its retrieval
    mark: str | None = None  # for DELIVERING: what its receiver is asked for; later: where the receiver has it


class NewRecord(NamedTuple):
    """A message that is durable under its tmp name and about to be published."""

    id: int  # from Journal.next_id()
    maildrop: int
    uid: str | None
    octets: int
    identity: Identity
    delete_pending: bool  # what recovery will set after a crash
    tmp: str | None
    final: str | None
    audit: str | None
    time: int
    doubt: Doubt = Doubt.NONE
    born: float = 0.0
    mark: str | None = None  # what its receiver can be asked for (delivery/remote.py); None: it cannot be asked


class Acceptance(NamedTuple):
    """A recipient that has accepted a message that other recipients refused (SMTP)."""

    uid: str | None
    identity: Identity
    address: str


class DeliveredMark(NamedTuple):
    """A message that is published and durable, and has its audit line."""

    id: int
    delete_pending: bool
    receipt: str | None = None  # where its receiver has it


class MessageFailure(NamedTuple):
    """A message that broke the connection, or whose retrieval or deletion failed.

    `key` is from uid_key(), size_key() or deletion_key(). `rejections`: the number of failures that were permanent
    refusals by the destination.
    """

    key: str
    octets: int
    failures: int
    rejections: int
    last: int  # epoch seconds
    reason: str


class PipeliningFailure(NamedTuple):
    """A server that offers PIPELINING, and whose PIPELINING failed."""

    host: str  # lower case
    port: int
    failures: int  # in a row
    time: float  # epoch seconds of the last


class CapaHistory(NamedTuple):
    """The history of a server's answers to CAPA."""

    host: str  # lower case
    port: int
    utf8: bool  # it has listed UTF8 (RFC 6856 §2.1)
    mechanisms: tuple[str, ...]  # the SASL mechanisms that it has listed
    time: float  # epoch seconds of the last answer, 0 if there was none
    broke: float  # epoch seconds when CAPA broke the connection, 0 if it did not


class SessionRow(NamedTuple):
    """One past session, for history. Times are epoch seconds."""

    client: str
    start: int
    end: int
    code: ExitCode
    messages: int
    octets: int
    error: str
    seconds: float | None = None  # its duration; None from earlier versions


class DeliveryRow(NamedTuple):
    """One delivery, for history (facts.MessageDelivered). `time` is epoch seconds."""

    client: str
    run: int
    time: float
    number: int
    uid: str | None
    octets: int
    destination: str
    path: str | None
    message_id: str | None
    sender: str | None
    name: str | None
    subject: str | None


class TallyRow(NamedTuple):
    """Sums over the sessions that ended in an hour or a day."""

    begin: int
    sessions: int
    failures: int
    messages: int
    octets: int


class SessionFigures(NamedTuple):
    """Medians: the duration of sessions in seconds, and octets a second of those with a message; None without one."""

    duration: float | None
    rate: float | None


class StandingRow(NamedTuple):
    """A client's history over all processes (facts.Standing). Times are epoch seconds, None for never."""

    client: str
    failures: int  # in a row
    success: int | None
    message: int | None
    kept: int
    since: int | None


class HookTime(NamedTuple):
    """When a hook last ran for a client, epoch seconds. `hook` is HookSettings.key."""

    client: str
    hook: str
    time: int


class MailTotals(NamedTuple):
    """Sums over sessions."""

    messages: int
    octets: int
