"""What `init` has to know: from the command line, from the user, and from the server."""

from __future__ import annotations

import os
import pwd
import re
from argparse import Namespace
from dataclasses import dataclass
from typing import Final

from humanize.filesize import naturalsize

from tui_popretr.cli.init.console import Talk, needed
from tui_popretr.cli.init.explore import Approach, Trust, Wanted, explore, log_in, ways
from tui_popretr.cli.init.password import Credentials, credentials, other_credentials
from tui_popretr.cli.init.write import MailFolder, MailServer, Outline, absolute, address, shown
from tui_popretr.config import values
from tui_popretr.config.addresses import mail_address, server_address
from tui_popretr.config.model import PasswordSource, Server
from tui_popretr.config.values import InvalidValueError
from tui_popretr.engine.probe import Findings
from tui_popretr.errors import (
    CertificateRejected,
    ConfigurationError,
    LoginFailed,
    PopretrError,
    TlsFailed,
    TlsRequired,
    UidlUnavailable,
)
from tui_popretr.secret import Secret
from tui_popretr.session.setup import Connector
from tui_popretr.text import visible

_FREQUENCY: Final = "5m"
_SENDER: Final = "pop3downloader@localhost"
_MAIL_SERVER: Final = "localhost:25"
# Host names begin with what they serve, and in some countries a second level says nothing either.
_SERVICE: Final = re.compile(r"(pops?3?s?|e?mail|imaps?|in|incoming|inbound|mx|secure|ssl)\d*")
_SECOND_LEVELS: Final = frozenset(("ac", "co", "com", "edu", "gov", "ne", "net", "or", "org"))


@dataclass(frozen=True, slots=True)
class Agreed:
    """All that is to be written."""

    outline: Outline
    server: Server  # as the configuration has to be read
    password_file: tuple[str, Secret] | None  # a password that was typed, and where it is to be kept
    found: Findings | None  # behind the login; None where none was tried


def interview(arguments: Namespace, path: str, talk: Talk, connector: Connector) -> Agreed:
    """Return what was agreed upon for a configuration at `path`; what the arguments do not say is asked.

    Raises UsageError where the answers end, and the PopretrError of what is wrong with server or login.
    """
    return _Interview(arguments, path, talk, connector).run()


class _Interview:
    def __init__(self, arguments: Namespace, path: str, talk: Talk, connector: Connector) -> None:
        self._arguments = arguments
        self._path = path
        self._talk = talk
        self._connector = connector
        pin = values.fingerprint(arguments.fingerprint) if arguments.fingerprint else ""
        self._trust = Trust(absolute(arguments.tspath) if arguments.tspath else None, pin)

    def run(self) -> Agreed:
        arguments, talk = self._arguments, self._talk
        talk.say(f"A configuration for one account: {shown(self._path)}")
        talk.say("Nothing is retrieved or deleted, and ctrl+c leaves no trace.")
        username = arguments.user
        if username is None:
            talk.say()
            username = talk.asker.ask("User name at the server, often the whole mail address", check=needed)
        host, approach = self._server(username)
        self._want_consent(host, approach)
        client_id = arguments.id or client_id_of(host)
        username, secrets, found = self._login(username, client_id, host, approach)
        target, recip = self._target()
        outline = Outline(
            client_id=client_id,
            recip=recip,
            host=host,
            approach=approach,
            trust=self._trust,
            username=username,
            password=secrets.source,
            target=target,
            keep=self._keep(approach, found),
            frequency=arguments.freq or _FREQUENCY,
        )
        server = self._settings(host, approach, username, secrets.source)
        return Agreed(outline, server, secrets.file, found)

    # --- the server ---------------------------------------------------------------------------------------------------

    def _server(self, username: str) -> tuple[str, Approach]:
        """Return the host, and how it is best reached."""
        given, talk = self._arguments.address, self._talk
        _, at, domain = username.rpartition("@")
        text = given
        while True:
            text = text or talk.asker.ask("POP3 server", f"pop.{domain}" if at else "", check=server_address)
            host, port = server_address(text)
            if self._arguments.offline:
                return host, next(ways(port))
            talk.say(f"\nLooking at {host} ...")
            wanted = Wanted(host, port, self._trust, self._arguments.clear_text)
            try:
                approach = explore(wanted, talk.tell, self._connector)
            except PopretrError as problem:
                if isinstance(problem, CertificateRejected):
                    if self._accepts(problem):
                        self._trust = Trust(fingerprint=problem.fingerprint)
                        continue
                    _name_the_options(problem, self._trust)
                if given or not talk.again(problem.advice, "Try another server?"):
                    raise
                text = None
            else:
                talk.tell("logins", ", ".join(each.value for each in approach.auth_types))
                return host, approach

    def _accepts(self, problem: CertificateRejected) -> bool:
        """Whether the user has compared the certificate's fingerprint and wants it pinned; False where nobody can."""
        if self._talk.silent or not problem.fingerprint:
            return False
        print(f"\nThe certificate that was shown has the SHA-256 fingerprint\n\n  {problem.fingerprint}\n")
        print("Compare it with what the server's operator says it is: somebody between you and")
        print("the server would show one, too. Then this certificate alone is accepted.")
        return self._talk.asker.ask("Type yes if you have compared and it is the same").lower() == "yes"

    def _want_consent(self, host: str, approach: Approach) -> None:
        """See that nobody's password is shown to the network unasked. Raises TlsFailed."""
        if not approach.exposed or self._arguments.clear_text:
            return
        problem = TlsFailed(
            f"{host} offers no TLS, and only logins that show the password to everybody on the way",
            advice="ask your provider for a server with TLS; with --clear-text init goes on all the same",
        )
        if not self._talk.agrees(problem, "Go on all the same?"):
            raise problem

    # --- the login ----------------------------------------------------------------------------------------------------

    def _login(
        self, username: str, client_id: str, host: str, approach: Approach
    ) -> tuple[str, Credentials, Findings | None]:
        """Return user name, password, and what was found behind the login: None where none was tried."""
        arguments, talk = self._arguments, self._talk
        file = os.path.join(os.path.dirname(self._path), f"{client_id}.password")
        found_in = credentials(arguments, talk, file)
        while True:
            if arguments.offline or arguments.no_login or found_in.trial is None:
                return username, found_in, None
            talk.say(f"\nLogging in to {address(host, approach)} as {visible(username)} ...")
            found = log_in(self._settings(host, approach, username, found_in.trial), self._connector)
            if found.problem is None:
                talk.tell("it works", amount(found) if found.messages else "no mail there")
                return username, found_in, found
            talk.tell("it failed", str(found.problem))
            if isinstance(found.problem, TlsRequired):  # which was looked for
                found.problem.advice = (
                    "ask your provider for a server with TLS; with --clear-text more logins are tried"
                )
                raise found.problem
            if not isinstance(found.problem, LoginFailed) or not talk.again(found.problem.advice, "Try again?"):
                raise found.problem
            username = talk.asker.ask("User name", username, check=needed)
            found_in = other_credentials(talk, found_in)

    def _settings(self, host: str, approach: Approach, username: str, password: PasswordSource) -> Server:
        tls = approach.policy(self._trust)
        return Server(host, approach.port, username, password, approach.auth_types, initial_response=False, tls=tls)

    # --- where to, and what stays -------------------------------------------------------------------------------------

    def _target(self) -> tuple[MailFolder | MailServer, str]:
        """Return where the mail goes, and the recip."""
        arguments, talk = self._arguments, self._talk
        recip = arguments.recip or _local_user()
        sender, server = arguments.sender or _SENDER, arguments.smtp_server or _MAIL_SERVER
        if arguments.maildir:
            return MailFolder("maildir", absolute(arguments.maildir)), recip
        if arguments.folder:
            return MailFolder("downloads_directory", absolute(arguments.folder)), recip
        if arguments.smtp:
            return MailServer(server, sender), arguments.smtp
        talk.say()
        options = [
            "into a Maildir, which mail programs and IMAP servers read",
            "into a folder, a file for each message",
            "to a mail server, by SMTP",
        ]
        choice = talk.asker.choose("Where does the mail go?", options)
        if choice == 1:
            return MailFolder("maildir", absolute(talk.asker.ask("Maildir", "~/Maildir", check=_path))), recip
        if choice == 2:
            return MailFolder("downloads_directory", absolute(talk.asker.ask("Folder", "~/Mail", check=_path))), recip
        receiver = talk.asker.ask("Mail address that it is for", check=mail_address)
        return MailServer(talk.asker.ask("Mail server", server, check=server_address), sender), receiver

    def _keep(self, approach: Approach, found: Findings | None) -> bool:
        """Return whether the mail stays on the server. Raises UidlUnavailable where it would come again each time."""
        arguments, talk = self._arguments, self._talk
        if arguments.delete:
            return False
        question = "Delete mail from the server as soon as it is safe here?"
        if found.uids if found is not None and found.messages else approach.uidl:
            if arguments.keep or talk.silent:
                return True
            talk.say()
            return not talk.asker.agree(question)
        problem = UidlUnavailable(
            "this server does not tell old mail from new (UIDL): what stays there would come again at each run",
            advice="with --delete it is deleted there as soon as it is safe here",
        )
        if arguments.keep or not talk.agrees(problem, question):
            raise problem
        return False


def amount(found: Findings) -> str:
    """Return how much mail there is on the server, "" where that is not known."""
    if found.messages is None:
        return ""
    count = "1 message" if found.messages == 1 else f"{found.messages} messages"
    return f"{count}, {naturalsize(found.octets)}"


def _name_the_options(problem: CertificateRejected, trust: Trust) -> None:
    """Make the advice one for this command: what belongs into <ssl> elsewhere is an option here."""
    if problem.fingerprint:
        problem.advice = (
            "if the server's operator says that this is its fingerprint, add"
            f" --fingerprint {problem.fingerprint}; or name a file with the certificates to trust: --tspath FILE"
        )
    elif trust.fingerprint:
        problem.advice = "somebody may be between you and the server: ask its operator what to give as --fingerprint"


def client_id_of(host: str) -> str:
    """Return an id that a person would give to the account on a host: gmx for pop.gmx.net."""
    labels = host.lower().rstrip(".").split(".")
    if ":" in host or labels[-1].isdigit():  # an address
        return "mail"
    while len(labels) > 2 and _SERVICE.fullmatch(labels[0]):
        labels = labels[1:]
    if len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVELS:
        return labels[-3]
    return labels[-2] if len(labels) > 1 else labels[0]


def _path(text: str) -> None:
    """Raise InvalidValueError where an answer is no path."""
    needed(text)
    try:
        absolute(text)
    except ConfigurationError as problem:
        raise InvalidValueError(str(problem)) from None


def _local_user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # in containers there may be no such user
        return "me"
