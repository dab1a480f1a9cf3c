"""A server's certificate: subject, issuer, names, validity and fingerprint."""

from __future__ import annotations

import hashlib
import ipaddress
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tui_popretr.hosts import host_key
from tui_popretr.text import visible

#: OpenSSL's dictionary of a certificate, as SSLSocket.getpeercert() documents it.
Decoded = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate. `fingerprint` is the SHA-256 of its DER form in 64 lower-case hex digits."""

    subject: str = ""
    issuer: str = ""
    names: tuple[str, ...] = ()  # as written, not made safe for a terminal
    texts: tuple[str, ...] = ()  # common names and other alternative names, which count only for peercert
    begins: datetime | None = None
    expires: datetime | None = None
    fingerprint: str = ""
    self_signed: bool = False  # its issuer has its own name

    @classmethod
    def of(cls, decoded: Decoded, der: bytes) -> Certificate:
        """Return the certificate for OpenSSL's decoded form and the DER form."""
        return cls(
            subject=visible(_name(decoded.get("subject", ())), 256),
            issuer=visible(_name(decoded.get("issuer", ())), 256),
            names=tuple(certificate_names(decoded)),
            texts=tuple(certificate_texts(decoded)),
            begins=_time(decoded.get("notBefore")),
            expires=_time(decoded.get("notAfter")),
            fingerprint=hashlib.sha256(der).hexdigest(),
            self_signed=bool(decoded.get("subject")) and decoded.get("subject") == decoded.get("issuer"),
        )

    def is_for(self, host: str) -> bool:
        """Whether it is for a host by its names (RFC 7817 §3)."""
        return any(name_matches(name, host) for name in self.names)

    def is_called(self, text: str) -> bool:
        """Whether the certificate has a name that the user has set in peercert: one of its names or texts.

        The common name counts even if there are alternative names, as in Mailismus: the user has named it.
        """
        wanted = text.strip().casefold()
        return self.is_for(text) or any(each.casefold() == wanted or name_matches(each, text) for each in self.texts)


def chain_shown(sock: ssl.SSLSocket) -> list[Certificate]:
    """Return the certificates that the server sent, its own first, verified or not; [] if they are not known.

    They are for texts only and decide nothing. Python has no public function for certificates that were not accepted,
    and another version may lack this private one (docs/decisions/0009-rejected-certificates.md).
    """
    try:
        shown = sock._sslobj.get_unverified_chain() or []  # type: ignore[attr-defined]
        return [Certificate.of(each.get_info(), ssl.PEM_cert_to_DER_cert(each.public_bytes())) for each in shown]
    except (AttributeError, TypeError, ValueError, ssl.SSLError):
        return []


def _name(rdns: Any) -> str:
    """Return the common name of a distinguished name, else its most specific name."""
    named = [(key, value) for rdn in rdns for key, value in rdn]
    for wanted in ("commonName", "organizationalUnitName", "organizationName"):
        if found := next((value for key, value in named if key == wanted), ""):
            return str(found)
    return ""


def _time(text: str | None) -> datetime | None:
    # The year 9999 stands for "never" (RFC 5280 §4.1.2.5) and fits; a time that does not fit is unknown.
    try:
        return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC) if text else None
    except (ValueError, OverflowError, OSError):
        return None


# --- names ------------------------------------------------------------------------------------------------------------


def certificate_names(decoded: Decoded) -> list[str]:
    """Return the DNS names and IP addresses of a certificate; its common name only if it has none."""
    names = [
        value if kind == "DNS" else str(_ip_address(value) or value)  # OpenSSL writes IPv6 addresses in full
        for kind, value in decoded.get("subjectAltName", ())
        if kind in ("DNS", "IP Address")
    ]
    common = next((value for rdn in decoded.get("subject", ()) for key, value in rdn if key == "commonName"), None)
    return names or ([common] if common else [])


def certificate_texts(decoded: Decoded) -> list[str]:
    """Return the common names, and the alternative names that are neither DNS names nor IP addresses."""
    common = [value for rdn in decoded.get("subject", ()) for key, value in rdn if key == "commonName"]
    alternatives = decoded.get("subjectAltName", ())
    others = [value for kind, value in alternatives if kind not in ("DNS", "IP Address") and isinstance(value, str)]
    return [*common, *others]


def name_matches(pattern: str, name: str) -> bool:
    """Whether a certificate's name covers `name` (RFC 7817 §3, RFC 6125 §6.4.3).

    IP addresses must be equal; a wildcard stands for the whole left-most label and for exactly one.
    """
    address = _ip_address(name)
    if address is not None:
        return _ip_address(pattern) == address
    pattern, name = pattern.lower().removesuffix("."), host_key(name)
    if not pattern.startswith("*."):
        return pattern == name
    first, _, parent = name.partition(".")
    return bool(first) and parent == pattern[2:] and "." in parent


def _ip_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.strip())
    except ValueError:
        return None
