"""The accounts of the demo: each shows one thing, and says beforehand how its first session has to end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from tui_popretr.demo.mails import correspondence, huge_mail
from tui_popretr.errors import ExitCode
from tui_popretr.facts import SessionResult
from tui_popretr.popserver import Faults, Maildrop, Message

BUSY_MESSAGES = 120
HUGE_OCTETS = 60_000_000
#: How long the slow account takes to send its mail, seconds.
SLOW_SECONDS = 2.2
_WRONG_ON_PURPOSE = "sesame?"


class Security(Enum):
    """How the connection is protected."""

    CLEAR = "in clear"
    STLS = "TLS by STLS"
    TLS = "TLS from the first byte"


@dataclass(frozen=True, slots=True, eq=False)
class Account:
    """One account: what the configuration says of it, the server's side of it, and how retrieving once has to end."""

    id: str
    about: str  # what it shows, in ASCII without `--`: it stands in an XML comment
    maildrop: Maildrop
    password: str  # as configured
    frequency: str  # as configured, for whoever lets the demo run on
    arrives: int  # messages
    stays: int = 0  # messages left on the server
    ends: ExitCode = ExitCode.OK
    security: Security = Security.CLEAR
    auth_types: str = "USERPASS"
    downloads: bool = False  # into a folder; else into a Maildir

    @property
    def owner(self) -> str:
        """The name that is username and recip."""
        return self.maildrop.name

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


def make_accounts(newest: datetime) -> tuple[Account, ...]:
    """Return the accounts with their mail, none of it later than `newest` (aware); the same for the same time."""
    busy = _maildrop("alice", BUSY_MESSAGES, newest)
    slow = _maildrop("dan", 6, newest)
    slow.faults = Faults(rate=sum(message.size for message in slow.messages) / SLOW_SECONDS)
    huge = _maildrop("frank", 0, newest)
    huge.add(huge_mail("frank", HUGE_OCTETS, newest))
    refusing = _maildrop("grace", 8, newest)
    refusing.faults = Faults(refuse={refusing.messages[3].uid})
    return (
        _account("busy", "A busy mailbox: many messages, retrieved in one go (PIPELINING).", busy, "10s"),
        _account(
            "tls",
            "TLS from the first byte; the server's certificate is checked against tspath.",
            _maildrop("bella", 12, newest),
            "30s",
            security=Security.TLS,
            auth_types="SASL_PLAIN",
        ),
        _account(
            "stls",
            "TLS after the greeting (STLS), a login that never shows the password, a folder.",
            _maildrop("carol", 9, newest),
            "45s",
            security=Security.STLS,
            auth_types="SASL_CRAM_MD5 | APOP",
            downloads=True,
        ),
        _account("slow", "A slow line: the others do not wait for it.", slow, "30s"),
        _account(
            "wrongpass",
            "The password is wrong, on purpose: it fails, and the others are not disturbed.",
            _maildrop("erin", 4, newest),
            "1m",
            password=_WRONG_ON_PURPOSE,
            arrives=0,
            stays=4,
            ends=ExitCode.LOGIN,
        ),
        _account("huge", "One huge message: streamed to the disk, never held in memory.", huge, "1m"),
        _account(
            "refusing",
            "The server refuses to send one message; the rest arrives all the same.",
            refusing,
            "1m",
            arrives=7,
            stays=1,
            ends=ExitCode.TEMPORARY,
        ),
    )


def _maildrop(owner: str, count: int, newest: datetime) -> Maildrop:
    letters = [Message.of(letter) for letter in correspondence(owner, count, newest)]
    maildrop = Maildrop(owner, f"{owner}-in-wonderland", uid_prefix=f"{owner}-")
    for letter in letters:
        maildrop.add(letter)
    return maildrop


def _account(
    account_id: str,
    about: str,
    maildrop: Maildrop,
    frequency: str,
    *,
    password: str | None = None,
    arrives: int | None = None,
    stays: int = 0,
    ends: ExitCode = ExitCode.OK,
    security: Security = Security.CLEAR,
    auth_types: str = "USERPASS",
    downloads: bool = False,
) -> Account:
    """An account where, unless told otherwise, the password is right and everything arrives."""
    return Account(
        id=account_id,
        about=about,
        maildrop=maildrop,
        password=password or maildrop.password or "",
        frequency=frequency,
        arrives=len(maildrop.messages) if arrives is None else arrives,
        stays=stays,
        ends=ends,
        security=security,
        auth_types=auth_types,
        downloads=downloads,
    )
