"""What has happened: the engine says it in these words to transcript, trace, dashboard and control socket.

Facts are in the past tense and carry no secrets. `at` is wall-clock local time for people; due times are seconds on
Clock.boottime(). Sizes are octets. Server text in a fact is as received but already neutralised (text.visible).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Final

from tui_popretr.errors import ExitCode

#: Fewer days before its end a certificate has to be warned of.
CERTIFICATE_DAYS: Final = 14


class Stage(Enum):
    """Where a running session is."""

    CONNECTING = "connecting"
    LOGIN = "login"
    LISTING = "listing"
    RETRIEVING = "retrieving"
    CLOSING = "closing"


class Direction(Enum):
    """Which way a line of dialogue went; EVENT is ours, not on the wire."""

    OPENED = "opened"
    IN = "<<"
    OUT = ">>"
    EVENT = "event"


class Level(Enum):
    """How much a line of the program's own log matters."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class SessionId:
    """One session: client id and its session number, written ID-RUN in the transcript."""

    client: str
    run: int

    def __str__(self) -> str:
        return f"{self.client}-{self.run}"


@dataclass(frozen=True, slots=True)
class TlsDetails:
    """The TLS of a session. `expires` is the end of the server certificate's validity, `fingerprint` its SHA-256.

    `pinned`: it was accepted for its fingerprint, and nothing else in it was checked. `resumed`: it was checked in an
    earlier connection, at most a day ago.
    """

    version: str
    cipher: str
    subject: str
    issuer: str
    names: tuple[str, ...]
    expires: datetime | None
    fingerprint: str = ""
    pinned: bool = False
    resumed: bool = False

    def days_left(self, now: datetime) -> int | None:
        """Return the whole days until the certificate's end, negative behind it; None where that is not known."""
        return None if self.expires is None else (self.expires - now).days

    def expires_soon(self, now: datetime) -> bool:
        """Tell whether people have to be warned of the certificate's end."""
        left = self.days_left(now)
        return left is not None and left < CERTIFICATE_DAYS


@dataclass(frozen=True, slots=True)
class SessionResult:
    """How a session ended. error is "" after a success; advice may say what to do."""

    code: ExitCode
    error: str
    advice: str
    started: datetime
    ended: datetime
    messages: int  # delivered
    octets: int  # of the delivered, as received
    deleted: int  # on the server, known by QUIT's +OK
    skipped: int  # left on the server by a rule (newonly, maxsize)
    failed: int  # left on the server by trouble
    kept: int = 0  # delivered, shorter than listed, and therefore left on the server for good

    @property
    def ok(self) -> bool:
        return self.code is ExitCode.OK


# --- clients --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ClientScheduled:
    """The client waits until `due` (boottime seconds)."""

    client: str
    due: float


@dataclass(frozen=True, slots=True)
class ClientQueued:
    """The client is due and waits for a place under the concurrency limits, or for its maildrop."""

    client: str


@dataclass(frozen=True, slots=True)
class ClientPaused:
    client: str


@dataclass(frozen=True, slots=True)
class ClientFinished:
    """The client has done all its runs."""

    client: str


@dataclass(frozen=True, slots=True)
class ClientInfo:
    """What a client is, for people: no secrets. `settings` are names and values in the configuration's own words."""

    id: str
    server: str  # host:port
    user: str
    security: str  # "TLS", "STLS" or "clear"
    recip: str
    destination: str
    frequency: float  # seconds
    settings: tuple[tuple[str, str], ...]
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class ClientsChanged:
    """The set of clients after start-up or a reload, in the order of the configuration; `infos` has them all."""

    clients: tuple[str, ...]
    infos: tuple[ClientInfo, ...] = ()


@dataclass(frozen=True, slots=True)
class HistoryRead:
    """What the journal remembers of earlier sessions, oldest first, told once after start-up."""

    sessions: tuple[PastSession, ...]
    messages_today: int
    octets_today: int


@dataclass(frozen=True, slots=True)
class PastSession:
    """A session of an earlier process."""

    client: str
    started: datetime
    ended: datetime
    code: ExitCode
    messages: int
    octets: int
    error: str


# --- sessions -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SessionStarted:
    session: SessionId
    at: datetime


@dataclass(frozen=True, slots=True)
class SessionAdvanced:
    session: SessionId
    stage: Stage


@dataclass(frozen=True, slots=True)
class SessionConnected:
    """A connection is up, for implicit TLS with its handshake done. Addresses are `host:port`."""

    session: SessionId
    at: datetime
    local: str
    remote: str
    tls: TlsDetails | None


@dataclass(frozen=True, slots=True)
class TlsStarted:
    """STLS succeeded."""

    session: SessionId
    tls: TlsDetails


@dataclass(frozen=True, slots=True)
class CapabilitiesLearned:
    session: SessionId
    capabilities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LoginSucceeded:
    session: SessionId
    mechanism: str


@dataclass(frozen=True, slots=True)
class MaildropListed:
    """The maildrop's counts, and what of it this session means to do."""

    session: SessionId
    messages: int
    octets: int
    to_retrieve: int
    to_retrieve_octets: int
    to_skip: int
    to_delete: int  # delivered earlier, deletion still owed


@dataclass(frozen=True, slots=True)
class RetrievalProgressed:
    """Now and then while retrieving: so much has been received in this session."""

    session: SessionId
    messages: int
    octets: int


@dataclass(frozen=True, slots=True)
class MessageDelivered:
    """The message is durable at its destination and the journal knows it."""

    session: SessionId
    at: datetime
    number: int
    uid: str | None
    octets: int
    destination: str  # as in the audit line: Mailbox=user1, File=/path, SMTP=[a, b]
    path: str | None
    message_id: str | None
    sender: str | None


@dataclass(frozen=True, slots=True)
class MessageSkipped:
    """The message stays on the server; `trouble` tells a failure from a rule."""

    session: SessionId
    number: int
    uid: str | None
    octets: int
    reason: str
    trouble: bool


@dataclass(frozen=True, slots=True)
class MessagesDeleted:
    """QUIT's +OK came: these many messages are gone from the server."""

    session: SessionId
    count: int


@dataclass(frozen=True, slots=True)
class SessionClosed:
    session: SessionId
    result: SessionResult


@dataclass(slots=True)
class DialogueLine:
    """One line of the transcript. Not frozen: it is made for every command and reply."""

    session: SessionId
    at: datetime
    direction: Direction
    text: str


Said = tuple[Direction, str]


@dataclass(slots=True)
class Dialogue:
    """What was said at one moment of a session, several lines as a rule: by far the most frequent fact."""

    session: SessionId
    at: datetime
    said: Sequence[Said]

    def lines(self) -> list[DialogueLine]:
        """Return it line by line."""
        return [DialogueLine(self.session, self.at, direction, text) for direction, text in self.said]


# --- the program ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Noted:
    """A line of the program's own log (trace)."""

    at: datetime
    level: Level
    client: str | None
    text: str


@dataclass(frozen=True, slots=True)
class ConfigurationReloaded:
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConfigurationRejected:
    """A reload failed; the old configuration stays. One line per problem."""

    problems: tuple[str, ...]


Fact = (
    ClientScheduled
    | ClientQueued
    | ClientPaused
    | ClientFinished
    | ClientsChanged
    | HistoryRead
    | SessionStarted
    | SessionAdvanced
    | SessionConnected
    | TlsStarted
    | CapabilitiesLearned
    | LoginSucceeded
    | MaildropListed
    | RetrievalProgressed
    | MessageDelivered
    | MessageSkipped
    | MessagesDeleted
    | SessionClosed
    | DialogueLine
    | Noted
    | ConfigurationReloaded
    | ConfigurationRejected
)
