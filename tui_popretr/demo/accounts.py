"""The accounts of the demo: each shows one thing, and says beforehand how its first session has to end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from tui_popretr.demo.mails import correspondence, huge_mail, mail
from tui_popretr.errors import ExitCode
from tui_popretr.facts import SessionResult
from tui_popretr.popserver import Message, ServedMaildrop

BUSY_MESSAGES = 120
HUGE_OCTETS = 60_000_000
#: How long the slow account takes to send its mail, seconds.
SLOW_SECONDS = 2.2
#: The same where somebody watches, and how long the busy and the huge one take then.
WATCHED_SECONDS = {"busy": 5.0, "slow": 25.0, "huge": 20.0}


class Security(Enum):
    """How the connection is protected."""

    CLEAR = "in clear"
    STLS = "TLS by STLS"
    TLS = "TLS from the first byte"


@dataclass(frozen=True, slots=True)
class Arrivals:
    """How mail keeps arriving: with pauses between `shortest` and `longest`, seconds, and `most` mails at the most.

    Hours of a demo that somebody has forgotten must not fill the disk: that is what `most` is for.
    """

    shortest: float
    longest: float
    most: int = 5_000


@dataclass(frozen=True, slots=True, eq=False)
class DemoAccount:
    """One account: what the configuration says of it, the server's side of it, and how retrieving once has to end."""

    id: str
    about: str  # what it shows, in ASCII without `--`: it stands in an XML comment
    maildrop: ServedMaildrop
    frequency: str  # as configured, for whoever lets the demo run on
    arrives: int  # messages
    arrivals: Arrivals | None = None  # while somebody watches
    stays: int = 0  # messages left on the server
    ends: ExitCode = ExitCode.OK
    security: Security = Security.CLEAR
    auth_types: str = "USERPASS"
    downloads: bool = False  # into a folder; else into a Maildir
    wrong_password: str | None = None
    huge: bool = False  # is each of its messages

    @property
    def owner(self) -> str:
        """The name that is username and recip."""
        return self.maildrop.name

    def next_mail(self, number: int, date: datetime) -> bytes | Message:
        """Return the mail of this number, counted from the account's first, that arrives at `date` (aware)."""
        if self.huge:
            return huge_mail(self.owner, HUGE_OCTETS, date)
        return mail(self.owner, number, date)

    @property
    def password(self) -> str:
        """The password as configured."""
        return self.wrong_password or self.maildrop.password or ""

    def deviation(self, result: SessionResult | None) -> str:
        """Return in words how the end of the first session differs from the script, "" where it does not."""
        if result is None:
            return "its session did not end"
        if result.code is not self.ends:
            wanted = "succeed" if self.ends is ExitCode.OK else f"fail with code {self.ends:d}"
            return f"it had to {wanted}, but: {result.error or 'it succeeded'}"
        if result.messages != self.arrives:
            return f"{result.messages} messages arrived, not {self.arrives}"
        if result.deleted != self.arrives or len(self.maildrop.messages) != self.stays:
            return f"{len(self.maildrop.messages)} messages are left on the server, not {self.stays}"
        return ""


def make_accounts(newest: datetime, *, watched: bool = False) -> tuple[DemoAccount, ...]:
    """Return the accounts with their mail, none of it later than `newest` (aware); the same for the same time.

    Where they are `watched`, what goes on takes long enough to be seen.
    """
    slow = _maildrop("dan", 6, newest)
    slow.rate = _octets(slow) / SLOW_SECONDS
    huge = _maildrop("frank", 0, newest)
    huge.add(huge_mail("frank", HUGE_OCTETS, newest))
    refusing = _maildrop("grace", 8, newest)
    refusing.unreadable.add(refusing.messages[3].uid)
    accounts = (
        DemoAccount(
            "busy",
            "A busy mailbox: many messages, retrieved in one go.",
            _maildrop("alice", BUSY_MESSAGES, newest),
            frequency="10s",
            arrives=BUSY_MESSAGES,
            arrivals=Arrivals(1, 2, most=20_000),
        ),
        DemoAccount(
            "tls",
            "TLS from the first byte; the server's certificate is checked.",
            _maildrop("bella", 12, newest),
            frequency="20s",
            arrives=12,
            arrivals=Arrivals(5, 20),
            security=Security.TLS,
            auth_types="SASL_PLAIN",
        ),
        DemoAccount(
            "stls",
            "TLS after the greeting, a login that never sends the password, into a folder.",
            _maildrop("carol", 9, newest),
            frequency="30s",
            arrives=9,
            arrivals=Arrivals(10, 40),
            security=Security.STLS,
            auth_types="SASL_CRAM_MD5 | APOP",
            downloads=True,
        ),
        DemoAccount(
            "slow",
            "A slow line: the others do not wait for it.",
            slow,
            frequency="15s",
            arrives=6,
            arrivals=Arrivals(3, 9),
        ),
        DemoAccount(
            "wrongpass",
            "A wrong password, on purpose: it fails, waits longer each time, and disturbs nobody else.",
            _maildrop("erin", 4, newest),
            frequency="10s",
            wrong_password="open sesame",  # noqa: S106 - nobody's
            arrives=0,
            stays=4,
            ends=ExitCode.LOGIN,
        ),
        DemoAccount(
            "huge",
            "One huge message: streamed, never held in memory.",
            huge,
            frequency="30s",
            arrives=1,
            arrivals=Arrivals(90, 120, most=3),
            huge=True,
        ),
        DemoAccount(
            "refusing",
            "The server refuses to send one message; the others arrive all the same.",
            refusing,
            frequency="1m",
            arrives=7,
            arrivals=Arrivals(20, 60),
            stays=1,
            ends=ExitCode.TEMPORARY,
        ),
    )
    if watched:
        for account in accounts:
            if (seconds := WATCHED_SECONDS.get(account.id)) is not None:
                account.maildrop.rate = _octets(account.maildrop) / seconds
    return accounts


def _octets(maildrop: ServedMaildrop) -> int:
    return sum(message.size for message in maildrop.messages)


def _maildrop(owner: str, count: int, newest: datetime) -> ServedMaildrop:
    maildrop = ServedMaildrop(owner, f"{owner}-in-wonderland", uid_prefix=f"{owner}-")
    for letter in correspondence(owner, count, newest):
        maildrop.add(letter)
    return maildrop
