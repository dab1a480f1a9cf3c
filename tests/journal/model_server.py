"""A POP3 server as the journal sees it: messages, their UIDs in all their unreliability, and what becomes of a QUIT."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from tui_popretr.pop3 import parse_list, parse_uidl
from tui_popretr.session.plan import Listed


class Farewell(Enum):
    """How the server takes QUIT."""

    OK = "+OK"
    REFUSED = "-ERR, and nothing is deleted"
    KEPT = "+OK, and nothing is deleted"
    CUT_BEFORE = "the connection is cut, and nothing is deleted"
    CUT_AFTER = "the connection is cut, and the messages are deleted"


class Naming(Enum):
    """Where the UID of a message that arrives comes from."""

    NEXT = "it is a new one"
    REUSED = "it is the first that is free, also where it was another message's before"
    REPEATED = "it is that of another message that is there"


class Ailment(Enum):
    """What is wrong with a message."""

    REFUSED = "RETR is answered -ERR"
    CUT = "the connection is cut within it"


@dataclass(slots=True, eq=False)
class Mail:
    """A message. No two are the same, whatever they hold."""

    content: bytes
    uid: str
    ailment: Ailment | None = None
    #: It has left the maildrop, and nobody has told the journal so.
    gone_unknown: bool = False
    gone: bool = False
    deleted_by_us: bool = False

    @property
    def header(self) -> bytes:
        return self.content.partition(b"\r\n\r\n")[0]


@dataclass(slots=True, eq=False)
class Maildrop:
    """One account. `uidl`, `top`: whether the server has these commands."""

    mails: list[Mail] = field(default_factory=list)
    hidden: set[Mail] = field(default_factory=set)  # not listed for a while
    uidl: bool = True
    top: bool = True
    _headers: dict[str, set[bytes]] = field(default_factory=dict)  # of the messages that have had a UID
    _last: int = 0

    @property
    def listed(self) -> list[Mail]:
        return [mail for mail in self.mails if mail not in self.hidden]

    def arrive(self, content: bytes, naming: Naming, ailment: Ailment | None) -> Mail:
        """A message is delivered into the maildrop."""
        mail = Mail(content, "", ailment)
        mail.uid = self._uid_for(mail, naming)
        self._headers.setdefault(mail.uid, set()).add(mail.header)
        self.mails.append(mail)
        return mail

    def renumber(self) -> None:
        """Give each message another UID: that of its neighbour where it can have it (RFC 1939 §7 forbids it all)."""
        uids = [mail.uid for mail in self.mails]
        for mail, uid in zip(self.mails, uids[1:] + uids[:1], strict=True):
            mail.uid = uid if self._can_have(mail, uid) else self._next()
            self._headers.setdefault(mail.uid, set()).add(mail.header)

    def listing(self) -> list[Listed]:
        """What the client makes of STAT, UIDL and LIST."""
        mails = self.listed
        count = len(mails)
        uidl = b"".join(b"%d %s\r\n" % (number, mail.uid.encode()) for number, mail in enumerate(mails, 1))
        sizes = b"".join(b"%d %d\r\n" % (number, len(mail.content)) for number, mail in enumerate(mails, 1))
        uids = parse_uidl(uidl, count) if self.uidl else {}
        return [Listed(number, uids.get(number), octets) for number, octets in parse_list(sizes, count).items()]

    def cure(self) -> None:
        """All can be retrieved again."""
        self.hidden.clear()
        for mail in self.mails:
            mail.ailment = None

    def remove(self, mails: Iterable[Mail]) -> None:
        """They are gone; whether the client knows is another matter."""
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
        """Nobody could tell it from a message of the same header that had the UID before."""
        return mail.uid == uid or mail.header not in self._headers.get(uid, ())

    def _next(self) -> str:
        self._last += 1
        return f"u{self._last}"


def content_of(number: int) -> bytes:
    """A message of some 300 octets; every third has neither Message-ID nor Date."""
    named = b"Message-ID: <%d@example.test>\r\nDate: Mon, 23 Nov 2026 07:27:59 +0000\r\n" % number
    return (named if number % 3 else b"") + b"Subject: %d\r\n\r\n" % number + b"x" * (200 + number % 2) + b"\r\n"
