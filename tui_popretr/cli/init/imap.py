"""The destination in an IMAP server: its address, the login and the folder; and a login as a test."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass

import trio

from tui_popretr.cli.init.console import Console, required
from tui_popretr.cli.init.password import Credentials, get_credentials
from tui_popretr.config.account import TlsPolicy
from tui_popretr.config.addresses import server_address
from tui_popretr.config.model import ImapDestination
from tui_popretr.config.oauth import OAuth
from tui_popretr.config.sources import PasswordSource
from tui_popretr.config.values import printable
from tui_popretr.hosts import IMAP_PORT, IMAPS_PORT
from tui_popretr.secret import Secret
from tui_popretr.session.passwords import Passwords
from tui_popretr.text import visible

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
    assert not isinstance(credentials.source, OAuth)
    folder = arguments.imap_folder or (_FOLDER if given else console.ask("Folder there", _FOLDER, check=printable))
    starttls = port == IMAP_PORT
    destination = ImapDestination(
        host,
        port or IMAPS_PORT,
        starttls=starttls,
        username=username,
        password=credentials.source,
        tls=TlsPolicy(latent=starttls),
        folder=folder,
    )
    if not (arguments.offline or arguments.no_login or credentials.trial is None):
        console.say(f"\nLogging in to {destination.address} as {visible(username)} ...")
        trio.run(_try, destination, credentials)
        console.report("it works", f"folder {visible(folder)}")
    return NewImap(destination, credentials.typed)


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
