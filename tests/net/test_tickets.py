"""TLS sessions are resumed where a server can, and never beyond what its certificate is good for (net/tickets.py)."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
import trio
from trio.testing import trio_test

from tests.support.certificates import HOST, Certificates
from tests.support.tls_serving import LOOPBACK, Server, alerting, connected, greeter, serving
from tui_popretr.config.account import TlsPolicy
from tui_popretr.errors import CertificateRejected, TlsFailed
from tui_popretr.facts import TlsDetails
from tui_popretr.net import tls
from tui_popretr.net.certificate import Certificate
from tui_popretr.net.connect import connect
from tui_popretr.net.stream import SocketStream
from tui_popretr.net.tickets import DAY, PER_SERVER, SERVERS, Ticket, Tickets
from tui_popretr.net.tls import TlsContexts, TlsSession
from tui_popretr.secret import Secret

V = ssl.TLSVersion
NOW = datetime(2026, 11, 23, 7, 27, 59, tzinfo=UTC)
HOUR = timedelta(hours=1)
ONE, TWO = ("one.test", 995), ("two.test", 995)


# --- tickets ----------------------------------------------------------------------------------------------------------


def ticket(verified: datetime = NOW, *, expires: datetime | None = NOW + 9 * DAY, pinned: bool = False) -> Ticket:
    return Ticket(cast("ssl.SSLSession", None), Certificate(expires=expires), verified, pinned)


@pytest.mark.parametrize(
    ("age", "good"), [(timedelta(0), True), (DAY - HOUR, True), (DAY, False), (-HOUR, False)], ids=str
)
def test_a_certificate_is_looked_at_again_after_a_day(age: timedelta, good: bool) -> None:
    for pinned in (False, True):
        assert ticket(pinned=pinned).good(NOW + age) is good


@pytest.mark.parametrize(
    ("expires", "good"), [(NOW + 2 * HOUR, True), (NOW + HOUR, False), (NOW - HOUR, False), (None, False)]
)
def test_what_has_ended_or_may_have_ended_is_not_relied_on(expires: datetime | None, good: bool) -> None:
    assert ticket(expires=expires).good(NOW + HOUR) is good
    assert ticket(expires=expires, pinned=True).good(NOW + HOUR)  # a pin does not look at it


def test_the_newest_ticket_is_used_first_and_once() -> None:
    tickets, made = Tickets(), [ticket(), ticket(), ticket()]
    for each in made:
        tickets.keep(ONE, each)
    assert tickets.take(TWO, NOW) is None
    assert [tickets.take(ONE, NOW) for _ in range(4)] == [made[2], made[1], made[0], None]


def test_what_is_no_longer_good_is_passed_over_for_good() -> None:
    tickets, good = Tickets(), ticket(NOW)
    for each in (ticket(NOW - 2 * DAY), good, ticket(NOW - DAY)):
        tickets.keep(ONE, each)
    assert tickets.take(ONE, NOW) is good
    assert tickets.take(ONE, NOW) is None
    assert tickets.take(ONE, NOW - 2 * DAY) is None


def test_there_is_an_end_to_the_memory_they_take() -> None:
    tickets = Tickets()
    for _ in range(PER_SERVER):
        assert tickets.wanted(ONE, NOW)
        tickets.keep(ONE, ticket())
    assert not tickets.wanted(ONE, NOW)
    others = [(f"{number}.test", 995) for number in range(SERVERS - 1)]
    for each in others:
        tickets.keep(each, ticket())
    tickets.keep(others[0], ticket())  # heard of again
    for each in (TWO, ("three.test", 995)):
        tickets.keep(each, ticket())
    assert [each for each in (ONE, TWO, *others) if tickets.take(each, NOW) is None] == [ONE, others[1]]
    assert tickets.wanted(ONE, NOW)


def test_a_server_that_cannot_resume_is_asked_again_after_a_day() -> None:
    tickets = Tickets()
    tickets.keep(ONE, ticket())
    tickets.disable(ONE, NOW)
    assert tickets.take(ONE, NOW) is None
    assert not tickets.wanted(ONE, NOW + DAY - HOUR)
    assert tickets.wanted(ONE, NOW + DAY)
    assert tickets.wanted(ONE, NOW - HOUR)  # the clock was wrong
    assert tickets.wanted(TWO, NOW)


# --- handshakes -------------------------------------------------------------------------------------------------------


class Visited:
    """A server on a port of its own; `connections` it had."""

    def __init__(self, *servers: Server) -> None:
        """The last one serves all further connections."""
        self.connections = 0
        self._servers = servers

    async def __call__(self, plain: trio.SocketStream) -> None:
        self.connections += 1
        await self._servers[min(self.connections, len(self._servers)) - 1](plain)


async def cut(plain: trio.SocketStream) -> None:
    """What Dovecot does with ssl_verify_client_cert when a session is to be resumed: it takes the hello, and goes."""
    await plain.receive_some()


CONTEXTS = TlsContexts()


@pytest.fixture(autouse=True)
def no_tickets() -> None:
    """Ports are used again by other tests."""
    CONTEXTS.clear()


async def visit(
    port: int,
    policy: TlsPolicy,
    host: str = HOST,
    *,
    meanwhile: Callable[[SocketStream], object] = lambda stream: None,
) -> TlsDetails:
    """Connect, hear the greeting, say good-bye."""
    stream = await connect(LOOPBACK, port, timeout=30.0)
    try:
        details = await stream.start_tls(TlsSession(policy, host, contexts=CONTEXTS))
        assert await stream.receive() == b"+OK ready\r\n"
        meanwhile(stream)
        await stream.send_all(b"QUIT\r\n")
        return details
    finally:
        stream.close()


async def visits(port: int, *policies: TlsPolicy, **options: Any) -> list[bool]:
    """Return for each visit whether it resumed an earlier one."""
    return [(await visit(port, policy, **options)).resumed for policy in policies]


@contextmanager
def at(monkeypatch: pytest.MonkeyPatch, age: timedelta) -> Iterator[None]:
    """So much later by the wall clock, for us; the server's stands still."""
    moment = datetime.now(UTC) + age
    with monkeypatch.context() as patch:
        patch.setattr(tls, "_now", lambda: moment)
        yield


def only(version: ssl.TLSVersion) -> Callable[[ssl.SSLContext], None]:
    def configure(context: ssl.SSLContext) -> None:
        context.minimum_version = context.maximum_version = version

    return configure


@pytest.fixture
def context(certificates: Certificates) -> ssl.SSLContext:
    return certificates.server_context(HOST, "192.0.2.7", common_name=HOST)


@pytest.mark.parametrize("pinned", [False, True])
@pytest.mark.parametrize("version", [V.TLSv1_2, V.TLSv1_3])
@trio_test
async def test_what_is_known_of_the_certificate_stays_known(
    version: ssl.TLSVersion, pinned: bool, certificates: Certificates, context: ssl.SSLContext
) -> None:
    only(version)(context)
    policy = certificates.policy()
    async with serving(greeter(context)) as port:
        if pinned:
            policy = certificates.policy(fingerprints=((await visit(port, policy)).fingerprint,))
        before = context.session_stats()["hits"]
        first, second, third = [await visit(port, policy) for _ in range(3)]
    assert (first.subject, first.names, first.pinned) == (HOST, (HOST, "192.0.2.7"), pinned)
    assert first.expires is not None
    assert not first.resumed
    assert second == third == replace(first, resumed=True)
    assert context.session_stats()["hits"] - before == 2


@pytest.mark.parametrize("kind", ["stls", "certificate"])
@trio_test
async def test_what_is_not_resumed(kind: str, certificates: Certificates, context: ssl.SSLContext) -> None:
    policy = certificates.policy(latent=True)
    if kind == "certificate":
        path = certificates.key_file("resuming.pem", "right")
        policy = certificates.policy(key_store=path, key_store_password=Secret("right"))
    async with serving(greeter(context)) as port:
        assert await visits(port, policy, policy) == [False, False]


@trio_test
async def test_tickets_are_kept_by_policy_name_and_port(certificates: Certificates, context: ssl.SSLContext) -> None:
    policy = certificates.policy()
    both = certificates.server_context(HOST, "other.example.test")
    async with serving(greeter(both)) as port, serving(greeter(both)) as elsewhere:
        fingerprint = (await visit(port, policy)).fingerprint
        assert not (await visit(port, certificates.policy(fingerprints=(fingerprint,)))).resumed
        assert not (await visit(port, certificates.policy(minimum_version="TLSv1.3"))).resumed
        assert not (await visit(port, policy, "other.example.test")).resumed
        assert not (await visit(elsewhere, policy)).resumed
        assert (await visit(port, policy, HOST.upper())).resumed


@trio_test
async def test_nothing_is_resumed_after_clear(certificates: Certificates, context: ssl.SSLContext) -> None:
    policy = certificates.policy(trust_path=certificates.file("own-trust.pem", certificates.authority.cert_pem.bytes()))
    async with serving(greeter(context)) as port:
        assert await visits(port, policy, policy) == [False, True]
        certificates.file("own-trust.pem", certificates.stranger.cert_pem.bytes())
        CONTEXTS.clear()
        with pytest.raises(CertificateRejected):
            await visit(port, policy)


@trio_test
async def test_connections_open_during_clear_leave_no_ticket(
    certificates: Certificates, context: ssl.SSLContext
) -> None:
    policy = certificates.policy()
    async with serving(greeter(context)) as port:
        await visit(port, policy, meanwhile=lambda stream: CONTEXTS.clear())
        assert not (await visit(port, policy)).resumed


@pytest.mark.parametrize("version", [V.TLSv1_2, V.TLSv1_3])
@trio_test
async def test_resuming_does_not_renew_a_verification(
    version: ssl.TLSVersion, certificates: Certificates, context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(version)(context)
    policy, found = certificates.policy(), list[bool]()
    async with serving(greeter(context)) as port:
        for hours in (0, 10, 20, 30, 40):
            with at(monkeypatch, hours * HOUR):
                found += await visits(port, policy)
    assert found == [False, True, True, False, True]


@trio_test
async def test_an_expired_certificate_is_not_resumed(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = certificates.server_context(not_after=datetime.now(UTC) + HOUR)
    policy = certificates.policy()
    async with serving(greeter(context)) as port:
        assert await visits(port, policy, policy) == [False, True]
        with at(monkeypatch, 2 * HOUR):
            assert await visits(port, policy) == [False]  # by the clock of OpenSSL it is still good


@trio_test
async def test_a_rejected_server_is_not_resumed(certificates: Certificates, context: ssl.SSLContext) -> None:
    only(V.TLSv1_2)(context)  # where the ticket is there before the verdict
    policy = certificates.policy(fingerprints=("ab" * 32,))
    async with serving(greeter(context)) as port:
        for _ in range(2):
            with pytest.raises(CertificateRejected):
                await visit(port, policy)
        assert context.session_stats()["hits"] == 0
        assert CONTEXTS.trust_for(policy).tickets.take((HOST, port), datetime.now(UTC)) is None


@trio_test
async def test_without_a_ticket_nothing_is_kept(certificates: Certificates, context: ssl.SSLContext) -> None:
    context.num_tickets = 0
    policy = certificates.policy(minimum_version="TLSv1.3")
    async with serving(greeter(context)) as port:
        assert await visits(port, policy, policy) == [False, False]
        assert CONTEXTS.trust_for(policy).tickets.take((HOST, port), datetime.now(UTC)) is None


# --- servers that cannot ----------------------------------------------------------------------------------------------


@trio_test
async def test_a_failed_resumption_is_repeated_without_a_ticket(
    certificates: Certificates, context: ssl.SSLContext
) -> None:
    policy = certificates.policy()
    server = Visited(greeter(context), cut, greeter(context))
    async with serving(server) as port:
        assert await visits(port, policy, policy) == [False, False]
        assert server.connections == 3
        assert await visits(port, policy, policy) == [False, False]
        assert server.connections == 5


@trio_test
async def test_the_new_connection_is_the_one_that_is_told(certificates: Certificates, context: ssl.SSLContext) -> None:
    policy = certificates.policy()
    peers: list[str] = []

    async def noting(plain: trio.SocketStream) -> None:
        peers.append("{}:{}".format(*plain.socket.getpeername()))
        await greeter(context)(plain)

    async with serving(Visited(noting, cut, noting)) as port:
        told: list[str] = []
        for _ in range(2):
            await visit(port, policy, meanwhile=lambda stream: told.append(stream.local))
    assert told == peers


@trio_test
async def test_a_failure_without_a_ticket_is_not_repeated(certificates: Certificates, context: ssl.SSLContext) -> None:
    policy = certificates.policy()
    server = Visited(cut, greeter(context), cut, cut, greeter(context))
    async with serving(server) as port:
        with pytest.raises(TlsFailed, match="closed the connection during the TLS handshake"):
            await visit(port, policy)
        assert server.connections == 1
        await visit(port, policy)
        with pytest.raises(TlsFailed, match="closed the connection during the TLS handshake"):
            await visit(port, policy)
        assert server.connections == 4
        assert await visits(port, policy, policy) == [False, True]  # the server was not to blame


@trio_test
async def test_a_certificate_that_is_refused_is_refused_at_once(
    certificates: Certificates, context: ssl.SSLContext
) -> None:
    policy = certificates.policy()
    server = Visited(greeter(context), alerting(certificates.server_context(issuer=certificates.stranger)))
    async with serving(server) as port:
        await visit(port, policy)
        with pytest.raises(CertificateRejected):
            await visit(port, policy)
        assert server.connections == 2


@trio_test
async def test_a_server_that_has_gone_when_it_is_to_be_connected_again(
    certificates: Certificates, context: ssl.SSLContext
) -> None:
    policy = certificates.policy()
    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host=LOOPBACK)
        port = listener.socket.getsockname()[1]

        async def serve() -> None:
            async with await listener.accept() as plain:
                await greeter(context)(plain)
            async with await listener.accept() as plain:
                await listener.aclose()
                await cut(plain)

        nursery.start_soon(serve)
        await visit(port, policy)
        with pytest.raises(TlsFailed, match="closed the connection during the TLS handshake"):
            await visit(port, policy)


# --- channel binding --------------------------------------------------------------------------------------------------


@trio_test
async def test_a_channel_binding_disables_resumption(certificates: Certificates, context: ssl.SSLContext) -> None:
    only(V.TLSv1_2)(context)
    policy, bindings = certificates.policy(), list[bytes | None]()

    def bind(stream: SocketStream) -> None:
        bindings.append(stream.channel_binding())

    async with serving(greeter(context)) as port:
        assert await visits(port, policy, policy, meanwhile=bind) == [False, False]
        assert None not in bindings
        assert len(set(bindings)) == 2
        await visit(port, policy)
        assert (await visit(port, policy, meanwhile=bind)).resumed
        assert bindings[2] is None


@trio_test
async def test_without_tls_or_with_its_newest_version_there_is_none(
    certificates: Certificates, context: ssl.SSLContext
) -> None:
    async with connected(greeter(context)) as stream:
        assert stream.channel_binding() is None
        await stream.start_tls(TlsSession(certificates.policy(), HOST, contexts=CONTEXTS))
        assert stream.channel_binding() is None
