"""Opens a connection up to the login (skeleton)."""

from __future__ import annotations

from tui_popretr.config.model import ImapDestination
from tui_popretr.delivery.imap.connection import ImapConnection
from tui_popretr.delivery.remote import AskOther, AskPassword, Say
from tui_popretr.net.tls import TlsContexts


def server_name(destination: ImapDestination) -> str:
    """Return the server's name for texts."""
    return f"the IMAP server {destination.address}"


class Opening:
    """What a connection is opened with, for one session."""

    def __init__(
        self,
        destination: ImapDestination,
        said: Say,
        ask_password: AskPassword,
        contexts: TlsContexts | None = None,
        other_password: AskOther | None = None,
    ) -> None:
        """`ask_password` is called at most once, or for each connection if it returns an access token.

        Without `contexts` no TLS context is shared with other sessions.
        """
        raise NotImplementedError

    async def open(self) -> ImapConnection:
        """Return a new connection, logged in. Raises DeliveryFailed.

        ImapServerUnreachable, ImapServerNotTrusted, ImapLoginFailed, ImapTemporaryFailure, ImapProtocolError.
        """
        raise NotImplementedError
