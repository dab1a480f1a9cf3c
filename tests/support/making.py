"""Settings and results of sessions."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.support.passwords import PASSWORD
from tui_popretr.config.account import Server, TlsPolicy
from tui_popretr.config.choices import AuthType, Eol
from tui_popretr.config.model import ClientSettings, MaildirDestination, Paths, Retention, Settings
from tui_popretr.config.sources import Literal
from tui_popretr.errors import ExitCode
from tui_popretr.facts import SessionResult
from tui_popretr.secret import Secret


def server_settings(
    host: str = "pop.example.test",
    port: int = 110,
    user: str | None = "alice",
    *,
    auth_types: tuple[AuthType, ...] = (AuthType.USERPASS,),
    tls: TlsPolicy | None = None,
    **changes: Any,
) -> Server:
    server = Server(host, port, user, Literal(Secret(PASSWORD)), auth_types, False, tls)
    return replace(server, **changes)


def client_settings(
    name: str = "a", folder: Path | None = None, server: Server | None = None, **changes: Any
) -> ClientSettings:
    """A client that delivers into `folder`/name and polls the account `name` on a server of its own."""
    server = server or server_settings(f"{name}.example.test", user=name)
    destination = MaildirDestination(f"{folder}/{name}", eol=Eol.CRLF)
    return changed_client(ClientSettings(name, "user1", server, destination, omit_received=True), **changes)


def changed_client(client: ClientSettings, **changes: Any) -> ClientSettings:
    """Return a client with these fields changed, of ClientSettings or of its Retention."""
    kept = {each.name: changes.pop(each.name) for each in fields(Retention) if each.name in changes}
    return replace(client, retention=replace(changes.pop("retention", client.retention), **kept), **changes)


def engine_settings(folder: Path, *clients: ClientSettings, **changes: Any) -> Settings:
    """A configuration with its journal in `folder`, whose clients start at once."""
    place = str(folder)
    settings = Settings(
        path=f"{place}/popretr.xml",
        paths=Paths(place, place, place, place, place, "testhost", "testhost", "tui-popretr test"),
        clients=clients,
        timeout=30.0,
        delay_start=0.0,
        journal=f"{place}/popretr.sqlite",
    )
    return replace(settings, **changes)


def session_result(
    at: datetime,
    code: ExitCode = ExitCode.OK,
    error: str = "",
    advice: str = "",
    *,
    messages: int = 0,
    octets: int = 0,
    deleted: int = 0,
    skipped: int = 0,
    failed: int = 0,
    kept: int = 0,
) -> SessionResult:
    """Return the result of a session that began and ended at `at`."""
    return SessionResult(code, error, advice, at, at, messages, octets, deleted, skipped, failed, kept)
