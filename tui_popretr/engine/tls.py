"""TLS policies made into SSL contexts, and what a verified connection says about its server.

One context serves all clients with equal policies: loading trust stores is what makes contexts expensive.
"""

from __future__ import annotations

import ipaddress
import os
import secrets
import socket
import ssl
import tempfile
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from tui_popretr.config.model import TlsPolicy
from tui_popretr.errors import CertificateRejected, ConfigurationError, TlsFailed, describe_os_error
from tui_popretr.facts import TlsDetails
from tui_popretr.secret import Secret
from tui_popretr.text import visible

_VERSIONS = {
    "TLSv1": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}


@lru_cache(maxsize=256)
def context_for(policy: TlsPolicy) -> ssl.SSLContext:
    """Return the SSL context of a policy. Raises ConfigurationError where its files cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = _VERSIONS[policy.minimum_version]
    # Python versions differ in these two defaults; a certificate is to be judged alike by all of them.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    # Without renegotiation a write never has to wait for a read, so reader and writer stay independent.
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.check_hostname = policy.peer_name is None
    context.verify_mode = ssl.CERT_REQUIRED
    if policy.trust_path is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        _load_trust(context, policy.trust_path, policy.trust_password)
    if policy.key_store is not None:
        _load_certificate(context, policy, policy.key_store)
    return context


def is_pkcs12(data: bytes) -> bool:
    """Tell a PKCS#12 store (DER) from a PEM file."""
    return data[:1] == b"\x30" and b"-----BEGIN" not in data[:4096]


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as problem:
        raise ConfigurationError(f"cannot read {path}: {describe_os_error(problem)}") from problem


def _load_trust(context: ssl.SSLContext, path: str, password: Secret | None) -> None:
    data = _read(path)
    try:
        if is_pkcs12(data):
            _, certificate, others = _open_pkcs12(path, data, password, None)
            pems = ([certificate] if certificate else []) + others
            context.load_verify_locations(cadata="".join(pems))
        else:
            # Between certificates there may be comments, in any encoding; OpenSSL is given text in ASCII.
            context.load_verify_locations(cadata=data.decode("ascii", "ignore"))
    except (ssl.SSLError, ValueError) as problem:  # ValueError: nothing at all
        raise ConfigurationError(f"{path} holds no usable certificate (PEM or PKCS#12 is expected)") from problem


def _load_certificate(context: ssl.SSLContext, policy: TlsPolicy, path: str) -> None:
    data = _read(path)
    password = policy.certificate_password or policy.key_store_password
    if is_pkcs12(data):
        key, certificate, others = _open_pkcs12(path, data, policy.key_store_password, policy.certificate)
        if key is None or certificate is None:
            raise ConfigurationError(f"{path} holds no certificate with its private key")
        once = secrets.token_hex(32)
        try:
            _load_chain_once(context, key(once.encode()) + "".join([certificate, *others]).encode(), once)
        except (ssl.SSLError, OSError) as problem:
            raise ConfigurationError(f"{path}: cannot use its certificate and private key") from problem
        return
    try:
        # A password given as a function: OpenSSL must not fall back to asking on the terminal.
        context.load_cert_chain(path, password=lambda: password.reveal() if password else "")
    except (OSError, ValueError) as problem:  # SSLError is an OSError; ValueError: a password that is too long
        raise ConfigurationError(
            f"{path}: cannot use the client certificate: the file must hold certificate and private key in PEM form, "
            "and kspass or certpass must be right"
        ) from problem


def _load_chain_once(context: ssl.SSLContext, pem: bytes, password: str) -> None:
    """Give OpenSSL a key that exists in memory only, and even there encrypted: it takes nothing but file names."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("client-certificate")
        path = f"/proc/self/fd/{descriptor}"
    else:
        descriptor, path = tempfile.mkstemp()
    try:
        os.write(descriptor, pem)
        context.load_cert_chain(path, password=password)
    finally:
        os.close(descriptor)
        if not path.startswith("/proc/"):
            os.unlink(path)


def _open_pkcs12(
    path: str, data: bytes, password: Secret | None, name: str | None
) -> tuple[Any, str | None, list[str]]:
    """Return (function password -> encrypted PEM key, PEM certificate, other PEM certificates) of a PKCS#12 store."""
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.serialization import pkcs12
    except ImportError as problem:
        raise ConfigurationError(
            f"{path} is a PKCS#12 store, which needs the package cryptography",
            advice="install tui-popretr[pkcs12], or convert the store to PEM",
        ) from problem
    try:
        store = pkcs12.load_pkcs12(data, password.reveal().encode() if password else None)
    except ValueError as problem:
        raise ConfigurationError(f"{path}: not a PKCS#12 store, or its password is wrong") from problem
    pem = serialization.Encoding.PEM
    others = [each.certificate.public_bytes(pem).decode() for each in store.additional_certs]
    if store.cert is None or store.key is None:
        certificate = store.cert.certificate.public_bytes(pem).decode() if store.cert else None
        return None, certificate, others
    entry = (store.cert.friendly_name or b"").decode("utf-8", "replace")
    if name and entry and name.lower() != entry.lower():
        raise ConfigurationError(f'{path} has no entry "{visible(name)}"; its entry is "{visible(entry)}"')
    private = store.key

    def encrypted(once: bytes) -> bytes:
        form = serialization.PrivateFormat.PKCS8
        return private.private_bytes(pem, form, serialization.BestAvailableEncryption(once))

    return encrypted, store.cert.certificate.public_bytes(pem).decode(), others


class TlsSession:
    """One handshake to come: its context, the name it is for, and the verdict on the certificate."""

    def __init__(self, policy: TlsPolicy, host: str) -> None:
        self._policy = policy
        self._host = host
        self._context = context_for(policy)

    def wrap(self, sock: socket.socket) -> ssl.SSLSocket:
        """Put TLS on a connected, non-blocking socket; the handshake is the caller's to do."""
        # A TLS connection that ends without close_notify must be seen as the cut it is.
        return self._context.wrap_socket(
            sock, do_handshake_on_connect=False, suppress_ragged_eofs=False, server_hostname=self._host
        )

    def verified(self, sock: ssl.SSLSocket) -> TlsDetails:
        """Return what the connection is. Raises CertificateRejected where the name is not the expected one."""
        certificate: dict[str, Any] = dict(sock.getpeercert() or {})
        names = certificate_names(certificate)
        expected = self._policy.peer_name
        if expected is not None and expected != "-" and not any(name_matches(name, expected) for name in names):
            raise CertificateRejected(
                f"the certificate is for {_listed(names)}, not for {expected}",
                advice="set peercert to one of the certificate's names if that is the right server",
            )
        cipher = sock.cipher()
        return TlsDetails(
            version=sock.version() or "TLS",
            cipher=cipher[0] if cipher else "",
            subject=visible(_common_name(certificate.get("subject", ())) or "", 256),
            issuer=visible(_common_name(certificate.get("issuer", ())) or "", 256),
            names=tuple(visible(name, 256) for name in names),
            expires=_expiry(certificate),
        )

    def explain(self, problem: Exception) -> TlsFailed:
        """Return the error that says in words why the handshake failed."""
        if isinstance(problem, ssl.SSLCertVerificationError):
            return self._explain_certificate(problem)
        if isinstance(problem, ssl.SSLEOFError | ConnectionResetError):
            return TlsFailed("the server closed the connection during the TLS handshake")
        if isinstance(problem, ssl.SSLError):
            reason = (problem.reason or "").upper()
            if reason in {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "UNKNOWN_PROTOCOL", "HTTP_REQUEST"}:
                return TlsFailed(
                    "the server does not speak TLS here",
                    advice='on port 110 use <ssl latent="Y"/> (STLS); implicit TLS is usually port 995',
                )
            words = (reason or str(problem)).lower().replace("_", " ")
            return TlsFailed(f"the TLS handshake failed: {words}")
        detail = describe_os_error(problem) if isinstance(problem, OSError) else str(problem)
        return TlsFailed(f"the TLS handshake failed: {detail}")

    def _explain_certificate(self, problem: ssl.SSLCertVerificationError) -> CertificateRejected:
        words = problem.verify_message or "it cannot be verified"
        advice = "set tspath to the file of the authority that signed it, if you trust that"
        if problem.verify_code == 10:
            words, advice = "it has expired", "tell the server's operator"
        elif problem.verify_code == 9:
            words, advice = "it is not valid yet", "check this machine's clock"
        elif problem.verify_code in (18, 19):
            words = "it is self-signed, or signed by an authority that is not trusted here"
        elif problem.verify_code in (20, 21):
            words = "it is signed by an authority that is not trusted here"
        elif problem.verify_code in (62, 64):
            words = f"it is for another name than {self._host}"
            advice = "check the host name, or set peercert to the name in the certificate"
        return CertificateRejected(f"the certificate of {self._host} is rejected: {words}", advice=advice)


def _common_name(name: Any) -> str | None:
    return next((value for rdn in name for key, value in rdn if key == "commonName"), None)


def _expiry(certificate: dict[str, Any]) -> datetime | None:
    text = certificate.get("notAfter")
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC) if text else None


def _listed(names: list[str]) -> str:
    return visible(", ".join(names[:5]) + (" ..." if len(names) > 5 else ""), 300) or "no name at all"


def certificate_names(certificate: dict[str, Any]) -> list[str]:
    """Return the DNS names and IP addresses a certificate is for; its common name only where it has none."""
    names = [value for kind, value in certificate.get("subjectAltName", ()) if kind in ("DNS", "IP Address")]
    common = _common_name(certificate.get("subject", ()))
    return names or ([common] if common else [])


def name_matches(pattern: str, name: str) -> bool:
    """Tell whether a certificate's name covers `name` (RFC 7817 §3, RFC 6125 §6.4.3).

    IP addresses must be equal; a wildcard stands for the whole left-most label and for exactly one.
    """
    address = _ip_address(name)
    if address is not None:
        return _ip_address(pattern) == address
    pattern, name = pattern.lower().removesuffix("."), _a_labels(name)
    if not pattern.startswith("*."):
        return pattern == name
    first, _, parent = name.partition(".")
    return bool(first) and parent == pattern[2:] and "." in parent


def _ip_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.strip())
    except ValueError:
        return None


def _a_labels(name: str) -> str:
    """Return a host name as certificates have it: in lower case and ASCII (RFC 7817 §3), if there is such a form."""
    try:
        ascii_name = name.encode("idna").decode("ascii")
    except UnicodeError:
        ascii_name = name
    return ascii_name.lower().removesuffix(".")
