"""The sink for what a client is configured with."""

from __future__ import annotations

from tui_popretr.config.model import ClientSettings, FolderDestination, MaildirDestination
from tui_popretr.delivery.folder import FolderSink
from tui_popretr.delivery.maildir import MaildirSink
from tui_popretr.delivery.sink import Sink
from tui_popretr.errors import ConfigurationError


def sink_for(client: ClientSettings, journal_id: str) -> Sink:
    """Return the client's sink; no I/O. `journal_id` marks our files. Raises ConfigurationError."""
    match client.destination:
        case MaildirDestination() as maildir:
            return MaildirSink(maildir, journal_id)
        case FolderDestination() as folder:
            return FolderSink(folder, client.id, journal_id)
        case _:
            raise ConfigurationError(
                f"client {client.id}: delivery to an SMTP server or a command is not there yet",
                advice="deliver into a message store, a <maildir> or a <downloads_directory>",
            )
