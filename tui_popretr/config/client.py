"""One <client>: an account to poll, its schedule and its destination."""

from __future__ import annotations

from tui_popretr.config import values
from tui_popretr.config.addresses import server_address
from tui_popretr.config.destination import Local, read_destination
from tui_popretr.config.login import read_login
from tui_popretr.config.model import CapaUse, ClientSettings, Retention, Server
from tui_popretr.config.section import Section
from tui_popretr.config.tls import read_tls
from tui_popretr.hosts import POP3_PORT, POP3S_PORT
from tui_popretr.text import visible

_LONGEST_ID = 128
_LONGEST_RECIP = 254


def read_id(client: Section) -> str | None:
    """Return the client's id; None, and an error, where it has no valid one."""
    return client.required_attribute("id", values.file_name(_LONGEST_ID))


def _capa(text: str) -> CapaUse:
    if text.lower() == CapaUse.NEVER.value:
        return CapaUse.NEVER
    try:
        return CapaUse.STLS if values.boolean(text) else CapaUse.LOGIN
    except values.InvalidValueError as error:
        raise values.InvalidValueError(f"{error}, or never") from None


def _pipelining(text: str) -> bool:
    if text.lower() == "auto":
        return True
    try:
        return values.boolean(text)
    except values.InvalidValueError:
        raise values.InvalidValueError(f"{values.quote(text)} is neither auto nor N") from None


def read_client(client: Section, client_id: str | None, local: Local) -> ClientSettings | None:
    """Return the settings of an enabled client; None where there was an error."""
    recip = client.required_attribute("recip", values.file_name(_LONGEST_RECIP))
    frequency = client.attribute("freq", values.duration, 300.0)
    runs = client.attribute("runs", values.count(), None)
    preserve = client.attribute("preserve", values.boolean, False)
    capa = client.attribute("capa", _capa, CapaUse.LOGIN)
    pipelining = client.attribute("pipelining", _pipelining, True)
    omit_received = client.attribute("omitreceivedheader", values.boolean, False)
    full_transcript = client.attribute("fulltrans", values.boolean, False)
    new_only = client.attribute("newonly", values.boolean, False)
    delete_after = client.attribute("deleteafter", values.positive_duration, None)
    max_size = client.attribute("maxsize", values.positive_size, None)
    max_messages = client.attribute("maxmessages", values.count(1), None)
    if delete_after is not None and not preserve and not client.doubtful_attribute("preserve"):
        client.error(
            'deleteafter goes with preserve="Y"; without it messages are deleted at once',
            client.place_of("deleteafter"),
        )
    server = _read_server(client, local)
    destination = read_destination(client, recip, local)
    if client_id is None or recip is None or server is None or destination is None or client.spoiled:
        return None
    return ClientSettings(
        id=client_id,
        recip=recip,
        server=server,
        destination=destination,
        frequency=frequency,
        runs=runs if runs is not None else 1 if frequency == 0 else 0,
        retention=Retention(preserve, new_only, delete_after, max_size, max_messages),
        capa=capa,
        pipelining=pipelining,
        omit_received=omit_received,
        full_transcript=full_transcript,
    )


def _read_server(client: Section, local: Local) -> Server | None:
    ssl = client.active("ssl")
    tls = read_tls(ssl, local.resolver) if ssl else None
    section = client.child("server")
    if section is None:
        if not client.doubtful("server"):
            client.error("<server> is missing in <client>")
        return None
    address = section.required_attribute("address", server_address)
    login = read_login(client, section, tls, local.resolver)
    host, port = address or ("", None)
    default_port = POP3S_PORT if tls and not tls.latent else POP3_PORT
    found = Server(
        host=host,
        port=port or default_port,
        username=login.username,
        password=login.password,
        auth_types=login.auth_types,
        initial_response=login.initial_response,
        tls=tls,
    )
    if not values.is_unicode(found.account):
        path = visible(found.account.rpartition("#")[0], 4096)
        client.error(
            f"the path '{path}' is not valid UTF-8, so the journal cannot tell this account from others; rename that"
            " folder",
            (ssl or client).place_of("kspath"),
        )
    return found if address else None
