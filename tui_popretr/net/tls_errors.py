"""The text and advice for a TLS handshake that failed."""

from __future__ import annotations

import errno
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from tui_popretr import wording
from tui_popretr.config.account import TlsPolicy
from tui_popretr.errors import (
    CertificateRejected,
    ClientCertificateRejected,
    ConnectionCut,
    TlsFailed,
    describe_os_error,
)
from tui_popretr.net.certificate import Certificate
from tui_popretr.net.legacy import NO_VERSION, outdated
from tui_popretr.net.name_mismatch import name_mismatch, other_names, pin_it

# X509_V_ERR_... of OpenSSL's x509_vfy.h, which is Python's verify_code.
_NOT_YET_VALID, _EXPIRED = 9, 10
_SELF_SIGNED = 18
_UNTRUSTED = {2, 19, 20, 21}  # no issuer found, at different positions of the chain
_OTHER_NAME = {62, 64}

# Reasons of OpenSSL's errors. The names of the server's alerts begin with the TLS version that introduced them. The
# reasons of old servers are in net/legacy.py.
_IN_CLEAR = {
    "WRONG_VERSION_NUMBER",
    "RECORD_LAYER_FAILURE",
    "UNKNOWN_PROTOCOL",
    "HTTP_REQUEST",
    "PACKET_LENGTH_TOO_LONG",
}
_CLIENT_CERTIFICATE_MISSING = {"TLSV13_ALERT_CERTIFICATE_REQUIRED", "SSLV3_ALERT_NO_CERTIFICATE"}
_CLIENT_CERTIFICATE_REJECTED = {
    "TLSV1_ALERT_UNKNOWN_CA": "it does not trust the issuer",
    "SSLV3_ALERT_BAD_CERTIFICATE": "it finds an error in it",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "it does not support its kind",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "it was revoked",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "it has expired",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "it gives no reason",
    "TLSV1_ALERT_ACCESS_DENIED": "it is valid, but has no access",
}


@dataclass(frozen=True, slots=True)
class Attempt:
    """A handshake that failed: its policy, its server, and the certificates that the server sent, if any."""

    policy: TlsPolicy
    host: str  # in ASCII
    shown: str  # as written, for errors
    port: str = ""
    chain: Sequence[Certificate] = ()

    @property
    def where(self) -> str:
        return f"at port {self.port}" if self.port else "here"


def explain(problem: Exception, attempt: Attempt) -> TlsFailed:
    """Return the error for a handshake that ended with `problem`."""
    if isinstance(problem, ssl.SSLCertVerificationError):
        return _rejected(problem, attempt)
    if _hung_up(problem):
        # Schannel, for example, closes the connection without an alert if there is no common cipher.
        causes = [_perhaps_stls(attempt), "" if attempt.policy.legacy else _accept_it(attempt.policy, sure=False)]
        return TlsFailed(
            "the server closed the connection during the TLS handshake", advice="; ".join(filter(None, causes))
        )
    if isinstance(problem, ssl.SSLError):
        return _broken(problem, attempt)
    detail = describe_os_error(problem) if isinstance(problem, OSError) else str(problem)
    return TlsFailed(f"the TLS handshake failed: {detail}")


def _hung_up(problem: Exception) -> bool:
    if isinstance(problem, ssl.SSLEOFError | ssl.SSLZeroReturnError | ConnectionError):
        return True
    if isinstance(problem, ssl.SSLError):  # Python 3.11.2, which is Debian 12's, has no exception class for it
        return "UNEXPECTED_EOF" in (problem.reason or "")
    return isinstance(problem, OSError) and problem.errno == errno.ENOTCONN


def client_certificate_alert(problem: ssl.SSLError) -> ConnectionCut | None:
    """Return the error for an alert after the handshake about the client certificate, None for any other alert.

    In TLS 1.3 the client finishes its handshake before the server checks the certificate (RFC 8446 §4.4.2.4). It is a
    ConnectionCut, because a server can send any alert at any time.
    """
    rejected = _client_certificate_rejected(problem)
    return ConnectionCut(str(rejected), advice=rejected.advice) if rejected is not None else None


def _client_certificate_rejected(problem: ssl.SSLError) -> ClientCertificateRejected | None:
    reason = (problem.reason or "").upper()
    if reason in _CLIENT_CERTIFICATE_MISSING:
        return ClientCertificateRejected("the server wants a client certificate")
    if reason in _CLIENT_CERTIFICATE_REJECTED:
        why = _CLIENT_CERTIFICATE_REJECTED[reason]
        return ClientCertificateRejected(f"the server rejects our client certificate: {why}")
    return None


def not_pinned(fingerprint: str, host: str) -> CertificateRejected:
    """Return the error for a certificate that is not pinned. `fingerprint` is "" if the server sent none."""
    if not fingerprint:
        return CertificateRejected(f"{host} sent no certificate, but one is pinned")
    shown = wording.fingerprint(fingerprint)
    return CertificateRejected(
        f"the certificate of {host} is not the pinned one: its SHA-256 fingerprint is {shown}",
        advice="an attacker may be between you and the server. If its operator says that this is the server's new"
        f' certificate, set fingerprint="{shown}" in the client\'s <ssl>',
    )


# --- the server's certificate -----------------------------------------------------------------------------------------


def _rejected(problem: ssl.SSLCertVerificationError, attempt: Attempt) -> CertificateRejected:
    code = problem.verify_code
    leaf = attempt.chain[0] if attempt.chain else Certificate()
    if code in _OTHER_NAME:
        return name_mismatch(leaf, attempt.host, attempt.shown, attempt.policy.peer_name)
    if words := outdated(problem):
        return CertificateRejected(_too_old(attempt, words), advice=_accept_it(attempt.policy))
    words = problem.verify_message or "it cannot be verified"
    # For the other reasons, trusting another authority does not help; a pin always does.
    advice = "; or ".join(filter(None, ("tell the server's operator", pin_it(leaf))))
    if code == _EXPIRED:
        words, advice = (
            _expired(attempt.chain),
            "the server's operator has to renew it. If this machine's clock is wrong, correct it",
        )
    elif code == _NOT_YET_VALID:
        words, advice = _not_yet_valid(attempt.chain), "check this machine's clock"
    elif code == _SELF_SIGNED:
        words = "it is self-signed"
        advice = pin_it(leaf) or "set tspath to a file with this certificate, in the client's <ssl>"
    elif code in _UNTRUSTED:
        words, advice = _untrusted(attempt.chain), _trust(leaf)
    if not (code == _SELF_SIGNED or code in _UNTRUSTED):
        return CertificateRejected(f"the certificate of {attempt.shown} is rejected: {words}", advice=advice)
    # OpenSSL has not compared the names. A user who pins the certificate needs to know that they differ.
    expected = attempt.policy.peer_name
    called = not leaf.names or (leaf.is_called(expected) if expected else leaf.is_for(attempt.host))
    names = "" if called else other_names(leaf, expected or attempt.shown)
    return CertificateRejected(
        f"the certificate of {attempt.shown} is rejected: {words}{', and it is ' * bool(names)}{names}",
        advice=advice,
        fingerprint=leaf.fingerprint,
        mismatch=f"the certificate is {names}" if names else "",
    )


def _expired(chain: Sequence[Certificate]) -> str:
    now = datetime.now(UTC)
    for number, each in enumerate(chain):
        if each.expires is not None and each.expires < now:
            when = f"expired {wording.certificate_date(each.expires, now)}"
            return f"it {when}" if number == 0 else f"that of {each.subject or 'an authority'}, which signed it, {when}"
    # The server does not send the one that has expired: it is in the trust file.
    return "that of an authority which signed it has expired" if chain else "it has expired"


def _not_yet_valid(chain: Sequence[Certificate]) -> str:
    now = datetime.now(UTC)
    for each in chain:
        if each.begins is not None and each.begins > now:
            return f"it is not valid yet: it begins {wording.certificate_date(each.begins, now)}"
    return "it is not valid yet"


def _untrusted(chain: Sequence[Certificate]) -> str:
    issuer = chain[-1].issuer if chain else ""
    words = f"it is signed by an authority that is not trusted here{f' ({issuer})' if issuer else ''}"
    if len(chain) == 1:
        words += ", or the server does not send the intermediate certificates"
    return words


def _trust(leaf: Certificate) -> str:
    trust = "set tspath to a file with the authority's certificate, in the client's <ssl>, if you trust that"
    return f"{trust}; or {pin_it(leaf)}" if leaf.fingerprint else trust


# --- other errors -----------------------------------------------------------------------------------------------------


def _broken(problem: ssl.SSLError, attempt: Attempt) -> TlsFailed:
    reason, policy = (problem.reason or "").upper(), attempt.policy
    if reason in _IN_CLEAR:
        if policy.latent:
            return TlsFailed(
                "the server agreed to STLS and then continued in clear", advice="tell the server's operator"
            )
        return TlsFailed(f"the server speaks plain text {attempt.where} and not TLS", advice=_perhaps_stls(attempt))
    if reason in NO_VERSION:
        return _no_version(policy)
    if rejected := _client_certificate_rejected(problem):
        return rejected
    if words := outdated(problem):
        if "_ALERT_" not in reason:
            return TlsFailed(_too_old(attempt, words), advice=_accept_it(policy))
        wants = "" if policy.key_store else "; or it wants a client certificate (kspath)"
        return TlsFailed(f"the server ends the TLS handshake: {words}{wants}", advice=_accept_it(policy, sure=False))
    if reason == "TLSV1_UNRECOGNIZED_NAME":
        return TlsFailed(f"the server does not know the name {attempt.shown}", advice="check the host name in address")
    words = (reason or str(problem)).lower().replace("_", " ")
    return TlsFailed(f"the TLS handshake failed: {words}")


def _too_old(attempt: Attempt, words: str) -> str:
    return f"{attempt.shown} is too old for a safe connection: {words}"


def _accept_it(policy: TlsPolicy, *, sure: bool = True) -> str:
    if policy.legacy:
        return "tell the server's operator"
    when = "tell the server's operator; until the server is updated," if sure else "if the server is old,"
    return f"{when} {_written(policy, legacy=True)} accepts it, but others may then be able to read the connection"


def _written(policy: TlsPolicy, **changes: Any) -> str:
    """Return the <ssl> element of a policy with changes, as it is written; `...` stands for its other attributes."""
    plain, changed = TlsPolicy(), replace(policy, **changes)
    kept = replace(changed, latent=False, minimum_version=plain.minimum_version, legacy=False)
    attributes = {
        'latent="Y"': changed.latent,
        "...": kept != plain,
        f'proto="{changed.minimum_version}"': changed.minimum_version != policy.minimum_version
        or changed.minimum_version != plain.minimum_version,
        'legacy="Y"': changed.legacy,
    }
    return f"<ssl {' '.join(text for text, there in attributes.items() if there)}/>"


def _no_version(policy: TlsPolicy) -> TlsFailed:
    advice = "tell the server's operator"
    if policy.minimum_version == "TLSv1.3":
        advice = f"if the server supports nothing newer, use {_written(policy, minimum_version='TLSv1.2')}"
    elif policy.minimum_version != "TLSv1":
        older = _written(policy, minimum_version="TLSv1")
        advice = f"{advice}; until it is updated, {older} accepts older versions, which are no longer safe"
    return TlsFailed(
        f"the server has no version of TLS that is accepted here: {policy.minimum_version} or newer (proto)",
        advice=advice,
    )


def _perhaps_stls(attempt: Attempt) -> str:
    if attempt.policy.latent:
        return ""
    return (
        'if POP3 begins in clear there, as it does at port 110, set latent="Y" (STLS);'
        " TLS from the first byte is usually at port 995"
    )
