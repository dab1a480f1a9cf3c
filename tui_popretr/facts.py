"""Facts: what has happened. The engine publishes them for the logs and the dashboard. The control socket will, too.

Names are in the past tense. Facts contain no secrets. `at` is local wall-clock time for people; due times are seconds
on Clock.boottime(). Sizes are octets. Server text is escaped (text.visible).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Final, NamedTuple

from tui_popretr.errors import ExitCode

#: A certificate that expires in fewer days than this needs a warning.
CERTIFICATE_DAYS: Final = 14


class Stage(Enum):
    """Where a running session is."""

    CONNECTING = "connecting"
    LOGIN = "login"
    LISTING = "listing"
    RETRIEVING = "retrieving"
    CLOSING = "closing"


class Direction(Enum):
    """The direction of a line of dialogue; EVENT is a remark of the program, not on the wire."""

    OPENED = "opened"
    IN = "<<"
    OUT = ">>"
    EVENT = "event"


class Level(Enum):
    """The level of a line in the trace log."""

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
    """The TLS of a session, and the server's certificate: `expires` ends its validity, `fingerprint` is its SHA-256.

    `pinned`: the certificate was accepted by its fingerprint, and nothing else was checked.
    """

    version: str
    cipher: str
    subject: str
    issuer: str
    names: tuple[str, ...]
    expires: datetime | None
    fingerprint: str = ""
    pinned: bool = False

    def expires_soon(self, now: datetime) -> bool:
        """Return whether the certificate expires in less than CERTIFICATE_DAYS, or has expired."""
        return self.expires is not None and self.expires - now < timedelta(days=CERTIFICATE_DAYS)


@dataclass(frozen=True, slots=True)
class TokenDetails:
    """An access token, without the token: the provider's name, whose it is, until when it is valid, what it allows.

    `expires` is None if the provider does not say.
    """

    provider: str
    account: str
    expires: datetime | None
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SessionResult:
    """The result of a session. `error` is "" after success; `advice` may say what to do."""

    code: ExitCode
    error: str
    advice: str
    started: datetime
    ended: datetime
    messages: int  # delivered
    octets: int  # of the delivered, as received
    deleted: int  # from the server, confirmed by QUIT's +OK
    skipped: int  # left on the server by a rule (newonly, maxsize)
    failed: int  # left on the server by an error
    kept: int = 0  # delivered, but cut short, and therefore never deleted

    @property
    def ok(self) -> bool:
        return self.code is ExitCode.OK

    @property
    def stopped(self) -> bool:
        """Whether the user or a shutdown stopped the session: it neither failed nor succeeded."""
        return self.ok and self.error != ""


# --- clients --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ClientScheduled:
    """The client waits until `due` (boottime seconds)."""

    client: str
    due: float


@dataclass(frozen=True, slots=True)
class ClientQueued:
    """The client is due and waits for a slot under the concurrency limits, or for its maildrop."""

    client: str


@dataclass(frozen=True, slots=True)
class ClientPaused:
    client: str


@dataclass(frozen=True, slots=True)
class ClientFinished:
    """The client has completed its runs."""

    client: str


@dataclass(frozen=True, slots=True)
class ClientInfo:
    """A client's settings for people, without secrets. `settings` are names and values as in the configuration."""

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
    """The clients after start-up or a reload, in the order of the configuration; `infos` includes disabled ones."""

    clients: tuple[str, ...]
    infos: tuple[ClientInfo, ...] = ()


@dataclass(frozen=True, slots=True)
class HistoryRead:
    """The earlier sessions in the journal, oldest first; published once after start-up."""

    sessions: tuple[PastSession, ...]
    messages_today: int
    octets_today: int


@dataclass(frozen=True, slots=True)
class DeliveriesRead:
    """Deliveries of earlier processes, oldest first: in several facts after start-up, the latest first."""

    deliveries: tuple[MessageDelivered, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """A client's history over all processes. `kept`: messages that arrived cut short and stay on the server.

    `since`: when the program ran this client for the first time, as far as the journal knows.
    """

    client: str
    failures_in_a_row: int = 0
    last_success: datetime | None = None
    last_message: datetime | None = None
    kept: int = 0
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class StandingsRead:
    """The standings in the journal: after start-up, before the first session; and of clients that a reload adds."""

    standings: tuple[Standing, ...]


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
    """A connection is open, with implicit TLS after the handshake. Addresses are `host:port`."""

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
    """The server answered CAPA: before the login, and again after STLS or the login. The last one counts."""

    session: SessionId
    capabilities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LoginSucceeded:
    """The server accepted the login; `mechanism` is the method that succeeded."""

    session: SessionId
    mechanism: str


@dataclass(frozen=True, slots=True)
class TokenUsed:
    """The login was by an access token."""

    session: SessionId
    token: TokenDetails


@dataclass(frozen=True, slots=True)
class MaildropListed:
    """The maildrop's counts, and the session's plan."""

    session: SessionId
    messages: int
    octets: int
    to_retrieve: int
    to_retrieve_octets: int
    to_skip: int
    to_delete: int  # delivered earlier, deletion pending
    kept: int = 0  # delivered earlier, but cut short


@dataclass(frozen=True, slots=True)
class RetrievalProgressed:
    """What the session has received so far; published at intervals while retrieving."""

    session: SessionId
    messages: int
    octets: int


@dataclass(frozen=True, slots=True)
class MessageDelivered:
    """The message is durable at its destination, and recorded in the journal.

    `sender` is the address of From, else of Sender; `name` the name with it; both and `subject` are decoded.
    """

    session: SessionId
    at: datetime
    number: int
    uid: str | None
    octets: int
    destination: str  # as in the audit line: Mailbox=user1, File=/path, SMTP=[a, b]
    path: str | None
    message_id: str | None
    sender: str | None
    name: str | None = None
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class MessageSkipped:
    """The message stays on the server: after a failure, or by a rule such as maxsize."""

    session: SessionId
    number: int
    uid: str | None
    octets: int
    reason: str
    failure: bool


@dataclass(frozen=True, slots=True)
class MessagesDeleted:
    """The server has deleted `count` messages, confirmed by QUIT's +OK."""

    session: SessionId
    count: int


@dataclass(frozen=True, slots=True)
class SessionClosed:
    session: SessionId
    result: SessionResult


#: The text of the EVENT with which the dialogue of a connection ends.
DISCONNECTED: Final = "Disconnect"


@dataclass(slots=True)
class DialogueLine:
    """One line of the transcript. Not frozen, for speed: one is made for each command and reply.

    `exchange`: the number in its connection, from 1, of the command that the line is or belongs to. The connection
    itself is exchange 0, and the greeting its reply. None for lines without a command, and for a dialogue by SMTP.
    `milliseconds`: of a status line, the time since the command was sent. `octets`: of the line that ends multi-line
    data, their octets.
    """

    session: SessionId
    at: datetime
    direction: Direction
    text: str
    exchange: int | None = None
    milliseconds: float | None = None
    octets: int | None = None


Said = tuple[Direction, str]


class Part(NamedTuple):
    """The last three fields of a DialogueLine."""

    exchange: int | None = None
    milliseconds: float | None = None
    octets: int | None = None


@dataclass(slots=True)
class Dialogue:
    """The lines that a session sent or received at one moment. By far the most frequent fact.

    `parts` is empty, or has one for each line.
    """

    session: SessionId
    at: datetime
    said: Sequence[Said]
    parts: Sequence[Part] = ()

    def lines(self) -> list[DialogueLine]:
        """Return the lines."""
        session, at = self.session, self.at
        if not self.parts:
            return [DialogueLine(session, at, direction, text) for direction, text in self.said]
        return [
            DialogueLine(session, at, direction, text, *part)
            for (direction, text), part in zip(self.said, self.parts, strict=True)
        ]


# --- the program ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Noted:
    """A line of the trace log."""

    at: datetime
    level: Level
    client: str | None
    text: str


@dataclass(frozen=True, slots=True)
class ReloadStarted:
    """The configuration is read again; ConfigurationReloaded or ConfigurationRejected follows."""


@dataclass(frozen=True, slots=True)
class ConfigurationReloaded:
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConfigurationRejected:
    """A reload failed; the old configuration stays in use. One text per problem."""

    problems: tuple[str, ...]


ClientFact = ClientScheduled | ClientQueued | ClientPaused | ClientFinished
SessionFact = (
    SessionStarted
    | SessionAdvanced
    | SessionConnected
    | TlsStarted
    | CapabilitiesLearned
    | LoginSucceeded
    | TokenUsed
    | MaildropListed
    | RetrievalProgressed
    | MessageDelivered
    | MessageSkipped
    | MessagesDeleted
    | SessionClosed
    | DialogueLine
)
ProgramFact = (
    ClientsChanged
    | StandingsRead
    | HistoryRead
    | DeliveriesRead
    | Noted
    | ReloadStarted
    | ConfigurationReloaded
    | ConfigurationRejected
)
Fact = ClientFact | SessionFact | ProgramFact


def client_of(fact: Fact) -> str | None:
    """Return the id of the client that a fact is about; None for a ProgramFact."""
    if isinstance(fact, ClientFact):
        return fact.client
    return fact.session.client if isinstance(fact, SessionFact) else None
