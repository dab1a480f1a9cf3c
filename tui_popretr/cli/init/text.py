"""The text of a first configuration, with comments that explain how to go on from there."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from tui_popretr.config.account import Server, TlsPolicy
from tui_popretr.config.choices import DEFAULT_AUTH_TYPES
from tui_popretr.config.login import BESIDE_OAUTH
from tui_popretr.config.model import (
    FolderDestination,
    GmailDestination,
    ImapDestination,
    MaildirDestination,
    SmtpDestination,
    oauth_of,
)
from tui_popretr.config.oauth import DEFAULT_TENANT, OAuth
from tui_popretr.config.sources import FromCommand, FromEnvironment, FromFile, PasswordSource
from tui_popretr.errors import ConfigurationError
from tui_popretr.home import UnknownHomeError, expand, home_folder
from tui_popretr.hosts import IMAP_PORT, IMAPS_PORT, POP3_PORT, POP3S_PORT, with_port
from tui_popretr.text import visible

_FRAME = """\
<?xml version="1.0" encoding="UTF-8"?>
<!-- The accounts that tui-popretr retrieves mail from, and where the mail goes. "tui-popretr init" wrote this file;
     edit it as you like. After a change, "tui-popretr check" reports mistakes and explains what each client does. -->
<pop3download>

  <!-- Logs: a line for each delivered message, and the dialogue with the server, without passwords. -->
  <audit rot="monthly">%DIRLOG%/audit-%DT%.log</audit>
  <transcript maxfile="10M">%DIRLOG%/transcript.log</transcript>

  <clients>
{client}

    <!-- To retrieve another account, add another client with a different id; "tui-popretr init" does. -->
  </clients>
</pop3download>
"""
_CLIENT = """\
    <client {attributes}>
      <server address={address}>
{login}
      </server>
{security}
{destination}
    </client>"""

_KEEPS = """\
    <!-- freq: the time from one session to the next. preserve and newonly: all mail stays on the server, and each
         message is retrieved once. With deleteafter="30d" in addition, a message is deleted there 30 days after it was
         retrieved. Without preserve and newonly, it is deleted as soon as it is stored here. -->"""
_DELETES = """\
    <!-- freq: the time from one session to the next. Mail is deleted from the server as soon as it is stored here; with
         preserve="Y" newonly="Y" it stays there, and each message is still retrieved only once. -->"""

NewDestination = MaildirDestination | FolderDestination | SmtpDestination | ImapDestination | GmailDestination


@dataclass(frozen=True, slots=True)
class NewClient:
    """A client to be written. Paths are absolute; password and client secret are not a Literal."""

    id: str
    recip: str
    server: Server
    destination: NewDestination
    keep: bool  # leave the mail on the server
    frequency: str

    @property
    def secret_file(self) -> str | None:
        """The file of the password, or of the client secret."""
        oauth = self.server.oauth
        source = self.server.password if oauth is None else oauth.client_secret
        return source.path if isinstance(source, FromFile) else None

    @property
    def destination_secret_file(self) -> str | None:
        """The file of the password, or of the client secret, for the destination."""
        source = self.destination.password if isinstance(self.destination, ImapDestination) else None
        if (oauth := oauth_of(self.destination)) is not None:
            source = oauth.client_secret
        return source.path if isinstance(source, FromFile) else None

    @property
    def has_login(self) -> bool:
        """Whether the user has to log in at a provider of tokens."""
        return self.server.oauth is not None or oauth_of(self.destination) is not None

    @property
    def client_secret_files(self) -> tuple[str | None, ...]:
        """The files of client secrets."""
        of_server = self.secret_file if self.server.oauth is not None else None
        return (of_server, self.destination_secret_file if oauth_of(self.destination) is not None else None)


def configuration_text(client: NewClient) -> str:
    """Return a configuration with one client, to be written in UTF-8."""
    return _FRAME.format(client=client_text(client))


def client_text(client: NewClient, *, beside: str = "") -> str:
    """Return the element of a client with its comments, indented, without a line end.

    `beside`: the text that it is added to, perhaps with the same explanation in it.
    """
    attributes = {"id": client.id, "recip": client.recip, "freq": client.frequency}
    if client.keep:
        attributes |= {"preserve": "Y", "newonly": "Y"}
    about = _KEEPS if client.keep else _DELETES
    explanation = "" if about.strip().partition("\n")[0] in beside else f"{about}\n"
    return explanation + _CLIENT.format(
        attributes=" ".join(f"{name}={_attribute(value)}" for name, value in attributes.items()),
        address=_attribute(address(client.server)),
        login="\n".join(f"        {line}" for line in _login(client.server)),
        security="\n".join(f"      {line}" for line in _security(client.server.tls)),
        destination="\n".join(f"      {line}" for line in _destination(client.destination)),
    )


def address(server: Server) -> str:
    """Return the address of a server, with its port if it is not the usual one."""
    usual = POP3S_PORT if server.tls is not None and not server.tls.latent else POP3_PORT
    if server.port != usual:
        return server.address
    return f"[{server.written}]" if ":" in server.written else server.written


def _login(server: Server) -> list[str]:
    lines = [f"<username>{_text(server.username or '')}</username>"]
    lines += _password(server.password) if server.oauth is None else _oauth(server.oauth, server.username or "")
    if server.auth_types != (DEFAULT_AUTH_TYPES if server.oauth is None else BESIDE_OAUTH):
        names = " | ".join(each.value for each in server.auth_types)
        lines += ["<!-- What this server offers; they are tried in this order. -->", f"<authtypes>{names}</authtypes>"]
    return lines


def _password(source: PasswordSource | None) -> list[str]:
    match source:
        case FromFile(path):
            return ["<!-- The first line of this file. -->", f"<password file={_attribute(short(path))}/>"]
        case FromCommand(argv):
            return [
                "<!-- The first line that this command prints. It is run at each session, without a shell. -->",
                f"<password command={_attribute(shlex.join(argv))}/>",
            ]
        case FromEnvironment(name):
            return [
                "<!-- An environment variable, which must be set when the program starts. -->",
                f"<password env={_attribute(name)}/>",
            ]
        case _:
            raise AssertionError("a password itself is never written into a configuration")


def _oauth(oauth: OAuth, username: str) -> list[str]:
    attributes = {"provider": oauth.provider.value, "clientid": oauth.client_id}
    if oauth.account != username:
        attributes["account"] = oauth.account
    if oauth.tenant != DEFAULT_TENANT:
        attributes["tenant"] = oauth.tenant
    beginning = " ".join(f"{name}={_attribute(value)}" for name, value in attributes.items())
    lines = ['<!-- Access tokens. "tui-popretr login" gets the first one, in a browser; then they are renewed. -->']
    if not isinstance(oauth.client_secret, FromFile):
        return [*lines, f"<oauth {beginning}/>"]
    secret = f"  <clientsecret file={_attribute(short(oauth.client_secret.path))}/>"
    return [*lines, f"<oauth {beginning}>", secret, "</oauth>"]


def _security(tls: TlsPolicy | None) -> list[str]:
    if tls is None:
        return [
            "<!-- No TLS: the server offers none. Once it does, put <ssl/> here. If its port is then not 995, -->",
            "<!-- run mark-seen, or the mail that is still there is retrieved again. -->",
        ]
    trusted = _trust(tls)
    verified = "only this certificate is accepted" if tls.fingerprints else "the certificate is verified"
    if tls.latent:
        return [f"<!-- TLS by STLS, before the login; {verified}. -->", f'<ssl latent="Y"{trusted}/>']
    return [f"<!-- TLS from the first byte; {verified}. -->", f"<ssl{trusted}/>"]


def _trust(tls: TlsPolicy) -> str:
    """Return the attribute of <ssl> for the certificates to accept; nothing for the system's."""
    if tls.fingerprints:
        return f" fingerprint={_attribute(tls.fingerprints[0])}"
    return f" tspath={_attribute(short(tls.trust_path))}" if tls.trust_path else ""


def _destination(destination: NewDestination) -> list[str]:
    match destination:
        case MaildirDestination(path):
            return [f"<maildir>{_text(short(path))}</maildir>"]
        case FolderDestination(path):
            return [f"<downloads_directory>{_text(short(path))}</downloads_directory>"]
        case SmtpDestination():
            return [
                "<!-- Mail is sent by SMTP to the address in recip. The mail server reports errors to the sender. -->",
                "<smtp>",
                f"  <sender>{_text(destination.sender)}</sender>",
                f"  <address>{_text(with_port(destination.written, destination.port))}</address>",
                "</smtp>",
            ]
        case ImapDestination():
            usual = IMAP_PORT if destination.starttls else IMAPS_PORT
            host = f"[{destination.written}]" if ":" in destination.written else destination.written
            server = host if destination.port == usual else destination.address
            tls = destination.tls
            trust = _trust(tls) if tls is not None else ""
            folder = "" if destination.folder == "INBOX" else f"  <folder>{_text(destination.folder)}</folder>"
            return [
                "<!-- Each message is put into this folder. The POP3 server keeps it until the IMAP server has it. -->",
                "<imap>",
                f"  <address>{_text(server)}</address>",
                *(["  <starttls>Y</starttls>"] if destination.starttls else []),
                f"  <username>{_text(destination.username or '')}</username>",
                *(f"  {line}" for line in _password(destination.password)),
                *([f"  <ssl{trust}/>"] if trust else []),
                *([folder] if folder else []),
                "</imap>",
            ]
        case GmailDestination(account, oauth):
            labels = f"  <labels>{_text(' | '.join(destination.labels))}</labels>"
            return [
                "<!-- Each message is imported into this Gmail account. docs/gmail.md explains it. -->",
                "<gmail>",
                f"  <account>{_text(account)}</account>",
                *(f"  {line}" for line in (_oauth(oauth, account) if oauth is not None else ())),
                *([labels] if destination.labels else []),
                "</gmail>",
            ]


def _text(value: str) -> str:
    """Return a value as the text of an element. `${` begins an environment variable there; `${$}` stands for `${`."""
    return escape(value.replace("${", "${$}"))


def _attribute(value: str) -> str:
    return quoteattr(value.replace("${", "${$}"))


# --- paths ------------------------------------------------------------------------------------------------------------


def short(path: str) -> str:
    """Return a path with ~ for the home folder."""
    try:
        home = home_folder(os.environ).rstrip("/")
    except UnknownHomeError:
        return path
    return f"~{path.removeprefix(home)}" if home and path.startswith(f"{home}/") else path


def shown(path: str) -> str:
    """Return a path for people."""
    return visible(short(path), 4096)


def absolute(path: str) -> str:
    """Return the absolute path, with ~ expanded as in a shell. A path that begins with a %TOKEN% is not changed.

    Raises ConfigurationError if there is no such home folder.
    """
    if path.startswith("%"):
        return path
    try:
        return os.path.abspath(expand(path, os.environ))
    except UnknownHomeError as error:
        raise ConfigurationError(str(error)) from None
