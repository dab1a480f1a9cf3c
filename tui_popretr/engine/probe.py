"""A look at a server without retrieving anything, for `check --connect`, `mark-seen` and `init`."""

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
    """What was found out, as far as it went; `problem` says where it ended."""

    remote: str = ""
    tls: TlsDetails | None = None
    apop: bool = False  # the greeting has a stamp for it; only survey() tells
    mechanism: str = ""
    capabilities: Capabilities | None = None
    messages: int | None = None
    octets: int = 0
    uids: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    problem: PopretrError | None = None


async def probe(setup: ConnectionSetup) -> Findings:
    """Connect, log in, list, and leave; nothing is retrieved and nothing deleted. Never raises PopretrError."""

    async def look_inside(opening: Opening, findings: Findings) -> None:
        connection = await opening.log_in()
        findings.capabilities = opening.capabilities
        try:
            listing, findings.octets = await setup.listing(connection, opening.capabilities)
        except ProtocolViolation as problem:
            problem.advice = AFTER_LOGIN
            raise
        findings.messages = len(listing)
        findings.uids = [listed.uid for listed in listing if listed.uid is not None]

    return await _visit(setup, look_inside)


async def survey(setup: ConnectionSetup) -> Findings:
    """Connect, start TLS, send CAPA and QUIT, without a login. Never raises PopretrError."""

    async def look_around(opening: Opening, findings: Findings) -> None:
        greeting = await opening.look()
        findings.apop = greeting.stamp is not None
        findings.capabilities = opening.capabilities

    return await _visit(setup, look_around)


async def _visit(setup: ConnectionSetup, look: Callable[[Opening, Findings], Awaitable[None]]) -> Findings:
    findings = Findings()

    def notice(fact: Fact) -> None:
        match fact:
            case SessionConnected(session=setup.session, remote=remote, tls=tls):
                findings.remote, findings.tls = remote, tls
            case TlsStarted(session=setup.session, tls=tls):
                findings.tls = tls
            case LoginSucceeded(session=setup.session, mechanism=mechanism):
                findings.mechanism = mechanism
            case Noted(level=Level.WARNING, text=text):
                findings.warnings.append(text)

    setup.bus.subscribe(notice)
    # Without the journal: only this connection's own findings count.
    opening = Opening(setup, CapaMemory(CapaHistories(), None, setup.clock))
    try:
        await look(opening, findings)
        assert opening.connection is not None
        with trio.move_on_after(5), contextlib.suppress(ConnectionCut):  # there is nothing that QUIT is to do
            await opening.connection.call(Quit())
    except PopretrError as problem:
        findings.problem = problem
    finally:
        setup.bus.unsubscribe(notice)
        opening.close()
    return findings
