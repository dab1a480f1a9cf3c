"""The destination in an IMAP server: its address, the login and the folder; and a login as a test."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass, replace

import trio

from tui_popretr.cli.init.console import Console, required
from tui_popretr.cli.init.password import Credentials, get_credentials, other_credentials
from tui_popretr.cli.init.text import absolute
from tui_popretr.config import values
from tui_popretr.config.account import TlsPolicy
from tui_popretr.config.addresses import server_address
from tui_popretr.config.model import ImapDestination
from tui_popretr.config.oauth import OAuth
from tui_popretr.config.sources import PasswordSource
from tui_popretr.config.values import printable
from tui_popretr.errors import RETRIED, ImapLoginFailed, ImapServerNotTrusted, PopretrError
from tui_popretr.hosts import IMAP_PORT, IMAPS_PORT
from tui_popretr.secret import Secret
from tui_popretr.session.passwords import Passwords
from tui_popretr.text import visible
from tui_popretr.wording import fingerprint

_FOLDER = "INBOX"


@dataclass(frozen=True, slots=True)
class NewImap:
    """The destination to write, and the password that was typed, to be written to its file."""

    destination: ImapDestination
    typed: Secret | None


def ask_imap(arguments: Namespace, console: Console, file: str) -> NewImap:
    """Return the destination of the arguments, or ask for it, and log in to it. A typed password is kept in `file`.

    Raises UsageError, and the PopretrError of the server or login.
    """
    given = bool(arguments.imap)
    host, port = server_address(arguments.imap or console.ask("IMAP server", check=server_address))
    username = arguments.imap_user or console.ask("User name there", check=required)
    source = Namespace(
        client_id=None,
        password_command=arguments.imap_password_command,
        password_env=arguments.imap_password_env,
        password_file=arguments.imap_password_file,
    )
    credentials = get_credentials(source, console, file)
    folder = arguments.imap_folder or (_FOLDER if given else console.ask("Folder there", _FOLDER, check=printable))
    starttls = port == IMAP_PORT
    destination = ImapDestination(
        host,
        port or IMAPS_PORT,
        starttls=starttls,
        username=username,
        password=_source(credentials),
        tls=TlsPolicy(
            latent=starttls,
            trust_path=absolute(arguments.imap_tspath) if arguments.imap_tspath else None,
            fingerprints=(values.fingerprint(arguments.imap_fingerprint),) if arguments.imap_fingerprint else (),
        ),
        folder=folder,
    )
    if arguments.offline or arguments.no_login:
        return NewImap(destination, credentials.typed)
    return _tried(destination, credentials, console)


def _tried(destination: ImapDestination, credentials: Credentials, console: Console) -> NewImap:
    """Log in; on a terminal ask for another certificate, user name or password until it works. Raises PopretrError."""
    while credentials.trial is not None:
        console.say(f"\nLogging in to {destination.address} as {visible(destination.username or '')} ...")
        try:
            trio.run(_try, destination, credentials)
        except PopretrError as problem:
            console.report("it failed", str(problem))
            problem.advice = _fitting(problem.advice)
            if isinstance(problem, ImapServerNotTrusted):
                tls = destination.tls
                if tls is not None and console.accepts_certificate(problem.fingerprint):
                    tls = replace(tls, trust_path=None, fingerprints=(problem.fingerprint,))
                    destination = replace(destination, tls=tls)
                    continue
                _advise_options(problem)
            if not isinstance(problem, ImapLoginFailed) or not console.offer_retry(problem.advice, "Try again?"):
                raise
            username = console.ask("User name there", destination.username or "", check=required)
            credentials = other_credentials(console, credentials)
            destination = replace(destination, username=username, password=_source(credentials))
        else:
            console.report("it works", f"folder {visible(destination.folder)}")
            break
    return NewImap(destination, credentials.typed)


def _fitting(advice: str) -> str:
    """Return advice that is about a configuration, or a daemon, in words for this command."""
    in_words = advice.replace("<username> and <password> in <imap>", "user name and password")
    return in_words.replace(RETRIED, "run init again later")


def _advise_options(problem: ImapServerNotTrusted) -> None:
    """Replace advice about the configuration by advice about the options of this command."""
    if problem.fingerprint:
        problem.advice = (
            "if the server's operator confirms this fingerprint, add --imap-fingerprint"
            f" {fingerprint(problem.fingerprint)}; or name a file with the certificates to trust: --imap-tspath FILE"
        )


def _source(credentials: Credentials) -> PasswordSource:
    assert not isinstance(credentials.source, OAuth)
    return credentials.source


async def _try(destination: ImapDestination, credentials: Credentials) -> None:
    """Log in and look at the folder. Raises PopretrError."""
    from tui_popretr.delivery.imap.sink import ImapSink  # most users do not need it

    trial: PasswordSource | None = credentials.trial

    async def password() -> Secret:
        return await Passwords().obtain(trial)

    sink = ImapSink(destination, spool="", password=password)
    try:
        await sink.prepare(0)
    finally:
        await sink.close()
