"""A server's maildrop: messages, unreliable UIDs, and deletions that happen or not."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from enum import Enum

from tests.support.popserver import Faults, Message, QuitFault, ServedMaildrop
from tui_popretr.popserver.maildrop import MaildropInUse


class Naming(Enum):
    """The origin of a new message's UID."""

    NEXT = "it is a new one"
    REUSED = "it is the first that is free, even if another message had it before"
    REPEATED = "it is that of another message that is there"


class Ailment(Enum):
    """What is wrong with a message."""

    REFUSED = "RETR is answered -ERR"
    CUT = "the connection is cut within it"
    SHORT = "LIST announces far more octets than RETR sends"
    CUT_BEHIND = "LIST announces a few octets more, and the connection is cut behind it"


#: Octets that LIST announces and RETR does not send.
_MISSING = {Ailment.SHORT: 4096, Ailment.CUT_BEHIND: 9}


@dataclass(slots=True, eq=False)
class Mail:
    """A message. It differs from all others, even with the same contents."""

    content: bytes
    uid: str
    ailment: Ailment | None = None
    #: It was removed from the maildrop, and the journal does not have that.
    gone_unknown: bool = False
    gone: bool = False
    deleted_by_us: bool = False

    @property
    def header(self) -> bytes:
        return self.content.partition(b"\r\n\r\n")[0]


@dataclass(slots=True, eq=False)
class Maildrop(ServedMaildrop):
    """One account. `rash`: the server deletes also when the connection is cut, against RFC 1939 §6."""

    faults: Faults = field(default_factory=Faults)
    mails: list[Mail] = field(default_factory=list)
    hidden: set[Mail] = field(default_factory=set)  # not listed for a while
    rash: bool = False
    #: The messages of the last session, and those of them for which DELE was sent and not carried out.
    opened: list[Mail] = field(default_factory=list)
    marked: list[Mail] = field(default_factory=list)
    #: Whether QUIT was answered +OK in the last session.
    quit_confirmed: bool = False
    #: Called with the messages that a session has removed.
    removed: Callable[[Collection[Mail]], None] = field(default=lambda mails: None)
    _headers: dict[str, set[bytes]] = field(default_factory=dict)  # of the messages that have had a UID
    _last: int = 0

    # --- a session of the server --------------------------------------------------------------------------------------

    def open(self) -> tuple[Message, ...]:
        if self.locked:
            raise MaildropInUse
        self.locked, self.quit_confirmed, self.marked = True, False, []
        self.opened = [mail for mail in self.mails if mail not in self.hidden]
        self.messages = [_listed(mail) for mail in self.opened]
        numbers = {each: [n for n, mail in enumerate(self.opened, 1) if mail.ailment is each] for each in Ailment}
        self.faults.refuse = set(numbers[Ailment.REFUSED])
        self.faults.cut = {n: len(self.opened[n - 1].content) // 2 for n in numbers[Ailment.CUT]}
        self.faults.cut.update(dict.fromkeys(numbers[Ailment.CUT_BEHIND], 1_000_000))
        return tuple(self.messages)

    def update(self, deleted: Iterable[Message]) -> None:
        self._remove([self.opened[self.messages.index(message)] for message in deleted])
        self.quit_confirmed = self.faults.quit in (QuitFault.NONE, QuitFault.KEEP)
        self.marked = []

    def close(self) -> None:
        if self.locked and self.rash:
            self._remove(self.marked)
        self.locked = False

    def _remove(self, mails: list[Mail]) -> None:
        self.remove(mails)
        self.removed(mails)

    # --- events ------------------------------------------------------------------------------------------------------

    def arrive(self, content: bytes, naming: Naming, ailment: Ailment | None) -> Mail:
        """A message is delivered into the maildrop."""
        mail = Mail(content, "", ailment)
        mail.uid = self._uid_for(mail, naming)
        self._headers.setdefault(mail.uid, set()).add(mail.header)
        self.mails.append(mail)
        return mail

    def renumber(self) -> None:
        """Give each message another UID, that of its neighbour if it can have it. RFC 1939 §7 forbids all of it."""
        uids = [mail.uid for mail in self.mails]
        for mail, uid in zip(self.mails, uids[1:] + uids[:1], strict=True):
            mail.uid = uid if self._can_have(mail, uid) else self._next()
            self._headers.setdefault(mail.uid, set()).add(mail.header)

    def cure(self) -> None:
        """Repair all messages, so that they can be retrieved."""
        self.hidden.clear()
        for mail in self.mails:
            mail.ailment = None

    def remove(self, mails: Iterable[Mail]) -> None:
        """Remove messages; the client may not know it."""
        for mail in mails:
            self.mails.remove(mail)
            mail.gone = mail.gone_unknown = True

    def _uid_for(self, mail: Mail, naming: Naming) -> str:
        present = [each.uid for each in self.mails]
        match naming:
            case Naming.REUSED:
                candidates = [uid for uid in self._headers if uid not in present]
            case Naming.REPEATED:
                candidates = present
            case _:
                candidates = []
        return next((uid for uid in candidates if self._can_have(mail, uid)), None) or self._next()

    def _can_have(self, mail: Mail, uid: str) -> bool:
        """Whether the UID never belonged to another message with the same header: no client could distinguish those."""
        return mail.uid == uid or mail.header not in self._headers.get(uid, ())

    def _next(self) -> str:
        self._last += 1
        return f"u{self._last}"


def _listed(mail: Mail) -> Message:
    missing = _MISSING.get(mail.ailment, 0) if mail.ailment else 0
    return Message(len(mail.content) + missing, lambda: [mail.content], mail.uid)


def content_of(number: int) -> bytes:
    """A message of some 300 octets; every third has neither Message-ID nor Date."""
    named = b"Message-ID: <%d@example.test>\r\nDate: Mon, 23 Nov 2026 07:27:59 +0000\r\n" % number
    return (named if number % 3 else b"") + b"Subject: %d\r\n\r\n" % number + b"x" * (200 + number % 2) + b"\r\n"
