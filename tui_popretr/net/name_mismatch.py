"""Certificates for another name than the server's: the error, and the advice for it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from tui_popretr.errors import CertificateRejected
from tui_popretr.hosts import host_key, is_loopback
from tui_popretr.net.certificate import Certificate
from tui_popretr.text import visible
from tui_popretr.wording import fingerprint


def name_mismatch(certificate: Certificate, host: str, shown: str, expected: str | None) -> CertificateRejected:
    """Return the error for a certificate that is not for `host`, or not for `expected`, the name in peercert.

    `shown` is the host as written in the configuration.
    """
    names = other_names(certificate, expected or shown)
    return CertificateRejected(
        f"the certificate is {'self-signed, and ' if certificate.self_signed else ''}{names}",
        advice=_right_name(certificate, host, shown, expected),
        fingerprint=certificate.fingerprint,
        mismatch=f"the certificate is {names}",
    )


def other_names(certificate: Certificate, expected: str) -> str:
    """Return which names a certificate is for, and that `expected` is none of them: "for a.test, not for b.test"."""
    wanted = visible(expected, 253)
    return f"for {_listed(certificate.names)}, not for {wanted}" if certificate.names else f"not for {wanted}"


def pin_it(certificate: Certificate) -> str:
    """Return the advice to pin a certificate; "" if its fingerprint is unknown."""
    if not certificate.fingerprint:
        return ""
    pin = f'pin it with fingerprint="{fingerprint(certificate.fingerprint)}"'
    return f"{pin} in the client's <ssl>, if the server's operator says that this is its fingerprint"


def _listed(names: Sequence[str]) -> str:
    return visible(", ".join(names[:5]) + (" ..." if len(names) > 5 else ""), 300)


def _right_name(certificate: Certificate, host: str, shown: str, expected: str | None) -> str:
    """Return the advice. It suggests a name only if the handshake then succeeds and the name identifies this server."""
    if expected and certificate.is_for(host):
        return f"remove peercert from the client's <ssl>: the certificate is for {shown}"
    if certificate.is_called(host):
        # If there are alternative names, the common name does not count (RFC 6125 §6.4.4); nor does an address that is
        # written as a DNS name.
        return (
            "the certificate has this name only in a field that is not checked by default; set"
            f' peercert="{shown}" in the client\'s <ssl>'
        )
    check = "check peercert" if expected else "check the host name in address"
    if name := _telling_name(certificate, host):
        return f'{check}, or set peercert="{visible(name, 253)}" in the client\'s <ssl> if that is the right server'
    if certificate.fingerprint and certificate.names and not any("*" in name for name in certificate.names):
        return f"{check}; no name in the certificate identifies the server, so {pin_it(certificate)}"
    return check


def _telling_name(certificate: Certificate, host: str) -> str:
    """Return the name in a certificate that most likely identifies the server; "" if there is none.

    Every machine is called localhost, so that name identifies only this one; and a wildcard is not a name.
    """
    names = [name for name in certificate.names if "*" not in name and (is_loopback(host) or not is_loopback(name))]
    labels = host_key(host).split(".")[::-1]

    def in_common(name: str) -> int:
        pairs = zip(labels, host_key(name).split(".")[::-1], strict=False)
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))

    return max(names, key=in_common, default="")
