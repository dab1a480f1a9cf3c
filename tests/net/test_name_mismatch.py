"""Certificates for another name: what they are for, and advice that helps wherever it names a setting."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID
from trio.testing import trio_test

from tests.support.issuing import Authority, weak_context
from tests.support.tls_serving import greeter, under_tls
from tui_popretr.config import values
from tui_popretr.config.account import TlsPolicy
from tui_popretr.errors import CertificateRejected
from tui_popretr.net.certificate import Certificate
from tui_popretr.net.name_mismatch import name_mismatch

HOST = "pop.example.test"
CHECK_ADDRESS, CHECK_PEERCERT = "check the host name in address", "check peercert"
OR_SET = ', or set peercert="{}" in the client\'s <ssl> if that is the right server'
NOT_CHECKED = (
    'the certificate has this name only in a field that is not checked by default; set peercert="{}" in the'
    " client's <ssl>"
)
OUT = f"remove peercert from the client's <ssl>: the certificate is for {HOST}"
OF_NO_USE = (
    '; no name in the certificate identifies the server, so pin it with fingerprint="..." in the client\'s <ssl>,'
    " if the server's operator says that this is its fingerprint"
)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.root()


@pytest.mark.parametrize(
    ("names", "common_name", "host", "peercert", "advice"),
    [
        # another name, which may be the server's all the same
        (["mail.hoster.test"], None, HOST, None, CHECK_ADDRESS + OR_SET.format("mail.hoster.test")),
        ([], "mail.hoster.test", HOST, None, CHECK_ADDRESS + OR_SET.format("mail.hoster.test")),
        (["IP:192.0.2.7"], None, HOST, None, CHECK_ADDRESS + OR_SET.format("192.0.2.7")),
        (["mail.hoster.test"], None, "192.0.2.7", None, CHECK_ADDRESS + OR_SET.format("mail.hoster.test")),
        (["mail.hoster.test"], None, HOST, "x.test", CHECK_PEERCERT + OR_SET.format("mail.hoster.test")),
        (["xn--strae-oqa.test"], None, HOST, None, CHECK_ADDRESS + OR_SET.format("xn--strae-oqa.test")),
        # the one that is most like the host's
        (["a.test", "web.example.test", "b.test"], None, HOST, None, CHECK_ADDRESS + OR_SET.format("web.example.test")),
        (["localhost", "mail.hoster.test"], None, HOST, None, CHECK_ADDRESS + OR_SET.format("mail.hoster.test")),
        (["localhost", "IP:127.0.0.1", "IP:192.0.2.7"], None, HOST, None, CHECK_ADDRESS + OR_SET.format("192.0.2.7")),
        (["*.hoster.test", "hoster.test"], None, HOST, None, CHECK_ADDRESS + OR_SET.format("hoster.test")),
        # the right name, in a field that is not checked by default
        (["localhost"], HOST, HOST, None, NOT_CHECKED.format(HOST)),
        (["localhost"], "*.example.test", HOST, None, NOT_CHECKED.format(HOST)),
        (["localhost"], HOST, HOST, "x.test", NOT_CHECKED.format(HOST)),
        (["DNS:192.0.2.7", "localhost"], None, "192.0.2.7", None, NOT_CHECKED.format("192.0.2.7")),
        (["*.example.test", "localhost"], None, "my_pop.example.test", None, NOT_CHECKED.format("my_pop.example.test")),
        # the right name, and peercert is wrong
        (["localhost", HOST], None, HOST, "localhos", OUT),
        (["*.example.test"], None, HOST, "example.test", OUT),
        # names that any machine has
        (["localhost"], None, HOST, None, CHECK_ADDRESS + OF_NO_USE),
        (["localhost", "IP:127.0.0.1", "localhost.localdomain"], None, HOST, None, CHECK_ADDRESS + OF_NO_USE),
        ([], "localhost", HOST, None, CHECK_ADDRESS + OF_NO_USE),
        (["localhost"], None, HOST, "x.test", CHECK_PEERCERT + OF_NO_USE),
        (["localhost"], None, "127.0.0.1", None, CHECK_ADDRESS + OR_SET.format("localhost")),
        # nothing to name
        (["*.hoster.test"], None, HOST, None, CHECK_ADDRESS),
        (["*.hoster.test", "localhost"], None, HOST, None, CHECK_ADDRESS),
        ([], None, HOST, None, CHECK_ADDRESS),
        ([], None, HOST, "x.test", CHECK_PEERCERT),
    ],
)
@trio_test
async def test_the_advice_helps(
    names: list[str],
    common_name: str | None,
    host: str,
    peercert: str | None,
    advice: str,
    authority: Authority,
    tmp_path: Path,
) -> None:
    server = greeter(weak_context(authority.issue(*names, common_name=common_name), tmp_path))
    policy = TlsPolicy(trust_path=authority.trust_file(tmp_path), peer_name=peercert)
    with pytest.raises(CertificateRejected) as caught:
        await under_tls(server, policy, host)
    assert re.sub("(?:[0-9A-F]{2}:){31}[0-9A-F]{2}", "...", caught.value.advice) == advice
    if name := re.search('peercert="([^"]*)"', caught.value.advice):
        await under_tls(server, TlsPolicy(trust_path=policy.trust_path, peer_name=name[1]), host)
    elif pin := re.search('fingerprint="([^"]*)"', caught.value.advice):
        await under_tls(server, TlsPolicy(fingerprints=values.fingerprints(pin[1])), host)
    elif "remove peercert" in advice:
        await under_tls(server, TlsPolicy(trust_path=policy.trust_path), host)


@trio_test
async def test_what_else_is_wrong_is_no_matter_of_trust(authority: Authority, tmp_path: Path) -> None:
    pem = authority.issue(HOST, purpose=ExtendedKeyUsageOID.CLIENT_AUTH)
    server = greeter(weak_context(pem, tmp_path))
    with pytest.raises(CertificateRejected, match="is rejected: unsuitable certificate purpose") as caught:
        await under_tls(server, TlsPolicy(trust_path=authority.trust_file(tmp_path)), HOST)
    pin = re.fullmatch('tell the server\'s operator; or pin it with fingerprint="([^"]*)" in .*', caught.value.advice)
    assert pin is not None
    await under_tls(server, TlsPolicy(fingerprints=values.fingerprints(pin[1])), HOST)


@pytest.mark.parametrize(
    ("names", "common_name", "peercert"),
    [
        ([], "server1@localhost", "server1@localhost"),
        (["localhost"], "server1@localhost", "Server1@LOCALHOST"),
        (["email:server1@localhost"], None, "server1@localhost"),
        (["localhost"], "Büro Server 1", "büro server 1"),
        (["localhost"], "büro", "Büro"),
        (["localhost"], "mail.example.test", "mail.example.test"),
        (["localhost", "mail.example.test"], "x", "mail.example.test"),
        (["*.example.test"], "x", "mail.example.test"),
        (["IP:192.0.2.7"], "x", "192.0.2.7"),
    ],
)
@trio_test
async def test_peercert_may_be_any_name_in_the_certificate(
    names: list[str], common_name: str | None, peercert: str, authority: Authority, tmp_path: Path
) -> None:
    context = weak_context(authority.issue(*names, common_name=common_name), tmp_path)
    policy = TlsPolicy(trust_path=authority.trust_file(tmp_path), peer_name=peercert)
    hosts: list[str | None] = []
    context.sni_callback = lambda connection, name, original: hosts.append(name)
    await under_tls(greeter(context), policy, HOST)
    assert hosts == [HOST]


@pytest.mark.parametrize(
    ("names", "common_name", "peercert"),
    [
        (["localhost"], "server1@localhost", "server2@localhost"),
        (["localhost"], "server1@localhost", "server1"),
        (["localhost"], "*", "anything"),
        (["localhost"], "*@localhost", "me@localhost"),
        (["email:me@mail.example.test"], None, "mail.example.test"),
        (["localhost"], "mail", "mail.example.test"),
    ],
)
@trio_test
async def test_and_no_other(
    names: list[str], common_name: str | None, peercert: str, authority: Authority, tmp_path: Path
) -> None:
    context = weak_context(authority.issue(*names, common_name=common_name), tmp_path)
    policy = TlsPolicy(trust_path=authority.trust_file(tmp_path), peer_name=peercert)
    with pytest.raises(CertificateRejected, match=f"not for {re.escape(peercert)}$"):
        await under_tls(greeter(context), policy, HOST)


def test_a_self_signed_certificate_that_is_trusted() -> None:
    """That of a Debian system, trusted on the same machine: it is in /etc/ssl/certs."""
    decoded = {"subject": ((("commonName", "vm"),),), "issuer": ((("commonName", "vm"),),)}
    problem = name_mismatch(Certificate.of(decoded, b"der"), HOST, HOST, None)
    assert str(problem) == f"the certificate is self-signed, and for vm, not for {HOST}"
    assert problem.mismatch == f"the certificate is for vm, not for {HOST}"
