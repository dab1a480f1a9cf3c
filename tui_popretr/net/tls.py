"""SSL contexts for TLS policies, and the verification of a connection.

Clients with the same trust settings share one context, because loading trust stores is expensive.
"""

from __future__ import annotations

import hashlib
import socket
import ssl
import warnings
from dataclasses import replace
from functools import lru_cache

from tui_popretr.config.account import TlsPolicy
from tui_popretr.errors import TlsFailed
from tui_popretr.facts import TlsDetails
from tui_popretr.net import tls_errors
from tui_popretr.net.certificate import Certificate, Decoded, chain_shown
from tui_popretr.net.keystores import load_client_certificate, load_trust
from tui_popretr.net.legacy import accept_outdated, lower_the_level, refuse_outdated
from tui_popretr.net.name_mismatch import name_mismatch
from tui_popretr.text import visible

_VERSIONS = {
    "TLSv1": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}


class TlsContexts:
    """The SSL contexts of a process."""

    def __init__(self) -> None:
        self._contexts = lru_cache(maxsize=256)(context_for)

    def of(self, policy: TlsPolicy) -> ssl.SSLContext:
        """Return the context of a policy, the same one for all policies with the same trust settings.

        Raises ConfigurationError as context_for().
        """
        # A context depends on whether this program compares a name or a pin, but not on which one.
        peer_name = None if policy.peer_name is None else "-"
        alike = replace(policy, latent=False, handshake_timeout=None, peer_name=peer_name)
        if policy.fingerprints:
            alike = replace(alike, fingerprints=("any",), peer_name=None, trust_path=None, trust_password=None)
        return self._contexts(alike)

    def clear(self) -> None:
        """Read all files again for new connections: they may have changed."""
        self._contexts.cache_clear()


def context_for(policy: TlsPolicy) -> ssl.SSLContext:
    """Return a new SSL context for a policy. Raises ConfigurationError if its files cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _set_oldest(context, _VERSIONS[policy.minimum_version])
    (accept_outdated if policy.legacy else refuse_outdated)(context)
    # Python versions differ in these two defaults; all of them must verify a certificate in the same way.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    # Python 3.11.2 (Debian 12) treats a cut connection as a regular end, as OpenSSL before version 3 did.
    context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    # Without renegotiation a write never has to wait for a read, so reader and writer stay independent.
    context.options |= ssl.OP_NO_RENEGOTIATION
    if policy.fingerprints or not policy.verified:
        # A pin replaces the check of chain and name: verified() compares it before anything is sent under TLS. The
        # handshake still proves that the server has the certificate's key.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.check_hostname = policy.peer_name is None
        context.verify_mode = ssl.CERT_REQUIRED
        if policy.trust_path is None:
            context.load_default_certs(ssl.Purpose.SERVER_AUTH)
        else:
            load_trust(context, policy.trust_path, policy.trust_password)
    if policy.key_store is not None:
        load_client_certificate(context, policy, policy.key_store)
    return context


def _set_oldest(context: ssl.SSLContext, version: ssl.TLSVersion) -> None:
    if version >= ssl.TLSVersion.TLSv1_2:
        context.minimum_version = version
        return
    with warnings.catch_warnings():
        # `check` warns of these versions already.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = version
    # OpenSSL 3 allows them at its lowest security level only, because they sign with MD5 and SHA-1.
    lower_the_level(context)


class TlsSession:
    """TLS for one connection: the handshake's context and the verification of the certificate.

    No session is resumed (docs/decisions/0010-resumption.md).
    """

    def __init__(self, policy: TlsPolicy, host: str, shown: str = "", contexts: TlsContexts | None = None) -> None:
        """`host` is in ASCII, as in SNI and certificates; `shown` is the host as written, for errors.

        Without `contexts` nothing is shared with other connections.
        """
        self._policy = policy
        self._host = host
        self._shown = visible(shown or host, 253)
        self._context = (contexts or TlsContexts()).of(policy)
        self._sock: ssl.SSLSocket | None = None
        self._port = ""

    def wrap(self, sock: socket.socket) -> ssl.SSLSocket:
        """Put TLS on a connected, non-blocking socket. The caller does the handshake."""
        self._port = str(sock.getpeername()[1])
        # A TLS connection that ends without close_notify must be reported as cut.
        self._sock = self._context.wrap_socket(
            sock, do_handshake_on_connect=False, suppress_ragged_eofs=False, server_hostname=self._host
        )
        return self._sock

    def verified(self, sock: ssl.SSLSocket) -> TlsDetails:
        """Return the details of the connection. CertificateRejected if the certificate is not the expected one."""
        policy = self._policy
        der = sock.getpeercert(binary_form=True) or b""
        if policy.fingerprints or not policy.verified:
            fingerprint = hashlib.sha256(der).hexdigest()
            if policy.fingerprints and fingerprint not in policy.fingerprints:
                raise tls_errors.not_pinned(fingerprint if der else "", self._shown)
            # Python has no details of a certificate that was not verified. The fingerprint identifies the right one.
            pinned = (each for each in chain_shown(sock) if each.fingerprint == fingerprint)
            certificate = next(pinned, Certificate(fingerprint=fingerprint))
        else:
            certificate = Certificate.of(_decoded(sock), der)
            expected = policy.peer_name
            if expected not in {None, "-"} and not certificate.is_called(expected):
                raise name_mismatch(certificate, self._host, self._shown, expected)
        cipher = sock.cipher()
        return TlsDetails(
            version=sock.version() or "TLS",
            cipher=cipher[0] if cipher else "",
            subject=certificate.subject,
            issuer=certificate.issuer,
            names=tuple(visible(name, 256) for name in certificate.names),
            expires=certificate.expires,
            fingerprint=certificate.fingerprint,
            pinned=bool(policy.fingerprints),
        )

    def channel_binding(self) -> bytes | None:
        """Return data that only the two ends of this connection know (tls-unique, RFC 5929 §3), or None."""
        sock = self._sock
        # It is not defined for TLS 1.3 (RFC 8446 appendix C.5), and Python does not support its successor (RFC 9266).
        if sock is None or sock.version() == "TLSv1.3":
            return None
        return sock.get_channel_binding("tls-unique")

    def explain(self, problem: Exception) -> TlsFailed:
        """Return the error for a handshake that failed."""
        return tls_errors.explain(problem, self._attempt())

    def _attempt(self) -> tls_errors.Attempt:
        chain = chain_shown(self._sock) if self._sock is not None else []
        return tls_errors.Attempt(self._policy, self._host, self._shown, self._port, tuple(chain))


def _decoded(sock: ssl.SSLSocket) -> Decoded:
    """Return the verified certificate of a connection; {} if a name in it is not text."""
    try:
        return sock.getpeercert() or {}
    except ValueError:
        return {}
