"""Hostile servers at TLS: there is no login before TLS is established."""

from __future__ import annotations

import re
import ssl
from dataclasses import replace
from pathlib import Path

import pytest
import trustme
from trio.testing import MockClock, trio_test

from tests.hostile.behaviour import MAILS, Behaviour, prove, recovers
from tests.hostile.script import CUT, DROP, HANDSHAKE, RESET, SILENCE, TICK, Act, Play, endlessly, part, slowly
from tests.hostile.server import HostileServer
from tests.hostile.service import HOSTILE, TIMEOUT, Service
from tui_popretr.config.account import TlsPolicy
from tui_popretr.config.choices import CapaUse
from tui_popretr.errors import ExitCode

TLS_CUT = "the TLS connection broke: it ended without close_notify"
STALLED = "the server has made no progress for 30 s"
LATENT = {"tls": TlsPolicy(latent=True)}
PROTOCOL, TEMPORARY = ExitCode.PROTOCOL, ExitCode.TEMPORARY


def unsafe(play: Play, says: str, code: ExitCode = PROTOCOL, advice: str = "", *, seconds: float = 0.0) -> Behaviour:
    """After such a reply to STLS there is no TLS, and no login."""
    return Behaviour({"STLS": play}, says, code, advice, told=0, seconds=seconds, client=LATENT)


BEHAVIOURS = {
    "refused": unsafe(b"-ERR no\r\n", "the server refuses STLS: no", advice="if the server speaks TLS from the first"),
    "missing": unsafe(b"-ERR unknown command\r\n", "the server refuses STLS: unknown command"),
    "in use": unsafe(b"-ERR [IN-USE] no\r\n", "the server refuses STLS: [IN-USE] no"),
    "unanswered": unsafe(SILENCE, STALLED, TEMPORARY, seconds=TIMEOUT),
    "cut": unsafe(CUT, "the server closed the connection before its answer to STLS", TEMPORARY),
    "garbage": unsafe(b"\x16\x03\x01\r\n", "the server's answer is neither +OK nor -ERR: \\x16\\x03\\x01"),
    "endless": unsafe(endlessly(b"+OK " + b"x" * 60000), "the server sent an endless line: +OK " + "x" * 36 + "…"),
    "slow": unsafe(slowly(10.0, b"+OK " + b"x" * 60), STALLED, TEMPORARY, seconds=TIMEOUT),
    "injected: a reply": unsafe(
        (b"+OK begin\r\n+OK injected\r\n", HANDSHAKE), "the server sent bytes in clear behind its answer to STLS"
    ),
    "injected: part of one": unsafe(
        (b"+OK begin\r\n+", HANDSHAKE), "the server sent bytes in clear behind its answer to STLS"
    ),
    "injected: a line end": unsafe(
        (b"+OK begin\r\n\r\n", HANDSHAKE), "the server sent bytes in clear behind its answer to STLS"
    ),
    "no handshake": unsafe(
        (b"+OK begin\r\n", SILENCE), f"the TLS handshake took longer than {TIMEOUT:g} s", seconds=TIMEOUT
    ),
}


@pytest.mark.parametrize("capa", [False, True])
@pytest.mark.parametrize("behaviour", BEHAVIOURS.values(), ids=BEHAVIOURS)
@trio_test
async def test_stls(behaviour: Behaviour, capa: bool, tmp_path: Path, autojump_clock: MockClock) -> None:
    """Whether the server names STLS among its capabilities or not."""
    service = await prove(
        replace(behaviour, client={**LATENT, "capa": CapaUse.STLS if capa else CapaUse.LOGIN}), tmp_path
    )
    assert service.server.verbs(0)[:2] == ["CAPA", "STLS"][not capa :]
    assert not {"USER", "AUTH", "APOP", "PASS"} & set(service.server.verbs(0))


@trio_test
async def test_what_was_said_in_clear_is_forgotten(tmp_path: Path, autojump_clock: MockClock) -> None:
    """Capabilities from before TLS may be an attacker's."""
    behaviour = Behaviour({}, delivered=3, client={**LATENT, "capa": CapaUse.STLS})
    service = await prove(behaviour, tmp_path)
    assert service.server.verbs(0)[:3] == ["CAPA", "STLS", "CAPA"]


# --- over sockets -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def trusting(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> TlsPolicy:
    """STLS, with trust in that authority."""
    path = tmp_path_factory.mktemp("trust") / "ca.pem"
    path.write_bytes(authority.cert_pem.bytes())
    return TlsPolicy(latent=True, trust_path=str(path))


def context(authority: trustme.CA, *, name: str = HOSTILE) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(made)
    return made


BEGUN = b"+OK begin\r\n"
IN_CLEAR = "the server sent bytes in clear behind its answer to STLS"
#: Where they come later they meet the handshake; the network may bring them at once all the same.
LATER = re.compile(f"{IN_CLEAR}|the server agreed to STLS and then continued in clear")
ENDED = "the server closed the connection during the TLS handshake"
BROKE = re.compile(f"{TLS_CUT}|the connection broke: connection reset by peer")
SOCKETS: dict[str, tuple[dict[str, Play], str | re.Pattern[str], ExitCode, int]] = {
    "injected": ({"STLS": (BEGUN + b"+OK injected\r\n", HANDSHAKE)}, IN_CLEAR, PROTOCOL, 0),
    "injected later": ({"STLS": (BEGUN, TICK, b"+OK injected\r\n")}, LATER, PROTOCOL, 0),
    "garbage in the handshake": ({"STLS": (BEGUN, TICK, endlessly(b"\x00" * 60000))}, LATER, PROTOCOL, 0),
    "cut in the handshake": ({"STLS": (BEGUN, CUT)}, ENDED, PROTOCOL, 0),
    "reset in the handshake": ({"STLS": (BEGUN, RESET)}, ENDED, PROTOCOL, 0),
    "cut under TLS": ({"STAT": CUT}, "the server closed the connection before its answer to STAT", TEMPORARY, 1),
    "dropped under TLS": ({"STAT": DROP}, BROKE, TEMPORARY, 1),
    "reset under TLS": ({"STAT": RESET}, BROKE, TEMPORARY, 1),
}


@pytest.mark.parametrize(("script", "says", "code", "told"), SOCKETS.values(), ids=SOCKETS)
@trio_test
async def test_tls_over_sockets(
    script: dict[str, Play],
    says: str | re.Pattern[str],
    code: ExitCode,
    told: int,
    tmp_path: Path,
    authority: trustme.CA,
    trusting: TlsPolicy,
) -> None:
    behaviour = Behaviour(script, says, code, told=told, client={"tls": trusting})
    await prove(behaviour, tmp_path, sockets=True, tls=context(authority))


@pytest.mark.parametrize("end", [CUT, DROP], ids=["with close_notify", "without"])
@trio_test
async def test_a_message_that_is_shortened(
    end: Act, tmp_path: Path, authority: trustme.CA, trusting: TlsPolicy
) -> None:
    """The end of the connection is never the end of the message."""
    cut = "the server closed the connection in the middle of its answer to RETR 2"
    says = cut if end is CUT else TLS_CUT
    behaviour = Behaviour(
        {"RETR 2": (part(-3), end)},
        f"1 message could not be retrieved: {says}",
        TEMPORARY,
        delivered=2,
        told=2,
        notes=[f"{says}; connecting once more to go on after it"],
        client={"tls": trusting},
    )
    await prove(behaviour, tmp_path, sockets=True, tls=context(authority))


@pytest.mark.parametrize("stranger", [True, False])
@trio_test
async def test_a_certificate_that_is_not_good(
    stranger: bool, tmp_path: Path, authority: trustme.CA, trusting: TlsPolicy
) -> None:
    """Issued by an unknown authority, or for another name."""
    server = HostileServer(MAILS, {})
    server.tls = context(trustme.CA()) if stranger else context(authority, name="other.test")
    service = Service(tmp_path, server, sockets=True)
    result = await service.run(tls=trusting)
    assert (result.code, result.messages) == (PROTOCOL, 0)
    by_stranger = f"the certificate of {HOSTILE} is rejected: it is signed by an authority that is not trusted here"
    assert result.error.startswith(by_stranger if stranger else f"the certificate is for other.test, not for {HOSTILE}")
    assert result.advice
    assert server.verbs() == ["STLS"]
    server.tls = context(authority)
    await recovers(service, Behaviour({}, client={"tls": trusting}))
