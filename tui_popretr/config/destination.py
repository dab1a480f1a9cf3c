"""Where a client's mail goes: the first of smtp, imap, gmail, mda, maildir, downloads_directory, message store."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from tui_popretr.config import choices, values
from tui_popretr.config.addresses import mail_address, server_address
from tui_popretr.config.choices import Eol
from tui_popretr.config.command import command_warnings
from tui_popretr.config.directory import Directory, DirectorySettings, read_directory
from tui_popretr.config.gmail import read_gmail
from tui_popretr.config.imap import read_imap
from tui_popretr.config.login import read_password, read_username
from tui_popretr.config.model import (
    ClientSettings,
    CommandDestination,
    Destination,
    FolderDestination,
    GmailDestination,
    ImapDestination,
    MaildirDestination,
    MessageStore,
    Modes,
    SmtpDestination,
)
from tui_popretr.config.oauth import Use, read_oauth
from tui_popretr.config.paths import PathResolver
from tui_popretr.config.problems import Position
from tui_popretr.config.section import Section
from tui_popretr.config.setting import Setting
from tui_popretr.config.values import did_you_mean, quote
from tui_popretr.hosts import is_loopback
from tui_popretr.text import visible

EOL = Setting("<eol>", choices.eol)
_SMTP_PORT, _LMTP_PORT = 25, 24


class Local(NamedTuple):
    """The settings of delivery that all clients share."""

    resolver: PathResolver
    directory: Directory
    virtual_users: bool
    store: MessageStore | None
    timeout: float = 240.0  # the task's


def read_local(whole: Section, resolver: PathResolver) -> Local:
    """Read `directory`, with its files, and `message_store`."""
    section = whole.child_or_empty("directory")
    files = section.read(DirectorySettings) if section.enabled() else DirectorySettings()
    directory = read_directory(files.domains, files.users, files.aliases, whole.context.report)
    section = whole.child_or_empty("message_store")
    store = section.read(MessageStore, modes=_modes(section)) if section.enabled() else None
    return Local(resolver, directory, files.virtual_users, store)


def read_destination(client: Section, recip: str | None, local: Local) -> Destination | None:
    """Return the destination of a client; None, with an error reported, if there is none.

    `recip` is None if it is missing or wrong, which has been reported; all that does not depend on it is still checked.
    """
    eol = client.value(EOL)
    named = (
        _read_smtp(client, recip, eol, local),
        _read_imap(client, recip, eol, local),
        _read_gmail(client, recip, eol, local),
        _read_command(client, recip, eol),
        _read_folder(client, "maildir", MaildirDestination, recip, eol, local),
        _read_folder(client, "downloads_directory", FolderDestination, recip, eol, local),
    )
    found = [destination for destination in named if destination]
    if len(found) > 1:
        first, *others = (what for what, _, _ in found)
        client.warning(f"several destinations are named: {first} is used, {' and '.join(others)} not", found[1][1])
    if found:
        _, place, destination = found[0]
        _check_encoding(client, destination, place)
        return destination
    if client.uncertain("smtp", "imap", "gmail", "mda", "maildir", "downloads_directory"):
        return None
    if local.store is None:
        client.error("the client has no destination: message_store is off, so name a maildir or downloads_directory")
        return None
    return _mailbox(client, recip, eol, local, local.store) if recip else None


_Found = tuple[str, Position, Destination]


def _read_smtp(client: Section, recip: str | None, eol: Eol | None, local: Local) -> _Found | None:
    section = client.active("smtp")
    if section is None:
        return None
    host, port, socket_path = section.field(SmtpDestination, "host", parse=_smtp_address(local.resolver))
    lmtp = section.field(SmtpDestination, "lmtp")
    username = read_username(section)
    found = section.read(
        SmtpDestination,
        recipients=_recipients(client, recip, local) if recip else (),
        host=host,
        port=port or (_LMTP_PORT if lmtp else _SMTP_PORT),
        socket_path=socket_path,
        lmtp=lmtp,
        username=username,
        password=read_password(section),
        oauth=read_oauth(section, Use.SMTP, client, username),
        rejected=section.field(SmtpDestination, "rejected", parse=local.resolver.path_of(recip or "")),
    )
    _check_smtp(section, found)
    _eol_without_effect(client, eol, "smtp")
    return "smtp", section.place, found


def _read_imap(client: Section, recip: str | None, eol: Eol | None, local: Local) -> _Found | None:
    section = client.active("imap")
    if section is None:
        return None
    _eol_without_effect(client, eol, "imap")
    return "imap", section.place, read_imap(client, section, recip, local.resolver, local.timeout)


def _read_gmail(client: Section, recip: str | None, eol: Eol | None, local: Local) -> _Found | None:
    section = client.active("gmail")
    if section is None:
        return None
    _eol_without_effect(client, eol, "gmail")
    return "gmail", section.place, read_gmail(client, section, recip, local.resolver)


def _recipients(client: Section, recip: str, local: Local) -> tuple[str, ...]:
    recipients, place = local.directory.expand(recip), client.place_of("recip")
    if not recipients:
        client.error(f"recip {quote(recip)} leads only to the sink: mail would be thrown away", place)
        return ()
    client.field(ClientSettings, "recip", parse=mail_address)
    if local.directory.lacks(recip):
        client.warning(f"recip {quote(recip)} is neither a local user nor an alias", place)
    return recipients


def _check_smtp(section: Section, found: SmtpDestination) -> None:
    """Report settings that contradict each other."""
    if found.socket_path and not found.lmtp and not section.uncertain("lmtp"):
        section.error("a socket needs LMTP: add <lmtp>Y</lmtp>")
    by_token = section.child("oauth") is not None
    if found.username and not (found.password or by_token) and not section.uncertain("password"):
        section.error("<username> needs a <password> or <oauth>")
    elif (found.password or by_token) and not found.username and not section.uncertain("username"):
        what = "<oauth>" if by_token else "<password>"
        section.warning(f"{what} has no effect without a <username>")
    if section.uncertain("address", "lmtp", "starttls") or found.socket_path:
        return
    if found.starttls and found.implicit_tls:
        section.warning("<starttls> has no effect on port 465, where TLS begins with the first byte")
    if is_loopback(found.host):
        return
    if found.username and not (found.starttls or found.implicit_tls):
        what = "access token" if by_token else "password"
        section.warning(f"the {what} may go to {found.written} in clear; add <starttls>Y</starttls>, or use port 465")
    local_names = [] if found.lmtp else [quote(each) for each in found.recipients if "@" not in each]
    if local_names:
        section.warning(f"a recipient without a domain, {local_names[0]}, is for {found.written} to interpret")


def _smtp_address(resolver: PathResolver) -> Callable[[str], tuple[str, int | None, str | None]]:
    def parse(text: str) -> tuple[str, int | None, str | None]:
        if text.startswith(("/", "~", "%")):
            return "localhost", None, resolver.path(text)
        return (*server_address(text), None)

    return parse


def _read_command(client: Section, recip: str | None, eol: Eol | None) -> _Found | None:
    section = client.child("mda")
    if section is None:
        return None
    found = section.read(CommandDestination)
    for warning in command_warnings(found.argv or ()):
        section.warning(warning, section.place_of("command"))
    argv = tuple(word.replace("%U%", recip or "") for word in found.argv or ())
    return "mda", section.place, replace(found, argv=argv, eol=eol or found.eol)


def _read_folder(
    client: Section,
    name: str,
    kind: type[MaildirDestination | FolderDestination],
    recip: str | None,
    eol: Eol | None,
    local: Local,
) -> _Found | None:
    """Read <maildir> or <downloads_directory>."""
    section = client.child(name)
    path = section.text(local.resolver.path_of(recip or ""), None) if section else None
    if section is None or path is None:
        return None
    found = kind(path, owner=_owner(client, recip, local), modes=_modes(section))
    return name, section.place, replace(found, eol=eol or found.eol)


def _mailbox(client: Section, recip: str, eol: Eol | None, local: Local, store: MessageStore) -> Destination | None:
    user = local.directory.user(recip)
    if user is None:
        hint = did_you_mean(recip, local.directory.users or ())
        client.error(f"recip {quote(recip)} is not in the directory's users{hint}", client.place_of("recip"))
        return None
    # The name as the users file writes it: the programs that read the mailbox use that name.
    owner = _owner(client, user.name, local)
    mailbox = MaildirDestination(store.maildir(user.name), user.name, eol or store.eol, owner, store.modes)
    _check_encoding(client, mailbox, client.place)
    return mailbox


def _modes(section: Section) -> Modes:
    """Return `filemode` and `foldermode` of an element."""
    modes = section.read(Modes)
    for name, mode in (("filemode", modes.file), ("foldermode", modes.folder)):
        if mode & 0o002:
            section.warning(f"{name} 0{mode:o} lets every user of this machine change the mail", section.place_of(name))
    return modes


def _check_encoding(client: Section, destination: Destination, place: Position) -> None:
    """Report a path that is not UTF-8: the journal stores the paths of deliveries as text."""
    paths: tuple[str | None, ...] = ()
    match destination:
        case MaildirDestination(path) | FolderDestination(path):
            paths = (path,)
        case SmtpDestination(socket_path=socket_path, rejected=rejected):
            paths = (socket_path, rejected)
        case ImapDestination(rejected=rejected) | GmailDestination(rejected=rejected):
            paths = (rejected,)
    for each in paths:
        if each is not None and not values.is_unicode(each):
            client.error(
                f"the path '{visible(each, 4096)}' is not valid UTF-8, so the journal cannot remember what is"
                " delivered there; rename that folder or name another",
                place,
            )


def _eol_without_effect(client: Section, eol: Eol | None, destination: str) -> None:
    section = client.child("eol")
    if eol and section:
        section.warning(f"<eol> has no effect with {destination}")


def _owner(client: Section, recip: str | None, local: Local) -> str | None:
    """Return the system user that the files are given to; None if they belong to the user of the process."""
    if local.virtual_users:
        return None
    place = client.place_of("recip")
    if os.geteuid() != 0:
        client.error("virtualusers is N, so files are given to their users, and only root can do that", place)
    elif recip:
        try:
            pwd.getpwnam(recip)
        except KeyError:
            client.error(f"virtualusers is N, but this machine has no user {quote(recip)}", place)
    return recip
