"""Finds the POP3 server of a mail domain: its SRV records (RFC 6186), then the autoconfiguration of its web servers.

DNS answers are not authenticated: whoever forges one would get the password, with a valid certificate for a server of
their own. So a server outside the domain is believed only if the domain's own web server names it by HTTPS, or if the
user agrees (RFC 6186 §6).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import trio

from tui_popretr.cli.init.autoconfig import AdvertisedServer, UnusableAutoconfig, read_autoconfig
from tui_popretr.errors import PopretrError
from tui_popretr.hosts import ascii_host, host_key, with_port
from tui_popretr.net.http import Dial, dial_tcp, get
from tui_popretr.net.resolver import Resolver
from tui_popretr.net.srv import Service, find_services

#: Timeout of each question in seconds.
TIMEOUT: Final = 10.0
#: Octets of a document.
LARGEST: Final = 64 * 1024
#: The names of the SRV records, the safest first.
RECORDS: Final = ("_pop3s._tcp", "_pop3._tcp")

#: Called with each question and its result.
Report = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class FoundServer:
    """A server of a mail domain."""

    address: str  # HOST:PORT
    username: str
    trusted: bool  # the domain itself names it, authenticated, or it is in the domain
    tokens_only: bool = False


def documents(domain: str) -> tuple[tuple[str, str], ...]:
    """Return host and path of the documents that may describe a domain (in ASCII)."""
    return (
        (f"autoconfig.{domain}", "/mail/config-v1.1.xml"),
        (domain, "/.well-known/autoconfig/mail/config-v1.1.xml"),
    )


def explain(domain: str) -> tuple[str, ...]:
    """Return in sentences what is asked of whom, for the user to agree to."""
    records = " and ".join(f"{record}.{domain}" for record in RECORDS)
    hosts = " and ".join(host for host, _ in documents(domain))
    return (
        f"first the name server of this machine, for the SRV records {records};",
        f"then, if these name no server of the domain, the web servers {hosts}, by HTTPS, for their autoconfiguration.",
        "They learn the domain and this machine's address, but not the mail address, and no password.",
    )


def look_up(mail: str, report: Report, *, dial: Dial = dial_tcp) -> FoundServer | None:
    """Return the POP3 server for a mail address, None if the domain names none. Never raises PopretrError."""
    return trio.run(_look_up, mail, report, dial)


async def _look_up(mail: str, report: Report, dial: Dial) -> FoundServer | None:
    trio.socket.set_custom_hostname_resolver(Resolver())
    domain = ascii_host(mail.rpartition("@")[2])
    service = await _service(domain, report)
    if service is not None and _is_within(service.host, domain):
        return FoundServer(with_port(*service), mail, trusted=True)
    for host, path in documents(domain):
        if (advertised := await _advertised(host, path, mail, report, dial)) is not None:
            return FoundServer(advertised.address, advertised.username, True, advertised.tokens_only)
    return None if service is None else FoundServer(with_port(*service), mail, trusted=False)


async def _service(domain: str, report: Report) -> Service | None:
    """Return the first server of the SRV records."""
    for record in RECORDS:
        name = f"{record}.{domain}"
        try:
            services = await find_services(name, timeout=TIMEOUT)
        except PopretrError as problem:
            report(name, str(problem))
            return None
        report(name, ", ".join(with_port(*each) for each in services[:5]) or "no such server")
        if services:
            return services[0]
    return None


async def _advertised(host: str, path: str, mail: str, report: Report, dial: Dial) -> AdvertisedServer | None:
    """Return the server that a document names."""
    url = f"https://{host}{path}"
    try:
        advertised = read_autoconfig(await get(host, path, timeout=TIMEOUT, limit=LARGEST, dial=dial), mail)
    except (PopretrError, UnusableAutoconfig) as problem:
        report(url, str(problem))
        return None
    report(url, advertised.address)
    return advertised


def _is_within(host: str, domain: str) -> bool:
    return f".{host_key(host)}".endswith(f".{host_key(domain)}")
