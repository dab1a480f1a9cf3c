"""TLS policies as SSL contexts, and the names of certificates (SPEC 1, 10)."""

from __future__ import annotations

import os
import ssl
import sys
from collections.abc import Callable

import pytest

from tests.engine.certificates import HOST, Certificates
from tui_popretr.config.model import TlsPolicy
from tui_popretr.engine.tls import TlsSession, certificate_names, context_for, is_pkcs12, name_matches
from tui_popretr.errors import CertificateRejected, ConfigurationError, ExitCode, PopretrError
from tui_popretr.secret import Secret

# --- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "name", "covered"),
    [
        ("pop.example.net", "pop.example.net", True),
        ("POP.Example.NET", "pop.example.net", True),
        ("pop.example.net", "POP.EXAMPLE.NET", True),
        ("pop.example.net", "pop.example.net.", True),
        ("pop.example.net.", "pop.example.net", True),
        ("pop.example.net", "imap.example.net", False),
        ("pop.example.net", "example.net", False),
        ("pop.example.net", "pop.example.net.evil.test", False),
        ("", "pop.example.net", False),
        # a wildcard is the whole left-most label, and exactly one
        ("*.example.net", "pop.example.net", True),
        ("*.example.net", "POP.example.net.", True),
        ("*.Example.Net", "pop.example.net", True),
        ("*.example.net", "example.net", False),
        ("*.example.net", ".example.net", False),
        ("*.example.net", "a.pop.example.net", False),
        ("p*.example.net", "pop.example.net", False),
        ("*p.example.net", "pop.example.net", False),
        ("pop.*.net", "pop.example.net", False),
        ("*.*.net", "pop.example.net", False),
        ("*", "localhost", False),
        ("*.", "localhost", False),
        ("*.net", "example.net", False),
        ("*.net", "pop.example.net", False),
        ("*", "pop.example.net", False),
        # addresses are equal or not
        ("192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "192.0.2.8", False),
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1", True),
        ("2001:db8::2", "2001:db8::1", False),
        ("*.0.2.7", "192.0.2.7", False),
        ("192.0.2.7", "pop.example.net", False),
        ("pop.example.net", "192.0.2.7", False),
        # certificates hold A-labels (RFC 7817 §3)
        ("xn--bcher-kva.example.net", "bücher.example.net", True),
        ("xn--bcher-kva.example.net", "BÜCHER.example.net", True),
        ("xn--bcher-kva.example.net", "xn--bcher-kva.example.net", True),
        ("*.xn--bcher-kva.example", "pop.bücher.example", True),
        ("xn--bcher-kva.example.net", "bücher。example．net", True),
        ("bücher.example.net", "bucher.example.net", False),
        ("pop..example.net", "pop.example.net", False),
        ("x" * 70 + ".example.net", "x" * 70 + ".example.net", True),
    ],
)
def test_names(pattern: str, name: str, covered: bool) -> None:
    assert name_matches(pattern, name) is covered


def test_a_certificate_is_for_its_alternative_names_and_only_without_them_for_its_common_name() -> None:
    subject = ((("countryName", "CH"),), (("commonName", "common.test"),))
    alternatives = (("DNS", "a.test"), ("email", "me@b.test"), ("IP Address", "192.0.2.7"), ("URI", "pop://c.test"))
    assert certificate_names({"subject": subject, "subjectAltName": alternatives}) == ["a.test", "192.0.2.7"]
    assert certificate_names({"subject": subject}) == ["common.test"]
    assert certificate_names({}) == []


# --- contexts ---------------------------------------------------------------------------------------------------------


def test_equal_policies_share_a_context(certificates: Certificates) -> None:
    first = context_for(certificates.policy(trust_password=Secret("x")))
    assert context_for(certificates.policy(trust_password=Secret("x"))) is first
    assert context_for(certificates.policy(trust_password=Secret("y"))) is not first


def test_every_python_judges_a_certificate_alike(certificates: Certificates) -> None:
    context = context_for(certificates.policy())
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
    assert context.verify_flags & ssl.VERIFY_X509_PARTIAL_CHAIN
    assert context.options & ssl.OP_NO_RENEGOTIATION


@pytest.mark.parametrize("peer_name", ["-", "other.test"])
def test_the_chain_is_verified_also_where_the_name_is_ours_to_check(peer_name: str, certificates: Certificates) -> None:
    context = context_for(certificates.policy(peer_name=peer_name))
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert not context.check_hostname


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
    context_for.cache_clear()
    assert len(context_for(TlsPolicy()).get_ca_certs()) == 1
    context_for.cache_clear()


def trusted(policy: TlsPolicy) -> int:
    return len(context_for(policy).get_ca_certs())


def refusal(policy: TlsPolicy) -> str:
    with pytest.raises(ConfigurationError) as caught:
        context_for(policy)
    assert caught.value.exit_code is ExitCode.CONFIGURATION
    return f"{caught.value} | {caught.value.advice}"


def test_trust_in_pem_with_comments_in_any_encoding(certificates: Certificates) -> None:
    pem = certificates.authority.cert_pem.bytes()
    other = certificates.stranger.cert_pem.bytes()
    text = "# Főtanúsítvány\n".encode() + pem + b"\n# M\xfcller & Co\n" + other
    assert trusted(TlsPolicy(trust_path=certificates.file("commented.pem", text))) == 2


@pytest.mark.parametrize("data", [b"", b"not a certificate", b"# M\xfcller\n", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_a_trust_file_that_is_none(data: bytes, certificates: Certificates) -> None:
    path = certificates.file("trustless.pem", data)
    assert f"{path} holds no usable certificate" in refusal(TlsPolicy(trust_path=path))


@pytest.mark.parametrize("password", [None, "pässword"])
def test_trust_in_pkcs12(password: str | None, certificates: Certificates) -> None:
    path = certificates.trust_store("trust.p12", password)
    secret = Secret(password) if password else None
    assert trusted(TlsPolicy(trust_path=path, trust_password=secret)) == 1


@pytest.mark.parametrize("password", [None, Secret("wr0ng")])
def test_trust_in_pkcs12_with_the_wrong_password(password: Secret | None, certificates: Certificates) -> None:
    path = certificates.trust_store("locked-trust.p12", "right")
    text = refusal(TlsPolicy(trust_path=path, trust_password=password))
    assert "its password is wrong" in text
    assert "wr0ng" not in text


def test_trust_in_pkcs12_without_a_certificate(certificates: Certificates) -> None:
    path = certificates.trust_store("empty.p12", None, nothing=True)
    assert "holds no usable certificate" in refusal(TlsPolicy(trust_path=path))


@pytest.mark.parametrize("which", ["trust_path", "key_store"])
def test_files_that_are_not_there(which: str, certificates: Certificates) -> None:
    text = refusal(certificates.policy(**{which: "/nowhere/store"}))
    assert "/nowhere/store" in text


def test_pkcs12_is_told_from_pem(certificates: Certificates) -> None:
    with open(certificates.trust_store("told.p12", None), "rb") as store:
        assert is_pkcs12(store.read())
    assert not is_pkcs12(certificates.authority.cert_pem.bytes())
    assert not is_pkcs12(b"0 some comment that begins with a zero\n-----BEGIN CERTIFICATE-----\n")
    assert not is_pkcs12(b"")


# --- client certificates; that they are really shown is tested with real connections ----------------------------------


@pytest.mark.parametrize(
    ("made_with", "settings"),
    [
        (None, {}),
        ("one", {"key_store_password": Secret("one")}),
        ("one", {"certificate_password": Secret("one")}),
        ("one", {"certificate_password": Secret("one"), "key_store_password": Secret("two")}),
    ],
)
def test_a_client_certificate_in_pem(
    made_with: str | None, settings: dict[str, Secret], certificates: Certificates
) -> None:
    path = certificates.key_file("client.pem", made_with)
    context_for(certificates.policy(key_store=path, **settings))


@pytest.mark.parametrize("password", [None, Secret("wr0ng"), Secret("x" * 5000)])
def test_a_client_certificate_in_pem_with_the_wrong_password(
    password: Secret | None, certificates: Certificates
) -> None:
    path = certificates.key_file("locked.pem", "right")
    text = refusal(certificates.policy(key_store=path, key_store_password=password))
    assert f"{path}: cannot use the client certificate" in text
    assert "wr0ng" not in text


def test_nobody_is_asked_for_a_password_on_the_terminal(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[str] = []

    def load(context: ssl.SSLContext, path: str, password: Callable[[], str] | None = None) -> None:
        assert password is not None, "OpenSSL would ask"
        given.append(password())

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", load)
    context_for(certificates.policy(key_store=certificates.key_file("asking.pem", "right")))
    assert given == [""]


def test_a_client_certificate_without_a_key(certificates: Certificates) -> None:
    assert "private key" in refusal(certificates.policy(key_store=certificates.trust_file))


@pytest.mark.parametrize("entry", [None, "mail", "MAIL"])
@pytest.mark.parametrize("password", [None, "pässword"])
def test_a_client_certificate_in_pkcs12(entry: str | None, password: str | None, certificates: Certificates) -> None:
    path = certificates.key_store("client.p12", password)
    secret = Secret(password) if password else None
    context_for(certificates.policy(key_store=path, key_store_password=secret, certificate=entry))


def test_a_client_certificate_in_pkcs12_under_another_name(certificates: Certificates) -> None:
    path = certificates.key_store("named.p12", None)
    text = refusal(certificates.policy(key_store=path, certificate="wo\x1brk"))
    assert f'{path} has no entry "wo\\x1brk"; its entry is "mail"' in text


def test_a_client_certificate_in_pkcs12_with_the_wrong_password(certificates: Certificates) -> None:
    path = certificates.key_store("locked.p12", "right")
    text = refusal(certificates.policy(key_store=path, key_store_password=Secret("wr0ng")))
    assert "its password is wrong" in text
    assert "wr0ng" not in text


def test_pkcs12_without_a_key_is_no_client_certificate(certificates: Certificates) -> None:
    path = certificates.trust_store("keyless.p12", None)
    assert "no certificate with its private key" in refusal(certificates.policy(key_store=path))


def test_what_is_in_no_known_form_is_no_client_certificate(certificates: Certificates) -> None:
    path = certificates.file("garbage.p12", b"\x30\x82garbage")
    assert "not a PKCS#12 store" in refusal(certificates.policy(key_store=path))


@pytest.mark.parametrize("memory", [True, False])
def test_a_key_out_of_pkcs12_is_nowhere_in_clear_and_nothing_stays(
    memory: bool, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not memory:
        monkeypatch.delattr(os, "memfd_create", raising=False)
    elif not hasattr(os, "memfd_create"):
        pytest.skip("this system has no memfd")
    written: list[bytes] = []
    opened: list[str] = []
    loaded = ssl.SSLContext.load_cert_chain

    def load(context: ssl.SSLContext, path: str, password: str) -> None:
        with open(path, "rb") as file:
            written.append(file.read())
        opened.append(path)
        assert os.stat(path).st_mode & 0o077 == 0 or memory
        loaded(context, path, password=password)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", load)
    path = certificates.key_store(f"once-{memory}.p12", "password")
    context_for(certificates.policy(key_store=path, key_store_password=Secret("password")))
    assert b"ENCRYPTED PRIVATE KEY" in written[0]
    assert b"BEGIN PRIVATE KEY" not in written[0]
    assert not any(os.path.exists(path) and not path.startswith("/proc/") for path in opened)


def test_without_the_package_cryptography_pkcs12_is_refused_with_advice(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("cryptography.hazmat.primitives")]:
        monkeypatch.setitem(sys.modules, name, None)
    path = certificates.file("needs-cryptography.p12", b"\x30\x82")
    text = refusal(TlsPolicy(trust_path=path))
    assert "needs the package cryptography" in text
    assert "pkcs12" in text


# --- errors in words --------------------------------------------------------------------------------------------------


def verification_error(code: int, message: str = "openssl's words") -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, message
    return error


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (10, "it has expired"),
        (9, "it is not valid yet"),
        (18, "it is self-signed, or signed by an authority that is not trusted here"),
        (19, "it is self-signed, or signed by an authority that is not trusted here"),
        (20, "it is signed by an authority that is not trusted here"),
        (21, "it is signed by an authority that is not trusted here"),
        (62, f"it is for another name than {HOST}"),
        (64, f"it is for another name than {HOST}"),
        (26, "openssl's words"),
    ],
)
def test_why_a_certificate_is_rejected(code: int, words: str, certificates: Certificates) -> None:
    problem = TlsSession(certificates.policy(), HOST).explain(verification_error(code))
    assert isinstance(problem, CertificateRejected)
    assert str(problem) == f"the certificate of {HOST} is rejected: {words}"
    assert problem.advice


def tls_error(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}] words (_ssl.c:1)")
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (tls_error("WRONG_VERSION_NUMBER"), "the server does not speak TLS here"),
        (tls_error("RECORD_LAYER_FAILURE"), "the server does not speak TLS here"),
        (tls_error("TLSV1_ALERT_PROTOCOL_VERSION"), "the TLS handshake failed: tlsv1 alert protocol version"),
        (ssl.SSLEOFError(8, "EOF occurred"), "the server closed the connection during the TLS handshake"),
        (ConnectionResetError(104, "Reset"), "the server closed the connection during the TLS handshake"),
        (OSError(113, "No route to host"), "the TLS handshake failed: no route to host"),
        (ValueError("server_hostname cannot be empty"), "the TLS handshake failed: server_hostname cannot be empty"),
    ],
)
def test_why_a_handshake_failed(problem: Exception, words: str, certificates: Certificates) -> None:
    told: PopretrError = TlsSession(certificates.policy(), HOST).explain(problem)
    assert str(told) == words
    assert told.exit_code is ExitCode.PROTOCOL
