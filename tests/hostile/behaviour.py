"""One thing that a server does, what is expected of the program then, and the proof of it."""

from __future__ import annotations

import re
import ssl
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from tests.hostile.script import Script
from tests.hostile.server import HostileServer
from tests.hostile.service import Service
from tests.support.worlds import mail
from tui_popretr.errors import ExitCode
from tui_popretr.facts import Level, Noted
from tui_popretr.session.pipelining import RECONNECT_UNPIPELINED as PROPOSAL

#: Three messages; whatever the server does, in the end each is there once.
MAILS = {f"uid-{number}": mail(number, b"a line\r\n.a dot\r\n" * 10) for number in (1, 2, 3)}
#: What is said where the server may have stumbled over PIPELINING.
RECONNECT_UNPIPELINED = f"; {PROPOSAL}"
#: Octets that a server may send in vain: what is read at once, and a little more.
IN_VAIN = 512 * 1024


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What the server does, and what comes of the session in which it does so."""

    script: Script
    #: The sentence that the user sees, whole; "" where the session is a success.
    says: str | re.Pattern[str] = ""
    code: ExitCode | None = ExitCode.OK
    #: The beginning of the advice to the user.
    advice: str = ""
    #: Messages that arrive all the same; None: that depends on what is done first.
    delivered: int | None = 0
    #: How often the server receives the password, in any form: at most once a connection.
    told: int | None = 1
    #: How long it lasts.
    seconds: float = 0.0
    #: Octets that the server gets rid of, at most.
    sends: int = IN_VAIN
    #: What the user is warned of besides; None: that depends.
    notes: Sequence[str | re.Pattern[str]] | None = ()
    #: What the server did in a session before this one.
    before: Script | None = None
    mails: Mapping[str, bytes] = field(default_factory=lambda: MAILS)
    #: Fields of ClientSettings and Server.
    client: Mapping[str, Any] = field(default_factory=dict)
    #: The trouble that the server may have because it had several commands to answer: then it is asked again, for one
    #: after the other, has the same trouble, and the session ends with that.
    broke_by_pipelining: str = ""
    #: Replies are mixed up: each message comes whole, but may come twice, or behind a line that is no part of it.
    mixed: bool = False
    kept: tuple[str, ...] = ()  # UIDs of messages that seem to be cut short: they stay on the server


async def prove(
    behaviour: Behaviour,
    folder: Path,
    *,
    pipelining: bool = False,
    sockets: bool = False,
    tls: ssl.SSLContext | None = None,
) -> Service:
    """Hold a session with the hostile server, and another when it is cured. `tls` is the server's, over sockets."""
    if pipelining and behaviour.broke_by_pipelining:
        behaviour = _asked_twice(behaviour)
    server = HostileServer(behaviour.mails, behaviour.script, pipelining=pipelining, tls=tls)
    service = Service(folder, server, sockets=sockets)
    if behaviour.before is not None:
        await _before(service, behaviour)
    result = await service.run(**behaviour.client)
    seconds = (result.ended - result.started).total_seconds()
    assert _same([result.error], [behaviour.says]), result.error
    assert behaviour.code in (result.code, None)
    assert behaviour.delivered in (result.messages, None)
    assert result.advice.startswith(behaviour.advice)
    assert behaviour.told in (server.told, None)
    assert server.told <= len(server.heard) <= 2
    assert "tls" not in behaviour.client or server.told_in_clear == 0
    assert sockets or seconds == pytest.approx(behaviour.seconds, abs=1.0)
    assert server.sent < behaviour.sends
    assert behaviour.notes is None or _same(_warnings(service), behaviour.notes), _warnings(service)
    await recovers(service, behaviour)
    return service


def _asked_twice(behaviour: Behaviour) -> Behaviour:
    trouble = behaviour.broke_by_pipelining
    return replace(
        behaviour,
        says=trouble,
        code=ExitCode.TEMPORARY if "closed" in trouble or "no progress" in trouble else ExitCode.PROTOCOL,
        told=2,
        seconds=2 * behaviour.seconds,
        sends=2 * behaviour.sends,
        notes=[trouble + RECONNECT_UNPIPELINED],
    )


async def _before(service: Service, behaviour: Behaviour) -> None:
    """Hold the session before; from then on all is counted anew."""
    server = service.server
    server.script = behaviour.before or {}
    await service.run(**behaviour.client)
    server.script = behaviour.script
    server.heard.clear()
    server.sent = server.told_in_clear = 0


def _same(texts: Sequence[str], expected: Sequence[str | re.Pattern[str]]) -> bool:
    return len(texts) == len(expected) and all(
        text == each if isinstance(each, str) else each.fullmatch(text) is not None
        for text, each in zip(texts, expected, strict=True)
    )


def _warnings(service: Service) -> list[str]:
    return [note.text for note in service.of(Noted) if note.level is Level.WARNING]


async def recovers(service: Service, behaviour: Behaviour) -> None:
    """When the server is cured, the next session gets all that is missing, once, and leaves nothing there."""
    server, expected = service.server, Counter(behaviour.mails.values())
    assert behaviour.mixed or service.arrived() <= expected
    server.cure()
    result = await service.run(**behaviour.client)
    assert (result.error, result.failed) == ("", 0)
    if behaviour.mixed:
        assert all(any(mail in each for each in service.arrived()) for mail in expected)
    else:
        assert service.arrived() == expected
    assert tuple(server.mails) == behaviour.kept
