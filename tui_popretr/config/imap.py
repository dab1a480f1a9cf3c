"""Reads <imap>: a folder of an IMAP server as the destination of a client."""

from __future__ import annotations

from dataclasses import replace

from tui_popretr.config.account import TlsPolicy
from tui_popretr.config.choices import AuthType
from tui_popretr.config.login import CLEAR_TEXT, read_login
from tui_popretr.config.model import ImapDestination
from tui_popretr.config.oauth import Use
from tui_popretr.config.paths import PathResolver
from tui_popretr.config.section import Section
from tui_popretr.config.tls import read_tls
from tui_popretr.hosts import IMAP_PORT, IMAPS_PORT, is_loopback


def read_imap(
    client: Section, section: Section, recip: str | None, resolver: PathResolver, timeout: float
) -> ImapDestination:
    """Return the settings of <imap>. `timeout`: the task's, in seconds."""
    ssl = section.active("ssl")
    starttls = section.field(ImapDestination, "starttls")
    tls: TlsPolicy | None = read_tls(ssl) if ssl else None if section.child("ssl") else TlsPolicy()
    if tls is not None:
        starttls = starttls or tls.latent
        tls = replace(tls, latent=starttls)
    address = section.field(ImapDestination, "host")
    host, port = address or ("", None)
    login = read_login(client, section, tls, ImapDestination, Use.IMAP)
    found = section.read(
        ImapDestination,
        host=host,
        port=port or (IMAPS_PORT if tls and not starttls else IMAP_PORT),
        starttls=starttls,
        username=login.username,
        password=login.password,
        oauth=login.oauth,
        auth_types=login.auth_types,
        tls=tls,
        timeout=section.field(ImapDestination, "timeout") or timeout,
        rejected=section.field(ImapDestination, "rejected", parse=resolver.path_of(recip or "")),
    )
    if address and not section.uncertain("ssl", "starttls", "authtypes"):
        _check(section, found)
    return found


def _check(section: Section, found: ImapDestination) -> None:
    """Report settings that contradict each other, and what would go over the network in clear."""
    if found.tls is None:
        if found.starttls:
            section.error('<starttls> contradicts <ssl enabled="N"/>')
        elif not is_loopback(found.host):
            _check_clear(section, found)
    elif found.port == IMAPS_PORT and found.starttls:
        section.warning(f"port {IMAPS_PORT} means TLS from the first byte, without <starttls>")
    elif found.port == IMAP_PORT and not found.starttls:
        section.warning(f"port {IMAP_PORT} begins in clear: use <starttls>Y</starttls>, or port {IMAPS_PORT}")


def _check_clear(section: Section, found: ImapDestination) -> None:
    ssl = section.child("ssl") or section
    clear = [each.value for each in found.auth_types if each in CLEAR_TEXT]
    if clear:
        what = "access token" if found.oauth else "password"
        section.error(
            f"the {what} would go to {found.written} in clear ({' and '.join(clear)} without TLS): remove"
            ' <ssl enabled="N"/>',
            ssl.place,
        )
        return
    chooses = ", and AUTO uses no method that sends the password in clear" if AuthType.AUTO in found.auth_types else ""
    section.warning(f"mail goes to {found.written} in clear{chooses}", ssl.place)
