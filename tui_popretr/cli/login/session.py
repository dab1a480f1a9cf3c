"""A session with a new token, up to the listing: whether the server accepts it. Retrieves and deletes nothing."""

from __future__ import annotations

from dataclasses import replace

from tui_popretr.cli.login.terminal import Terminal
from tui_popretr.cli.probing import probe_clients_async
from tui_popretr.config.model import ClientSettings, Settings
from tui_popretr.errors import PopretrError
from tui_popretr.session.exploration import Findings
from tui_popretr.session.setup import Connector
from tui_popretr.wording import mail_volume


async def try_session(settings: Settings, terminal: Terminal, connector: Connector) -> PopretrError | None:
    """Log in to the POP3 server of the only client. Report what works; return the error, None for none."""
    found: list[Findings] = []

    def keep(_: ClientSettings, findings: Findings) -> None:
        found.append(findings)

    (client,) = settings.clients
    # What a session would need beyond the login is not the question here.
    plain = replace(client, retention=replace(client.retention, new_only=False, delete_after=None))
    terminal.report(f"\nTrying a session at {client.server.address} ...")
    await probe_clients_async(replace(settings, clients=(plain,)), keep, connector)
    if found[0].problem is None:
        mail = mail_volume(found[0].messages, found[0].octets) if found[0].messages else "no mail there"
        terminal.report(f"A session works: {mail}.")
    return found[0].problem
