"""TLS policies as SSL contexts."""

from __future__ import annotations

import ssl
from typing import Any

import pytest

from tests.support.certificates import Certificates
from tui_popretr.config.account import TlsPolicy
from tui_popretr.net.tls import TlsContexts, context_for
from tui_popretr.secret import Secret


def test_equal_policies_share_a_context(certificates: Certificates) -> None:
    contexts = TlsContexts()
    first = contexts.of(certificates.policy(trust_password=Secret("x")))
    assert contexts.of(certificates.policy(trust_password=Secret("x"))) is first
    assert contexts.of(certificates.policy(trust_password=Secret("y"))) is not first
    contexts.clear()
    assert contexts.of(certificates.policy(trust_password=Secret("x"))) is not first


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ({}, {"latent": True}, True),
        ({}, {"handshake_timeout": 7.0}, True),
        ({"peer_name": "a.test"}, {"peer_name": "b.test"}, True),
        ({"peer_name": "a.test"}, {"peer_name": "-"}, True),
        ({"fingerprints": ("ab" * 32,)}, {"fingerprints": ("cd" * 32,), "peer_name": "a.test"}, True),
        ({}, {"peer_name": "a.test"}, False),
        ({}, {"fingerprints": ("ab" * 32,)}, False),
        ({}, {"legacy": True}, False),
        ({}, {"minimum_version": "TLSv1.3"}, False),
    ],
)
def test_policies_that_trust_alike_share_a_context(
    one: dict[str, Any], other: dict[str, Any], shared: bool, certificates: Certificates
) -> None:
    contexts = TlsContexts()
    first, second = (contexts.of(certificates.policy(**each)) for each in (one, other))
    assert (first is second) is shared


def test_every_python_judges_a_certificate_alike(certificates: Certificates) -> None:
    context = context_for(certificates.policy())
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
    assert context.verify_flags & ssl.VERIFY_X509_PARTIAL_CHAIN
    assert context.options & ssl.OP_NO_RENEGOTIATION


@pytest.mark.parametrize("peer_name", ["-", "other.test"])
def test_the_chain_is_verified_also_with_peercert(peer_name: str, certificates: Certificates) -> None:
    context = context_for(certificates.policy(peer_name=peer_name))
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert not context.check_hostname


def test_only_with_a_pin_a_context_verifies_nothing(certificates: Certificates) -> None:
    for policy in (certificates.policy(fingerprints=("ab" * 32,)), TlsPolicy(verified=False)):
        context = context_for(policy)
        assert context.verify_mode is ssl.CERT_NONE
        assert context.get_ca_certs() == []
    for policy in (
        TlsPolicy(),
        TlsPolicy(peer_name="-"),
        TlsPolicy(legacy=True),
        certificates.policy(minimum_version="TLSv1"),
    ):
        assert context_for(policy).verify_mode is ssl.CERT_REQUIRED


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("proto", ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"])
def test_a_server_cannot_do_without_a_certificate(proto: str, legacy: bool) -> None:
    policy = TlsPolicy(minimum_version=proto, legacy=legacy, fingerprints=("ab" * 32,))
    ciphers = context_for(policy).get_ciphers()
    assert ciphers
    assert all(each["auth"] != "auth-null" and each["strength_bits"] for each in ciphers)


@pytest.mark.parametrize(
    ("proto", "version"), [("TLSv1.2", ssl.TLSVersion.TLSv1_2), ("TLSv1.3", ssl.TLSVersion.TLSv1_3)]
)
def test_the_oldest_version(proto: str, version: ssl.TLSVersion, certificates: Certificates) -> None:
    assert TlsPolicy().minimum_version == "TLSv1.2"
    assert context_for(certificates.policy(minimum_version=proto)).minimum_version is version


def test_without_a_trust_file_the_system_is_trusted(
    monkeypatch: pytest.MonkeyPatch, certificates: Certificates
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", certificates.trust_file)
    monkeypatch.setenv("SSL_CERT_DIR", "/nowhere")
    assert len(context_for(TlsPolicy()).get_ca_certs()) == 1
