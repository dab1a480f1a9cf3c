"""Trust files and client certificates, in PEM and PKCS#12, right and wrong."""

from __future__ import annotations

import os
import ssl
import sys
from collections.abc import Callable

import pytest

from tests.support.certificates import Certificates
from tui_popretr.config.account import TlsPolicy
from tui_popretr.errors import ConfigurationError, ExitCode
from tui_popretr.net.keystores import LARGEST, is_pkcs12
from tui_popretr.net.tls import context_for
from tui_popretr.secret import Secret


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


@pytest.mark.timeout(10)
@pytest.mark.parametrize("which", ["trust_path", "key_store"])
def test_what_is_no_regular_file_is_refused_and_never_waited_for(which: str, certificates: Certificates) -> None:
    pipe = str(certificates.folder / f"{which}.pipe")
    os.mkfifo(pipe)
    text = refusal(certificates.policy(**{which: pipe}))
    assert text.startswith(f"cannot read {pipe}: it is a pipe, not a regular file")
    assert "it is a device, not a regular file" in refusal(certificates.policy(**{which: "/dev/zero"}))
    folder = str(certificates.folder)
    assert refusal(certificates.policy(**{which: folder})).startswith(f"cannot read {folder}: is a directory")


@pytest.mark.parametrize("which", ["trust_path", "key_store"])
def test_a_file_without_end_does_not_fill_the_memory(which: str, certificates: Certificates) -> None:
    path = certificates.file("large.pem", b"")
    os.truncate(path, LARGEST + 1)
    assert refusal(certificates.policy(**{which: path})).startswith(f"cannot read {path}: it is too large")


def test_pkcs12_is_told_from_pem(certificates: Certificates) -> None:
    with open(certificates.trust_store("told.p12", None), "rb") as store:
        assert is_pkcs12(store.read())
    assert not is_pkcs12(certificates.authority.cert_pem.bytes())
    assert not is_pkcs12(b"0 some comment that begins with a zero\n-----BEGIN CERTIFICATE-----\n")
    assert not is_pkcs12(b"")


# --- client certificates; that they are really shown is tested with real connections ----------------------------------


@pytest.mark.parametrize("traditional", [False, True])
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
    made_with: str | None, settings: dict[str, Secret], traditional: bool, certificates: Certificates
) -> None:
    path = certificates.key_file("client.pem", made_with, traditional=traditional)
    context_for(certificates.policy(key_store=path, **settings))


@pytest.mark.parametrize("traditional", [False, True])
@pytest.mark.parametrize(
    ("password", "words"),
    [
        (None, "its private key is encrypted; give the password with certpass or kspass"),
        (Secret("wr0ng"), "its private key is encrypted, and the password in certpass or kspass does not open it"),
        (Secret("x" * 5000), "its private key is encrypted, and the password in certpass or kspass does not open it"),
    ],
)
def test_a_client_certificate_in_pem_with_the_wrong_password(
    password: Secret | None, words: str, traditional: bool, certificates: Certificates
) -> None:
    path = certificates.key_file("locked.pem", "right", traditional=traditional)
    text = refusal(certificates.policy(key_store=path, key_store_password=password))
    assert text == f"{path}: cannot use the client certificate: {words} | "


def test_an_incomplete_or_wrong_pem_certificate(certificates: Certificates) -> None:
    def told(data: bytes) -> str:
        return refusal(certificates.policy(key_store=certificates.file("part.pem", data))).partition(" certificate: ")[
            2
        ]

    issued = certificates.client_certificate()
    certificate, key = issued.cert_chain_pems[0].bytes(), issued.private_key_pem.bytes()
    assert told(key).startswith("there is no certificate in the file")
    assert told(b"").startswith("there is no certificate in the file")
    assert told(certificate).startswith("there is no private key in the file")
    assert told(certificate + key[: len(key) // 2] + key[-40:]).startswith(
        "its certificate or its private key is damaged"
    )
    path = certificates.key_file("mixed.pem", mismatch=True)
    text = refusal(certificates.policy(key_store=path))
    assert "the private key does not belong to the first certificate" in text


def test_no_password_is_asked_for_on_the_terminal(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []

    def load(context: ssl.SSLContext, path: str, password: Callable[[], str] | None = None) -> None:
        assert password is not None, "OpenSSL would ask"
        given.append(password())

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", load)
    context_for(certificates.policy(key_store=certificates.key_file("asking.pem", "right")))
    assert given == [""]


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
def test_a_pkcs12_key_is_never_in_clear_on_disk(
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


def test_pkcs12_without_cryptography_is_refused_with_advice(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("cryptography.hazmat.primitives")]:
        monkeypatch.setitem(sys.modules, name, None)
    path = certificates.file("needs-cryptography.p12", b"\x30\x82")
    text = refusal(TlsPolicy(trust_path=path))
    assert "needs the package cryptography" in text
    assert "pkcs12" in text
