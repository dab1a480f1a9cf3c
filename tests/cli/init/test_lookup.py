"""Looking up the POP3 server of a mail domain: what is asked, in which order, and what is believed."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import dns.asyncresolver
import pytest
import trio
import trustme
from trio.testing import trio_test

from tests.cli.init.test_autoconfig import document, server
from tests.support.name_server import SILENT, Records, name_server, resolver_at
from tests.support.tls_serving import LOOPBACK, Server, serving
from tui_popretr.cli.init import lookup
from tui_popretr.cli.init.lookup import FoundServer, documents, explain
from tui_popretr.errors import HostNotFound
from tui_popretr.net.connect import connect
from tui_popretr.net.stream import Stream

DOMAIN: Final = "example.test"
MAIL: Final = f"me@{DOMAIN}"
POP3S, POP3 = f"_pop3s._tcp.{DOMAIN}", f"_pop3._tcp.{DOMAIN}"
AUTOCONFIG: Final = f"autoconfig.{DOMAIN}"


@dataclass
class Network:
    """A name server and web servers; what was asked of them, and what was reported."""

    authority: trustme.CA
    monkeypatch: pytest.MonkeyPatch
    asked: list[str] = field(default_factory=list)
    reported: list[tuple[str, str]] = field(default_factory=list)

    async def look_up(self, records: Records, sites: Mapping[str, bytes]) -> FoundServer | None:
        """Look up the server; `sites` has the documents by host."""
        with name_server(records) as port:
            self.monkeypatch.setattr(dns.asyncresolver, "default_resolver", resolver_at(port))
            async with AsyncExitStack() as stack:
                ports = {
                    host: await stack.enter_async_context(serving(self._site(host, sites[host]))) for host in sites
                }

                async def dial(host: str, _port: int, timeout: float) -> Stream:
                    self.asked.append(host)
                    if host not in ports:
                        raise HostNotFound(f"no address for {host}")
                    return await connect(LOOPBACK, ports[host], timeout=timeout)

                return await lookup._look_up(MAIL, lambda what, found: self.reported.append((what, found)), dial)

    def _site(self, host: str, body: bytes) -> Server:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.authority.issue_cert(host).configure_cert(context)

        async def serve(plain: trio.SocketStream) -> None:
            stream = trio.SSLStream(plain, context, server_side=True)
            request = b""
            while b"\r\n\r\n" not in request:
                request += await stream.receive_some()
            path = dict(documents(DOMAIN))[host]
            assert request.startswith(f"GET {path} HTTP/1.1\r\n".encode())
            assert b"me" not in request.replace(path.encode(), b"")
            await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            await stream.aclose()

        return serve


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Network:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return Network(authority, monkeypatch)


@trio_test
async def test_a_server_of_the_domain_ends_the_search(network: Network) -> None:
    found = await network.look_up({POP3S: [f"0 0 995 pop.{DOMAIN}."]}, {})
    assert found == FoundServer(f"pop.{DOMAIN}:995", MAIL, trusted=True)
    assert network.reported == [(POP3S, f"pop.{DOMAIN}:995")]
    assert network.asked == []


@trio_test
async def test_the_record_without_tls_comes_second(network: Network) -> None:
    found = await network.look_up({POP3: [f"0 0 110 pop.{DOMAIN}."]}, {})
    assert found == FoundServer(f"pop.{DOMAIN}:110", MAIL, trusted=True)
    assert network.reported == [(POP3S, "no such server"), (POP3, f"pop.{DOMAIN}:110")]


@trio_test
async def test_a_server_elsewhere_is_not_trusted(network: Network) -> None:
    found = await network.look_up({POP3S: ["0 0 995 pop.else.test."]}, {})
    assert found == FoundServer("pop.else.test:995", MAIL, trusted=False)
    assert network.asked == [AUTOCONFIG, DOMAIN]


@trio_test
async def test_a_domain_that_ends_alike_is_elsewhere(network: Network) -> None:
    found = await network.look_up({POP3S: [f"0 0 995 pop.not{DOMAIN}."]}, {})
    assert found is not None
    assert not found.trusted


@pytest.mark.parametrize("host", [AUTOCONFIG, DOMAIN])
@trio_test
async def test_the_web_server_of_the_domain_is_trusted(network: Network, host: str) -> None:
    found = await network.look_up({}, {host: document(server("pop.else.test", username="%EMAILLOCALPART%"))})
    assert found == FoundServer("pop.else.test:995", "me", trusted=True)
    assert network.asked[-1] == host


@trio_test
async def test_the_web_server_overrules_an_answer_that_may_be_forged(network: Network) -> None:
    records = {POP3S: ["0 0 995 pop.attacker.test."]}
    found = await network.look_up(records, {AUTOCONFIG: document(server("pop.else.test", methods=("OAuth2",)))})
    assert found == FoundServer("pop.else.test:995", MAIL, trusted=True, tokens_only=True)


@trio_test
async def test_nothing_is_found(network: Network) -> None:
    assert await network.look_up({}, {AUTOCONFIG: document(server(kind="imap"))}) is None
    paths = documents(DOMAIN)
    assert network.reported == [
        (POP3S, "no such server"),
        (POP3, "no such server"),
        (f"https://{AUTOCONFIG}{paths[0][1]}", "the document names no POP3 server (imap)"),
        (f"https://{DOMAIN}{paths[1][1]}", f"no address for {DOMAIN}"),
    ]


@trio_test
async def test_a_name_server_that_is_silent_is_asked_once(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "TIMEOUT", 0.1)
    assert await network.look_up({POP3S: SILENT, POP3: SILENT}, {}) is None
    (only,) = [result for what, result in network.reported if what in (POP3S, POP3)]
    assert only.startswith("the name server does not answer: ")


def test_what_is_asked_is_said_before() -> None:
    text = " ".join(explain(DOMAIN))
    for name in (POP3S, POP3, *(host for host, _ in documents(DOMAIN))):
        assert f" {name}" in text
