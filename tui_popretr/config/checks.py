"""Warnings about settings that are allowed but probably not intended, of one client and across clients."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence

from tui_popretr.config.account import Server
from tui_popretr.config.choices import AuthType, CapaUse
from tui_popretr.config.login import CLEAR_TEXT
from tui_popretr.config.model import ClientSettings
from tui_popretr.config.section import Section
from tui_popretr.config.values import quote
from tui_popretr.hosts import POP3_PORT, POP3S_PORT, is_loopback

SHORTEST_FREQUENCY = 10.0


def clear_text_logins(client: ClientSettings) -> tuple[AuthType, ...]:
    """Return the login methods that send the password in clear: without TLS, and not on loopback."""
    if client.server.tls is not None or is_loopback(client.server.host):
        return ()
    return tuple(auth_type for auth_type in client.server.auth_types if auth_type in CLEAR_TEXT)


def check_client(section: Section, client: ClientSettings) -> None:
    """Warn about one client."""
    if methods := clear_text_logins(client):
        names = " and ".join(method.value for method in methods)
        server = section.child("server")
        what = "access token" if client.server.oauth else "password"
        section.warning(
            f"the {what} goes to {client.server.written} in clear ({names} without TLS); add <ssl> if it has TLS",
            (server or section).place,
        )
    _check_port(section, client.server)
    if client.capa is CapaUse.NEVER and AuthType.AUTO in client.server.auth_types:
        section.warning(
            'capa="never" leaves AUTO to guess what the server offers; name the method in authtypes',
            section.place_of("capa"),
        )
    retention = client.retention
    if retention.preserve and not retention.new_only and client.runs != 1:
        again = "every message again at each run"
        if retention.max_messages is not None and retention.delete_after is None:
            # each session starts with the first message again
            again = f"the first {retention.max_messages} messages again at each run, and never the others (maxmessages)"
        section.warning(f'preserve without newonly retrieves {again}; add newonly="Y"', section.place_of("preserve"))
    if 0 < client.frequency < SHORTEST_FREQUENCY:
        section.warning(
            f"freq is under {SHORTEST_FREQUENCY:g} s (a bare number is milliseconds)", section.place_of("freq")
        )


def _check_port(section: Section, server: Server) -> None:
    """Warn about TLS that does not fit a well-known port (RFC 8314 §3.3, RFC 1939 §3)."""
    place = (section.child("ssl") or section.child("server") or section).place
    if server.port == POP3S_PORT and (server.tls is None or server.tls.latent):
        section.warning(f'port {POP3S_PORT} means TLS from the first byte, which is <ssl latent="N"/>', place)
    elif server.port == POP3_PORT and server.tls is not None and not server.tls.latent:
        section.warning(f'port {POP3_PORT} begins in clear: use <ssl latent="Y"/> (STLS), or port {POP3S_PORT}', place)


def check_maildrops(clients: Sequence[tuple[Section, ClientSettings]]) -> None:
    """Warn about clients that retrieve mail from the same account."""
    first: dict[tuple[str, int, str], ClientSettings] = {}
    for section, client in clients:
        other = first.setdefault(client.server.account_key, client)
        if other is client or all(each.retention.preserve and each.retention.new_only for each in (client, other)):
            continue
        section.warning(
            f"clients {quote(other.id)} and {quote(client.id)} poll the same maildrop, so each message reaches only one"
            ' of them; give both preserve="Y" newonly="Y" if both are to get all messages'
        )


def check_secrecy(section: Section, descriptor_mode: int) -> None:
    """Warn about a configuration that contains a password and that other users can read."""
    secrets = section.context.secrets
    if secrets and descriptor_mode & stat.S_IROTH:
        first = min(secrets, key=lambda place: (place.line, place.column))
        name = os.path.basename(first.path)
        section.warning(f"the file contains a password, and other users can read it; run chmod 600 {name}", first)
