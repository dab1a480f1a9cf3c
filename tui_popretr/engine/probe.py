"""Probing a server without retrieving anything, for `check --connect`, `mark-seen` and `init`."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import trio

from tui_popretr.errors import ConnectionCut, PopretrError, ProtocolViolation
from tui_popretr.facts import Fact, Level, LoginSucceeded, Noted, SessionConnected, TlsDetails, TlsStarted
from tui_popretr.pop3 import Capabilities, Quit
from tui_popretr.session.capa import CapaHistories, CapaMemory
from tui_popretr.session.opening import AFTER_LOGIN, Opening
from tui_popretr.session.setup import ConnectionSetup


@dataclass(slots=True)
class Findings:
    """The findings up to `problem`, the error that ended the probe."""

    remote: str = ""
    tls: TlsDetails | None = None
    apop: bool = False  # the greeting has a timestamp for it; set by survey() only
    mechanism: str = ""
    capabilities: Capabilities | None = None
    messages: int | None = None
    octets: int = 0
    uids: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    problem: PopretrError | None = None


async def probe(setup: ConnectionSetup) -> Findings:
    """Connect, log in, list and send QUIT. Retrieves and deletes nothing, and never raises PopretrError."""

    async def list_maildrop(opening: Opening, findings: Findings) -> None:
        connection = await opening.log_in()
        findings.capabilities = opening.capabilities
        try:
            listing, findings.octets = await setup.listing(connection, opening.capabilities)
        except ProtocolViolation as problem:
            problem.advice = AFTER_LOGIN
            raise
        findings.messages = len(listing)
        findings.uids = [listed.uid for listed in listing if listed.uid is not None]

    return await _probe(setup, list_maildrop)


async def survey(setup: ConnectionSetup) -> Findings:
    """Connect, start TLS, send CAPA and QUIT, without a login. Never raises PopretrError."""

    async def greet(opening: Opening, findings: Findings) -> None:
        greeting = await opening.until_login()
        findings.apop = greeting.stamp is not None
        findings.capabilities = opening.capabilities

    return await _probe(setup, greet)


async def _probe(setup: ConnectionSetup, steps: Callable[[Opening, Findings], Awaitable[None]]) -> Findings:
    findings = Findings()

    def on_fact(fact: Fact) -> None:
        match fact:
            case SessionConnected(session=setup.session, remote=remote, tls=tls):
                findings.remote, findings.tls = remote, tls
            case TlsStarted(session=setup.session, tls=tls):
                findings.tls = tls
            case LoginSucceeded(session=setup.session, mechanism=mechanism):
                findings.mechanism = mechanism
            case Noted(level=Level.WARNING, text=text):
                findings.warnings.append(text)

    setup.bus.subscribe(on_fact)
    # Without the journal: only what this connection finds counts.
    opening = Opening(setup, CapaMemory(CapaHistories(), None, setup.clock))
    try:
        await steps(opening, findings)
        assert opening.connection is not None
        # QUIT's reply does not matter here.
        with trio.move_on_after(5), contextlib.suppress(ConnectionCut):
            await opening.connection.call(Quit())
    except PopretrError as problem:
        findings.problem = problem
    finally:
        setup.bus.unsubscribe(on_fact)
        opening.close()
    return findings
