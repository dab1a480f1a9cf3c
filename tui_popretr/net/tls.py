"""TLS policies made into SSL contexts, and what a verified connection says about its server.

Clients with the same trust settings share one context, because loading trust stores is expensive.
"""

from __future__ import annotations

import hashlib
import socket
import ssl
import warnings
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache

from tui_popretr.config.account import TlsPolicy
from tui_popretr.errors import TlsFailed
from tui_popretr.facts import TlsDetails
from tui_popretr.net import tls_errors
from tui_popretr.net.certificate import Certificate, Decoded, chain_shown
from tui_popretr.net.keystores import load_client_certificate, load_trust
from tui_popretr.net.legacy import accept_outdated, lower_the_level, refuse_outdated
from tui_popretr.net.name_mismatch import misnamed
from tui_popretr.net.tickets import Server, Ticket, Tickets
from tui_popretr.text import visible

_VERSIONS = {
    "TLSv1": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}


@dataclass(frozen=True, slots=True)
class Trust:
    """A policy's SSL context, and what its connections may resume: with the one goes the other."""

    context: ssl.SSLContext
    tickets: Tickets


class TlsContexts:
    """The SSL contexts and tickets of a process."""

    def __init__(self) -> None:
        self._trust = lru_cache(maxsize=256)(_new_trust)

    def trust_for(self, policy: TlsPolicy) -> Trust:
        """Return the context of a policy, the same one for all policies with the same trust settings.

        Raises ConfigurationError as context_for().
        """
        # A context depends on whether this program compares a name or a pin, but not on which one.
        peer_name = None if policy.peer_name is None else "-"
        alike = replace(policy, latent=False, handshake_timeout=None, peer_name=peer_name)
        if policy.fingerprints:
            alike = replace(alike, fingerprints=("any",), peer_name=None, trust_path=None, trust_password=None)
        return self._trust(alike)

    def clear(self) -> None:
        """Read all files again for new connections, and resume no session: the files may have changed."""
        self._trust.cache_clear()


def _new_trust(policy: TlsPolicy) -> Trust:
    return Trust(context_for(policy), Tickets())


def context_for(policy: TlsPolicy) -> ssl.SSLContext:
    """Return a new SSL context for a policy. Raises ConfigurationError if its files cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _set_oldest(context, _VERSIONS[policy.minimum_version])
    (accept_outdated if policy.legacy else refuse_outdated)(context)
    # Python versions differ in these two defaults; a certificate is to be judged alike by all of them.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    # Python 3.11.2, which is Debian 12's, treats a cut connection as a regular end, as OpenSSL before version 3 did.
    context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
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
    lower_the_level(context)


class TlsSession:
    """One handshake to come: its context, the name it is for, and the verdict on the certificate."""

    def __init__(self, policy: TlsPolicy, host: str, shown: str = "", contexts: TlsContexts | None = None) -> None:
        """`host` is in ASCII, as in SNI and certificates; `shown` is the host as written, for errors.

        Without `contexts` nothing is shared with other connections.
        """
        self._policy = policy
        self._host = host
        self._shown = visible(shown or host, 253)
        trust = (contexts or TlsContexts()).trust_for(policy)
        self._context = trust.context
        self._tickets = trust.tickets
        self._sock: ssl.SSLSocket | None = None
        self._server: Server = ("", 0)
        # Resumptions that a server cannot do may end in a cut, and a connection on which something has been said
        # already is not made anew unnoticed. And who asks for our certificate wants to see it each time.
        self._resumable = not policy.latent and policy.key_store is None
        self._given_up = False
        self._ticket: Ticket | None = None  # what is offered
        self._accepted: tuple[Certificate, datetime, bool] | None = None  # for the next ticket

    def wrap(self, sock: socket.socket) -> ssl.SSLSocket:
        """Put TLS on a connected, non-blocking socket; the handshake is the caller's to do."""
        self._server = (self._host.lower(), sock.getpeername()[1])
        self._ticket = self._tickets.take(self._server, _now()) if self._resumable else None
        # A TLS connection that ends without close_notify must be seen as the cut it is.
        self._sock = self._context.wrap_socket(
            sock,
            do_handshake_on_connect=False,
            suppress_ragged_eofs=False,
            server_hostname=self._host,
            session=self._ticket.session if self._ticket else None,
        )
        return self._sock

    def gives_up_resuming(self, problem: Exception) -> bool:
        """Tell whether a failed handshake is to be tried again, over a new connection and without a ticket.

        Dovecot with ssl_verify_client_cert, for one, gives tickets to all and cuts off who comes back with one.
        """
        if self._ticket is None or isinstance(problem, ssl.SSLCertVerificationError):
            return False
        self._resumable, self._given_up = False, True
        return True

    def verified(self, sock: ssl.SSLSocket) -> TlsDetails:
        """Return what the connection is. Raises CertificateRejected where it is not the pinned or the expected one."""
        policy = self._policy
        der = sock.getpeercert(binary_form=True) or b""
        if policy.fingerprints:
            fingerprint = hashlib.sha256(der).hexdigest()
            if fingerprint not in policy.fingerprints:
                raise tls_errors.not_pinned(fingerprint if der else "", self._shown)
            # What was not verified is not told officially; whose certificate it is, the fingerprint has settled.
            shown = [self._ticket.certificate] if self._ticket and sock.session_reused else chain_shown(sock)
            told = (each for each in shown if each.fingerprint == fingerprint)
            certificate = next(told, Certificate(fingerprint=fingerprint))
        else:
            certificate = Certificate.of(_decoded(sock), der)
            expected = policy.peer_name
            if expected not in {None, "-"} and not certificate.is_called(expected):
                raise misnamed(certificate, self._host, self._shown, expected)
        now, resumed = _now(), bool(sock.session_reused)
        if self._given_up:
            self._tickets.unwilling(self._server, now)
        verified = self._ticket.verified if self._ticket and resumed else now
        self._accepted = (certificate, verified, bool(policy.fingerprints))
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
            resumed=resumed,
        )

    def channel_binding(self) -> bytes | None:
        """Return what only the two ends of this connection know (tls-unique, RFC 5929 §3); None without such."""
        sock = self._sock
        # RFC 8446 appendix C.5: not defined for TLS 1.3; what took its place (RFC 9266) cannot be had from Python.
        # RFC 7627 §6.1: after a resumption it may be known to others.
        if sock is None or sock.version() == "TLSv1.3" or sock.session_reused:
            return None
        self._resumable = False  # the next connection is to have one as well
        return sock.get_channel_binding("tls-unique")

    def keep(self) -> None:
        """Keep what another connection may resume; to be called when this one is about to be closed.

        Not earlier: in TLS 1.3 a server gives its tickets at any time after the handshake.
        """
        sock, accepted = self._sock, self._accepted
        if sock is None or accepted is None or not (self._resumable and self._tickets.wanted(self._server, _now())):
            return
        session = sock.session
        if session is not None and session.id:  # else there was no ticket
            self._tickets.keep(self._server, Ticket(session, *accepted))

    def explain(self, problem: Exception) -> TlsFailed:
        """Return the error that says in words why the handshake failed, and what to do about it."""
        return tls_errors.explain(problem, self._attempt())

    def _attempt(self) -> tls_errors.Attempt:
        chain = chain_shown(self._sock) if self._sock is not None else []
        return tls_errors.Attempt(self._policy, self._host, self._shown, str(self._server[1] or ""), tuple(chain))


def _now() -> datetime:
    return datetime.now(UTC)


def _decoded(sock: ssl.SSLSocket) -> Decoded:
    """Return the certificate of a connection that was verified; {} where a name in it is not even text."""
    try:
        return sock.getpeercert() or {}
    except ValueError:
        return {}
