"""Visits to the clients' servers, several at once, without retrieving anything: connect, log in, list, leave."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Collection
from dataclasses import replace

import trio

from tui_popretr.bus import Bus
from tui_popretr.clock import SystemClock
from tui_popretr.config.model import ClientSettings, Settings
from tui_popretr.engine.probe import Findings, probe
from tui_popretr.engine.service import connect_tcp
from tui_popretr.engine.slots import SessionSlots
from tui_popretr.facts import SessionId
from tui_popretr.net.resolver import Resolver
from tui_popretr.session.setup import ConnectionSetup, Connector
from tui_popretr.text import visible

#: So many servers are visited at once.
AT_ONCE = 8
#: So long is a reply waited for at most, seconds: somebody looks on.
PATIENCE = 30.0
#: After so long the user is told who is waited for, seconds.
RESTLESS = 5.0

#: Told what was found at a client's server, as soon as that is known. May raise OSError, which ends the visits.
Teller = Callable[[ClientSettings, Findings], None]


def visit(settings: Settings, tell: Teller, *, connector: Connector = connect_tcp) -> None:
    """Visit the clients' maildrops and tell of each. Raises what `tell` raises."""
    trio.run(visit_all, settings, tell, connector)


async def visit_all(settings: Settings, tell: Teller, connector: Connector) -> None:
    """Do as visit() does, within trio."""
    trio.socket.set_custom_hostname_resolver(Resolver())
    clock = SystemClock()
    limits = replace(settings.concurrency, total=min(settings.concurrency.total, AT_ONCE))
    places = SessionSlots(limits)
    timeout = min(settings.timeout, PATIENCE)
    waiting = [client.id for client in settings.clients]
    untold: list[OSError] = []

    async def call_on(client: ClientSettings) -> None:
        place = places.request(client.server)  # two clients of one maildrop would lock each other out
        try:
            await place.granted.wait()
            setup = ConnectionSetup(SessionId(client.id, 1), _impatient(client), Bus(), clock, connector, timeout)
            found = await probe(setup)
        finally:
            place.release()
        waiting.remove(client.id)
        try:
            tell(client, found)
        except OSError as problem:  # outside the nursery it would come wrapped in a group
            untold.append(problem)
            nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        if sys.stderr is not None and sys.stderr.isatty():
            nursery.start_soon(_say_who_is_waited_for, waiting)
        async with trio.open_nursery() as visits:
            for client in settings.clients:
                visits.start_soon(call_on, client)
        nursery.cancel_scope.cancel()
    if untold:
        raise untold[0]


def _impatient(client: ClientSettings) -> ClientSettings:
    """The client with a TLS handshake that is not waited for any longer than a reply."""
    tls = client.server.tls
    if tls is None or tls.patience(PATIENCE) <= PATIENCE:
        return client
    return replace(client, server=replace(client.server, tls=replace(tls, handshake_timeout=PATIENCE)))


async def _say_who_is_waited_for(waiting: Collection[str]) -> None:
    """Say it on standard error, until cancelled: again only when it changes."""
    told = ""
    while True:
        await trio.sleep(RESTLESS)
        names = visible(", ".join(waiting), 200)
        if names != told:
            with contextlib.suppress(OSError):
                print(f"still waiting for: {names}", file=sys.stderr, flush=True)
            told = names
