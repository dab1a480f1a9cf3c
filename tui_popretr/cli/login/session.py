"""Sessions with a new token, up to the login: whether the servers accept it. Retrieves, sends and deletes nothing."""

from __future__ import annotations

from dataclasses import replace

from tui_popretr.cli.login.terminal import Terminal
from tui_popretr.cli.probing import probe_clients_async
from tui_popretr.clock import SystemClock
from tui_popretr.config.model import (
    ClientSettings,
    Destination,
    GmailDestination,
    ImapDestination,
    Settings,
    SmtpDestination,
    oauth_of,
)
from tui_popretr.config.oauth import Use
from tui_popretr.delivery.remote import InspectableSink, RemoteSink
from tui_popretr.delivery.sinks import SinkEnvironment, sink_for
from tui_popretr.errors import PopretrError
from tui_popretr.oauth.renewal import AccessTokens
from tui_popretr.oauth.tokens import Tokens
from tui_popretr.secret import Secret
from tui_popretr.session.exploration import Findings
from tui_popretr.session.passwords import Passwords
from tui_popretr.session.setup import Connector
from tui_popretr.wording import mail_volume


async def try_sessions(
    settings: Settings, use: Use | None, terminal: Terminal, connector: Connector
) -> dict[Use, PopretrError]:
    """Log in to the servers of the only client that have <oauth>. Report what works; return the errors."""
    (client,) = settings.clients
    uses = {each.use for each in client.oauths if use in (None, each.use)}
    found: dict[Use, PopretrError | None] = {}
    if Use.SERVER in uses:
        found[Use.SERVER] = await _try_server(settings, terminal, connector)
    for each in uses - {Use.SERVER}:
        found[each] = await _try_destination(settings, client, terminal)
    return {each: problem for each, problem in found.items() if problem is not None}


async def _try_server(settings: Settings, terminal: Terminal, connector: Connector) -> PopretrError | None:
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


async def _try_destination(settings: Settings, client: ClientSettings, terminal: Terminal) -> PopretrError | None:
    oauth = oauth_of(client.destination)
    assert oauth is not None
    tokens = AccessTokens(Passwords().obtain, SystemClock())

    async def get() -> Tokens:
        return await tokens.get(oauth)

    async def password() -> Secret:
        return (await get()).access

    terminal.report(f"\nTrying a login at {_name(client.destination)} ...")
    environment = SinkEnvironment(announce_host=settings.paths.announce_host, password=password, tokens=get)
    sink = sink_for(client, "", environment)
    assert isinstance(sink, RemoteSink)
    try:
        if isinstance(sink, InspectableSink):
            await sink.look()
        else:
            await sink.prepare(0)
    except PopretrError as problem:
        return problem
    finally:
        await sink.close()
    terminal.report("The login works.")
    return None


def _name(destination: Destination) -> str:
    match destination:
        case SmtpDestination() | ImapDestination():
            return destination.address
        case GmailDestination(account):
            return f"Gmail, account {account}"
    raise AssertionError(destination)
