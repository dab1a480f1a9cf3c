"""The settings as the rest of the program sees them: validated, typed, immutable. Times are seconds, sizes octets.

A field with setting(...) or required(...) declares an attribute or element of the file; see setting.py.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from hashlib import sha256

from tui_popretr.config import choices, values
from tui_popretr.config.account import Server, TlsPolicy, host_forms
from tui_popretr.config.addresses import full_mail_address, mail_address, server_address, web_address
from tui_popretr.config.choices import AuthType, CapaUse, Eol, GmailDate, HookEvent, Rotation
from tui_popretr.config.oauth import OAuth
from tui_popretr.config.setting import Setting, declared, part, required, setting
from tui_popretr.config.sources import PasswordSource, literal
from tui_popretr.config.units import octal, octets, written
from tui_popretr.hosts import IMAPS_PORT, look_up_name, with_port

#: Seconds. A shorter timeout for a server or a command is probably a number without its unit.
SHORTEST_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class Paths:
    """The %DIR..% folders, absolute, and the names of the machine and the program."""

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
    """One log file. `path` has its time tokens (%DT% %Y% ...), but no folder tokens."""

    path: str  # or "%stdout%" / "%stderr%"
    rotation: Rotation = setting("rot", choices.rotation, "never")
    max_size: int | None = setting("maxfile", values.size_limit)  # overrides rotation
    buffer: int = setting("buffer", values.size, "8K")
    flush: float = setting("flush", values.duration, "1s")  # 0: each entry
    level: str = setting("level", choices.log_level, "info")


@dataclass(frozen=True, slots=True)
class Modes:
    """Permissions of new files and folders of delivered mail."""

    file: int = setting("filemode", values.file_mode, "0600", show=octal)
    folder: int = setting("foldermode", values.folder_mode, "0700", show=octal)


@dataclass(frozen=True, slots=True)
class MessageStore:
    """Where mailboxes are: user_path/RECIP/mail_path."""

    user_path: str = setting("<userpath>", values.path, "%DIRVAR%/ms")
    mail_path: str = setting("<mailpath>", values.relative_path, "Maildir")
    eol: Eol = setting("<eol>", choices.eol, "native")
    modes: Modes = part(Modes)

    def maildir(self, name: str) -> str:
        """Return the Maildir of a mailbox; the name has no `/` in it and is not `.` or `..`."""
        return os.path.normpath(os.path.join(self.user_path, name, self.mail_path))


@dataclass(frozen=True, slots=True)
class MaildirDestination:
    """Deliver into a Maildir, in the message store or elsewhere."""

    path: str  # the Maildir itself, absolute, %U% replaced
    mailbox: str | None = None  # RECIP if it is in the message store; None: it is the client's <maildir>
    eol: Eol = Eol.NATIVE
    owner: str | None = None  # virtualusers N: files are given to this system user
    modes: Modes = part(Modes)


@dataclass(frozen=True, slots=True)
class FolderDestination:
    """Deliver into a folder, one file for each message."""

    path: str  # absolute, %U% replaced
    eol: Eol = Eol.CRLF
    owner: str | None = None
    modes: Modes = part(Modes)


def _rejected() -> str | None:
    return setting(
        "<rejected>",
        values.path,
        show=lambda path: path or "-",
        phrase=lambda path: f"; what is refused for good is saved in {path}",
    )


@dataclass(frozen=True, slots=True)
class SmtpDestination:
    """Deliver to an SMTP or LMTP server."""

    sender: str = field(metadata=required("<sender>", mail_address))
    recipients: tuple[str, ...]  # aliases expanded
    host: str = field(default="localhost", metadata=declared(Setting("<address>", server_address, "localhost")))
    port: int = 25
    socket_path: str | None = None  # LMTP over a Unix socket
    lmtp: bool = setting("<lmtp>", values.boolean, "N")
    starttls: bool = setting("<starttls>", values.boolean, "N")
    username: str | None = setting("<username>", values.one_line)
    password: PasswordSource | None = setting("<password>", literal)
    oauth: OAuth | None = None  # in place of a password
    #: for the reply to the end of a message (RFC 5321 §4.5.3.2.6); other replies have less time
    timeout: float = setting(
        "<timeout>", values.positive_duration, "10m", shortest=SHORTEST_TIMEOUT, show=written, called="timeout (SMTP)"
    )
    #: remove Delivered-To fields from the header
    drop_delivered: bool = setting(
        "dropdelivered", values.boolean, "N", show=written, phrase=lambda _: ", without its Delivered-To lines"
    )
    #: the folder for messages that are refused for good; None: they stay on the server
    rejected: str | None = _rejected()
    written: str = ""  # the host as in the configuration, for people

    def __post_init__(self) -> None:
        host, written = host_forms(self.host, self.written)
        object.__setattr__(self, "host", host)
        object.__setattr__(self, "written", written)

    @property
    def implicit_tls(self) -> bool:
        """Whether TLS begins with the first byte, as on port 465 (RFC 8314 §3.3)."""
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
class ImapDestination:
    """Append to a folder of an IMAP server."""

    host: str = field(metadata=required("<address>", server_address))
    port: int = IMAPS_PORT
    starttls: bool = setting("<starttls>", values.boolean, "N")
    username: str | None = setting("<username>", values.one_line)
    password: PasswordSource | None = setting("<password>", literal)
    oauth: OAuth | None = None  # in place of a password
    #: in order; as for POP3, without APOP, and without those that cannot be used
    auth_types: tuple[AuthType, ...] = setting("<authtypes>", choices.imap_auth_types, "AUTO")
    #: None: no TLS; its `latent` is `starttls`
    tls: TlsPolicy | None = field(default_factory=TlsPolicy)
    folder: str = setting("<folder>", values.printable, "INBOX")
    #: make the folder if it does not exist
    create: bool = setting(
        "<create>", values.boolean, "Y", show=written, phrase=lambda _: ", which is not made if it is missing"
    )
    flags: tuple[str, ...] = setting(
        "<flags>", choices.imap_flags, "", show=written, phrase=lambda flags: f", with the flags {written(flags)}"
    )
    #: of Gmail (X-GM-LABELS)
    labels: tuple[str, ...] = setting(
        "<labels>", choices.labels, "", show=written, phrase=lambda labels: f", with the labels {written(labels)}"
    )
    #: for each answer; by default the task's
    timeout: float = field(
        default=240.0,
        metadata=declared(
            Setting(
                "<timeout>",
                values.positive_duration,
                shortest=SHORTEST_TIMEOUT,
                show=written,
                called="timeout (IMAP)",
            )
        ),
    )
    #: the folder for messages that are refused for good; None: they stay on the server
    rejected: str | None = _rejected()
    written: str = ""  # the host as in the configuration, for people

    def __post_init__(self) -> None:
        host, written = host_forms(self.host, self.written)
        object.__setattr__(self, "host", host)
        object.__setattr__(self, "written", written)

    @property
    def address(self) -> str:
        """host:port for people."""
        return with_port(self.written, self.port)

    @property
    def look_up_name(self) -> str:
        """The name for the DNS look-up: the host, with a trailing dot if one was written."""
        return look_up_name(self.host, self.written)


#: Where Google's API is.
GMAIL_URL = "https://gmail.googleapis.com"


@dataclass(frozen=True, slots=True)
class GmailDestination:
    """Import into a Gmail account by Google's API."""

    account: str = field(metadata=required("<account>", full_mail_address))
    oauth: OAuth | None = None  # never None in a configuration without errors
    labels: tuple[str, ...] = setting(
        "<labels>",
        choices.gmail_labels,
        "",
        show=written,
        phrase=lambda labels: f", with the labels {written(labels)}",
    )
    #: they show it in the inbox, and as unread
    inbox: bool = setting("<inbox>", values.boolean, "Y", show=written, phrase=lambda _: ", not in the inbox")
    unread: bool = setting("<unread>", values.boolean, "Y", show=written, phrase=lambda _: ", as read")
    never_spam: bool = setting("<neverspam>", values.boolean, "N", show=written, phrase=lambda _: ", never as spam")
    #: Gmail adds invitations to the calendar
    calendar: bool = setting(
        "<calendar>", values.boolean, "N", show=written, phrase=lambda _: ", its invitations also into the calendar"
    )
    date: GmailDate = setting(
        "<date>", choices.gmail_date, "header", show=written, phrase=lambda _: ", dated when it is imported"
    )
    #: a message in doubt is searched before it is sent again
    verify: bool = setting(
        "<verify>", values.boolean, "Y", show=written, phrase=lambda _: ", at most the message in flight twice"
    )
    url: str = setting("<url>", web_address, GMAIL_URL, show=lambda url: "" if url == GMAIL_URL else url)
    #: the folder for messages that are refused for good; None: they stay on the server
    rejected: str | None = _rejected()


@dataclass(frozen=True, slots=True)
class CommandDestination:
    """Deliver to the standard input of a command."""

    argv: tuple[str, ...] = field(metadata=required("command", values.command_line))
    timeout: float = setting("timeout", values.positive_duration, "5m", shortest=SHORTEST_TIMEOUT)
    eol: Eol = Eol.NATIVE


#: Destinations that are a mail server: they may have a token, and a folder for what they refuse for good.
MailServer = SmtpDestination | ImapDestination | GmailDestination
Destination = MaildirDestination | FolderDestination | MailServer | CommandDestination


def oauth_of(destination: Destination) -> OAuth | None:
    """Return how a destination gets access tokens; None if it does not."""
    return destination.oauth if isinstance(destination, MailServer) else None


def rejected_folder(destination: Destination) -> str | None:
    """Return the folder for messages that the destination refuses for good; None if they stay on the server."""
    return destination.rejected if isinstance(destination, MailServer) else None


def password_of(destination: Destination) -> PasswordSource | None:
    """Return the source of the password for a destination; None if it has none."""
    return destination.password if isinstance(destination, SmtpDestination | ImapDestination) else None


@dataclass(frozen=True, slots=True)
class Retention:
    """Which messages are retrieved, and how long they stay on the server. Sizes are octets, times seconds."""

    preserve: bool = setting("preserve", values.boolean, "N", show=written)
    new_only: bool = setting("newonly", values.boolean, "N", show=written)
    #: from the retrieval; only with preserve
    delete_after: float | None = setting("deleteafter", values.positive_duration, show=written)
    max_size: int | None = setting(
        "maxsize",
        values.positive_size,
        show=lambda size: "" if size is None else f"{size} octets",
        phrase=lambda size: f" Messages larger than {octets(size)} are not retrieved and stay on the server.",
    )
    #: in one session
    max_messages: int | None = setting("maxmessages", values.count(1), show=written)


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """One client: an account to poll and where its mail goes."""

    id: str = field(metadata=required("id", values.file_name(128)))
    recip: str = field(metadata=required("recip", values.file_name(254)))
    server: Server
    destination: Destination
    #: from the end of a session to the next start; 0: in succession
    frequency: float = setting("freq", values.duration, "5m", show=written)
    #: 0: no limit
    runs: int = setting("runs", values.count(), "0", show=lambda runs: written(runs or "no limit"))
    retention: Retention = part(Retention)
    #: several commands at once where the server offers PIPELINING
    pipelining: bool = setting(
        "pipelining",
        choices.pipelining,
        "auto",
        show=lambda on: "auto" if on else "N",
        phrase=lambda _: ", one command at a time",
    )
    capa: CapaUse = setting(
        "capa",
        choices.capa,
        "N",
        show=written,
        phrase=lambda use: ", never asking for its capabilities" if use is CapaUse.NEVER else "",
    )
    full_transcript: bool = setting("fulltrans", values.boolean, "N", show=written)
    omit_received: bool = setting("omitreceivedheader", values.boolean, "N", show=written)

    @property
    def oauths(self) -> tuple[OAuth, ...]:
        """The logins by access token: for the server, then for the destination."""
        found = (self.server.oauth, oauth_of(self.destination))
        return tuple(each for each in found if each is not None)


@dataclass(frozen=True, slots=True)
class Concurrency:
    """Limits for the number of sessions at the same time."""

    total: int = setting("total", values.count(1), "64")
    per_server: int = setting("perserver", values.count(1), "8")


@dataclass(frozen=True, slots=True)
class HookSettings:
    """A command to run when something happens to a client."""

    on: HookEvent = field(metadata=required("on", choices.hook_event))
    argv: tuple[str, ...]
    #: failed, recovered: sessions that failed in a row; stale: seconds without mail; otherwise without meaning
    after: float = field(default=1.0, metadata=declared(Setting("after", values.text_of)))
    #: shortest time in seconds between two runs for a client, if the event lasts; 0: it runs after each session
    every: float = setting("every", values.duration, "1d", shortest=1.0)
    #: the ids of the clients; (): all
    clients: tuple[str, ...] = field(default=(), metadata=declared(Setting("client", values.items)))

    @property
    def key(self) -> str:
        """The hook's name in the journal. Other settings than `every` and `clients` make another hook."""
        words = "\0".join((self.on.value, f"{self.after:g}", *self.argv))
        return sha256(words.encode("utf-8", "surrogateescape")).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class MetricsSettings:
    """The file of metrics for Prometheus."""

    path: str
    every: float = setting("every", values.positive_duration, "15s", shortest=1.0)


@dataclass(frozen=True, slots=True)
class Settings:
    """A whole configuration."""

    path: str  # the file, absolute, real path
    paths: Paths
    clients: tuple[ClientSettings, ...]  # the enabled ones
    disabled: tuple[str, ...] = ()  # ids of clients with enabled="N"
    timeout: float = setting("<timeout>", values.positive_duration, "4m", shortest=SHORTEST_TIMEOUT)
    delay_start: float = setting("<delay_start>", values.duration, "1m")
    concurrency: Concurrency = Concurrency()
    journal: str = setting("<journal>", values.path, "%DIRVAR%/popretr.sqlite")
    control_socket: str = setting("<control>", values.path, "%DIRVAR%/control.sock")
    hooks: tuple[HookSettings, ...] = ()
    metrics: MetricsSettings | None = None
    #: The variables that passwords of all clients come from, also of those that are disabled or not chosen.
    password_variables: frozenset[str] = frozenset()
    audit: LogSettings | None = None
    transcript: LogSettings | None = None
    trace: LogSettings | None = None

    def at_once(self) -> Settings:
        """Return these settings for --once: each client runs once, without a delay."""
        clients = tuple(replace(client, frequency=0.0, runs=1) for client in self.clients)
        return replace(self, delay_start=0.0, clients=clients)
