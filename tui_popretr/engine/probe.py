"""A look at a server without retrieving anything, for `check --connect`, `mark-seen` and `init`."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import trio

from tui_popretr.engine.entry import Entry
from tui_popretr.engine.wire import Wire
from tui_popretr.errors import ConnectionCut, PopretrError
from tui_popretr.facts import Fact, LoginSucceeded, SessionConnected, TlsDetails, TlsStarted
from tui_popretr.pop3 import Capabilities, Quit


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
    problem: PopretrError | None = None


async def probe(entry: Entry) -> Findings:
    """Connect, log in, list, and leave; nothing is retrieved and nothing deleted. Never raises PopretrError."""

    async def look_inside(wire: Wire, findings: Findings) -> None:
        await entry.enter(wire)
        findings.capabilities = capabilities = await entry.capabilities(wire)
        listing, findings.octets = await entry.listing(wire, capabilities)
        findings.messages = len(listing)
        findings.uids = [listed.uid for listed in listing if listed.uid is not None]

    return await _visit(entry, look_inside)


async def survey(entry: Entry) -> Findings:
    """Connect, up to TLS, ask what there is, and leave: nobody logs in. Never raises PopretrError."""

    async def look_around(wire: Wire, findings: Findings) -> None:
        greeting = await entry.greet(wire)
        findings.apop = greeting.stamp is not None
        findings.capabilities = await entry.capabilities(wire)

    return await _visit(entry, look_around)


async def _visit(entry: Entry, look: Callable[[Wire, Findings], Awaitable[None]]) -> Findings:
    findings = Findings()

    def notice(fact: Fact) -> None:
        match fact:
            case SessionConnected(session=entry.session, remote=remote, tls=tls):
                findings.remote, findings.tls = remote, tls
            case TlsStarted(session=entry.session, tls=tls):
                findings.tls = tls
            case LoginSucceeded(session=entry.session, mechanism=mechanism):
                findings.mechanism = mechanism

    entry.bus.subscribe(notice)
    wire = None
    try:
        wire = await entry.connect()
        await look(wire, findings)
        with trio.move_on_after(5), contextlib.suppress(ConnectionCut):  # there is nothing that QUIT is to do
            await wire.call(Quit())
    except PopretrError as problem:
        findings.problem = problem
    finally:
        entry.bus.unsubscribe(notice)
        if wire is not None:
            wire.close()
    return findings
