"""`check --connect`: probes every client's server and prints each result as soon as it is known."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

import trio

from tui_popretr.cli.folding import folded
from tui_popretr.cli.probing import probe_clients_async
from tui_popretr.cli.reports import Json, probe_report
from tui_popretr.clock import SystemClock
from tui_popretr.config.model import ClientSettings, Settings, oauth_of
from tui_popretr.engine.service import connect_tcp
from tui_popretr.errors import ExitCode, worst
from tui_popretr.facts import TlsDetails, TokenDetails
from tui_popretr.session.exploration import Findings
from tui_popretr.session.setup import Connector
from tui_popretr.text import visible
from tui_popretr.wording import certificate_date, fingerprint, mail_volume, token_validity

#: The column of the values.
_INDENT: Final = 16


def check(settings: Settings, *, connector: Connector = connect_tcp) -> int:
    """Probe the clients' servers, print a report of each and return the worst exit code. Nothing is retrieved.

    Raises OSError if the reports cannot be written.
    """
    return trio.run(check_async, settings, connector)


async def check_async(settings: Settings, connector: Connector) -> ExitCode:
    """The same as check(), in trio."""
    clock = SystemClock()
    codes: list[ExitCode] = []

    def print_report(client: ClientSettings, found: Findings) -> None:
        if found.problem is not None:
            codes.append(found.problem.exit_code)
        print(folded("\n".join(report(client, found, clock.now())), hang=_INDENT), flush=True)

    await probe_clients_async(settings, print_report, connector)
    return worst(codes)


def report(client: ClientSettings, found: Findings, now: datetime) -> Iterator[str]:
    """Yield the lines of the report about a client's server."""
    reached = f" ({found.remote})" if found.remote else ""
    yield f"{visible(client.id)}: {client.server.address}{reached}"
    if found.tls is not None:
        yield from _tls(found.tls, now)
    elif found.remote:
        yield _row("TLS", "none")
    if found.mechanism:
        name = client.server.username
        yield _row("login", f"{found.mechanism} as {name}" if name else found.mechanism)
        if found.token is not None:
            yield from _token("access token", found.token, now)
        capabilities = found.capabilities
        yield _row("capabilities", ", ".join(capabilities.lines) if capabilities else "unknown (no CAPA)")
    if found.messages is not None:
        yield _row("maildrop", mail_volume(found.messages, found.octets) if found.messages else "empty")
    oauth = oauth_of(client.destination)
    if oauth is not None and found.destination_token is not None:
        yield from _token(f"{oauth.use.value.upper()} token", found.destination_token, now)
    yield from (_row(name, value) for name, value in found.destination)
    for warning in found.warnings:
        yield _row("warning", warning)
    if found.problem is not None:
        yield _row("FAILED", str(found.problem))
        if found.problem.advice:
            yield _row("what to do", found.problem.advice)


def _token(name: str, token: TokenDetails, now: datetime) -> Iterator[str]:
    yield _row(name, f"{token.account} at {token.provider}, valid {token_validity(token, now)}")
    yield _row("allows", " ".join(token.scopes) or "not known")


def _tls(tls: TlsDetails, now: datetime) -> Iterator[str]:
    yield _row("TLS", f"{tls.version}, {tls.cipher}")
    pinned = " (pinned)" if tls.pinned else ""
    yield _row(
        "certificate", f"{tls.subject or 'without a subject'}, issued by {tls.issuer or 'an unnamed issuer'}{pinned}"
    )
    yield _row("names", ", ".join(tls.names) or "none")
    yield from _expiry(tls, now)
    if tls.fingerprint:
        yield _row("SHA-256", fingerprint(tls.fingerprint))


def _expiry(tls: TlsDetails, now: datetime) -> Iterator[str]:
    if tls.expires is None:
        return
    when = certificate_date(tls.expires, now)
    if tls.expires < now:  # only a pinned certificate can be accepted then
        yield _row("EXPIRED", when)
    else:
        yield _row("expires", f"! {when}" if tls.expires_soon(now) else when)


def _row(name: str, value: str) -> str:
    return f"  {name + ':':{_INDENT - 2}}{visible(value, 4096)}"


def reports(settings: Settings, *, connector: Connector = connect_tcp) -> list[Json]:
    """Probe the clients' servers, and return what was found as JSON, in the order of the configuration."""
    found: dict[str, Json] = {}

    def keep(client: ClientSettings, findings: Findings) -> None:
        found[client.id] = probe_report(client, findings)

    trio.run(probe_clients_async, settings, keep, connector)
    return [found[client.id] for client in settings.clients]
