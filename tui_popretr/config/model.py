"""The settings as the rest of the program sees them: validated, typed, immutable. Times are seconds, sizes octets."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum

from tui_popretr.hosts import account_key, ascii_host, look_up_name, with_port
from tui_popretr.secret import Secret


class AuthType(Enum):
    """The login methods by their names in <authtypes>."""

    USERPASS = "USERPASS"
    APOP = "APOP"
    SASL_PLAIN = "SASL_PLAIN"
    SASL_CRAM_MD5 = "SASL_CRAM_MD5"
    SASL_EXTERNAL = "SASL_EXTERNAL"
    SASL_SCRAM_SHA_256 = "SASL_SCRAM_SHA_256"
    SASL_SCRAM_SHA_1 = "SASL_SCRAM_SHA_1"
    SASL_LOGIN = "SASL_LOGIN"
    SASL_XOAUTH2 = "SASL_XOAUTH2"
    SASL_OAUTHBEARER = "SASL_OAUTHBEARER"
    AUTO = "AUTO"


class CapaUse(Enum):
    """When CAPA is sent."""

    LOGIN = "N"  # before the login, and again after it if the answer may differ
    STLS = "Y"  # before STLS, too
    NEVER = "never"


class Eol(Enum):
    """Line ends of delivered files: LF, or CRLF as received."""

    NATIVE = "native"
    CRLF = "crlf"


class Rotation(Enum):
    """When a log file is followed by the next (GreyLog's `rot`)."""

    NEVER = "never"
    MINUTE = "minute"
    HOURLY = "hourly"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    YEARLY = "yearly"


@dataclass(frozen=True, slots=True)
class Paths:
    """The %DIR..% folders, absolute, and what stands for the machine and the product in texts."""

    top: str
    config: str
    var: str
    logs: str
    tmp: str
    system_name: str  # %SYSNAME%: the host name
    announce_host: str  # "by HOST" in Received
    product_name: str  # "(PRODNAME)" in Received


@dataclass(frozen=True, slots=True)
class LogSettings:
    """One log file. `path` still holds the time tokens (%DT% %Y% ...); the %DIR..% ones are already replaced."""

    path: str  # or "%stdout%" / "%stderr%"
    rotation: Rotation = Rotation.NEVER
    max_size: int | None = None  # overrides rotation
    buffer: int = 8192
    flush: float = 1.0  # 0: each entry
    level: str = "info"


@dataclass(frozen=True, slots=True)
class Literal:
    """The secret stands in the configuration."""

    secret: Secret


@dataclass(frozen=True, slots=True)
class FromEnvironment:
    """The secret is in an environment variable."""

    name: str


@dataclass(frozen=True, slots=True)
class FromFile:
    """The secret is the first line of a file, read at each session."""

    path: str  # absolute


@dataclass(frozen=True, slots=True)
class FromCommand:
    """The secret is the first line a command prints, run at each session, no shell."""

    argv: tuple[str, ...] = field(repr=False)  # it may hold something private
    timeout: float = 60.0


#: Seconds that a TLS handshake may take by default.
LONGEST_HANDSHAKE = 120.0

PasswordSource = Literal | FromEnvironment | FromFile | FromCommand


@dataclass(frozen=True, slots=True)
class TlsPolicy:
    """How TLS is verified. Equal policies share one SSL context."""

    latent: bool = False  # True: STLS after the greeting
    trust_path: str | None = None  # None: the system's
    trust_password: Secret | None = None
    peer_name: str | None = None  # None: the host; "-": not checked
    certificate: str | None = None  # entry's name in a PKCS#12 store
    key_store: str | None = None  # PEM with certificate and key, or PKCS#12
    key_store_password: Secret | None = None
    certificate_password: Secret | None = None
    minimum_version: str = "TLSv1.2"  # TLSv1 TLSv1.1 TLSv1.2 TLSv1.3
    legacy: bool = False  # accept what is outdated: short keys, SHA-1, no RFC 5746
    handshake_timeout: float | None = None  # None: see patience()
    fingerprints: tuple[str, ...] = ()  # SHA-256, 64 lower-case hex digits each

    def patience(self, timeout: float) -> float:
        """Return the seconds that a handshake may take; `timeout` is the session's timeout for the server."""
        return min(timeout, LONGEST_HANDSHAKE) if self.handshake_timeout is None else self.handshake_timeout


def _in_both_forms(host: str, written: str) -> tuple[str, str]:
    """Return a host in ASCII and as written. `written` is ignored if it is empty or another host."""
    name = ascii_host(host)
    return name, written if written and ascii_host(written) == name else host


@dataclass(frozen=True, slots=True)
class Server:
    """The POP3 server of a client. `host` may be given as written: the ASCII form is derived from it."""

    host: str  # in ASCII, without a trailing dot; an IPv6 address without brackets
    port: int
    username: str | None
    password: PasswordSource | None
    auth_types: tuple[AuthType, ...]  # in order; those unusable (no username, no TLS for EXTERNAL) already left out
    initial_response: bool
    tls: TlsPolicy | None
    written: str = ""  # the host as in the configuration, for people

    def __post_init__(self) -> None:
        host, written = _in_both_forms(self.host, self.written)
        object.__setattr__(self, "host", host)
        object.__setattr__(self, "written", written)

    @property
    def address(self) -> str:
        """host:port for people, the host as written, with brackets round an IPv6 address."""
        return with_port(self.written, self.port)

    @property
    def look_up_name(self) -> str:
        """The name for the DNS look-up: the host, with a trailing dot if one was written."""
        return look_up_name(self.host, self.written)

    @property
    def account_key(self) -> tuple[str, int, str]:
        """The key of the account, for comparison."""
        return account_key(self.host, self.port, self.account)

    @property
    def account(self) -> str:
        """Whose maildrop it is: the username, else the client certificate as KSPATH#ENTRY, else nothing.

        The journal keeps it: in another form, every message of the account would be new.
        """
        if self.username or self.tls is None or self.tls.key_store is None:
            return self.username or ""
        return f"{self.tls.key_store}#{self.tls.certificate or ''}"


@dataclass(frozen=True, slots=True)
class Modes:
    """Permissions of new files and folders of delivered mail."""

    file: int = 0o600
    folder: int = 0o700


@dataclass(frozen=True, slots=True)
class MaildirDestination:
    """Deliver into a Maildir: RECIP's in the message store, or any other."""

    path: str  # the Maildir itself, absolute, %U% replaced
    mailbox: str | None = None  # RECIP where it is the message store's; None: a <maildir> of the client's own
    eol: Eol = Eol.NATIVE
    owner: str | None = None  # virtualusers N: files are given to this system user
    modes: Modes = Modes()


@dataclass(frozen=True, slots=True)
class FolderDestination:
    """Deliver as one file a message."""

    path: str  # absolute, %U% replaced
    eol: Eol = Eol.CRLF
    owner: str | None = None
    modes: Modes = Modes()


@dataclass(frozen=True, slots=True)
class SmtpDestination:
    """Hand the message to an SMTP or LMTP server."""

    sender: str
    recipients: tuple[str, ...]  # aliases expanded
    host: str = "localhost"
    port: int = 25
    socket_path: str | None = None  # LMTP over a Unix socket
    lmtp: bool = False
    starttls: bool = False
    username: str | None = None
    password: PasswordSource | None = None
    timeout: float = 600.0  # seconds for the answer to the end of a message (RFC 5321 §4.5.3.2.6); others get less
    drop_delivered: bool = False  # remove Delivered-To fields from the header
    rejected: str | None = None  # folder for messages that are refused for good, absolute; None: they stay
    written: str = ""  # the host as in the configuration, for people

    def __post_init__(self) -> None:
        host, written = _in_both_forms(self.host, self.written)
        object.__setattr__(self, "host", host)
        object.__setattr__(self, "written", written)

    @property
    def implicit_tls(self) -> bool:
        """Whether TLS begins with the first byte: that is what port 465 is for (RFC 8314 §3.3)."""
        return self.port == 465 and self.socket_path is None and not self.lmtp

    @property
    def address(self) -> str:
        """The socket's path, or host:port for people."""
        return self.socket_path or with_port(self.written, self.port)

    @property
    def look_up_name(self) -> str:
        """The name for the DNS look-up: the host, with a trailing dot if one was written."""
        return look_up_name(self.host, self.written)


@dataclass(frozen=True, slots=True)
class CommandDestination:
    """Hand the message to a command on its standard input."""

    argv: tuple[str, ...]
    timeout: float = 300.0
    eol: Eol = Eol.NATIVE


Destination = MaildirDestination | FolderDestination | SmtpDestination | CommandDestination


@dataclass(frozen=True, slots=True)
class Retention:
    """Which messages are retrieved, and how long they stay on the server. Sizes are octets, times seconds."""

    preserve: bool = False
    new_only: bool = False
    delete_after: float | None = None  # from the retrieval; only with preserve
    max_size: int | None = None  # larger messages are not retrieved
    max_messages: int | None = None  # in one session


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """One client: an account to poll and where its mail goes."""

    id: str
    recip: str
    server: Server
    destination: Destination
    frequency: float = 300.0  # seconds from the end of a session to the next start; 0: in succession
    runs: int = 0  # 0: no limit
    retention: Retention = Retention()
    capa: CapaUse = CapaUse.LOGIN
    pipelining: bool = True  # several commands at once where the server offers PIPELINING
    omit_received: bool = False
    full_transcript: bool = False


@dataclass(frozen=True, slots=True)
class Concurrency:
    """How many sessions may run at once."""

    total: int = 64
    per_server: int = 8


@dataclass(frozen=True, slots=True)
class Settings:
    """A whole configuration."""

    path: str  # the file, absolute, real path
    paths: Paths
    clients: tuple[ClientSettings, ...]  # the enabled ones
    disabled: tuple[str, ...] = ()  # ids of clients with enabled="N"
    timeout: float = 240.0
    delay_start: float = 60.0
    concurrency: Concurrency = Concurrency()
    journal: str = ""  # absolute
    control_socket: str = ""  # absolute
    audit: LogSettings | None = None
    transcript: LogSettings | None = None
    trace: LogSettings | None = None

    @property
    def password_variables(self) -> frozenset[str]:
        """The environment variables that passwords come from."""
        sources = [client.server.password for client in self.clients]
        sources += [each.destination.password for each in self.clients if isinstance(each.destination, SmtpDestination)]
        return frozenset(source.name for source in sources if isinstance(source, FromEnvironment))

    def at_once(self) -> Settings:
        """Return these settings for a single run: every client one time, without waiting (--once)."""
        clients = tuple(replace(client, frequency=0.0, runs=1) for client in self.clients)
        return replace(self, delay_start=0.0, clients=clients)
