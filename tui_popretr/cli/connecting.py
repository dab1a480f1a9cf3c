"""`check --connect`: visits every client's server, several at once, and prints what was found as soon as it is."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import datetime

import trio
from humanize.filesize import naturalsize

from tui_popretr.clock import SystemClock
from tui_popretr.config.model import ClientSettings, Settings
from tui_popretr.engine.bus import Bus
from tui_popretr.engine.entry import Connector, Entry
from tui_popretr.engine.places import Places
from tui_popretr.engine.probe import Findings, probe
from tui_popretr.engine.service import connect_tcp
from tui_popretr.engine.stream import Resolver
from tui_popretr.errors import ExitCode, worst
from tui_popretr.facts import SessionId, TlsDetails
from tui_popretr.text import visible

#: So many servers are visited at once.
AT_ONCE = 8
#: So long is a reply waited for at most, seconds: somebody looks on.
PATIENCE = 30.0
#: After so long the user is told who is waited for, seconds.
RESTLESS = 5.0

_DAY = 86400.0


def check(settings: Settings, *, connector: Connector = connect_tcp) -> int:
    """Visit the clients' maildrops, print a report of each and return the worst exit code. Nothing is retrieved."""
    return trio.run(visit_all, settings, connector)


async def visit_all(settings: Settings, connector: Connector) -> ExitCode:
    """Do as check() does, within trio. Raises OSError where the reports cannot be written."""
    trio.socket.set_custom_hostname_resolver(Resolver())
    clock = SystemClock()
    limits = replace(settings.concurrency, total=min(settings.concurrency.total, AT_ONCE))
    places = Places(limits)
    timeout = min(settings.timeout, PATIENCE)
    waiting = [client.id for client in settings.clients]
    codes: list[ExitCode] = []
    unwritable: list[OSError] = []

    async def visit(client: ClientSettings) -> None:
        place = places.request(client.server)  # two clients of one maildrop would lock each other out
        try:
            await place.granted.wait()
            entry = Entry(SessionId(client.id, 1), _impatient(client), Bus(), clock, connector, timeout)
            found = await probe(entry)
        finally:
            place.release()
        waiting.remove(client.id)
        if found.problem is not None:
            codes.append(found.problem.exit_code)
        try:
            print("\n".join(report(client, found, clock.now())), flush=True)
        except OSError as problem:  # outside the nursery it would come wrapped in a group
            unwritable.append(problem)
            nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        if sys.stderr is not None and sys.stderr.isatty():
            nursery.start_soon(_tell, waiting)
        async with trio.open_nursery() as visits:
            for client in settings.clients:
                visits.start_soon(visit, client)
        nursery.cancel_scope.cancel()
    if unwritable:
        raise unwritable[0]
    return worst(codes)


def _impatient(client: ClientSettings) -> ClientSettings:
    """The client with a TLS handshake that is not waited for any longer than a reply."""
    tls = client.server.tls
    if tls is None or tls.handshake_timeout <= PATIENCE:
        return client
    return replace(client, server=replace(client.server, tls=replace(tls, handshake_timeout=PATIENCE)))


async def _tell(waiting: Collection[str]) -> None:
    """Say on standard error, until cancelled, which clients are still waited for: again only when these change."""
    told = ""
    while True:
        await trio.sleep(RESTLESS)
        names = visible(", ".join(waiting), 200)
        if names != told:
            with contextlib.suppress(OSError):
                print(f"still waiting for: {names}", file=sys.stderr, flush=True)
            told = names


def report(client: ClientSettings, found: Findings, now: datetime) -> Iterator[str]:
    """Yield the lines that tell what was found at a client's server."""
    reached = f" ({found.remote})" if found.remote else ""
    yield f"{visible(client.id)}: {client.server.address}{reached}"
    if found.tls is not None:
        yield from _tls(found.tls, now)
    elif found.remote:
        yield _row("TLS", "none")
    if found.mechanism:
        name = client.server.username
        yield _row("login", f"{found.mechanism} as {name}" if name else found.mechanism)
        capabilities = found.capabilities
        yield _row("capabilities", ", ".join(capabilities.lines) if capabilities else "not told (no CAPA)")
    if found.messages is not None:
        count = "1 message" if found.messages == 1 else f"{found.messages} messages"
        yield _row("maildrop", f"{count}, {naturalsize(found.octets)}" if found.messages else "empty")
    if found.problem is not None:
        yield _row("FAILED", str(found.problem))
        if found.problem.advice:
            yield _row("what to do", found.problem.advice)


def _tls(tls: TlsDetails, now: datetime) -> Iterator[str]:
    yield _row("TLS", f"{tls.version}, {tls.cipher}")
    yield _row("certificate", f"{tls.subject or 'without a subject'}, issued by {tls.issuer or 'nobody named'}")
    yield _row("names", ", ".join(tls.names) or "none")
    if tls.expires is not None:
        days = int((tls.expires - now).total_seconds() // _DAY)
        date = tls.expires.astimezone(now.tzinfo).date()
        yield _row("expires", f"in {days} day{'s' if days != 1 else ''}, on {date}")


def _row(name: str, value: str) -> str:
    return f"  {name + ':':14}{visible(value, 4096)}"
