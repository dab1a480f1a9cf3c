"""Which ways to a server are tried, in which order, and where it ends."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.support.passwords import PASSWORD
from tests.support.popserver_thread import running_server
from tui_popretr.cli.init.explore import Approach, Security, Trust, Wanted, explore, offered_logins, ways
from tui_popretr.config.model import AuthType, Server
from tui_popretr.engine.probe import Findings
from tui_popretr.errors import (
    CertificateRejected,
    ConnectionCut,
    GreetingRefused,
    HostNotFound,
    NoUsableMechanism,
    PlaintextInjected,
    PopretrError,
    ServerStalled,
    ServerUnreachable,
    StlsRefused,
    TlsFailed,
)
from tui_popretr.net.stream import Stream, connect
from tui_popretr.pop3 import Capabilities
from tui_popretr.popserver import Faults, ServedMaildrop, ServerPolicy
from tui_popretr.popserver.certificates import ca_path, server_context
from tui_popretr.popserver.policy import Mechanism

TLS, STLS, CLEAR = Security.TLS, Security.STLS, Security.CLEAR


@pytest.mark.parametrize(
    ("port", "expected"),
    [
        (None, [(995, TLS), (110, STLS), (110, CLEAR)]),
        (995, [(995, TLS)]),
        (110, [(110, STLS), (110, CLEAR)]),
        (1110, [(1110, TLS), (1110, STLS), (1110, CLEAR)]),
    ],
)
def test_the_ways_in_their_order(port: int | None, expected: list[tuple[int, Security]]) -> None:
    assert [(way.port, way.security) for way in ways(port)] == expected


class Network:
    """Servers that cannot be reached, each for its own reason; what was tried and told."""

    def __init__(self, problems: Mapping[tuple[int, Security], PopretrError]) -> None:
        self.tried: list[tuple[int, Security]] = []
        self.told: list[tuple[str, str]] = []
        self._problems = problems

    async def __call__(self, server: Server, timeout: float) -> Stream:
        security = CLEAR if server.tls is None else STLS if server.tls.latent else TLS
        self.tried.append((server.port, security))
        raise self._problems[server.port, security]

    def explore(self) -> None:
        explore(Wanted("pop.example.test", None), lambda what, outcome: self.told.append((what, outcome)), self)


REFUSED = ServerUnreachable("connection refused")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (REFUSED, REFUSED),
        (REFUSED, ServerUnreachable("did not answer")),
        (TlsFailed("the server speaks plain text at port 995 and not TLS"), REFUSED),
        (ServerStalled("silence"), REFUSED),
        (ConnectionCut("cut"), TlsFailed("the TLS handshake failed")),
    ],
)
def test_without_stls_there_is_no_way_in_clear_unless_the_server_says_so(
    first: PopretrError, second: PopretrError
) -> None:
    network = Network({(995, TLS): first, (110, STLS): second})
    with pytest.raises(type(first)) as raised:
        network.explore()
    assert raised.value is first  # what a server said of itself comes before what nobody said
    assert network.tried == [(995, TLS), (110, STLS)]
    assert network.told == [
        ("port 995, TLS from the first byte", str(first)),
        ("port 110, TLS after STLS", str(second)),
    ]


def test_a_server_without_stls_is_looked_at_in_clear() -> None:
    network = Network({(995, TLS): REFUSED, (110, STLS): StlsRefused("no"), (110, CLEAR): GreetingRefused("go away")})
    with pytest.raises(GreetingRefused):
        network.explore()
    assert network.tried[-1] == (110, CLEAR)


@pytest.mark.parametrize(
    "problem",
    [HostNotFound("no address"), CertificateRejected("expired"), PlaintextInjected("in clear"), GreetingRefused("no")],
)
def test_these_end_it_at_once(problem: PopretrError) -> None:
    network = Network({(995, TLS): problem})
    with pytest.raises(type(problem)):
        network.explore()
    assert network.tried == [(995, TLS)]
    network = Network({(995, TLS): REFUSED, (110, STLS): problem})
    with pytest.raises(type(problem)):
        network.explore()
    assert network.tried == [(995, TLS), (110, STLS)]


@pytest.mark.parametrize("tampered", [b"+OK begin\r\n+OK welcome\r\n", b"-ERR\r\n"])
def test_who_tampers_with_stls_gets_no_login_that_shows_the_password(tampered: bytes) -> None:
    faults = Faults(answers={"STLS": tampered})
    with running_server([ServedMaildrop("me", PASSWORD)], tls=server_context(), faults=faults) as server:

        async def connector(wanted: Server, timeout: float) -> Stream:
            if wanted.port == 995:
                raise REFUSED
            return await connect("127.0.0.1", server.port, timeout=timeout)

        wanted = Wanted("pop.example.test", None, Trust(ca_path()))
        if b"welcome" in tampered:
            with pytest.raises(PlaintextInjected):
                explore(wanted, lambda *_: None, connector)
        else:
            found = explore(wanted, lambda *_: None, connector)
            assert (found.security, found.exposed) == (CLEAR, False)
            assert AuthType.USERPASS not in found.auth_types


# --- logins -----------------------------------------------------------------------------------------------------------


def findings(*lines: bytes, apop: bool = False) -> Findings:
    capabilities = Capabilities.parse(b"\r\n".join(lines)) if lines else None
    return Findings(apop=apop, capabilities=capabilities)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (findings(), {AuthType.USERPASS}),
        (findings(apop=True), {AuthType.USERPASS, AuthType.APOP}),
        (findings(b"TOP", b"UIDL"), {AuthType.USERPASS}),
        (findings(b"USER"), {AuthType.USERPASS}),
        (findings(b"SASL PLAIN CRAM-MD5"), {AuthType.SASL_PLAIN, AuthType.SASL_CRAM_MD5}),
        (findings(b"USER", b"SASL scram-sha-256 NTLM"), {AuthType.USERPASS, AuthType.SASL_SCRAM_SHA_256}),
        (findings(b"SASL XOAUTH2"), {AuthType.SASL_XOAUTH2}),
    ],
)
def test_what_a_server_offers(found: Findings, expected: set[AuthType]) -> None:
    assert offered_logins(found) == expected


def explored(policy: ServerPolicy, *, host: str = "localhost", clear_text: bool = False) -> Approach:
    """What is proposed for a server with this policy, whose TLS is from the first byte."""
    with running_server([ServedMaildrop("me", PASSWORD)], tls=server_context(), policy=policy) as server:

        async def connector(wanted: Server, timeout: float) -> Stream:
            return await connect("127.0.0.1", server.tls_port, timeout=timeout)

        return explore(Wanted(host, 995, Trust(ca_path()), clear_text), lambda *_: None, connector)


@pytest.mark.parametrize(
    ("offered", "expected"),
    [
        ({Mechanism.USER}, (AuthType.USERPASS, AuthType.SASL_PLAIN)),
        ({Mechanism.PLAIN}, (AuthType.SASL_PLAIN,)),
        ({Mechanism.PLAIN, Mechanism.CRAM_MD5}, (AuthType.SASL_PLAIN,)),
        ({Mechanism.CRAM_MD5}, (AuthType.SASL_CRAM_MD5,)),
        (
            {Mechanism.USER, Mechanism.CRAM_MD5},
            (AuthType.SASL_CRAM_MD5, AuthType.USERPASS, AuthType.SASL_PLAIN),
        ),
        (set(Mechanism), (AuthType.USERPASS, AuthType.SASL_PLAIN)),
    ],
)
def test_under_tls_what_is_most_usual_is_proposed(offered: set[Mechanism], expected: tuple[AuthType, ...]) -> None:
    found = explored(ServerPolicy(clear=frozenset(), tls=frozenset(offered)))
    assert (found.security, found.auth_types, found.exposed) == (TLS, expected, False)


def test_a_server_with_nothing_that_is_known() -> None:
    with pytest.raises(NoUsableMechanism, match="EXTERNAL"):
        explored(ServerPolicy(clear=frozenset(), tls=frozenset({Mechanism.EXTERNAL})))


@pytest.mark.parametrize(
    ("answer", "expected", "exposed"),
    [
        (b"SASL LOGIN", (AuthType.SASL_LOGIN,), True),
        (b"SASL CRAM-MD5 SCRAM-SHA-256", (AuthType.SASL_SCRAM_SHA_256, AuthType.SASL_CRAM_MD5), False),
        (b"USER\r\nSASL SCRAM-SHA-1", (AuthType.SASL_SCRAM_SHA_1,), False),
    ],
)
def test_in_clear_the_strongest_comes_first(answer: bytes, expected: tuple[AuthType, ...], exposed: bool) -> None:
    faults = Faults(answers={"CAPA": b"+OK\r\n" + answer + b"\r\n.\r\n", "GREETING": b"+OK no stamp\r\n"})
    with running_server([ServedMaildrop("me", PASSWORD)], faults=faults) as server:

        async def connector(wanted: Server, timeout: float) -> Stream:
            return await connect("127.0.0.1", server.port, timeout=timeout)

        found = explore(Wanted("pop.example.test", 110), lambda *_: None, connector)
    assert (found.security, found.auth_types, found.exposed) == (CLEAR, expected, exposed)
