"""Which ways to a server are tried, in which order, and where it ends."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.support.passwords import PASSWORD
from tests.support.popserver import Faults, ServedMaildrop, ServerPolicy
from tests.support.popserver.policy import Mechanism
from tests.support.popserver_thread import running_server
from tui_popretr.cli.init.explore import Explored, candidates, explore, propose_logins, security
from tui_popretr.config.account import Server, TlsPolicy
from tui_popretr.config.choices import AuthType
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
from tui_popretr.net.connect import connect
from tui_popretr.net.stream import Stream
from tui_popretr.pop3 import Capabilities
from tui_popretr.popserver.certificates import ca_path, server_context
from tui_popretr.session.auto import Offer

TLS, STLS, CLEAR = "TLS from the first byte", "TLS after STLS", "without TLS"
SYSTEM, OURS = TlsPolicy(), TlsPolicy(trust_path=ca_path())


def quiet(what: str, result: str) -> None:
    """Report nothing."""


@pytest.mark.parametrize(
    ("port", "expected"),
    [
        (None, [(995, TLS), (110, STLS), (110, CLEAR)]),
        (995, [(995, TLS)]),
        (110, [(110, STLS), (110, CLEAR)]),
        (1110, [(1110, TLS), (1110, STLS), (1110, CLEAR)]),
    ],
)
def test_the_ways_in_their_order(port: int | None, expected: list[tuple[int, str]]) -> None:
    assert [(each.port, security(each.tls)) for each in candidates("pop.example.test", port, SYSTEM)] == expected


class Network:
    """Servers that cannot be reached, each for its own reason; what was tried and reported."""

    def __init__(self, problems: Mapping[tuple[int, str], PopretrError]) -> None:
        self.tried: list[tuple[int, str]] = []
        self.reported: list[tuple[str, str]] = []
        self._problems = problems

    async def __call__(self, server: Server, timeout: float) -> Stream:
        self.tried.append((server.port, security(server.tls)))
        raise self._problems[self.tried[-1]]

    def explore(self) -> None:
        explore("pop.example.test", None, SYSTEM, lambda *report: self.reported.append(report), self)


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
def test_only_a_refused_stls_leads_to_a_connection_without_tls(first: PopretrError, second: PopretrError) -> None:
    network = Network({(995, TLS): first, (110, STLS): second})
    with pytest.raises(type(first)) as raised:
        network.explore()
    assert raised.value is first  # what a server said of itself comes before what nobody said
    assert network.tried == [(995, TLS), (110, STLS)]
    assert network.reported == [
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
def test_tampering_with_stls_never_exposes_the_password(tampered: bytes) -> None:
    faults = Faults(answers={"STLS": tampered})
    with running_server([ServedMaildrop("me", PASSWORD)], tls=server_context(), faults=faults) as server:

        async def connector(wanted: Server, timeout: float) -> Stream:
            if wanted.port == 995:
                raise REFUSED
            return await connect("127.0.0.1", server.port, timeout=timeout)

        if b"welcome" in tampered:
            with pytest.raises(PlaintextInjected):
                explore("pop.example.test", None, OURS, quiet, connector)
        else:
            found = explore("pop.example.test", None, OURS, quiet, connector)
            assert (found.server.tls, found.exposes_password) == (None, False)
            assert AuthType.USERPASS not in found.server.auth_types


# --- logins -----------------------------------------------------------------------------------------------------------


def offer(*lines: bytes, stamp: bool = False) -> Offer:
    return Offer(Capabilities.parse(b"\r\n".join(lines)) if lines else None, stamp)


USUAL = (AuthType.USERPASS, AuthType.SASL_PLAIN)


@pytest.mark.parametrize(
    ("offered", "expected"),
    [
        (offer(), USUAL),
        (offer(stamp=True), USUAL),
        (offer(b"TOP", b"UIDL"), USUAL),
        (offer(b"USER"), USUAL),
        (offer(b"SASL PLAIN CRAM-MD5"), (AuthType.SASL_PLAIN,)),
        (offer(b"SASL LOGIN"), (AuthType.SASL_LOGIN,)),
        (offer(b"USER", b"SASL scram-sha-256 NTLM"), (AuthType.SASL_SCRAM_SHA_256, *USUAL)),
        (offer(b"SASL XOAUTH2", stamp=True), (AuthType.APOP,)),
    ],
)
def test_the_logins_proposed_on_a_private_connection(offered: Offer, expected: tuple[AuthType, ...]) -> None:
    assert propose_logins(offered, private=True) == expected


@pytest.mark.parametrize(
    ("offered", "clear_text", "expected"),
    [
        (offer(), False, USUAL),
        (offer(stamp=True), False, (AuthType.APOP,)),
        (offer(stamp=True), True, (AuthType.APOP, *USUAL)),
        (offer(b"SASL PLAIN CRAM-MD5"), False, (AuthType.SASL_CRAM_MD5,)),
    ],
)
def test_the_logins_proposed_in_clear(offered: Offer, clear_text: bool, expected: tuple[AuthType, ...]) -> None:
    assert propose_logins(offered, private=False, clear_text=clear_text) == expected


@pytest.mark.parametrize("names", [b"XOAUTH2", b"EXTERNAL", b"NTLM"])
def test_methods_that_init_cannot_propose(names: bytes) -> None:
    with pytest.raises(NoUsableMechanism, match=names.decode()):
        propose_logins(offer(b"SASL " + names), private=True)


def explored(policy: ServerPolicy) -> Explored:
    """What is proposed for a server with this policy, whose TLS is from the first byte."""
    with running_server([ServedMaildrop("me", PASSWORD)], tls=server_context(), policy=policy) as server:

        async def connector(wanted: Server, timeout: float) -> Stream:
            return await connect("127.0.0.1", server.tls_port, timeout=timeout)

        return explore("localhost", 995, OURS, quiet, connector)


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
    assert security(found.server.tls) == TLS
    assert (found.server.auth_types, found.exposes_password) == (expected, False)


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

        found = explore("pop.example.test", 110, SYSTEM, quiet, connector)
    assert (found.server.tls, found.server.auth_types, found.exposes_password) == (None, expected, exposed)
