"""Handshakes that must fail, and their errors; pins; all over real connections."""

from __future__ import annotations

import errno
import hashlib
import re
import ssl
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import trio
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtensionOID
from trio.testing import trio_test

from tests.support.certificates import HOST, Certificates
from tests.support.tls_serving import LOOPBACK, Server, alerting, connected, greeter, under_tls
from tui_popretr.config.account import TlsPolicy
from tui_popretr.errors import CertificateRejected, ClientCertificateRejected, ConnectionCut, ExitCode, TlsFailed
from tui_popretr.net import tls
from tui_popretr.net.certificate import Certificate
from tui_popretr.net.tls import TlsSession

V = ssl.TLSVersion


async def refusal(server: Server, policy: TlsPolicy, host: str = HOST) -> TlsFailed:
    """Return the error that a handshake ends with."""
    with pytest.raises(TlsFailed) as caught:
        await under_tls(server, policy, host)
    assert caught.value.exit_code is ExitCode.PROTOCOL
    return caught.value


async def rejection(server: Server, policy: TlsPolicy) -> CertificateRejected:
    found = await refusal(server, policy)
    assert isinstance(found, CertificateRejected)
    return found


def at(**offset: float) -> datetime:
    return datetime.now(UTC) + timedelta(**offset)


def day(moment: datetime) -> str:
    return str(moment.date())


class Shown:
    """A server's context whose certificate is known."""

    def __init__(self, certificates: Certificates, issued: trustme.LeafCert | None = None) -> None:
        self.issued = issued or certificates.stranger.issue_cert("other.test", common_name="other.test")
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.issued.configure_cert(self.context)

    @property
    def fingerprint(self) -> str:
        der = ssl.PEM_cert_to_DER_cert(self.issued.cert_chain_pems[0].bytes().decode())
        return hashlib.sha256(der).hexdigest()


def as_shown(fingerprint: str) -> str:
    return ":".join(re.findall("..", fingerprint.upper()))


def self_signed(certificates: Certificates) -> tuple[ssl.SSLContext, str]:
    """A context that shows a certificate which signed itself, and its fingerprint."""
    own = trustme.CA(organization_name="self")

    def use(context: ssl.SSLContext) -> None:
        with own.private_key_pem.tempfile() as key, own.cert_pem.tempfile() as certificate:
            context.load_cert_chain(certificate, key)

    context = certificates.server_context(configure=use)
    return context, hashlib.sha256(ssl.PEM_cert_to_DER_cert(own.cert_pem.bytes().decode())).hexdigest()


# --- pins -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [V.TLSv1_2, V.TLSv1_3])
@trio_test
async def test_a_pin_replaces_chain_name_and_dates(version: ssl.TLSVersion, certificates: Certificates) -> None:
    ended = at(days=-3)
    issued = certificates.stranger.issue_cert(
        "other.test", common_name="other.test", not_before=at(days=-9), not_after=ended
    )
    shown = Shown(certificates, issued)
    shown.context.maximum_version = version
    details = await under_tls(greeter(shown.context), TlsPolicy(fingerprints=("ab" * 32, shown.fingerprint)))
    assert details.pinned
    assert details.fingerprint == shown.fingerprint
    assert (details.subject, details.names) == ("other.test", ("other.test",))
    assert details.expires == ended.replace(microsecond=0)


@trio_test
async def test_a_valid_certificate_that_is_not_pinned_is_refused(
    certificates: Certificates,
) -> None:
    shown, said = Shown(certificates, certificates.authority.issue_cert(HOST)), list[bytes]()
    policy = certificates.policy(fingerprints=("ab" * 32, "cd" * 32))
    found = await rejection(greeter(shown.context, said=said), policy)
    assert str(found) == (
        f"the certificate of {HOST} is not the pinned one: its SHA-256 fingerprint is {as_shown(shown.fingerprint)}"
    )
    assert f'set fingerprint="{as_shown(shown.fingerprint)}"' in found.advice
    assert b"".join(said) == b""


@trio_test
async def test_what_decides_on_a_pin_is_what_python_vouches_for(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "chain_shown", lambda sock: [Certificate(subject="liar", fingerprint="ab" * 32)])
    await rejection(greeter(Shown(certificates).context), TlsPolicy(fingerprints=("ab" * 32,)))


@trio_test
async def test_a_pin_needs_nothing_that_another_python_may_not_have(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "chain_shown", lambda sock: [])
    shown = Shown(certificates)
    details = await under_tls(greeter(shown.context), TlsPolicy(fingerprints=(shown.fingerprint,)))
    assert (details.fingerprint, details.subject, details.expires) == (shown.fingerprint, "", None)


@trio_test
async def test_details_have_the_fingerprint_of_a_verified_certificate(certificates: Certificates) -> None:
    shown = Shown(certificates, certificates.authority.issue_cert(HOST))
    details = await under_tls(greeter(shown.context), certificates.policy())
    assert (details.fingerprint, details.pinned) == (shown.fingerprint, False)


@trio_test
async def test_no_trust_file_is_needed_for_a_pin(certificates: Certificates) -> None:
    shown = Shown(certificates)
    await under_tls(greeter(shown.context), TlsPolicy(fingerprints=(shown.fingerprint,), trust_path="/nowhere"))


@pytest.mark.parametrize("expected", [None, HOST])
@trio_test
async def test_a_name_that_is_no_text(expected: str | None, certificates: Certificates) -> None:
    """OpenSSL finds the right name beside it; where we have to look, nothing is found, and so nothing accepted."""
    key = ec.generate_private_key(ec.SECP256R1())
    names = b"".join(b"\x82" + bytes([len(name)]) + name for name in (HOST.encode(), b"b\xfccher.test"))
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)]))
        .issuer_name(x509.load_pem_x509_certificate(certificates.authority.cert_pem.bytes()).subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(at(days=-1))
        .not_valid_after(at(days=1))
        .add_extension(
            x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, bytes([0x30, len(names)]) + names),
            critical=False,
        )
    )
    signer = load_pem_private_key(certificates.authority.private_key_pem.bytes(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    pem = made.sign(signer, SHA256()).public_bytes(Encoding.PEM)
    pem += key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.file("latin-1.pem", pem))
    policy = certificates.policy(peer_name=expected)
    if expected is None:
        assert (await under_tls(greeter(context), policy)).names == ()
    else:
        assert str(await rejection(greeter(context), policy)) == f"the certificate is not for {HOST}"


# --- certificates that are not accepted -------------------------------------------------------------------------------


@trio_test
async def test_it_signed_itself_and_the_advice_helps(certificates: Certificates) -> None:
    context, fingerprint = self_signed(certificates)
    found = await rejection(greeter(context), certificates.policy())
    assert str(found) == f"the certificate of {HOST} is rejected: it is self-signed"
    pin = re.search('fingerprint="([^"]+)"', found.advice)
    assert pin is not None
    assert pin[1] == as_shown(fingerprint)
    assert (await under_tls(greeter(context), TlsPolicy(fingerprints=(fingerprint,)))).pinned


@trio_test
async def test_a_stranger_signed_it(certificates: Certificates) -> None:
    shown = Shown(certificates)
    found = await rejection(greeter(shown.context), certificates.policy())
    assert str(found).startswith(
        f"the certificate of {HOST} is rejected: it is signed by an authority that is not trusted here (Testing CA #"
    )
    assert str(found).endswith(f", and it is for other.test, not for {HOST}")
    assert found.mismatch == f"the certificate is for other.test, not for {HOST}"
    assert found.advice.startswith("set tspath to a file with the authority's certificate")
    assert f'fingerprint="{as_shown(shown.fingerprint)}"' in found.advice


@pytest.mark.parametrize("whole", [False, True])
@trio_test
async def test_a_chain_that_is_not_sent_whole(whole: bool, certificates: Certificates) -> None:
    between = certificates.authority.create_child_ca()
    issued = between.issue_cert(HOST)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    sent = issued.cert_chain_pems if whole else issued.cert_chain_pems[:1]
    pem = issued.private_key_pem.bytes() + b"".join(blob.bytes() for blob in sent)
    context.load_cert_chain(certificates.file("chain.pem", pem))
    if whole:
        await under_tls(greeter(context), certificates.policy())
        return
    found = await rejection(greeter(context), certificates.policy())
    assert str(found).endswith("or the server does not send the intermediate certificates")


@pytest.mark.parametrize(("hours", "ago"), [(73, "3 days"), (25, "1 day"), (1, "less than a day")])
@trio_test
async def test_it_has_expired(hours: float, ago: str, certificates: Certificates) -> None:
    ended = at(hours=-hours)
    context = certificates.server_context(not_before=at(days=-30), not_after=ended)
    found = await rejection(greeter(context), certificates.policy())
    assert str(found) == f"the certificate of {HOST} is rejected: it expired {ago} ago, on {day(ended)}"
    assert found.advice


@trio_test
async def test_it_is_not_valid_yet(certificates: Certificates) -> None:
    begins = at(days=5, hours=1)
    context = certificates.server_context(not_before=begins, not_after=at(days=9))
    found = await rejection(greeter(context), certificates.policy())
    assert str(found) == (
        f"the certificate of {HOST} is rejected: it is not valid yet: it begins in 5 days, on {day(begins)}"
    )
    assert "clock" in found.advice


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["other.example.test"], "other.example.test"),
        (["*.other.test", "x.test"], "*.other.test, x.test"),
        ([LOOPBACK], LOOPBACK),
        ([f"{n}.test" for n in range(7)], "0.test, 1.test, 2.test, 3.test, 4.test ..."),
    ],
)
@trio_test
async def test_it_is_for_another_host(names: list[str], told: str, certificates: Certificates) -> None:
    found = await rejection(greeter(certificates.server_context(*names)), certificates.policy())
    assert str(found) == f"the certificate is for {told}, not for {HOST}"


@trio_test
async def test_an_address_is_no_name(certificates: Certificates) -> None:
    found = await refusal(greeter(certificates.server_context(HOST)), certificates.policy(), LOOPBACK)
    assert str(found) == f"the certificate is for {HOST}, not for {LOOPBACK}"


@trio_test
async def test_nothing_is_sent_to_another_host(certificates: Certificates) -> None:
    said: list[bytes] = []
    policy = certificates.policy(peer_name="mail.provider.test")
    await rejection(greeter(certificates.server_context(HOST), said=said), policy)
    assert b"".join(said) == b""


@trio_test
async def test_another_name_may_be_expected(certificates: Certificates) -> None:
    policy = certificates.policy(peer_name="mail.provider.test")
    details = await under_tls(greeter(certificates.server_context("*.provider.test")), policy)
    assert details.names == ("*.provider.test",)
    found = await rejection(greeter(certificates.server_context(HOST, "more.test")), policy)
    assert str(found) == f"the certificate is for {HOST}, more.test, not for mail.provider.test"
    assert found.advice == f"remove peercert from the client's <ssl>: the certificate is for {HOST}"


@trio_test
async def test_without_the_name_check_the_chain_still_counts(certificates: Certificates) -> None:
    policy = certificates.policy(peer_name="-")
    assert (await under_tls(greeter(certificates.server_context("other.test")), policy)).names == ("other.test",)
    stranger = certificates.server_context("other.test", issuer=certificates.stranger)
    assert "not trusted here" in str(await rejection(greeter(stranger), policy))


# --- servers that do not speak TLS, or not as we do -------------------------------------------------------------------


def speaking(octets: bytes) -> Server:
    async def in_clear(stream: trio.SocketStream) -> None:
        await stream.send_all(octets)
        await stream.receive_some()

    return in_clear


@pytest.mark.parametrize("octets", [b"+OK POP3 ready\r\n", b"-ERR go away\r\n"])
@trio_test
async def test_plain_text_where_tls_is_expected(octets: bytes, certificates: Certificates) -> None:
    found = await refusal(speaking(octets), certificates.policy())
    assert re.fullmatch(r"the server speaks plain text at port \d+ and not TLS", str(found))
    assert 'set latent="Y" (STLS)' in found.advice


@trio_test
async def test_plain_text_behind_stls(certificates: Certificates) -> None:
    found = await refusal(speaking(b"+OK POP3 ready\r\n"), certificates.policy(latent=True))
    assert str(found) == "the server agreed to STLS and then continued in clear"
    assert "latent" not in found.advice


@pytest.mark.parametrize("octets", [b"", b"\x16\x03\x03\x00\x7a\x02"])
@trio_test
async def test_the_server_goes_away_in_the_handshake(octets: bytes, certificates: Certificates) -> None:
    async def leave(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(octets)

    found = await refusal(leave, certificates.policy())
    assert str(found) == "the server closed the connection during the TLS handshake"
    assert 'latent="Y"' in found.advice


def only(oldest: ssl.TLSVersion, newest: ssl.TLSVersion) -> Callable[[ssl.SSLContext], None]:
    def configure(context: ssl.SSLContext) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version, context.maximum_version = oldest, newest
        if oldest < V.TLSv1_2:
            context.set_ciphers("DEFAULT:@SECLEVEL=0")

    return configure


@pytest.mark.parametrize(
    ("proto", "newest", "advice"),
    [
        ("TLSv1.3", V.TLSv1_2, 'if the server supports nothing newer, use <ssl ... proto="TLSv1.2"/>'),
        (
            "TLSv1.2",
            V.TLSv1_1,
            'tell the server\'s operator; until it is updated, <ssl ... proto="TLSv1"/> accepts older',
        ),
        (
            "TLSv1.1",
            V.TLSv1,
            'tell the server\'s operator; until it is updated, <ssl ... proto="TLSv1"/> accepts older',
        ),
    ],
)
@trio_test
async def test_a_server_of_older_days(
    proto: str, newest: ssl.TLSVersion, advice: str, certificates: Certificates
) -> None:
    server = alerting(certificates.server_context(configure=only(V.TLSv1, newest)))
    found = await refusal(server, certificates.policy(minimum_version=proto))
    assert str(found) == f"the server has no version of TLS that is accepted here: {proto} or newer (proto)"
    assert found.advice.startswith(advice)


@pytest.mark.parametrize(("proto", "newest"), [("TLSv1", V.TLSv1), ("TLSv1", V.TLSv1_1), ("TLSv1.1", V.TLSv1_1)])
@trio_test
async def test_older_versions_work_where_they_are_asked_for(
    proto: str, newest: ssl.TLSVersion, certificates: Certificates
) -> None:
    server = greeter(certificates.server_context(configure=only(V.TLSv1, newest)))
    details = await under_tls(server, certificates.policy(minimum_version=proto))
    assert details.version == newest.name.replace("_", ".").replace("v1.0", "v1")


@trio_test
async def test_also_with_older_versions_the_certificate_is_verified(certificates: Certificates) -> None:
    context = certificates.server_context(issuer=certificates.stranger, configure=only(V.TLSv1, V.TLSv1_1))
    found = await rejection(greeter(context), certificates.policy(minimum_version="TLSv1"))
    assert "not trusted here" in str(found)


@trio_test
async def test_a_connection_that_is_gone_before_the_handshake(certificates: Certificates) -> None:
    found = TlsSession(certificates.policy(), HOST).explain(OSError(errno.ENOTCONN, "Not connected"))
    assert str(found) == "the server closed the connection during the TLS handshake"


# --- servers that want a client certificate ---------------------------------------------------------------------------


def demanding(version: ssl.TLSVersion, trusted: trustme.CA) -> Callable[[ssl.SSLContext], None]:
    def configure(context: ssl.SSLContext) -> None:
        context.maximum_version = version
        context.verify_mode = ssl.CERT_REQUIRED
        trusted.configure_trust(context)

    return configure


async def entry(context: ssl.SSLContext, policy: TlsPolicy) -> TlsFailed | ConnectionCut:
    """Do the handshake and wait for the greeting; return the error that comes at the one or the other."""
    failures: list[TlsFailed | ConnectionCut] = []
    async with connected(alerting(context)) as stream:
        try:
            await stream.start_tls(TlsSession(policy, HOST))
            await stream.receive()
        except (TlsFailed, ConnectionCut) as failure:
            failures.append(failure)  # raised in here it would come wrapped in a group
    return failures[0]


@pytest.mark.parametrize(
    ("version", "words"),
    [
        (
            V.TLSv1_2,
            "the server ends the TLS handshake: it has no cipher or signature algorithm in common with us; or it",
        ),
        (V.TLSv1_3, "the server wants a client certificate"),
    ],
)
@trio_test
async def test_a_client_certificate_is_wanted(version: ssl.TLSVersion, words: str, certificates: Certificates) -> None:
    context = certificates.server_context(configure=demanding(version, certificates.authority))
    found = await entry(context, certificates.policy())
    assert str(found).startswith(words)
    assert "kspath" in str(found) + found.advice


@pytest.mark.parametrize("version", [V.TLSv1_2, V.TLSv1_3])
@trio_test
async def test_another_client_certificate_is_wanted(version: ssl.TLSVersion, certificates: Certificates) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificates.authority.issue_cert(HOST).configure_cert(context)
    demanding(version, certificates.stranger)(context)
    found = await entry(context, certificates.policy(key_store=certificates.key_file("own.pem")))
    assert isinstance(found, ClientCertificateRejected if version is V.TLSv1_2 else ConnectionCut)
    assert str(found) == "the server rejects our client certificate: it does not trust the issuer"
    assert "kspath" in found.advice
