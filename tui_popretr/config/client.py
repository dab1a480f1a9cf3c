"""Reads one <client> and checks its settings against each other. They are declared in model.py."""

from __future__ import annotations

from tui_popretr.config import values
from tui_popretr.config.account import Server
from tui_popretr.config.destination import Local, read_destination
from tui_popretr.config.login import read_login
from tui_popretr.config.model import ClientSettings, Retention
from tui_popretr.config.section import Section
from tui_popretr.config.tls import read_tls
from tui_popretr.hosts import POP3_PORT, POP3S_PORT
from tui_popretr.text import visible


def read_client(client: Section, client_id: str | None, local: Local) -> ClientSettings | None:
    """Return the settings of an enabled client; None if there is an error."""
    recip = client.field(ClientSettings, "recip")
    retention = client.read(Retention)
    if retention.delete_after is not None and not retention.preserve and not client.uncertain_attribute("preserve"):
        client.error(
            'deleteafter goes with preserve="Y"; without it messages are deleted at once',
            client.place_of("deleteafter"),
        )
    runs = client.field(ClientSettings, "runs", default=None)
    frequency = client.field(ClientSettings, "frequency")
    if runs is None:
        runs = 1 if frequency == 0 else 0
    server = _read_server(client)
    destination = read_destination(client, recip, local)
    needed = {"id": client_id, "recip": recip, "server": server, "destination": destination}
    found = client.read(ClientSettings, **needed, retention=retention, frequency=frequency, runs=runs)
    return None if None in needed.values() or client.has_errors else found


def _read_server(client: Section) -> Server | None:
    ssl = client.active("ssl")
    tls = read_tls(ssl) if ssl else None
    section = client.child("server")
    if section is None:
        if not client.uncertain("server"):
            client.error("<server> is missing in <client>")
        return None
    address = section.field(Server, "host")
    host, port = address or ("", None)
    default_port = POP3S_PORT if tls and not tls.latent else POP3_PORT
    login = read_login(client, section, tls)
    found = Server(host, port or default_port, *login[:4], tls, login.oauth)
    if not values.is_unicode(found.account):
        path = visible(found.account.rpartition("#")[0], 4096)
        client.error(
            f"the path '{path}' is not valid UTF-8, so the journal cannot tell this account from others; rename that"
            " folder",
            (ssl or client).place_of("kspath"),
        )
    return found if address else None
