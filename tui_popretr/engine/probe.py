"""A look at a maildrop without retrieving anything: what `check --connect` shows and `mark-seen` marks."""

from __future__ import annotations

from dataclasses import dataclass, field

import trio

from tui_popretr.engine.entry import Entry
from tui_popretr.errors import PopretrError
from tui_popretr.facts import Fact, LoginSucceeded, SessionConnected, TlsDetails, TlsStarted
from tui_popretr.pop3 import Capabilities, Quit


@dataclass(slots=True)
class Findings:
    """What was found out, as far as it went; `problem` says where it ended."""

    remote: str = ""
    tls: TlsDetails | None = None
    mechanism: str = ""
    capabilities: Capabilities | None = None
    messages: int | None = None
    octets: int = 0
    uids: list[str] = field(default_factory=list)
    problem: PopretrError | None = None


async def probe(entry: Entry) -> Findings:
    """Connect, log in, list, and leave; nothing is retrieved and nothing deleted. Never raises PopretrError."""
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
        await entry.enter(wire)
        findings.capabilities = capabilities = await entry.capabilities(wire)
        pipelining = capabilities is not None and capabilities.pipelining
        listing, findings.octets = await entry.listing(wire, pipelining)
        findings.messages = len(listing)
        findings.uids = [listed.uid for listed in listing if listed.uid is not None]
        with trio.move_on_after(5):
            await wire.call(Quit())
    except PopretrError as problem:
        findings.problem = problem
    finally:
        entry.bus.unsubscribe(notice)
        if wire is not None:
            wire.close()
    return findings
