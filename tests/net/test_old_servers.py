"""Outdated servers: refused with the setting that accepts them, as it is written, and accepted with that."""

from __future__ import annotations

import ssl
import warnings
from base64 import encodebytes
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from trio.testing import trio_test

from tests.net import gnutls
from tests.support.certificates import HOST
from tests.support.issuing import Authority, weak_context
from tests.support.tls_serving import Server, alerting, greeter, under_tls
from tui_popretr.config.account import TlsPolicy
from tui_popretr.errors import CertificateRejected, ConfigurationError, ExitCode, TlsFailed
from tui_popretr.net import legacy, tls_errors
from tui_popretr.net.tls import context_for

V = ssl.TLSVersion
ACCEPTS = (
    "tell the server's operator; until the server is updated, {} accepts it, but others may then be able to read the"
    " connection"
)
#: Diffie-Hellman's group 2, of 1024 bits (RFC 2409 §6.2), as PKCS#3 in DER: the prime, and 2 for the generator.
GROUP_2 = bytes.fromhex(
    "30818702818100"
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
    "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE65381FFFFFFFFFFFFFFFF"
    "020102"
)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.root()


#: Makes a server in a folder.
Maker = Callable[[Authority, Path], Server]


def short_key(authority: Authority, folder: Path) -> Server:
    return alerting(weak_context(authority.issue(HOST, bits=1024), folder))


def short_key_of_an_authority(authority: Authority, folder: Path) -> Server:
    return alerting(weak_context(authority.child(bits=1024).issue(HOST), folder))


def sha1_of_the_server(authority: Authority, folder: Path) -> Server:
    return alerting(weak_context(authority.issue(HOST, sha1=True), folder))


def sha1_of_an_authority(authority: Authority, folder: Path) -> Server:
    return alerting(weak_context(authority.child(sha1=True).issue(HOST), folder))


def with_ciphers(ciphers: str, authority: Authority, folder: Path) -> ssl.SSLContext:
    context = weak_context(authority.issue(HOST), folder)
    context.maximum_version = V.TLSv1_2
    context.set_ciphers(f"{ciphers}:@SECLEVEL=0")
    return context


def short_dh(authority: Authority, folder: Path) -> Server:
    context = with_ciphers("DHE-RSA-AES128-GCM-SHA256", authority, folder)
    path = folder / "dh.pem"
    path.write_bytes(b"-----BEGIN DH PARAMETERS-----\n" + encodebytes(GROUP_2) + b"-----END DH PARAMETERS-----\n")
    context.load_dh_params(str(path))
    return alerting(context)


def rsa_key_exchange(authority: Authority, folder: Path) -> Server:
    return alerting(with_ciphers("AES128-GCM-SHA256:AES256-SHA", authority, folder))


def sha1_ciphers(authority: Authority, folder: Path) -> Server:
    return alerting(with_ciphers("ECDHE-RSA-AES128-SHA", authority, folder))


def by_gnutls(priorities: str, authority: Authority, folder: Path) -> Server:
    path = folder / "gnutls.pem"
    path.write_bytes(authority.issue(HOST))
    return gnutls.server(priorities, str(path))


def no_rfc_5746(authority: Authority, folder: Path) -> Server:
    return by_gnutls("NORMAL:-VERS-ALL:+VERS-TLS1.2:%DISABLE_SAFE_RENEGOTIATION", authority, folder)


def sha1_in_the_handshake(authority: Authority, folder: Path) -> Server:
    return by_gnutls("NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+ECDHE-RSA:-SIGN-ALL:+SIGN-RSA-SHA1", authority, folder)


async def refusal(server: Server, policy: TlsPolicy) -> TlsFailed:
    with pytest.raises(TlsFailed) as caught:
        await under_tls(server, policy)
    assert caught.value.exit_code is ExitCode.PROTOCOL
    return caught.value


OLD: list[tuple[Maker, str]] = [
    (short_key, "the key of its certificate is too short to be safe"),
    (short_key_of_an_authority, "the key of an authority that signed its certificate is too short to be safe"),
    (sha1_of_the_server, "its certificate is signed with an algorithm that is no longer safe, such as SHA-1"),
    (sha1_of_an_authority, "its certificate is signed with an algorithm that is no longer safe, such as SHA-1"),
    (short_dh, "its Diffie-Hellman key is too short to be safe"),
    (no_rfc_5746, "it has no secure renegotiation (RFC 5746)"),
]
UNLIKE_US: list[Maker] = [rsa_key_exchange, sha1_ciphers, sha1_in_the_handshake]


@pytest.mark.parametrize(("make", "words"), OLD)
@trio_test
async def test_it_is_refused_with_the_setting_that_accepts_it(
    make: Maker, words: str, authority: Authority, tmp_path: Path
) -> None:
    server, trust = make(authority, tmp_path), authority.trust_file(tmp_path)
    found = await refusal(server, TlsPolicy(trust_path=trust))
    assert str(found) == f"{HOST} is too old for a safe connection: {words}"
    assert found.advice == ACCEPTS.format('<ssl ... legacy="Y"/>')
    await under_tls(server, TlsPolicy(trust_path=trust, legacy=True))


@pytest.mark.parametrize("make", UNLIKE_US)
@trio_test
async def test_nothing_in_common(make: Maker, authority: Authority, tmp_path: Path) -> None:
    server, trust = make(authority, tmp_path), authority.trust_file(tmp_path)
    offered = {each["name"] for each in context_for(TlsPolicy(trust_path=trust)).get_ciphers()}
    if make is not sha1_in_the_handshake and "AES256-SHA" in offered:
        pytest.skip("this Python's list of ciphers is OpenSSL's own, which has these")
    found = await refusal(server, TlsPolicy(trust_path=trust))
    assert str(found) == (
        "the server ends the TLS handshake: it has no cipher or signature algorithm in common with us; or it wants a"
        " client certificate (kspath)"
    )
    assert found.advice.startswith('if the server is old, <ssl ... legacy="Y"/> accepts it')
    await under_tls(server, TlsPolicy(trust_path=trust, legacy=True))


@pytest.mark.parametrize("make", [short_key, sha1_of_the_server, short_dh, no_rfc_5746])
@trio_test
async def test_legacy_does_not_trust_a_stranger(make: Maker, authority: Authority, tmp_path: Path) -> None:
    with pytest.raises(CertificateRejected, match="not trusted here"):
        await under_tls(make(authority, tmp_path), TlsPolicy(legacy=True))
    other = TlsPolicy(trust_path=authority.trust_file(tmp_path), legacy=True)
    with pytest.raises(CertificateRejected, match=r"not for other\.test"):
        await under_tls(make(authority, tmp_path), other, "other.test")


@trio_test
async def test_an_older_version_beside_legacy(authority: Authority, tmp_path: Path) -> None:
    context = weak_context(authority.issue(HOST, bits=1024), tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = V.TLSv1
    trust = authority.trust_file(tmp_path)
    found = await refusal(alerting(context), TlsPolicy(trust_path=trust, legacy=True))
    assert '<ssl ... proto="TLSv1" legacy="Y"/> accepts older versions' in found.advice
    details = await under_tls(greeter(context), TlsPolicy(trust_path=trust, legacy=True, minimum_version="TLSv1"))
    assert details.version == "TLSv1"


# --- the words --------------------------------------------------------------------------------------------------------


def failed(reason: str) -> ssl.SSLError:
    problem = ssl.SSLError(1, f"[SSL: {reason}] whatever (_ssl.c:1006)")
    problem.reason = reason
    return problem


def unverified(code: int) -> ssl.SSLCertVerificationError:
    problem = ssl.SSLCertVerificationError(1, "certificate verify failed")
    problem.verify_code, problem.verify_message = code, "too weak"
    return problem


def explained(problem: Exception, **policy: Any) -> TlsFailed:
    return tls_errors.explain(problem, tls_errors.Attempt(TlsPolicy(**policy), HOST, HOST))


PROBLEMS = [*map(failed, legacy.REASONS), *map(unverified, legacy.VERIFY_CODES)]


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda each: getattr(each, "reason", None) or each.verify_code)
@pytest.mark.parametrize(
    ("policy", "written"),
    [
        ({}, '<ssl legacy="Y"/>'),
        ({"latent": True}, '<ssl latent="Y" legacy="Y"/>'),
        ({"minimum_version": "TLSv1"}, '<ssl proto="TLSv1" legacy="Y"/>'),
        (
            {"latent": True, "peer_name": "x", "minimum_version": "TLSv1.3"},
            '<ssl latent="Y" ... proto="TLSv1.3" legacy="Y"/>',
        ),
    ],
)
def test_every_refusal_names_the_setting_as_it_is_written(
    problem: Exception, policy: dict[str, Any], written: str
) -> None:
    assert written in explained(problem, **policy).advice
    # where that is set already, it is no help
    assert explained(problem, **policy, legacy=True).advice == "tell the server's operator"


@pytest.mark.parametrize("reason", sorted(legacy.NO_VERSION))
@pytest.mark.parametrize(
    ("policy", "written"),
    [
        ({}, '<ssl proto="TLSv1"/>'),
        ({"minimum_version": "TLSv1.1"}, '<ssl proto="TLSv1"/>'),
        ({"minimum_version": "TLSv1.3"}, '<ssl proto="TLSv1.2"/>'),
        ({"minimum_version": "TLSv1"}, None),
        ({"legacy": True, "latent": True}, '<ssl latent="Y" proto="TLSv1" legacy="Y"/>'),
    ],
)
def test_older_versions_are_explained_by_the_setting(reason: str, policy: dict[str, Any], written: str | None) -> None:
    found = explained(failed(reason), **policy)
    assert str(found).startswith("the server has no version of TLS that is accepted here: ")
    assert found.advice == "tell the server's operator" if written is None else written in found.advice


def test_other_reasons_have_their_own_words() -> None:
    assert legacy.outdated(failed("TLSV1_ALERT_INTERNAL_ERROR")) == ""
    assert legacy.outdated(unverified(10)) == ""
    assert legacy.outdated(OSError(1, "x")) == ""
    assert "legacy" not in explained(failed("TLSV1_ALERT_INTERNAL_ERROR")).advice


@pytest.mark.parametrize(
    "problem",
    [
        ConnectionResetError(104, "x"),
        BrokenPipeError(32, "x"),
        ssl.SSLEOFError(8, "x"),
        ssl.SSLZeroReturnError(6, "x"),
        failed("UNEXPECTED_EOF_WHILE_READING"),
    ],
)
def test_a_server_that_hangs_up_in_the_handshake_may_be_old(problem: Exception) -> None:
    found = explained(problem)
    assert str(found) == "the server closed the connection during the TLS handshake"
    assert 'set latent="Y" (STLS)' in found.advice
    assert 'if the server is old, <ssl legacy="Y"/> accepts it' in found.advice
    assert explained(problem, latent=True).advice.startswith('if the server is old, <ssl latent="Y" legacy="Y"/>')
    assert explained(problem, latent=True, legacy=True).advice == ""


# --- our own certificate ----------------------------------------------------------------------------------------------


def looks_at_its_own_signature(path: Path) -> bool:
    """Whether this OpenSSL refuses a client certificate signed with SHA-1; from 3.5 on, that is left to the server."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(path)
    except ssl.SSLError:
        return True
    return False


@pytest.mark.parametrize("weak", [{"bits": 1024}, {"sha1": True}])
def test_a_client_certificate_that_is_too_weak(weak: dict[str, Any], authority: Authority, tmp_path: Path) -> None:
    path = tmp_path / "client.pem"
    path.write_bytes(authority.issue("me.test", **weak))
    if "sha1" in weak and ssl.OPENSSL_VERSION_INFO >= (3, 5) and not looks_at_its_own_signature(path):
        context_for(TlsPolicy(key_store=str(path)))
        return
    with pytest.raises(ConfigurationError, match=r'its key is too short, or it is signed with SHA-1: .*legacy="Y"'):
        context_for(TlsPolicy(key_store=str(path)))
    context_for(TlsPolicy(key_store=str(path), legacy=True))
