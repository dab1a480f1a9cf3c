"""The accounts of the demo. Each shows one thing, and knows how its first session has to end."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

from tui_popretr.demo.mails import huge_mail, mail
from tui_popretr.errors import ExitCode
from tui_popretr.facts import SessionResult
from tui_popretr.popserver import Message, ServedMaildrop
from tui_popretr.wording import plural

HUGE_OCTETS = 60_000_000
#: How long accounts with a limited rate take to send their mail, seconds.
SLOW_SECONDS = {"slow": 2.2}
#: The same while a user watches.
WATCHED_SECONDS = {"busy": 5.0, "slow": 25.0, "huge": 20.0}
_BETWEEN_MAILS = timedelta(hours=3, minutes=20)


class Security(Enum):
    """How the connection is protected."""

    CLEAR = "without TLS"
    STLS = "TLS after STLS"
    TLS = "TLS from the first byte"


@dataclass(frozen=True, slots=True)
class Arrivals:
    """How new mail arrives: with pauses between `shortest` and `longest`, seconds, and at most `limit` mails.

    The limit keeps a demo that runs for hours from filling the disk.
    """

    shortest: float
    longest: float
    limit: int = 5_000


@dataclass(slots=True, eq=False)
class DemoAccount:
    """One account: its part of the configuration, its maildrop, and how its first session has to end."""

    id: str
    owner: str  # username and recip
    about: str  # what it shows, in ASCII without `--`, since it becomes an XML comment
    expected: int  # messages that have to be delivered
    frequency: str
    arrivals: Arrivals | None = None  # while a user watches
    remaining: int = 0  # messages that have to stay on the server
    exit_code: ExitCode = ExitCode.OK
    security: Security = Security.CLEAR
    auth_types: str = "USERPASS"
    downloads: bool = False  # delivers into a folder, not into a Maildir
    wrong_password: str = ""
    unreadable: tuple[int, ...] = ()  # numbers of messages that the server refuses to send
    huge: bool = False  # all its messages are huge
    maildrop: ServedMaildrop = field(init=False)

    def __post_init__(self) -> None:
        self.maildrop = ServedMaildrop(self.owner, f"{self.owner}-in-wonderland", uid_prefix=f"{self.owner}-")

    @property
    def password(self) -> str:
        """The password in the configuration."""
        return self.wrong_password or self.maildrop.password

    @property
    def octets(self) -> int:
        """The size of the messages on the server."""
        return sum(message.size for message in self.maildrop.messages)

    def new_mail(self, number: int, date: datetime) -> bytes | Message:
        """Return the account's mail with this number, from 1 on; `date` is aware."""
        return huge_mail(self.owner, HUGE_OCTETS, date) if self.huge else mail(self.owner, number, date)

    def deviation(self, result: SessionResult | None) -> str:
        """Return how the end of the first session differs from the expected one; "" if it does not."""
        if result is None:
            return "its session did not end"
        if result.code is not self.exit_code:
            wanted = "succeed" if self.exit_code is ExitCode.OK else f"fail with code {self.exit_code:d}"
            return f"it had to {wanted}, but: {result.error or 'it succeeded'}"
        if result.messages != self.expected:
            return f"{plural(result.messages, 'message')} arrived, not {self.expected}"
        left = len(self.maildrop.messages)
        return "" if left == self.remaining else f"{plural(left, 'message')} left on the server, not {self.remaining}"


def make_accounts(newest: datetime, *, watched: bool = False) -> tuple[DemoAccount, ...]:
    """Return the accounts with their mail, which depends only on the arguments and is not later than `newest` (aware).

    If the demo is `watched`, transfers take long enough to be seen.
    """
    accounts = (
        DemoAccount(
            "busy", "alice", "A busy mailbox: many messages in one session.", 120, "10s", Arrivals(1, 2, 20_000)
        ),
        DemoAccount(
            "tls",
            "bella",
            "TLS from the first byte; the server's certificate is verified.",
            12,
            "20s",
            Arrivals(5, 20),
            security=Security.TLS,
            auth_types="SASL_PLAIN",
        ),
        DemoAccount(
            "stls",
            "carol",
            "TLS after STLS, a login that never sends the password, delivery into a folder.",
            9,
            "30s",
            Arrivals(10, 40),
            security=Security.STLS,
            auth_types="SASL_CRAM_MD5 | APOP",
            downloads=True,
        ),
        DemoAccount("slow", "dan", "A slow line: the other accounts do not wait for it.", 6, "15s", Arrivals(3, 9)),
        DemoAccount(
            "wrongpass",
            "erin",
            "A wrong password, on purpose: the login fails, and each retry waits longer.",
            0,
            "10s",
            remaining=4,
            exit_code=ExitCode.LOGIN,
            wrong_password="open sesame",  # noqa: S106
        ),
        DemoAccount(
            "huge",
            "frank",
            "One huge message: streamed, never held in memory.",
            1,
            "30s",
            Arrivals(90, 120, 3),
            huge=True,
        ),
        DemoAccount(
            "refusing",
            "grace",
            "The server refuses to send one message; the others arrive.",
            7,
            "1m",
            Arrivals(20, 60),
            remaining=1,
            exit_code=ExitCode.TEMPORARY,
            unreadable=(4,),
        ),
    )
    seconds = {**SLOW_SECONDS, **(WATCHED_SECONDS if watched else {})}
    for account in accounts:
        maildrop, count = account.maildrop, account.expected + account.remaining
        for number in range(1, count + 1):
            message = maildrop.add(account.new_mail(number, newest - (count - number) * _BETWEEN_MAILS))
            if number in account.unreadable:
                maildrop.unreadable.add(message.uid)
        if account.id in seconds:
            maildrop.rate = account.octets / seconds[account.id]
    return accounts
