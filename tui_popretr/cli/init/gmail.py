"""The destination in a Gmail account: the account, the client id of its login, and labels. Nothing is connected."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass
from typing import Final

from tui_popretr.cli.init.console import Console
from tui_popretr.cli.init.oauth import NewLogin, ask_oauth
from tui_popretr.config.addresses import full_mail_address
from tui_popretr.config.choices import gmail_labels
from tui_popretr.config.model import GmailDestination
from tui_popretr.config.oauth import Provider
from tui_popretr.secret import Secret

FILE_OPTION: Final = "--gmail-client-secret-file"


@dataclass(frozen=True, slots=True)
class NewGmail:
    """The destination to write, and the client secret that was typed, to be written to its file."""

    destination: GmailDestination
    typed: Secret | None


def ask_gmail(arguments: Namespace, console: Console, file: str) -> NewGmail:
    """Return the destination of the arguments, or ask for it. A typed client secret is kept in `file`.

    Raises UsageError.
    """
    given = bool(arguments.gmail)
    account = arguments.gmail or console.ask("Gmail address", check=full_mail_address)
    source = Namespace(
        client_id=arguments.gmail_client_id, client_secret_file=arguments.gmail_client_secret_file, tenant=None
    )
    login = NewLogin(Provider.GOOGLE, account, file, file_option=FILE_OPTION)
    oauth, typed = ask_oauth(source, console, login)
    text = arguments.gmail_labels or ""
    if not text and not given:
        text = console.ask("Labels for each message, separated by | (none: -)", "-", check=_labels)
    return NewGmail(GmailDestination(account, oauth, labels=_labels(text)), typed)


def _labels(text: str) -> tuple[str, ...]:
    return () if text.strip() in ("", "-") else gmail_labels(text)
