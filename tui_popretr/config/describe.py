"""A client's settings in words, without secrets: sentences for `check`, names and values for the dashboard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tui_popretr.config.account import Server, TlsPolicy
from tui_popretr.config.choices import AuthType
from tui_popretr.config.model import (
    ClientSettings,
    CommandDestination,
    Destination,
    FolderDestination,
    GmailDestination,
    ImapDestination,
    MaildirDestination,
    Modes,
    Retention,
    oauth_of,
)
from tui_popretr.config.setting import Setting, declarations
from tui_popretr.config.sources import FromCommand, FromEnvironment, FromFile, PasswordSource
from tui_popretr.config.units import duration, every, octal, span, written
from tui_popretr.facts import ClientInfo
from tui_popretr.secret import STARS
from tui_popretr.text import visible
from tui_popretr.wording import plural

# --- names and values ---------------------------------------------------------------------------------------------


def client_info(client: ClientSettings, timeout: float) -> ClientInfo:
    """Return the settings of a client for the dashboard; `timeout` is the timeout for the server in seconds."""
    server = client.server
    security = "clear" if server.tls is None else "STLS" if server.tls.latent else "TLS"
    destination = _destination(client.destination)
    settings = [
        ("server", server.address),
        ("username", server.username or "-"),
        *_credentials(server),
        ("authtypes", written(server.auth_types)),
        ("initrsp", written(server.initial_response)),
        ("security", security),
        ("recip", client.recip),
        ("destination", destination),
        *_pairs(client),
        ("timeout", duration(timeout)),
        *_pairs(client.destination),
        *_destination_login(client.destination),
        *(_tls_pairs(server.tls, timeout) if server.tls else ()),
    ]
    return ClientInfo(
        id=client.id,
        server=server.address,
        user=server.username or "",
        security=security,
        recip=client.recip,
        destination=destination,
        frequency=client.frequency,
        settings=tuple(settings),
    )


def disabled_info(client: str) -> ClientInfo:
    """Return the settings of a client with enabled="N" for the dashboard: only its id."""
    return ClientInfo(client, "", "", "", "", "", 0.0, (("enabled", "N"),), enabled=False)


def _pairs(settings: object) -> Iterator[tuple[str, str]]:
    """Yield the settings of a class of the model that the dashboard shows."""
    for name, what in declarations(settings).items():
        value = getattr(settings, name)
        if not isinstance(what, Setting):
            yield from _pairs(value)
        elif what.show and (text := what.show(value)):
            yield what.called or what.name, text


def _tls_pairs(policy: TlsPolicy, timeout: float) -> Iterator[tuple[str, str]]:
    without_effect = {"tspath", "peercert"} if policy.fingerprints else set()
    pairs = _pairs(replace(policy, handshake_timeout=policy.patience(timeout)))
    return (pair for pair in pairs if pair[0] not in without_effect)


def _credentials(server: Server) -> Iterator[tuple[str, str]]:
    """Yield the settings of the password, or of the access token."""
    if server.oauth is None:
        yield "password", _password_source(server.password)
        return
    yield from ((f"{name} (OAuth)", text) for name, text in _pairs(server.oauth))


def _destination_login(destination: Destination) -> Iterator[tuple[str, str]]:
    """Yield the settings of the login at the mail server."""
    if isinstance(destination, ImapDestination):
        security = "clear" if destination.tls is None else "STARTTLS" if destination.starttls else "TLS"
        yield "security (IMAP)", security
        yield "username (IMAP)", destination.username or "-"
        yield "authtypes (IMAP)", written(destination.auth_types)
        if destination.oauth is None:
            yield "password (IMAP)", _password_source(destination.password)
    if (oauth := oauth_of(destination)) is not None:
        yield from ((f"{name} (OAuth, {oauth.use.value.upper()})", text) for name, text in _pairs(oauth))


def _password_source(source: PasswordSource | None) -> str:
    match source:
        case None:
            return "-"
        case FromEnvironment(name):
            return f"from the environment variable {name}"
        case FromFile(path):
            return f"from the file {path}"
        case FromCommand(argv):
            return f"from the command {argv[0]}"
        case _:
            return STARS


def _destination(destination: Destination) -> str:
    match destination:
        case MaildirDestination(path):
            return f"Maildir {path}"
        case FolderDestination(path):
            return f"folder {path}"
        case CommandDestination(argv):
            return f"command {argv[0]}"
        case ImapDestination(folder=folder):
            return f"folder {folder} of {destination.address}"
        case GmailDestination(account):
            return f"Gmail {account}"
        case _:
            return f"SMTP to {', '.join(destination.recipients)}"


# --- sentences ------------------------------------------------------------------------------------------------------


def describe(client: ClientSettings) -> str:
    """Return a client's schedule, source, login, destination and retention in sentences."""
    return visible(
        f"{_schedule(client)}, retrieves {_what(client)} from {_source(client)}, logging in {_login(client)}, and"
        f" {_target(client.destination)}. {_fate(client.retention)}{_phrases(client.retention)}",
        4096,
    )


def _schedule(client: ClientSettings) -> str:
    if client.runs == 1:
        return "Once"
    if client.frequency == 0:
        return f"{client.runs} times in succession" if client.runs else "Over and over without a pause"
    when = every(client.frequency).capitalize()
    return f"{when}, {client.runs} times in all" if client.runs else when


def _what(client: ClientSettings) -> str:
    what, most = "new mail" if client.retention.new_only else "all mail", client.retention.max_messages
    if most is None:
        return what
    return f"{what} (at most {plural(most, 'message')}{'' if client.runs == 1 else ' at a time'})"


def _source(client: ClientSettings) -> str:
    server = client.server
    tls = f"over TLS{_phrases(server.tls)}" if server.tls else "without TLS"
    return f"{server.address} {tls}{_phrases(client)}"


def _phrases(settings: object) -> str:
    """Return the phrases of the settings of a class, without its parts, that do not have their default."""
    return "".join(
        what.phrase(getattr(settings, name))
        for name, what in declarations(settings).items()
        if isinstance(what, Setting) and what.phrase and getattr(settings, name) != what.value
    )


def _login(client: ClientSettings) -> str:
    server = client.server
    identity = f"as {server.username}" if server.username else "by the client certificate"
    methods = ", else ".join(auth_type.value for auth_type in server.auth_types)
    needed = server.password is not None and any(each is not AuthType.SASL_EXTERNAL for each in server.auth_types)
    if server.oauth is not None:
        return f"{identity} with {methods} (access token from {server.oauth.name})"
    return f"{identity} with {methods}{_password(server.password) if needed else ''}"


def _password(source: PasswordSource | None) -> str:
    match source:
        case FromEnvironment(name):
            return f" (password from ${name})"
        case FromFile(path):
            return f" (password from {path})"
        case FromCommand(argv):
            return f" (password from the command {argv[0]})"
        case _:
            return ""


def _target(destination: Destination) -> str:
    match destination:
        case MaildirDestination(path, mailbox, modes=modes):
            where = f"the mailbox of {mailbox} ({path})" if mailbox else f"the Maildir {path}"
            return f"delivers it to {where}{_modes(modes)}"
        case FolderDestination(path, modes=modes):
            return f"saves each message as a file in {path}{_modes(modes)}"
        case CommandDestination(argv):
            return f"hands each message to the command {argv[0]}"
        case ImapDestination(folder=folder, tls=tls):
            how = f"over TLS{_phrases(tls).replace('STLS', 'STARTTLS')}" if tls else "without TLS"
            more = _phrases(destination)
            return f"puts it into the folder {folder} of the IMAP server {destination.address} {how}{more}"
        case GmailDestination(account):
            return f"imports it into the Gmail account {account}{_phrases(destination)}"
        case _:
            protocol = "LMTP" if destination.lmtp else "SMTP"
            recipients = ", ".join(destination.recipients)
            return f"sends it by {protocol} through {destination.address} to {recipients}{_phrases(destination)}"


def _modes(modes: Modes) -> str:
    if modes == Modes():
        return ""
    return f", with mode {octal(modes.file)} for files and {octal(modes.folder)} for new folders"


def _fate(retention: Retention) -> str:
    """Return whether the mail stays on the server, and whether it is retrieved again."""
    marked = "; what mark-seen or import-seen has marked stays there" if retention.new_only else ""
    if not retention.preserve:
        return f"What was delivered is deleted from the server, except messages that arrive cut short{marked}."
    if retention.delete_after is None:
        if retention.new_only:
            return "Everything stays on the server, and each message is retrieved once."
        again = "all of it" if retention.max_messages is None else "the same messages"
        return f"Everything stays on the server, and the next run retrieves {again} again."
    when = f"by the first run after {span(retention.delete_after)}"
    if retention.new_only:
        return (
            f"Each message is retrieved once, and deleted from the server {when}, unless it arrived cut short{marked}."
        )
    return (
        f"What was delivered is deleted from the server {when}, except messages that arrive cut short;"
        " until then each run retrieves it again."
    )
