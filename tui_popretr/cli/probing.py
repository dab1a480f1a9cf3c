"""Probes the clients' servers, several at once: connect, log in, list the mail, quit. Retrieves nothing."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Collection
from dataclasses import replace

import trio

from tui_popretr.bus import Bus
from tui_popretr.clock import SystemClock
from tui_popretr.config.model import ClientSettings, ImapDestination, Settings, oauth_of
from tui_popretr.delivery.remote import InspectableSink
from tui_popretr.delivery.sinks import SinkEnvironment, sink_for
from tui_popretr.engine.service import connect_tcp
from tui_popretr.engine.slots import SessionSlots
from tui_popretr.errors import DestinationTimeout, PopretrError
from tui_popretr.facts import SessionId
from tui_popretr.net.resolver import Resolver
from tui_popretr.session.destination_login import DestinationLogin
from tui_popretr.session.exploration import Exploration, Findings, token_details
from tui_popretr.session.services import ConnectionServices
from tui_popretr.session.setup import ConnectionSetup, Connector
from tui_popretr.text import visible
from tui_popretr.wording import error_with_advice

#: Servers probed at once, at most.
AT_ONCE = 8
#: Timeout of a reply in seconds, at most: the user is waiting.
TIMEOUT = 30.0
#: Seconds to look at the server of a destination, for all answers together.
LOOK_TIMEOUT = 60.0
#: Seconds for the answer to QUIT.
QUIT_TIMEOUT = 5.0
#: Seconds after which the names of the slow servers are printed.
SLOW_NOTICE = 5.0

#: Called with each client and its findings, as soon as they are known. An OSError ends the probes.
Report = Callable[[ClientSettings, Findings], None]


def probe_clients(settings: Settings, report: Report, *, connector: Connector = connect_tcp) -> None:
    """Probe the servers of all clients. Raises what `report` raises."""
    trio.run(probe_clients_async, settings, report, connector)


async def probe_clients_async(settings: Settings, report: Report, connector: Connector) -> None:
    """The same as probe_clients(), in trio."""
    trio.socket.set_custom_hostname_resolver(Resolver())
    services = ConnectionServices()
    limits = replace(settings.concurrency, total=min(settings.concurrency.total, AT_ONCE))
    slots = SessionSlots(limits)
    timeout = min(settings.timeout, TIMEOUT)
    waiting = [client.id for client in settings.clients]
    errors: list[OSError] = []

    async def probe_client(client: ClientSettings) -> None:
        slot = slots.request(client.server)  # two sessions in one maildrop would lock each other out
        try:
            await slot.granted.wait()
            found = await probe_server(_with_timeout(client), services, connector, timeout)
        finally:
            slot.release()
        waiting.remove(client.id)
        try:
            report(client, found)
        except OSError as problem:  # outside the nursery it would be wrapped in a group
            errors.append(problem)
            nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        if sys.stderr is not None and sys.stderr.isatty():
            nursery.start_soon(_report_slow, waiting)
        async with trio.open_nursery() as probes:
            for client in settings.clients:
                probes.start_soon(probe_client, client)
        nursery.cancel_scope.cancel()
    if errors:
        raise errors[0]


async def probe_server(
    client: ClientSettings, services: ConnectionServices, connector: Connector, timeout: float, *, login: bool = True
) -> Findings:
    """Explore one client's maildrop until the listing, or without `login` until the login, and send QUIT.

    Retrieves and deletes nothing, and never raises PopretrError. `timeout` is in seconds. The destination's server is
    examined, too; a missing access token for it is a warning.
    """
    setup = ConnectionSetup(SessionId(client.id, 1), client, Bus(), SystemClock(), connector, timeout, services)
    exploration = Exploration(setup)
    try:
        if login:
            await exploration.log_in()
            await exploration.list_maildrop()
        else:
            await exploration.until_login()
        await exploration.leave(QUIT_TIMEOUT)
    except PopretrError as problem:
        exploration.found.problem = problem
    finally:
        exploration.close()
    if login:
        await _look_at_destination(client, services, exploration.found)
    return exploration.found


async def _look_at_destination(client: ClientSettings, services: ConnectionServices, found: Findings) -> None:
    """Get the access token of the destination, and look at what is at its server.

    A missing token is a warning. Another error is the result, unless the POP3 server had an error.
    """
    oauth = oauth_of(client.destination)
    if oauth is not None:
        try:
            found.destination_token = token_details(oauth, await services.tokens.get(oauth))
        except PopretrError as problem:
            found.warnings.append(f"<{oauth.use.value}>: {error_with_advice(str(problem), problem.advice)}")
            return
    sink = sink_for(_with_short_timeout(client), "", _environment(client, services))
    if not isinstance(sink, InspectableSink):
        return
    try:
        with trio.fail_after(LOOK_TIMEOUT):
            found.destination += await sink.look()
    except trio.TooSlowError:
        silence = DestinationTimeout(f"the destination has not answered within {LOOK_TIMEOUT:g} s")
        found.problem = found.problem or silence
    except PopretrError as problem:
        found.problem = found.problem or problem
    finally:
        await sink.close()


def _environment(client: ClientSettings, services: ConnectionServices) -> SinkEnvironment:
    login = DestinationLogin(client.destination, services)
    return SinkEnvironment(
        password=login.password,
        contexts=services.contexts,
        other_password=login.other_password,
        tokens=login.tokens,
        other_tokens=login.other_tokens,
    )


def _with_short_timeout(client: ClientSettings) -> ClientSettings:
    """Return the client with the timeout for answers of an IMAP server, too."""
    destination = client.destination
    if not isinstance(destination, ImapDestination) or destination.timeout <= TIMEOUT:
        return client
    return replace(client, destination=replace(destination, timeout=TIMEOUT))


def _with_timeout(client: ClientSettings) -> ClientSettings:
    """Return the client with the timeout for its TLS handshake, too."""
    tls = client.server.tls
    if tls is None or tls.patience(TIMEOUT) <= TIMEOUT:
        return client
    return replace(client, server=replace(client.server, tls=replace(tls, handshake_timeout=TIMEOUT)))


async def _report_slow(waiting: Collection[str]) -> None:
    """Print the clients that are still waiting on standard error, whenever they change. Runs until cancelled."""
    printed = ""
    while True:
        await trio.sleep(SLOW_NOTICE)
        names = visible(", ".join(waiting), 200)
        if names != printed:
            with contextlib.suppress(OSError):
                print(f"still waiting for: {names}", file=sys.stderr, flush=True)
            printed = names
