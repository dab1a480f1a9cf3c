"""The wizard: gets a first configuration from the arguments, the server and the user."""

from __future__ import annotations

import os
import pwd
import re
from argparse import Namespace
from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from itertools import chain, count
from typing import Final

from tui_popretr.cli.init.account import Account, LookUp, find_account, requirements
from tui_popretr.cli.init.console import Console, required
from tui_popretr.cli.init.explore import Explored, as_given, candidates, explore, log_in
from tui_popretr.cli.init.gmail import ask_gmail
from tui_popretr.cli.init.imap import ask_imap
from tui_popretr.cli.init.lookup import look_up
from tui_popretr.cli.init.oauth import NewLogin
from tui_popretr.cli.init.password import Credentials, get_credentials, other_credentials
from tui_popretr.cli.init.providers import Provider
from tui_popretr.cli.init.text import NewClient, NewDestination, absolute, address, shown
from tui_popretr.config import values
from tui_popretr.config.account import Server, TlsPolicy
from tui_popretr.config.addresses import mail_address, server_address
from tui_popretr.config.choices import DEFAULT_AUTH_TYPES
from tui_popretr.config.login import BESIDE_OAUTH
from tui_popretr.config.model import (
    FolderDestination,
    GmailDestination,
    ImapDestination,
    MaildirDestination,
    SmtpDestination,
)
from tui_popretr.config.oauth import OAuth
from tui_popretr.config.values import InvalidValueError
from tui_popretr.errors import (
    RETRIED,
    CertificateRejected,
    ConfigurationError,
    LoginFailed,
    PopretrError,
    TlsFailed,
    TlsRequired,
    UidlUnavailable,
)
from tui_popretr.secret import Secret
from tui_popretr.session.exploration import Findings
from tui_popretr.session.setup import Connector
from tui_popretr.text import visible
from tui_popretr.wording import fingerprint, mail_volume

_FREQUENCY: Final = "5m"
_TOKEN_COMMAND: Final = "pizauth show mail"  # noqa: S105 - a command
_SENDER: Final = "pop3downloader@localhost"
_MAIL_SERVER: Final = "localhost:25"
_SMTP_PORT: Final = 25
# The first label of a host name often names the service, and in some countries the second level has no meaning either.
_SERVICE: Final = re.compile(r"(pops?3?s?|e?mail|imaps?|in|incoming|inbound|mx|secure|ssl)\d*")
_SECOND_LEVELS: Final = frozenset(("ac", "co", "com", "edu", "gov", "ne", "net", "or", "org"))


@dataclass(frozen=True, slots=True)
class WizardResult:
    """The client to write, and the findings of the login."""

    client: NewClient
    secrets: Mapping[str, Secret]  # passwords and client secrets that were typed, by the file to write them to
    found: Findings | None  # None: no login was tried


class Wizard:
    """Gets a client for a configuration at `path`. Asks for what the arguments do not give.

    `taken`: the ids of the clients that the configuration has; None if it is a new one.
    """

    def __init__(
        self,
        arguments: Namespace,
        path: str,
        console: Console,
        connector: Connector,
        looked_up: LookUp = look_up,
        taken: Set[str] | None = None,
    ) -> None:
        self._arguments = arguments
        self._looked_up = looked_up
        self._adds = taken is not None
        self._taken = taken or frozenset()
        self._provider: Provider | None = None
        self._token_command = ""
        self._typed: Secret | None = None  # the secret of the destination
        self._path = path
        self._console = console
        self._connector = connector
        self._trust = TlsPolicy(
            trust_path=absolute(arguments.tspath) if arguments.tspath else None,
            fingerprints=(values.fingerprint(arguments.fingerprint),) if arguments.fingerprint else (),
        )

    def run(self) -> WizardResult:
        """Return the client. Raises UsageError at the end of input, and the PopretrError of the server or login."""
        arguments, console = self._arguments, self._console
        what = "A client for one more account, added to" if self._adds else "A configuration for one account:"
        console.say(f"{what} {shown(self._path)}")
        console.say("Nothing is retrieved or deleted, and ctrl+c leaves no trace.")
        account = find_account(arguments, console, self._looked_up)
        explored = self._find_server(account)
        self._require_consent(explored)
        client_id = arguments.id or unique_id(client_id_of(explored.server.written), self._taken)
        provider = self._provider
        wanted = account.by_mail and not arguments.delete and not arguments.client_id
        prefix = provider.prefix if provider is not None and wanted else ""
        if prefix and provider is not None:
            console.say(f"  {provider.prefix_reason}")
        username = prefix + self._choose_username(account)
        username, credentials, found = self._log_in(username, client_id, explored, account.username)
        destination, recip = self._choose_destination(f"{os.path.dirname(self._path)}/{client_id}")
        keep = self._keeps_mail(explored, found)
        client = NewClient(
            id=client_id,
            recip=recip,
            server=_with_login(explored.server, username if keep else username.removeprefix(prefix), credentials),
            destination=destination,
            keep=keep,
            frequency=arguments.freq or (provider.frequency if provider is not None else _FREQUENCY),
        )
        typed = ((client.secret_file, credentials.typed), (client.destination_secret_file, self._typed))
        secrets = {file: secret for file, secret in typed if file is not None and secret is not None}
        return WizardResult(client, secrets, found)

    # --- server -------------------------------------------------------------------------------------------------------

    def _find_server(self, account: Account) -> Explored:
        given, console = self._arguments.address, self._console
        text = account.address
        while True:
            if not text:
                console.say()
                text = console.ask("POP3 server", account.suggestion, check=server_address)
            host, port = server_address(text)
            provider = requirements(text, account.username, console)
            self._provider = provider
            logins = provider.logins if provider is not None else account.logins
            self._token_command = (provider.token_command if provider is not None else _TOKEN_COMMAND) if logins else ""
            if self._arguments.offline:
                return as_given(next(candidates(host, port, self._trust)), logins or DEFAULT_AUTH_TYPES)
            console.say(f"\nLooking at {host} ...")
            clear_text = self._arguments.clear_text
            try:
                explored = explore(
                    host, port, self._trust, console.report, self._connector, clear_text=clear_text, logins=logins
                )
            except PopretrError as problem:
                if isinstance(problem, CertificateRejected):
                    if console.accepts_certificate(problem.fingerprint, problem.mismatch):
                        self._trust = TlsPolicy(fingerprints=(problem.fingerprint,))
                        continue
                    _advise_options(problem, self._trust)
                if given or not console.offer_retry(problem.advice, "Try another server?"):
                    raise
                text = ""
            else:
                console.report("logins", ", ".join(each.value for each in explored.server.auth_types))
                return explored

    def _require_consent(self, explored: Explored) -> None:
        """Raise TlsFailed unless the user agrees to a password that can be read on the network."""
        if not explored.exposes_password or self._arguments.clear_text:
            return
        problem = TlsFailed(
            f"{explored.server.written} offers no TLS, and only logins that send the password unencrypted",
            advice="ask your provider for a server with TLS; --clear-text sends the password unencrypted",
        )
        if not self._console.accepts(problem, "Send the password unencrypted?"):
            raise problem

    # --- login --------------------------------------------------------------------------------------------------------

    def _choose_username(self, account: Account) -> str:
        """Return the user name. Ask if only the mail address is known: small servers want what is before the @."""
        arguments, console, name = self._arguments, self._console, account.username
        if arguments.user or "@" not in name or self._provider is not None or not console.interactive:
            return name
        console.say()
        return console.ask("User name", name, check=required)

    def _log_in(
        self, username: str, client_id: str, explored: Explored, account: str
    ) -> tuple[str, Credentials, Findings | None]:
        """Return the user name, the password and the findings of the login, None if no login was tried.

        `account`: the user name for a login by OAuth.
        """
        arguments, console, server = self._arguments, self._console, explored.server
        file = os.path.join(os.path.dirname(self._path), client_id)
        provider = self._provider.oauth if self._provider is not None else None
        oauth = None if provider is None else NewLogin(provider, account, f"{file}.secret")
        credentials = get_credentials(arguments, console, f"{file}.password", self._token_command, oauth)
        if isinstance(credentials.source, OAuth):
            return account, credentials, None
        while True:
            if arguments.offline or arguments.no_login or credentials.trial is None:
                return username, credentials, None
            console.say(f"\nLogging in to {address(server)} as {visible(username)} ...")
            found = log_in(replace(server, username=username, password=credentials.trial), self._connector)
            if found.problem is None:
                console.report(
                    "it works", mail_volume(found.messages, found.octets) if found.messages else "no mail there"
                )
                return username, credentials, found
            console.report("it failed", str(found.problem))
            found.problem.advice = found.problem.advice.replace(RETRIED, "run init again later")  # nothing retries init
            if isinstance(found.problem, TlsRequired):  # TLS was tried before
                found.problem.advice = (
                    "ask your provider for a server with TLS; with --clear-text more logins are tried"
                )
                raise found.problem
            if isinstance(found.problem, LoginFailed) and self._provider is not None:
                found.problem.advice = " ".join((f"{found.problem.advice}.".capitalize(), *self._provider.steps))
            if not isinstance(found.problem, LoginFailed) or not console.offer_retry(
                found.problem.advice, "Try again?"
            ):
                raise found.problem
            username = console.ask("User name", username, check=required)
            credentials = other_credentials(console, credentials)

    # --- mail ---------------------------------------------------------------------------------------------------------

    def _choose_destination(self, file: str) -> tuple[NewDestination, str]:
        """Return the destination and the recip. `file`: what the names of files for typed secrets begin with."""
        arguments, console = self._arguments, self._console
        recip = arguments.recip or _local_user()
        mail_server = arguments.smtp_server or _MAIL_SERVER
        if arguments.maildir:
            return MaildirDestination(absolute(arguments.maildir)), recip
        if arguments.folder:
            return FolderDestination(absolute(arguments.folder)), recip
        if arguments.smtp:
            return self._smtp(arguments.smtp, mail_server), arguments.smtp
        if arguments.imap:
            return self._imap(file), recip
        if arguments.gmail:
            return self._gmail(file), recip
        console.say()
        options = [
            "into a Maildir, which mail programs and IMAP servers read",
            "into a folder, one file per message",
            "to a mail server, by SMTP",
            "into a folder of an IMAP server",
            "into a Gmail account, by Google's API",
        ]
        choice = console.choose("Where does the mail go?", options)
        if choice == 1:
            return MaildirDestination(absolute(console.ask("Maildir", "~/Maildir", check=_path))), recip
        if choice == 2:
            return FolderDestination(absolute(console.ask("Folder", "~/Mail", check=_path))), recip
        if choice == 4:
            return self._imap(file), recip
        if choice == 5:
            return self._gmail(file), recip
        receiver = console.ask("Mail address of the recipient", check=mail_address)
        return self._smtp(receiver, console.ask("Mail server", mail_server, check=server_address)), receiver

    def _imap(self, file: str) -> ImapDestination:
        made = ask_imap(self._arguments, self._console, f"{file}-imap.password")
        self._typed = made.typed
        return made.destination

    def _gmail(self, file: str) -> GmailDestination:
        made = ask_gmail(self._arguments, self._console, f"{file}-gmail.secret")
        self._typed = made.typed
        return made.destination

    def _smtp(self, receiver: str, mail_server: str) -> SmtpDestination:
        host, port = server_address(mail_server)
        return SmtpDestination(self._arguments.sender or _SENDER, (receiver,), host, port or _SMTP_PORT)

    def _keeps_mail(self, explored: Explored, found: Findings | None) -> bool:
        """Return whether the mail stays on the server. Raises UidlUnavailable if it would be retrieved repeatedly."""
        arguments, console = self._arguments, self._console
        if arguments.delete:
            return False
        question = "Delete mail from the server as soon as it is stored here?"
        if found.uids if found is not None and found.messages else explored.uidl:
            if arguments.keep or not console.interactive:
                return True
            console.say()
            return not console.confirm(question)
        problem = UidlUnavailable(
            "this server does not have UIDL, so mail that stays on it would be retrieved again at each run",
            advice="with --delete, mail is deleted from the server as soon as it is stored here",
        )
        if arguments.keep or not console.accepts(problem, question):
            raise problem
        return False


def _with_login(server: Server, username: str, credentials: Credentials) -> Server:
    """Return a server with a user name and its password, or its login by OAuth."""
    if isinstance(credentials.source, OAuth):
        return replace(server, username=username, oauth=credentials.source, auth_types=BESIDE_OAUTH)
    return replace(server, username=username, password=credentials.source)


def _advise_options(problem: CertificateRejected, trust: TlsPolicy) -> None:
    """Replace advice about the configuration by advice about the options of this command."""
    if problem.fingerprint:
        pin = (
            f"if the server's operator confirms this fingerprint, add --fingerprint {fingerprint(problem.fingerprint)}"
        )
        trust_it = "or name a file with the certificates to trust: --tspath FILE"
        problem.advice = f"check the address; {pin}" if problem.mismatch else f"{pin}; {trust_it}"
    elif trust.fingerprints:
        problem.advice = "an attacker may be between you and the server: ask its operator what to give as --fingerprint"


def client_id_of(host: str) -> str:
    """Return a short id for the account on a host: `gmx` for pop.gmx.net."""
    labels = host.lower().rstrip(".").split(".")
    if ":" in host or labels[-1].isdigit():  # an IP address
        return "mail"
    while len(labels) > 2 and _SERVICE.fullmatch(labels[0]):
        labels = labels[1:]
    if len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVELS:
        return labels[-3]
    return labels[-2] if len(labels) > 1 else labels[0]


def unique_id(wanted: str, taken: Set[str]) -> str:
    """Return an id that is not taken: `gmx`, or else `gmx-2`."""
    numbered = (f"{wanted}-{number}" for number in count(2))
    return next(each for each in chain([wanted], numbered) if each not in taken)


def _path(text: str) -> None:
    """Raise InvalidValueError for a text that is not a path."""
    required(text)
    try:
        absolute(text)
    except ConfigurationError as problem:
        raise InvalidValueError(str(problem)) from None


def _local_user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container may not have the user
        return "me"
