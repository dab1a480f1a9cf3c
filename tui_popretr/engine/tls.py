"""TLS policies made into SSL contexts, and what a verified connection says about its server.

One context serves all clients with equal policies: loading trust stores is what makes contexts expensive.
"""

from __future__ import annotations

import hashlib
import socket
import ssl
import warnings
from functools import lru_cache

from tui_popretr.config.model import TlsPolicy
from tui_popretr.engine import tls_trouble
from tui_popretr.engine.certificate import Certificate, Decoded, chain_shown, name_matches
from tui_popretr.engine.stores import load_client_certificate, load_trust
from tui_popretr.errors import TlsFailed
from tui_popretr.facts import TlsDetails
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
    _set_oldest(context, _VERSIONS[policy.minimum_version])
    # Python versions differ in these two defaults; a certificate is to be judged alike by all of them.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    # Without renegotiation a write never has to wait for a read, so reader and writer stay independent.
    context.options |= ssl.OP_NO_RENEGOTIATION
    if policy.fingerprints:
        # A pin replaces chain and name check (SPEC 1): verified() compares, before anything is sent under TLS. That
        # the server has the certificate's key is proven in the handshake all the same.
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
        # Who asks for one of these was told at check what they are worth.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = version
    # OpenSSL 3 has them at its lowest level only, since they sign with MD5 and SHA-1.
    context.set_ciphers("DEFAULT:!aNULL:!eNULL:@SECLEVEL=0")


class TlsSession:
    """One handshake to come: its context, the name it is for, and the verdict on the certificate."""

    def __init__(self, policy: TlsPolicy, host: str) -> None:
        self._policy = policy
        self._host = host
        self._context = context_for(policy)
        self._sock: ssl.SSLSocket | None = None
        self._port = ""

    def wrap(self, sock: socket.socket) -> ssl.SSLSocket:
        """Put TLS on a connected, non-blocking socket; the handshake is the caller's to do."""
        self._port = str(sock.getpeername()[1])
        # A TLS connection that ends without close_notify must be seen as the cut it is.
        self._sock = self._context.wrap_socket(
            sock, do_handshake_on_connect=False, suppress_ragged_eofs=False, server_hostname=self._host
        )
        return self._sock

    def verified(self, sock: ssl.SSLSocket) -> TlsDetails:
        """Return what the connection is. Raises CertificateRejected where it is not the pinned or the expected one."""
        policy = self._policy
        der = sock.getpeercert(binary_form=True) or b""
        if policy.fingerprints:
            fingerprint = hashlib.sha256(der).hexdigest()
            if fingerprint not in policy.fingerprints:
                raise tls_trouble.not_pinned(fingerprint if der else "", self._host)
            # What was not verified is not told officially; whose certificate it is, the fingerprint has settled.
            told = (each for each in chain_shown(sock) if each.fingerprint == fingerprint)
            certificate = next(told, Certificate(fingerprint=fingerprint))
        else:
            certificate = Certificate.of(_decoded(sock), der)
            expected = policy.peer_name
            if expected not in {None, "-"} and not any(name_matches(name, expected) for name in certificate.names):
                raise tls_trouble.misnamed(certificate.names, self._host, expected)
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

    def explain(self, problem: Exception) -> TlsFailed:
        """Return the error that says in words why the handshake failed, and what to do about it."""
        chain = chain_shown(self._sock) if self._sock is not None else []
        attempt = tls_trouble.Attempt(self._policy, self._host, self._port, tuple(chain))
        return tls_trouble.explain(problem, attempt)


def _decoded(sock: ssl.SSLSocket) -> Decoded:
    """Return the certificate of a connection that was verified; {} where a name in it is not even text."""
    try:
        return sock.getpeercert() or {}
    except ValueError:
        return {}
