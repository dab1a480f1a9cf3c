"""The channel binding of a TLS connection (tls-unique, RFC 5929 §3). No TLS session is resumed, so each has its own."""

from __future__ import annotations

import ssl

import pytest
from trio.testing import trio_test

from tests.support.certificates import HOST, Certificates
from tests.support.tls_serving import connected, greeter
from tui_popretr.net.tls import TlsContexts, TlsSession

V = ssl.TLSVersion
CONTEXTS = TlsContexts()


@pytest.fixture
def context(certificates: Certificates) -> ssl.SSLContext:
    return certificates.server_context(HOST, common_name=HOST)


@pytest.mark.parametrize(("version", "bindings"), [(V.TLSv1_2, 2), (V.TLSv1_3, 0)])
@trio_test
async def test_each_connection_has_its_own(
    version: ssl.TLSVersion, bindings: int, certificates: Certificates, context: ssl.SSLContext
) -> None:
    context.minimum_version = context.maximum_version = version
    found: set[bytes | None] = set()
    for _ in range(2):
        async with connected(greeter(context)) as stream:
            assert stream.channel_binding() is None
            await stream.start_tls(TlsSession(certificates.policy(), HOST, contexts=CONTEXTS))
            assert await stream.receive() == b"+OK ready\r\n"
            found.add(stream.channel_binding())
    assert len(found - {None}) == bindings
    assert context.session_stats()["hits"] == 0
